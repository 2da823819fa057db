"""Whole runs of inverse rendering, and how near they came to the truth."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.inverse import distance_to_truth, run_inverse
from mitsuba_mei.experiments.reevaluate import evaluate_run
from mitsuba_mei.io.images import read_image, write_exr
from mitsuba_mei.optimize import start_search as search
from mitsuba_mei.pipeline import build_scene
from mitsuba_mei.report.numbers import number
from mitsuba_mei.report.sentences import describe_run
from mitsuba_mei.report.video import STRIP
from mitsuba_mei.scene.parameters import get_parameters, set_parameters
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Interrupting, Silent, written

pytestmark = pytest.mark.slow

CONTRACT = {
    "activation", "error", "truth", "steps", "seconds", "seconds_per_step", "peak_memory_mb", "skipped_steps", "mesh",
    "renderer", "variant", "seed", "objective", "ended", "restarts", "restart", "scene", "views", "versions",
}  # fmt: skip
FILES = {
    "config.yaml", "metrics.csv", "result.json", "summary.png", "progress.mp4", "target.exr", "render.exr",
    "render.png", "mesh.ply", "mesh.glb", "parameters.npz", "initial_parameters.npz",
}  # fmt: skip

VIEWS = [{"azimuth": 0}, {"azimuth": 120}]
TURNED = {"rotation": [10.0, 20.0, 30.0]}


def configured(folder: Path, name: str = "run", objective: dict | None = None, **parts):
    """A run towards a lump; its free parameters start at the truth unless ``parts`` say otherwise."""
    write_scene(folder, "truth", shape=LUMP, pose=TURNED)
    said = {"type": "image", "target": "truth.yaml", **(objective or {})}
    return load_config(
        write_scene(folder, name, **({"shape": LUMP, "pose": TURNED, "objective": said} | parts)), trust_code=True
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inverse")
    shape = {"free": ["offsets"], "random": None}
    optimizer = {"steps": 25, "lr": 0.03, "warmup": 2}
    weak = {"smoothness": 0.02, "area": 0.005, "edge_length": 0.005, "rigidity": 0.005}
    config = configured(folder, objective={"views": VIEWS}, shape=shape, optimizer=optimizer, regularizers=weak)
    progress = Silent()
    return run_inverse(config, folder / "out", progress), progress


def test_the_folder_holds_what_is_promised(run):
    outcome, progress = run
    assert {path.name for path in outcome.folder.iterdir()} >= FILES
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result == written(outcome.result) and CONTRACT <= set(result)
    assert result["views"] == 2 and result["objective"] == "image" and result["ended"] == "done"
    assert load_config(outcome.folder / "config.yaml", trust_code=True).objective.type == "image"
    with open(outcome.folder / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(progress.steps) == 25


def test_the_error_falls_and_is_minus_the_activation(run):
    result = run[0].result
    initial, final = result.error.initial, result.error.final
    assert 0 < final.mean < 0.5 * initial.mean
    assert final.mean == -result.activation.final.mean and final.sem == 0
    assert result.error.kind == "l2"


def test_the_error_is_that_of_the_images_that_are_left(run):
    target, render = (read_image(run[0].folder / f"{name}.exr")[..., 0] for name in ("target", "render"))
    assert target.shape == render.shape == (32, 64)
    contrast = [view - view.mean() for view in np.split(target, 2, axis=1)]
    expected = np.sqrt(np.square(render - target).mean() / np.square(contrast).mean())
    assert run[0].result.error.final.mean == pytest.approx(expected, rel=1e-4)


def test_the_surface_comes_nearer_to_the_true_one(run):
    surface = run[0].result.truth.surface
    assert surface.final.mean < 0.8 * surface.initial.mean
    assert surface.final.of_diameter == pytest.approx(surface.final.mean / surface.diameter)
    assert surface.alignment.rms <= surface.final.rms * 1.001
    assert surface.final.rotation == 0 and surface.final.translation == pytest.approx(0, abs=1e-9)
    assert 2 < surface.diameter < 3


def test_pictures_can_be_read_and_the_video_shows_both_views(run):
    for name in ("summary.png", "render.png"):
        assert iio.imread(run[0].folder / name).std() > 5, name
    assert iio.improps(run[0].folder / "progress.mp4", plugin="FFMPEG").shape[1:3] == (320 + STRIP, 1280)


def test_what_is_said_of_it(run):
    lines = describe_run(run[0].folder, run[0].result)
    assert lines[0].startswith("The error (l2) is ") and "its renders have no noise" in lines[0]
    assert lines[1].startswith("The mean surface distance is ") and "% of the true object’s diameter, " in lines[1]
    assert lines[-1].startswith("25 steps in ") and str(run[0].folder) in lines[-1]


def test_its_error_is_not_evaluated_as_an_activation(run):
    works = "evaluate works with objective.type activation, discriminate, target or function, not 'image'"
    with pytest.raises(UserError, match=works):
        evaluate_run(run[0].folder)
    assert {path.name for path in run[0].folder.iterdir()} >= FILES


def test_a_run_is_never_overwritten(run, tmp_path):
    with pytest.raises(UserError, match="exists already"):
        run_inverse(configured(tmp_path, pose={**TURNED, "free": ["rotation"]}), run[0].folder, Silent())


def test_a_start_at_the_truth_is_at_no_distance_from_it(tmp_path):
    """And is let through, though an error of 0 has no gradient."""
    config = configured(
        tmp_path,
        pose={**TURNED, "free": ["rotation", "translation"]},
        lighting=[
            {"type": "sun", "direction": [-0.6, -0.5, -1.0], "free": ["direction"]},
            {"type": "constant", "radiance": 0.3},
        ],
        optimizer={"steps": 0},
    )
    outcome = run_inverse(config, tmp_path / "out", Silent())
    assert outcome.result.error.initial.mean == outcome.result.error.final.mean == 0
    truth = outcome.result.truth
    assert truth.surface is None
    assert set(truth.parameters) == {"pose.rotation", "pose.translation", "lighting.0.direction"}
    for name, found in truth.parameters.items():
        assert dict(found.off) == pytest.approx({"initial": 0, "final": 0}, abs=1e-4), name
    assert "pose.rotation" in "\n".join(describe_run(outcome.folder, outcome.result))
    assert (outcome.folder / "summary.png").exists() and not (outcome.folder / "progress.mp4").exists()


def test_distances_are_those_by_which_a_scene_was_moved(tmp_path):
    config = configured(tmp_path, shape={**LUMP, "free": ["offsets"]}, pose={**TURNED, "free": ["translation"]})
    scene, truth = build_scene(config, 1), build_scene(config.with_nothing_free(), 1)
    set_parameters(truth, get_parameters(scene))
    start = get_parameters(scene)
    with torch.no_grad():
        scene.pose.translation += torch.tensor([0.3, 0.0, -0.4])
    found = distance_to_truth(config, scene, start, truth)
    off = found.parameters["pose.translation"]
    assert off.unit == "scene units" and off.off.initial == 0 and off.off.final == pytest.approx(0.5)
    surface = found.surface
    assert surface.initial.mean == pytest.approx(0, abs=1e-6)
    assert 0.15 < surface.final.mean < 0.5
    assert surface.alignment.mean < 1e-3 and surface.alignment.translation == pytest.approx(0.5, abs=0.01)
    assert set(found.parameters) == {"pose.translation"}


def test_what_the_true_scene_has_not_is_left_out(tmp_path):
    lighting = [{"type": "constant", "radiance": 0.3}, {"type": "sun", "free": ["direction"]}]
    config = configured(tmp_path, lighting=lighting, pose={**TURNED, "free": ["scale"]})
    scene = build_scene(config, 1)
    other = configured(tmp_path, "other", lighting=lighting[:1], pose={**TURNED, "free": ["scale"]})
    true = build_scene(other.with_nothing_free(), 1)
    found = distance_to_truth(config, scene, get_parameters(scene), true)
    assert set(found.parameters) == {"pose.scale"}


def test_an_image_has_no_truth_and_several_starts_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "FIRST", 1)
    monkeypatch.setattr(search, "STEPS", 2)
    write_exr(tmp_path / "a.exr", np.random.default_rng(0).uniform(0, 1, (32, 32, 3)).astype(np.float32))
    config = configured(
        tmp_path,
        objective={"target": "a.exr", "error": "l1"},
        pose={**TURNED, "free": ["rotation"]},
        optimizer={"steps": 1, "restarts": 2, "search": 2},
    )
    progress = Silent()
    outcome = run_inverse(config, tmp_path / "out", progress)
    assert outcome.result.truth is None and outcome.result.error.kind == "l1"
    assert len(outcome.result.restarts) == 2
    best = max(each.activation.final.mean for each in outcome.result.restarts)
    errors = [-each.activation.final.mean for each in outcome.result.restarts]
    over = outcome.result.over_starts
    assert (over.of, over.lowest, over.highest) == ("error", min(errors), max(errors))
    assert -outcome.result.error.final.mean == pytest.approx(best)
    assert {path.name for path in (outcome.folder / "restarts").iterdir()} == {"0", "1"}
    _, _, starts, initial, *_ = describe_run(outcome.folder, outcome.result)
    assert initial == "The start is the start that optimizer.search found."
    mean = number(sum(errors) / 2)
    assert starts.startswith(f"The best of 2 starts was kept. Over them the mean is {mean} and the standard deviation ")
    assert len(progress.steps) == 2 * (1 + 2)


def test_responses_can_be_matched_path_traced_until_ctrl_c(tmp_path):
    config = configured(
        tmp_path,
        objective={"error": "responses", "views": VIEWS},
        pose={"rotation": [0, 0, 0], "free": ["rotation"]},
        render={"type": "path", "resolution": 32, "spp": 2, "max_depth": 2},
        optimizer={"steps": 500},
    )

    before = signal.getsignal(signal.SIGINT)
    outcome = run_inverse(config, tmp_path / "out", Interrupting(3))
    assert outcome.result.ended == "interrupted" and 3 <= outcome.result.steps <= 4
    assert {path.name for path in outcome.folder.iterdir()} >= FILES
    assert outcome.result.error.final.sem > 0
    assert signal.getsignal(signal.SIGINT) == before
