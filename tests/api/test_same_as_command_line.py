"""The same settings by either door: the same output files, byte for byte, times aside."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

import mitsuba_mei as mm
from tests.goldens.record import compare, record
from tests.goldens.runs import SCENE
from tests.whole_runs import called

pytestmark = pytest.mark.slow

TIMED = (".json", ".csv")
"""Files in which times stand, whose other values are compared one by one."""


def inline() -> mm.MEI:
    """The scene file of the goldens, in Python."""
    scene = mm.Scene(
        mm.icosphere(2),
        deformation=mm.RBFDeformation(control_points=20),
        pose=mm.Pose(free=["rotation"]),
        emitters=[mm.Sun((0.6, 0.5, -1), irradiance=8, free=["direction"]), mm.Constant(0.3)],
    )
    card = {"type": "complex_cell", "parameters": {"frequency": 2}, "input": {"size": 32, "mean": 124, "std": 70}}
    return mm.MEI(
        card,
        scene=scene,
        renderer=mm.Render(type="raster", resolution=32),
        stimulus=mm.Stimulus(norm=15),
        deterministic=True,
        optimizer={"steps": 4},
        evaluate={"spp": 16, "repeats": 2},
        pixel={"steps": 6, "restarts": 2},
    )


KINDS = {
    "mei": (["run"], lambda mei: mei.optimize(progress=False)),
    "pixel": (["pixel"], lambda mei: mm.pixel_mei(mei, progress=False)),
    "compare": (["compare"], lambda mei: mm.compare(mei, progress=False)),
    "factors": (["factors", "--starts", "2"], lambda mei: mm.factors(mei, starts=2, progress=False)),
    "diverse": (
        ["run", "--set", "objective={type: diverse, count: 2}"],
        lambda mei: mm.diverse(mei, count=2, progress=False),
    ),
    "image": (
        ["run", "--set", "objective={type: image, target: truth.yaml}"],
        lambda mei: mm.recover(mei, target="truth.yaml", progress=False),
    ),
    "metamer": (
        ["run", "--set", "objective={type: metamer, reference: truth.yaml}"],
        lambda mei: mm.metamer(mei, reference="truth.yaml", progress=False),
    ),
    "tune": (
        ["tune", "--over", "pose.rotation.y=-90:90:3"],
        lambda mei: mm.tune("scene.yaml", {"pose.rotation.y": (-90, 90, 3)}, progress=False),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_either_door_writes_the_same(kind, tmp_path, monkeypatch, without_pictures):
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(SCENE)
    Path("truth.yaml").write_text("extends: scene.yaml\npose: {rotation: [0, 40, 0]}\n")
    (command, *options), do = KINDS[kind]
    code, _, err = called(command, "scene.yaml", *options, "--out", "one")
    assert code == 0, err
    do(inline()).save("two")
    names = [
        {path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file()} for folder in ("one", "two")
    ]
    assert names[0] == names[1] and len(names[0]) > 3
    assert compare(record(Path("one")), record(Path("two")), exact=True) == []
    exact = [str(name) for name in names[0] if name.suffix not in TIMED]
    assert filecmp.cmpfiles("one", "two", exact, shallow=False)[1:] == ([], [])


def test_a_scene_file_and_its_configuration_are_run_as_run_py_does(tmp_path, monkeypatch, without_pictures):
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(SCENE)
    config = mm.load_config("scene.yaml", ["optimizer.steps=2"])
    first, second = (
        mm.run("scene.yaml", overrides=["optimizer.steps=2"], progress=False),
        mm.run(config, progress=False),
    )
    assert compare(record(first.folder), record(second.folder), exact=True) == []
    third = mm.MEI(mm.load_model(config.model.card), renderer="raster", optimizer={"steps": 1}, seed=3)
    assert third.config.model.card == config.model.card and third.config.seed == 3
