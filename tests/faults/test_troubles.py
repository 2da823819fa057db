"""An object that folds over, or leaves the view, is brought back; what is kept is a scene that can be seen."""

from __future__ import annotations

import math

import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.geometry.quality import flipped_faces
from mitsuba_mei.optimize.checks import FOLDED, FailureMonitor
from mitsuba_mei.optimize.loop import MAX_ROLLBACKS
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.scene.parameters import get_parameters, read_parameters, set_parameters
from mitsuba_mei.scene.state import check_in_frustum
from tests.small_scene import write_scene
from tests.whole_runs import Silent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]


@pytest.fixture
def pipeline(tmp_path):
    return build_pipeline(load_config(write_scene(tmp_path, "scene", pose={"scale": 0.2}), trust_code=True))


def folded(scene) -> float:
    with torch.no_grad():
        shape = scene.shape().double().numpy()
    return float(flipped_faces(shape, scene.faces.numpy(), scene.template.edge_faces.numpy()).mean())


def test_what_is_wrong_with_a_scene_is_seen(pipeline):
    watch, scene = FailureMonitor(pipeline), pipeline.scene
    assert watch(5) is None
    (offsets,) = scene.parameter_groups()["shape"]
    with torch.no_grad():
        usual = offsets.clone()
        offsets.copy_(torch.randn(offsets.shape, generator=torch.Generator().manual_seed(0)) * 3)
        assert folded(scene) > FOLDED and "folded over" in watch(5)
        offsets.view(-1)[0] = math.nan
        assert "not finite" in watch(5)
        offsets.copy_(usual)
        scene.pose.translation.copy_(torch.tensor([100.0, 0.0, 0.0]))
        assert "leaves the camera's view" in watch(5) and watch(6) is None  # it looks seldom


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"shape": {"free": []}, "pose": {"free": ["translation"]}, "optimizer": {"lr_pose": 50}}, "view"),
        ({"regularizers": {}, "optimizer": {"lr": 20}}, "fold|view"),
    ],
    ids=["leaves the view", "folds over"],
)
def test_steps_that_are_far_too_long_end_with_a_scene_that_can_be_seen(tmp_path, parts, reason):
    optimizer = {"steps": 120, "warmup": 0, **parts.pop("optimizer")}
    scene = write_scene(tmp_path, "scene", optimizer=optimizer, **parts)
    config = load_config(scene, trust_code=True)
    folder, result = (done := run_mei(config, tmp_path / "run", Silent())).folder, done.result
    (start,) = result.restarts
    assert start.setbacks > 0
    if result.ended == "failed":
        assert start.setbacks == MAX_ROLLBACKS + 1 and any(word in start.reason for word in reason.split("|"))
    # What is on the disk is a good scene.
    frozen = load_config(scene, frozen=["shape", "pose"], rendered=False, trust_code=True)
    kept = build_pipeline(frozen)
    set_parameters(kept.scene, read_parameters(folder / "parameters.npz", get_parameters(kept.scene)))
    for state in kept.states():
        check_in_frustum(state)
    assert folded(kept.scene) <= folded(build_pipeline(config).scene) + FOLDED
