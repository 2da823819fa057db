from __future__ import annotations

import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.objectives import Activation, check_neurons

RESPONSES = torch.tensor([[1.0, 2.0, 4.0, 8.0]])


def test_one_neuron_is_its_response():
    assert Activation(2)(RESPONSES) == 4
    assert Activation([3])(RESPONSES) == 8


def test_several_neurons_are_averaged():
    assert Activation([0, 3])(RESPONSES) == pytest.approx(4.5)


def test_only_the_ratio_of_weights_counts():
    light, heavy = Activation([0, 3], [1, 3])(RESPONSES), Activation([0, 3], [10, 30])(RESPONSES)
    assert light == pytest.approx((1 + 3 * 8) / 4)
    assert heavy == pytest.approx(float(light))


def test_gradient_reaches_the_named_neurons_only():
    responses = RESPONSES.clone().requires_grad_()
    Activation([1, 2], [1, 3])(responses).backward()
    assert responses.grad.tolist() == [[0, 0.25, 0.75, 0]]


def test_batch_is_averaged():
    assert Activation(0)(torch.tensor([[1.0], [3.0]])) == 2


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


def test_neuron_out_of_range_is_said_when_called():
    with pytest.raises(UserError, match=r"no neuron 4; allowed: 0\.\.3"):
        Activation([4])(RESPONSES)


@pytest.mark.parametrize("weights", [[1.0], [1, 0], [1, -1], [1, float("nan")], [1, float("inf")]])
def test_bad_weights(weights):
    with pytest.raises(UserError, match="objective.weights"):
        Activation([0, 1], weights)
