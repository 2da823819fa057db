from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.objective import Activation as ActivationSettings
from mitsuba_mei.config.objective import Discriminate as DiscriminateSettings
from mitsuba_mei.config.objective import TargetResponse
from mitsuba_mei.errors import UserError
from mitsuba_mei.objectives import Activation, Discriminate, Target, build_objective, check_neurons

RESPONSES = torch.tensor([[1.0, 2.0, 4.0, 8.0]])


def of(objective, responses=RESPONSES):
    """An objective of all the responses: its neurons are picked as a viewer does."""
    return objective(responses[:, objective.neurons])


def test_one_neuron_is_its_response():
    assert of(Activation(2)).tolist() == [4]
    assert of(Activation([3])).tolist() == [8]


def test_several_neurons_are_averaged():
    assert of(Activation([0, 3])).item() == pytest.approx(4.5)


def test_only_the_ratio_of_weights_counts():
    light, heavy = of(Activation([0, 3], [1, 3])), of(Activation([0, 3], [10, 30]))
    assert light.item() == pytest.approx((1 + 3 * 8) / 4)
    assert heavy.item() == pytest.approx(light.item())


def test_gradient_reaches_the_named_neurons_only():
    responses = RESPONSES.clone().requires_grad_()
    of(Activation([1, 2], [1, 3]), responses).sum().backward()
    assert responses.grad.tolist() == [[0, 0.25, 0.75, 0]]


@pytest.mark.parametrize(
    "objective",
    [Activation([0, 2]), Discriminate(1, [0, 2, 3]), Target([0, 1], [2.0, 3.0])],
    ids=lambda o: type(o).__name__,
)
def test_every_image_of_a_batch_has_its_own_value(objective):
    batch = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    together = of(objective, batch)
    assert together.shape == (5,)
    torch.testing.assert_close(together, torch.cat([of(objective, row[None]) for row in batch]))


@given(
    responses=st.lists(st.floats(-50, 50), min_size=3, max_size=6),
    temperature=st.floats(0.01, 100),
)
def test_discriminating_lies_between_the_mean_and_the_strongest_of_the_others(responses, temperature):
    values = torch.tensor([responses], dtype=torch.float64)
    preferred, others = responses[0], responses[1:]
    value = of(Discriminate(0, range(1, len(responses)), temperature), values).item()
    assert preferred - max(others) - 1e-6 <= value <= preferred - math.fsum(others) / len(others) + 1e-6


def test_discriminating_by_hand_and_at_both_ends_of_the_temperature():
    expected = 4 - 2 * math.log((math.exp(1 / 2) + math.exp(8 / 2)) / 2)
    assert of(Discriminate(2, [0, 3], 2.0)).item() == pytest.approx(expected, rel=1e-5)
    assert of(Discriminate(2, [0, 3], 0.01)).item() == pytest.approx(4 - 8, abs=0.01)
    assert of(Discriminate(2, [0, 3], 1e4)).item() == pytest.approx(4 - 4.5, abs=0.01)
    assert of(Discriminate([2, 3], [0, 1], 1e4)).item() == pytest.approx(6 - 1.5, abs=0.01)


def test_a_target_is_the_root_mean_square_difference():
    assert of(Target([1, 3], [2.0, 8.0])).item() == 0
    assert of(Target([1, 3], [5.0, 4.0])).item() == pytest.approx(-math.sqrt((9 + 16) / 2))


def test_a_target_that_is_reached_has_a_finite_gradient():
    responses = RESPONSES.clone().requires_grad_()
    of(Target([1, 3], [2.0, 8.0]), responses).sum().backward()
    assert torch.isfinite(responses.grad).all()


def test_a_scene_file_names_any_of_them():
    assert build_objective(ActivationSettings(weights=(1.0, 2.0)), [1, 0], 4).neurons == [1, 0]
    rest = build_objective(DiscriminateSettings(), [2], 4)
    assert rest.neurons == [2, 0, 1, 3] and rest.temperature == 1
    assert build_objective(DiscriminateSettings(against=(3,)), [2], 4).neurons == [2, 3]
    assert build_objective(TargetResponse(responses=(3.0,)), [2], 4).target.tolist() == [3]


@pytest.mark.parametrize(
    ("settings", "count", "message"),
    [
        (DiscriminateSettings(), 1, "needs a neuron to tell from; the model has 1 in all"),
        (DiscriminateSettings(against=(0, 1)), 4, "neuron 0 is to be driven and named in objective.against"),
        (DiscriminateSettings(against=(1, 4)), 4, r"no neuron 4; allowed: 0\.\.3"),
        (TargetResponse(responses=(1.0, 2.0)), 4, "objective.responses has 2 numbers for 1 neurons"),
        (ActivationSettings(weights=(1.0, 2.0)), 4, "objective.weights has 2 numbers for 1 neurons"),
    ],
)
def test_an_objective_that_makes_no_sense(settings, count, message):
    with pytest.raises(UserError, match=message):
        build_objective(settings, [0], count)


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        ([], "at least one"),
        ([-1], "no neuron -1; allowed: 0..3"),
        ([4], "no neuron 4; allowed: 0..3"),
        ([1, 1], "neuron 1 is named 2 times"),
        ([1.5], "not a whole number"),
        ([True], "not a whole number"),
        (["3"], "not a whole number"),
    ],
)
def test_bad_neurons(neurons, message):
    with pytest.raises(UserError, match=message):
        check_neurons(neurons, 4)


@pytest.mark.parametrize("weights", [[1.0], [1, 0], [1, -1], [1, float("nan")], [1, float("inf")]])
def test_bad_weights(weights):
    with pytest.raises(UserError, match="objective.weights"):
        Activation([0, 1], weights)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_bad_temperature(temperature):
    with pytest.raises(UserError, match="objective.temperature"):
        Discriminate(0, [1], temperature)


def test_bad_target():
    with pytest.raises(UserError, match="objective.responses"):
        Target(0, [float("nan")])
