"""Tuning through the command line: what is measured, written, and refused."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments import tuning_plan
from mitsuba_mei.pipeline import build_scene
from tests.whole_runs import no_pictures

pytestmark = pytest.mark.slow

CARD = """
type: simple_cell
parameters: {frequency: 1.0, orientation: [0, 90], phase: [90, 270], sigma: 0.4}
input: {size: 32, channels: 1, mean: 124.5, std: 70}
"""
SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 16}}
lighting: [{type: directional, direction: [0, 0, -1], irradiance: 3}, {type: constant, radiance: 0.1}]
background: 0.3
model: {card: cell.yaml, neuron: 1}
render: {type: raster, resolution: 32, spp: 4}
optimizer: {steps: 3, warmup: 0}
evaluate: {spp: 4, repeats: 8}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a scene and a run of it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "cell.yaml").write_text(CARD)
    (folder / "scene.yaml").write_text(SCENE)
    with no_pictures():
        assert main(["run", str(folder / "scene.yaml"), "--out", str(folder / "run"), "-q"]) == 0
    return folder


def tuned(out: Path, *words: str, code: int = 0) -> dict:
    assert main(["tune", *words, "-q", "--out", str(out)]) == code
    return json.loads((out / "tuning.json").read_text())


def test_light_from_the_left_and_from_above_is_told_apart(made, tmp_path, capsys):
    """Cells whose bright side is above and on the right, a sphere, and light that goes round it."""
    words = [str(made / "scene.yaml"), "--over", "lighting.0.azimuth=-180:165:24", "--neurons", "all"]
    found = tuned(tmp_path / "out", *words)
    axis = found["over"][0]
    assert (axis["path"], axis["unit"], axis["period"], axis["at"]) == ("lighting.0.azimuth", "deg", 360.0, 0.0)
    above, right = found["neurons"]
    assert [above["neuron"], right["neuron"]] == [0, 1]
    assert right["mean"][18] > 5 and right["mean"][6] == 0  # from the right and from the left
    assert 60 < right["summary"]["preferred"][0]["value"] < 120
    assert right["summary"]["selectivity"]["value"] > above["summary"]["selectivity"]["value"]
    assert max(above["mean"]) < 0.5 * max(right["mean"])
    assert (np.array(right["sem"]) == 0).all() and right["mean"] == right["low"] == right["high"]
    assert found["source"] == {"run": None, "scene": str(made / "scene.yaml")}
    assert (found["renderer"], found["ended"]) == ("raster", "done")
    assert "neuron 1: prefers lighting.0.azimuth" in capsys.readouterr().out
    stimuli = np.load(tmp_path / "out" / "stimuli.npy", allow_pickle=False)
    assert stimuli.shape == (24, 32, 32) and stimuli.dtype == np.float32
    assert stimuli[18][:, 16:].mean() > stimuli[18][:, :16].mean()


def test_a_scene_file_is_what_it_says_without_the_random_start(made, tmp_path):
    """At the scene's own value the response is that of the plain template."""
    found = tuned(tmp_path / "out", str(made / "scene.yaml"), "--over", "lighting.0.azimuth=0:90:4")
    assert found["neurons"][0]["at_scene"]["mean"] == pytest.approx(found["neurons"][0]["mean"][0], abs=1e-4)
    config = load_config(made / "scene.yaml")
    assert (build_scene(config, 1).shape() - build_scene(config.with_nothing_free(), 1).shape()).abs().max() > 1e-3
    words = [str(made / "scene.yaml"), "--set", "shape.free=[]", "--over", "lighting.0.azimuth=0:90:4"]
    assert tuned(tmp_path / "frozen", *words)["neurons"][0]["mean"] == found["neurons"][0]["mean"]


