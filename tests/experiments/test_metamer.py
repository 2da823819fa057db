"""Whole searches for metamers."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.metamer import build_metamer, run_metamer
from mitsuba_mei.io.images import read_image, write_exr
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.report.sentences import describe_run
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Interrupting, Silent, written

pytestmark = pytest.mark.slow

FILES = {
    "config.yaml", "metrics.csv", "result.json", "summary.png", "progress.mp4", "render.exr", "render.png",
    "stimulus.png", "reference.exr", "reference_stimulus.png", "mesh.ply", "mesh.glb", "parameters.npz",
    "initial_parameters.npz",
}  # fmt: skip


def configured(folder: Path, objective: dict | None = None, truth: dict | None = None, **parts):
    write_scene(folder, "truth", **({"shape": LUMP} | (truth or {})))
    said = {"type": "metamer", "reference": "truth.yaml", **(objective or {})}
    return load_config(write_scene(folder, "run", objective=said, **parts), trust_code=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metamer")
    return run_metamer(configured(folder), folder / "out", Silent())


def test_the_folder_holds_what_is_promised(run):
    assert {path.name for path in run.folder.iterdir()} >= FILES
    result = json.loads((run.folder / "result.json").read_text())
    assert result == written(run.result)
    assert set(result["metamer"]) == {"found", "responses", "scene", "differences"}
    assert result["objective"] == "metamer" and result["ended"] == "done" and result["steps"] == 4
    assert set(result["metamer"]["differences"]) == {"image", "shape", "pose", "light"}
    for name in ("summary.png", "stimulus.png", "reference_stimulus.png", "render.png"):
        assert iio.imread(run.folder / name).std() > 1, name


def test_what_has_not_come_near_enough_is_no_metamer_and_it_is_said(run):
    found = run.result.metamer
    assert not found.responses.near and not found.scene.far and not found.found
    lines = describe_run(run.folder, run.result)
    assert lines[0] == "No metamer was found."
    assert "not within the 2 % asked for" in lines[1] and "less than the 0.25 of the radius" in lines[2]
    # Nothing but the shape differs, and what follows from it.
    assert found.differences["pose"].value == found.differences["light"].value == 0
    assert "what the neurons see" in lines[3] and "turn" not in lines[3]


def test_the_distance_is_that_of_all_the_responses(run):
    images = [torch.from_numpy(read_image(run.folder / f"{name}.exr")[..., :1]) for name in ("reference", "render")]
    config = load_config(run.folder / "config.yaml", trust_code=True)
    observer = build_metamer(config)[0].observer
    first, second = (load_card(config.model.card, trust_code=True)(observer.stimulus(image)) for image in images)
    expected = (torch.dist(first, second) / first.norm()).item()
    assert first.shape == (1, 5)
    assert run.result.metamer.responses.distance.final.mean == pytest.approx(expected, rel=1e-3)


def test_a_metamer_can_be_found(tmp_path):
    objective = {"differ": "image", "apart": 0.02, "tolerance": 0.2}
    start = {"shape": {"random": {"size": 0.2, "seed": 11}, "free": ["offsets"]}}
    weak = {"smoothness": 0.05, "area": 0.01, "edge_length": 0.01, "rigidity": 0.01}
    config = configured(
        tmp_path, objective, optimizer={"steps": 40, "lr": 0.04, "warmup": 2}, regularizers=weak, **start
    )
    outcome = run_metamer(config, tmp_path / "out", Silent())
    found = outcome.result.metamer
    assert found.found and found.responses.near and found.scene.far
    assert found.scene.difference >= 0.02
    distance = found.responses.distance
    assert distance.final.mean <= 0.2 < distance.initial.mean
    assert describe_run(outcome.folder, outcome.result)[0] == "A metamer was found."


@pytest.fixture
def picture(tmp_path) -> str:
    write_exr(tmp_path / "a.exr", np.random.default_rng(0).uniform(0, 1, (32, 32, 1)).astype(np.float32))
    return "a.exr"


def test_an_image_can_be_the_reference_of_another_image(tmp_path, picture):
    objective = {"reference": picture, "differ": "image", "apart": 1e-3}
    outcome = run_metamer(configured(tmp_path, objective, optimizer={"steps": 1}), tmp_path / "out", Silent())
    found = outcome.result.metamer
    assert found.scene.far and 0 < found.scene.difference < 2
    said = json.loads((outcome.folder / "result.json").read_text())["metamer"]["differences"]
    assert [kind for kind, each in said.items() if each["value"] is not None] == ["image"]
    assert "shape" not in "\n".join(describe_run(outcome.folder, outcome.result))


@pytest.mark.parametrize("kind", ["shape", "pose", "light"])
def test_an_image_has_no_shape_turn_or_light_to_differ_from(tmp_path, picture, kind):
    lighting = [{"type": "sun", "free": ["direction"]}]
    config = configured(
        tmp_path, {"reference": picture, "differ": kind}, pose={"free": ["rotation"]}, lighting=lighting
    )
    with pytest.raises(UserError, match=f"objective.differ is {kind}, but the reference is an image alone"):
        build_metamer(config)


def test_a_reference_with_other_lights_has_no_light_to_differ_from(tmp_path):
    lighting = [{"type": "sun", "free": ["direction"]}]
    config = configured(tmp_path, {"differ": "light"}, {"lighting": [{"type": "constant"}]}, lighting=lighting)
    with pytest.raises(UserError, match="the reference has other lights"):
        build_metamer(config)


def test_a_layer_takes_the_neurons_place(tmp_path):
    config = configured(tmp_path, {"layer": "first"})
    pipeline, reference = build_metamer(config)
    module = pipeline.observer.model.module
    look = pipeline.observe(0)
    first, second = (module.first(seen).flatten(1) for seen in (reference.aspects.model_input, look.model_input))
    expected = (torch.dist(first, second) / first.norm()).item()
    assert look.responses.shape == (6 * 13 * 13,)
    assert look.activation.item() == pytest.approx(-expected, rel=1e-5)
    with pytest.raises(UserError, match="the model has no layer 'fist'; did you mean 'first'?"):
        build_metamer(configured(tmp_path, {"layer": "fist"}))


def test_a_reference_of_another_material_is_shown_path_traced(tmp_path):
    traced = {"type": "path", "resolution": 32, "spp": 2, "max_depth": 2}
    truth = {"material": {"type": "plastic"}}
    outcome = run_metamer(
        configured(tmp_path, None, truth, render=traced, optimizer={"steps": 1}), tmp_path / "out", Silent()
    )
    assert (outcome.folder / "summary.png").exists()
    assert outcome.result.metamer.responses.distance.final.sem > 0


def test_ctrl_c_finishes_the_step_and_writes_everything(tmp_path):
    pose, sun = {"rotation": [0, 40, 0], "free": ["rotation"]}, {"type": "sun", "free": ["direction"]}
    config = configured(
        tmp_path, {"differ": "pose"}, pose=pose, lighting=[sun], optimizer={"steps": 900, "restarts": 2}
    )
    outcome = run_metamer(config, tmp_path / "out", Interrupting(2))
    assert outcome.result.ended == "interrupted" and outcome.result.steps <= 3
    assert {path.name for path in outcome.folder.iterdir()} >= FILES | {"restarts"}
    assert outcome.result.metamer.scene.differ == "pose"
