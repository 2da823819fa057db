"""Finished runs evaluated once more, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import trimesh

from mitsuba_mei.cli.main import main
from tests.whole_runs import no_pictures

pytestmark = pytest.mark.slow

SCENE = """
shape: {template: {type: file, path: rock.obj}, rbf: {control_points: 20}}
pose: {free: [rotation, scale]}
model: {card: cell.yaml, neuron: 0}
render: {resolution: 24, spp: 4}
optimizer: {steps: 3, warmup: 0, restarts: 2}
evaluate: {spp: 16, repeats: 2}
"""
CARD = """
type: complex_cell
parameters: {frequency: 1.0, orientation: 90, sigma: 0.4}
input: {size: 24, channels: 1, mean: 124.5, std: 70}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a run in it, and with the files that it names."""
    folder = tmp_path_factory.mktemp("made")
    trimesh.creation.icosphere(2).export(folder / "rock.obj")
    (folder / "cell.yaml").write_text(CARD)
    (folder / "scene.yaml").write_text(SCENE)
    with no_pictures():
        assert main(["run", str(folder / "scene.yaml"), "--out", str(folder / "run"), "-q"]) == 0
    return folder


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A copy of the run, moved together with what it used."""
    shutil.copytree(made, tmp_path / "moved")
    return tmp_path / "moved" / "run"


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_the_own_renderer_reproduces_what_the_run_reported(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    reported = read(run / "result.json")["activation"]
    assert main(["evaluate", "moved/run"]) == 0
    found = read(run / "evaluation-path.json")
    assert found["activation"] == reported == found["reported"]["activation"]
    assert (found["renderer"], found["reported"]["renderer"], found["variant"][:4]) == ("path", "path", "llvm")
    lines = capsys.readouterr().out.splitlines()
    initial = reported["initial"]
    said = f"{initial['mean']:.4g} (render s.e. {initial['sem']:.1g}) -> "
    assert lines[0].startswith(f"under path: {said}")
    assert lines[1].startswith(f"the run reported, under path: {said}")
    assert lines[2] == "written to moved/run/evaluation-path.json"
    assert iio.imread(run / "evaluation-path.png").std() > 5


def test_the_other_renderer_sees_the_same_objects(run, capsys):
    assert main(["evaluate", str(run), "--render", "raster"]) == 0
    found, reported = read(run / "evaluation-raster.json"), read(run / "result.json")["activation"]
    assert found["variant"] == "torch_cpu_mono"
    for when in ("initial", "final"):
        assert found["activation"][when]["sem"] == 0
        assert found["activation"][when]["mean"] == pytest.approx(reported[when]["mean"], rel=0.1)
        assert found["activation"][when]["mean"] != reported[when]["mean"]
    assert iio.imread(run / "evaluation-raster.png").shape[1] > 1200


def test_nothing_is_overwritten(run, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for _ in range(2):
        assert main(["evaluate", str(run), "--set", "evaluate.spp=4"]) == 0
    assert read(run / "evaluation-path-2.json")["evaluate"]["spp"] == 4
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name in before} == before
    words = ["evaluate", str(run), "--set", "evaluate.spp=4", "--out"]
    assert main([*words, str(tmp_path / "there" / "mine.json")]) == 0
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"mine.json", "mine.png"}
    assert main([*words, str(tmp_path / "there" / "mine.json")]) == 2
    assert "exists already, and is not overwritten" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "folder")]) == 0
    assert (tmp_path / "folder" / "evaluation-path.json").is_file()


@pytest.fixture
def refused(run, capsys):
    """Evaluate; the one sentence that it is refused with."""

    def attempt(*words: str, folder: Path = run) -> str:
        before = sorted(folder.iterdir()) if folder.is_dir() else []
        assert main(["evaluate", str(folder), *words]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and printed.err.startswith("error: ")
        assert (sorted(folder.iterdir()) if folder.is_dir() else []) == before
        return printed.err

    return attempt


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--render rastr", "--render rastr: there is no such renderer; did you mean 'raster'?"),
        ("--set evaluate.sp=3", "evaluate.sp: unknown key; did you mean 'spp'?"),
        ("--set shape.rbf.control_points=19", "does not fit the scene: shape.offsets is 20 x 3 of float32, and 19 x 3"),
        ("--set shape.template={type: cube}", "about control points on another template mesh"),
        ("--set material.type=plastic", "lacks 'material.roughness'"),
        ("--set model.neuron=1", "there is no neuron 1"),
        ("--set render.resolution=16", "16"),
    ],
)
def test_what_does_not_fit_the_run_is_said(refused, words, expected):
    option, _, value = words.partition(" ")
    assert expected in refused(option, value)


def test_a_folder_that_is_no_finished_run_is_said(refused, run, tmp_path):
    assert f"there is no folder '{run.parent / 'rum'}'; did you mean 'run'?" in refused(folder=run.parent / "rum")
    assert "there is no folder" in refused(folder=run / "result.json")
    assert "is no run folder: there is no config.yaml in it" in refused(folder=run.parent)
    result = (run / "result.json").read_text()
    for text in ("{", "[" * 100_000, "[]", '{"activation": {"initial": 3}, "renderer": "path"}', "null"):
        (run / "result.json").write_text(text)
        assert "result.json is damaged" in refused()
    (run / "result.json").write_text(result.replace('"renderer": "path"', '"renderer": "pathh"'))
    assert "names an unknown renderer; did you mean 'path'?" in refused()
    (run / "result.json").unlink()
    assert "is no finished run: there is no result.json in it" in refused()


def test_parameters_that_are_missing_damaged_or_absurd_are_said(refused, run):
    values = dict(np.load(run / "parameters.npz"))
    (run / "parameters.npz").write_bytes((run / "parameters.npz").read_bytes()[:300])
    assert "parameters.npz is damaged" in refused()
    np.savez(run / "parameters.npz", **values | {"shape.scales": np.full(20, 1e-30, np.float32)})
    assert "make no object with a finite activation" in refused()
    (run / "parameters.npz").unlink()
    assert "holds no parameters.npz" in refused()


def test_a_comparison_is_not_a_run(refused, run):
    (run.parent / "comparison.json").write_text("{}")
    (run.parent / "neuron-3").mkdir()
    shutil.move(run, run.parent / "neuron-3" / "path")
    assert f"name one of them, such as {run.parent / 'neuron-3' / 'path'}" in refused(folder=run.parent)


def test_files_of_the_run_are_looked_for_from_its_folder(refused, run):
    (run.parent / "rock.obj").unlink()
    sentence = refused()
    assert "config.yaml" in sentence and "shape.template.path: there is no file" in sentence