def test_a_run_is_varied_around_what_it_ended_with(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(made)
    reported = json.loads((made / "run" / "result.json").read_text())["activation"]["final"]["mean"]
    words = ["tune", "run", "-q", "--over", "shape.amount=0:1:3", "--over", "pose.scale=-0.1:0.1:3", "--relative"]
    assert main(words) == 0 and main([*words, "--neurons", "0-1"]) == 0
    assert "written to run/tuning-002" in capsys.readouterr().out
    found = json.loads((made / "run" / "tuning-002" / "tuning.json").read_text())
    (amount, scale), neuron = found["over"], found["neurons"][1]
    assert (amount["values"], amount["at"]) == ([1, 1.5, 2], 1)
    assert scale["values"] == pytest.approx([0.9, 1, 1.1])
    assert neuron["at_scene"]["mean"] == pytest.approx(reported, rel=1e-5)
    assert neuron["mean"][0][1] == pytest.approx(reported, rel=1e-5)
    assert np.shape(neuron["low"]) == (3, 3) and len(neuron["summary"]["preferred"]) == 2
    with open(made / "run" / "tuning-002" / "tuning.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["neuron", "shape.amount", "pose.scale", "mean", "sem", "low", "high"]
    assert len(rows) == 18 and float(rows[10]["mean"]) == neuron["mean"][0][1] and rows[10]["pose.scale"] == "1.0"
    assert iio.imread(made / "run" / "tuning-002" / "tuning.png").std() > 5
    assert {path.name for path in (made / "run" / "tuning-002").iterdir()} == {
        "tuning.json", "tuning.csv", "tuning.png", "stimuli.npy", "config.yaml",
    }  # fmt: skip


def test_the_path_tracer_agrees_within_its_errors_and_other_seeds_differ(made, tmp_path):
    words = [str(made / "run"), "--over", "lighting.0.azimuth=40:80:3", "--render", "path"]
    one = tuned(tmp_path / "one", *words)
    other = tuned(tmp_path / "other", *words, "--set", "seed=1")
    exact = tuned(tmp_path / "exact", str(made / "run"), "--over", "lighting.0.azimuth=40:80:3")
    assert one["evaluate"] == {"spp": 1, "repeats": 32} and one["variant"].startswith("llvm")
    first, second, third = (np.array(each["neurons"][0]["mean"]) for each in (one, other, exact))
    error = np.hypot(*(np.array(each["neurons"][0]["sem"]) for each in (one, other)))
    assert (error > 0).all() and (first != second).all() and (np.abs(first - second) < 5 * error).all()
    assert first == pytest.approx(third, rel=0.05)
    again = tuned(tmp_path / "again", *words)["neurons"][0]["mean"]
    assert (np.abs(again - first) < 0.01 * error).all()  # threads sum in different orders


def test_an_object_that_looks_the_same_after_half_a_turn_has_that_period(made, tmp_path):
    """A capsule before frontal light does, turned in the plane."""
    words = [str(made / "scene.yaml"), "--set", "shape.template.type=capsule", "--over", "pose.rotation.z=-90:90:13"]
    found = tuned(tmp_path / "out", *words)
    assert found["over"][0]["period"] == 180
    assert found["neurons"][0]["summary"]["selectivity"]["index"] == "1 - circular variance"
    aside = [*words[:-1], "pose.rotation.z=0:165:12", "--set", "pose.translation=[0.5, 0, 0]"]
    assert tuned(tmp_path / "aside", *aside)["over"][0]["period"] == 180  # it turns about its own middle


def test_an_object_without_symmetry_has_no_half_period(made, tmp_path):
    words = [str(made / "scene.yaml"), "--set", "shape.template.type=capsule", "lighting.0.direction=[-1, -1, -1]"]
    found = tuned(tmp_path / "out", *words, "--over", "camera.azimuth=-90:90:5")
    assert found["over"][0]["period"] is None
    words = [str(made / "scene.yaml"), "--set", "shape.template={type: torus}", "pose.rotation=[60, 0, 0]"]
    found = tuned(tmp_path / "ring", *words, "--over", "pose.rotation.y=-90:90:5")
    assert found["over"][0]["period"] is None
    assert found["neurons"][0]["summary"]["selectivity"]["index"] == "sparseness"


def test_a_placement_is_kept(made, tmp_path):
    card = CARD.replace("sigma: 0.4", "sigma: 0.2, center: [0.3, 0.2]")
    (made / "aside.yaml").write_text(card)
    words = [str(made / "scene.yaml"), "--set", "model.card=aside.yaml", "placement.on=receptive_field"]
    found = tuned(tmp_path / "out", *words, "--over", "pose.translation.x=-0.5:0.5:3")
    assert found["over"][0]["at"] == pytest.approx(0.3 * 5 * np.tan(np.radians(17.5)), abs=0.05)


def test_a_model_of_colours_sees_and_leaves_colours(made, tmp_path):
    """A neuron that likes red in the middle, and a light that grows redder."""
    code = """
import torch
class Red(torch.nn.Module):
    def forward(self, image):
        middle = image[:, :, 12:20, 12:20].mean((2, 3))
        return (middle[:, :1] - middle[:, 1:2]).relu()
"""
    (made / "red.py").write_text(code)
    (made / "red.yaml").write_text("module: red.py:Red\ninput: {size: 32, channels: 3, mean: 120, std: 60}\n")
    words = [str(made / "scene.yaml"), "--set", "model={card: red.yaml}", "lighting.0.irradiance=[1, 1, 1]"]
    found = tuned(
        tmp_path / "out", *words, "stimulus={clip: true}", "--over", "lighting.0.irradiance.r=1:2:3", "--trust-code"
    )
    mean = found["neurons"][0]["mean"]
    assert mean[0] < 0.01 < mean[1] < mean[2]
    stimuli = np.load(tmp_path / "out" / "stimuli.npy")
    assert stimuli.shape == (3, 32, 32, 3) and stimuli[2, 16, 16, 0] > stimuli[2, 16, 16, 1] + 10


def test_ctrl_c_leaves_what_there_is(made, tmp_path, monkeypatch, capsys):
    respond, calls = tuning_plan.respond, []

    def pressed(*arguments):
        calls.append(None)
        if len(calls) == 4:  # the scene's own, and the third point
            os.kill(os.getpid(), signal.SIGINT)
        return respond(*arguments)

    monkeypatch.setattr(tuning_plan, "respond", pressed)
    found = tuned(tmp_path / "out", str(made / "scene.yaml"), "--over", "lighting.0.azimuth=0:90:6", code=130)
    neuron = found["neurons"][0]
    assert found["ended"] == "interrupted" and neuron["summary"] is None
    assert [value is None for value in neuron["mean"]] == [False] * 3 + [True] * 3
    assert "interrupted: the points that were not reached are empty" in capsys.readouterr().out
    assert len((tmp_path / "out" / "tuning.csv").read_text().splitlines()) == 4
    stimuli = np.load(tmp_path / "out" / "stimuli.npy")
    assert np.isfinite(stimuli[:3]).all() and np.isnan(stimuli[3:]).all()
    assert (tmp_path / "out" / "tuning.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--over pose.rotaton.y=0:9:3", "did you mean 'pose.rotation.y'?"),
        ("--over pose.scale=1:2:0", "must be 2 to 2500, not 0"),
        ("--over camera.fov=10:200:3", "camera.fov would be 200 deg; it must be above 0 and below 170"),
        ("--over lighting.0.elevation=0:120:3", "would be 120 deg; it must be at least -90 and at most 90"),
        ("--over material.reflectance=0:1.2:3", "would be 1.2; it must be at least 0 and at most 1"),
        ("--over camera.distance=0.5:5:3", "at camera.distance 0.5 the camera stands inside or behind the object"),
        ("--over pose.scale=1:2:3 --over pose.scale=1:2:3", "pose.scale is named twice"),
        ("--over pose.scale=1:2:3 --neurons 2", "there is no neuron 2"),
        ("--over pose.scale=1:2:3 --neurons 0,x", "'x' is neither an index nor a range"),
        ("--over pose.scale=1:2:3 --render rastr", "there is no such renderer; did you mean 'raster'?"),
        ("--over pose.scale=1:2:3 --repeats 1", "--repeats 1: it must be 2 to 4096"),
        ("--over pose.scale=1:2:3 --set render.spp=0", "render.spp: must be at least 1"),
        ("--over shape.amount=0:1:3", "the object is its template, without any offsets"),
        ("", "Missing option '--over'"),
    ],
)
def test_what_cannot_be_tuned_is_said_before_anything_is_written(made, tmp_path, capsys, words, expected):
    assert main(["tune", str(made / "scene.yaml"), *words.split(), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert expected in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "out").exists()


def test_what_is_no_source_is_said(made, tmp_path, capsys):
    def refused(source: Path) -> str:
        assert main(["tune", str(source), "--over", "pose.scale=1:2:3"]) == 2
        return capsys.readouterr().err

    assert "there is no run folder or scene file" in refused(made / "rum")
    assert "is no run folder: there is no config.yaml in it" in refused(made)
    assert "there is no file" in refused(made / "scenes.yaml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    words = ["tune", str(made / "scene.yaml"), "--over", "pose.scale=1:2:3", "--out", str(tmp_path / "full")]
    assert main(words) == 2 and "exists already" in capsys.readouterr().err
