"""What a mesh's file is like is said before the first step, and is not laid to the optimization afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.geometry.input_flaws import input_sentences, mesh_facts
from mitsuba_mei.geometry.mesh import file, icosphere
from mitsuba_mei.geometry.quality import intersecting_faces
from mitsuba_mei.report.html import words
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.report.sentences import describe_mesh
from mitsuba_mei.runs.results import MeshFlaws
from tests.small_scene import write_scene
from tests.whole_runs import Silent

BALL = trimesh.creation.icosphere(subdivisions=2)


def write_two_balls(path: Path) -> int:
    """Two coloured balls that pass through each other, and one apart from them with a hole; gives how many faces do."""
    second = BALL.copy().apply_translation([1.01, 0.03, 0.07])
    apart = BALL.copy().apply_translation([0.0, 3.0, 0.0])
    apart.update_faces(np.arange(len(apart.faces)) > 0)
    whole = trimesh.util.concatenate([BALL, second, apart])
    lines = ["mtllib balls.mtl", "usemtl red", *(f"v {x:.9g} {y:.9g} {z:.9g} 1 0 0" for x, y, z in whole.vertices)]
    lines += [f"f {a} {b} {c}" for a, b, c in whole.faces + 1]
    path.write_text("\n".join(lines))
    return int(intersecting_faces(np.asarray(whole.vertices), np.asarray(whole.faces)).sum())


@pytest.fixture
def scene(tmp_path) -> tuple[Path, int]:
    count = write_two_balls(tmp_path / "balls.obj")
    assert count > 20
    shape = {"template": {"type": "file", "path": "balls.obj"}, "rbf": {"control_points": 20}, "free": ["offsets"]}
    return write_scene(tmp_path, "balls", shape=shape), count


def said_of(count: int) -> list[str]:
    return [
        "959 faces, not closed",
        "left out its materials and textures",
        "left out the colours of 486 vertices",
        "3 bodies that do not touch are deformed as one object",
        "the surface is open: 3 edges have one face only, left as they are",
        f"flaws of the file: {count} faces passing through others",
    ]


def test_check_says_what_the_mesh_is_like(scene, capsys):
    path, count = scene
    assert main(["check", str(path), "--trust-code"]) == 0
    printed = capsys.readouterr().out.splitlines()
    first = next(number for number, line in enumerate(printed) if line.startswith("  mesh      "))
    assert [line[12:] for line in printed[first:]] == said_of(count)


def test_check_says_nothing_of_a_built_in_mesh(tmp_path, capsys):
    assert main(["check", str(write_scene(tmp_path, "ball")), "--trust-code"]) == 0
    assert "mesh" not in capsys.readouterr().out
    assert input_sentences(icosphere(1)) == []
    facts = mesh_facts(icosphere(1).vertices, icosphere(1))
    assert facts.input is None and facts.new_intersecting_faces is None


@pytest.mark.slow
def test_a_run_tells_the_file_s_flaws_from_its_own(scene, tmp_path, capsys):
    path, count = scene
    progress = Silent()
    config = load_config(path, ["optimizer.steps=1", "optimizer.lr=1e-6"], trust_code=True)
    outcome = run_mei(config, tmp_path / "run", progress)
    told = [text.removeprefix("mesh: ") for text in progress.messages if text.startswith("mesh: ")]
    assert told == said_of(count)
    mesh = json.loads((tmp_path / "run" / "result.json").read_text())["mesh"]
    assert mesh["input"]["intersecting_faces"] == count and mesh["input"]["watertight"] is False
    assert mesh["input"]["said"] == said_of(count)[1:5]
    new, left = mesh["new_intersecting_faces"], mesh["intersecting_faces"] - mesh["new_intersecting_faces"]
    assert new < 0.2 * count and 0.8 * count < left <= count
    ((line),) = [line for line in describe_mesh(outcome.result.mesh) if "input mesh" in line]
    assert line == f"{count} faces of the input mesh passed through others before any step; {left} of them still do"

    quality = read_run_folder(Place(tmp_path / "run", "run")).mesh
    quality = quality.model_copy(update={"flipped_faces": 0, "new_intersecting_faces": 0, "intersecting_faces": left})
    assert words.flaws(quality) == 0 and words.flaws_in_short(quality) == f"none, {left} of the file, open"
    report = " ".join(words.flaws_in_words(quality))
    assert f"In the input mesh {count} faces passed through others before any step; {left} of them still do." in report
    assert "as the input mesh had" in report and "that no object has" not in report
    assert "When its file was read: left out its materials and textures; " in report


def test_what_the_optimization_does_to_a_mesh_with_flaws_is_counted_apart(tmp_path):
    count = write_two_balls(tmp_path / "balls.obj")
    template = file(tmp_path / "balls.obj")
    facts = mesh_facts(template.vertices, template)
    assert (facts.intersecting_faces, facts.new_intersecting_faces) == (count, 0)
    shape = template.vertices.clone()
    far = int(shape[:, 1].argmax())  # of the ball that stands apart
    shape[far] -= torch.tensor([0.0, 3.0, 0.0]) * (shape[far, 1] - shape[:, 1].min())
    facts = mesh_facts(shape, template)
    assert facts.new_intersecting_faces >= 6
    assert facts.intersecting_faces - facts.new_intersecting_faces <= count
    assert facts.input.intersecting_faces == count
    first, second = describe_mesh(MeshFlaws.model_validate(facts))
    assert first.startswith("the optimization made faces that no object has: ")
    assert f"{facts.new_intersecting_faces} intersecting" in first and f"{count} faces of the input mesh" in second


def test_a_mesh_without_flaws_of_its_own_is_spoken_of_as_before():
    counts = {"flipped_faces": 0, "degenerate_faces": 1, "intersecting_faces": 7}
    line = ["the mesh has faces that no object has: 1 degenerate, 7 intersecting"]
    assert describe_mesh(MeshFlaws(**counts)) == line
    assert describe_mesh(MeshFlaws(**counts, new_intersecting_faces=7, input={"intersecting_faces": 0})) == line
