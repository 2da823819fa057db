"""Scenes that differ and do what is wanted of them."""

from __future__ import annotations

import math

import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.neurons.observer import Observation
from mitsuba_mei.optimize.dissimilarity import exact_distance, scene_features
from mitsuba_mei.optimize.loss import DiversityLoss
from mitsuba_mei.pipeline import Pipeline, build_pipeline, restarted
from tests.small_scene import write_scene

FREE = ("pose.rotation", "pose.translation", "lighting.0.direction")
TURNED = {"rotation": [10, 20, 30]}


@pytest.fixture
def scenes(tmp_path):
    """Some experiments of one renderer, from unlike starts."""

    def built(
        count: int, *overrides: str, free: tuple[str, ...] = FREE, frozen: tuple[str, ...] = ()
    ) -> list[Pipeline]:
        config = load_config(write_scene(tmp_path, "scene", pose=TURNED), overrides, free, frozen, trust_code=True)
        first = build_pipeline(config)
        found = [first, *(restarted(first, config, index) for index in range(1, count))]
        with torch.no_grad():
            for index, pipeline in enumerate(found):
                if "lighting.0.direction" in pipeline.scene.free_parameters():
                    pipeline.scene.lighting.emitters[0].direction += torch.tensor([0.3 * index, 0, 0])
        return found

    return built


def nothing(look: Observation) -> torch.Tensor:
    return 0 * look.activation


def parameters(goal: DiversityLoss) -> list[torch.nn.Parameter]:
    return [parameter for group in goal.parameter_groups().values() for parameter in group]


def slopes(goal: DiversityLoss, step: float = 2e-3) -> tuple[float, float]:
    """Of the loss along its gradient: by the gradient, and by finite differences."""
    free = parameters(goal)
    goal.evaluate(0)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in free]
    length = math.sqrt(sum(g.square().sum().item() for g in gradients))
    losses = []
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, gradient in zip(free, gradients):
                parameter += sign * step * gradient / length
        losses.append(goal.evaluate(0).loss)
    return length, (losses[0] - losses[1]) / (2 * step)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "shape", "pose", "light"])
def test_the_gradient_is_that_of_the_loss(scenes, kind):
    free = {"shape": ("shape.offsets",)}.get(kind, FREE)
    goal = DiversityLoss(scenes(3, free=free, frozen=("shape",) if kind != "shape" else ()), nothing, kind, 10.0)
    found, expected = slopes(goal)
    assert found == pytest.approx(expected, rel=0.1 if kind == "shape" else 0.03) and expected > 1e-4


def test_the_gradient_of_what_is_wanted_is_that_of_the_loss(scenes):
    def want(look: Observation) -> torch.Tensor:
        return 20 * (2.0 - look.activation).clamp_min(0)

    # Of light alone: outlines of 32 pixels make steps of the loss.
    experiments = scenes(2, free=("lighting.0.direction",), frozen=("shape",))
    found, expected = slopes(DiversityLoss(experiments, want, "image", 0.5))
    assert found == pytest.approx(expected, rel=0.01)


def test_the_loss_is_regularizers_wants_and_what_is_missed(scenes):
    experiments = scenes(3)

    def want(look: Observation) -> torch.Tensor:
        return 2 * (1.0 - look.activation).clamp_min(0)

    goal = DiversityLoss(experiments, want, "pose", 40.0, enough=2.0)
    found = goal.evaluate(0)
    with torch.no_grad():
        looks = [pipeline.observe(0) for pipeline in experiments]
        lost = [max(0.0, 2 * (1 - look.activation.item())) for look in looks]
        shapes = [pipeline.scene.shape() for pipeline in experiments]
        costs = [e.regularizers.total(e.regularizers(shape)).item() for e, shape in zip(experiments, shapes)]
        all_of = [
            scene_features(e.scene, shape, look.model_input) for e, shape, look in zip(experiments, shapes, looks)
        ]
    angles = [exact_distance("pose", all_of[i], all_of[j]) for i in range(3) for j in range(i)]
    missed = [max(0.0, 2 - angle / 40) for angle in angles]
    assert found.loss == pytest.approx(sum(costs) / 3 + sum(lost) / 3 + sum(missed) / 3, rel=1e-4)
    assert found.value == pytest.approx(-sum(lost) / 3, rel=1e-5)
    assert found.terms["difference"] == pytest.approx(sum(angles) / 3, rel=1e-4)
    assert found.image.shape == (32, 3 * 32, 1)  # side by side
    assert found.terms["mean_activation"] == pytest.approx(sum(look.activation.item() for look in looks) / 3, rel=1e-5)
    assert set(found.terms) == {"mean_activation", "difference", "smoothness", "area", "edge_length", "rigidity"}


def test_beyond_enough_nothing_is_gained(scenes):
    goal = DiversityLoss(scenes(2, frozen=("shape",)), nothing, "pose", 10.0, enough=0.1)
    assert goal.evaluate(0).loss == pytest.approx(0, abs=1e-6)
    assert not any(p.grad is not None and p.grad.any() for p in parameters(goal))


def test_a_penalty_is_nothing_where_what_is_wanted_is_there(scenes):
    def reached(look: Observation) -> torch.Tensor:
        return 20 * (-1e3 - look.activation).clamp_min(0)

    with_penalty, without = (
        DiversityLoss(scenes(2, frozen=("shape",)), want, "image", 1.0) for want in (reached, nothing)
    )
    first, second = with_penalty.evaluate(0), without.evaluate(0)
    assert first.loss == second.loss and first.value == 0
    for a, b in zip(parameters(with_penalty), parameters(without)):
        torch.testing.assert_close(a.grad, b.grad)


def test_from_a_reference_all_have_to_differ_and_it_stays(scenes):
    one, two = scenes(2, frozen=("shape",))
    with torch.no_grad():
        look = two.observe(0)
        reference = scene_features(two.scene, two.scene.shape(), look.model_input).detached()
    goal = DiversityLoss([one], nothing, "pose", 30.0, reference)
    found, expected = slopes(goal)
    assert found == pytest.approx(expected, rel=0.03)
    assert all(parameter.grad is None for parameter in two.scene.free_parameters().values())


def test_groups_are_those_of_all_scenes(scenes):
    experiments = scenes(3)
    groups = DiversityLoss(experiments, nothing, "image", 1.0).parameter_groups()
    assert list(groups) == ["shape", "pose", "lighting"]
    assert {name: len(group) for name, group in groups.items()} == {"shape": 3, "pose": 6, "lighting": 3}
    assert len({id(p) for group in groups.values() for p in group}) == 12
