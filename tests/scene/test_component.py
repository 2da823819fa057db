"""Frozen and free parameters, and the domains that free ones stay in."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.scene.component import POSITIVE, REAL, Component, Domain, interval


class Lamp(Component):
    FREEABLE = ("power", "share")

    def __init__(self, power=2.0, share=0.25, free=()):
        super().__init__()
        free = self.check_free(free)
        self.register("power", power, POSITIVE, free="power" in free)
        self.register("share", share, interval(0, 1), free="share" in free)


@pytest.mark.parametrize("domain", [REAL, POSITIVE, interval(-2.0, 5.0), Domain(low=3.0)])
@given(coordinate=st.floats(-6, 6))
@settings(max_examples=40, deadline=None)
def test_coordinates_and_values_map_to_each_other(domain, coordinate):
    x = torch.tensor(coordinate, dtype=torch.float64)
    value = domain.value(x)
    assert domain.low < value < domain.high
    torch.testing.assert_close(domain.coordinate(value), x, rtol=1e-6, atol=1e-6)


@given(coordinate=st.floats(-80, 80))
@settings(max_examples=40, deadline=None)
def test_a_domain_is_never_left(coordinate):
    x = torch.tensor(coordinate)
    assert POSITIVE.value(x) >= 0
    assert 1 <= interval(1.0, 3.0).value(x) <= 3


def test_what_is_free_requires_a_gradient_and_what_is_frozen_keeps_its_value():
    lamp = Lamp(power=0.1, share=1.0, free=["power"])
    assert lamp.get("share").item() == 1.0 and not lamp.share.requires_grad
    assert lamp.power.requires_grad and lamp.power.item() == pytest.approx(math.log(0.1))
    assert lamp.get("power").item() == pytest.approx(0.1)
    lamp.get("power").backward()
    assert lamp.power.grad.item() == pytest.approx(0.1)  # d exp(x) / dx
    assert lamp.parameter_names == ["power", "share"]


def test_a_step_moves_the_free_and_leaves_the_frozen_bit_by_bit():
    lamp = Lamp(free=["share"])
    before = lamp.power.detach().clone()
    optimizer = torch.optim.Adam(lamp.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        (lamp.get("power") * lamp.get("share")).backward()
        optimizer.step()
    assert torch.equal(lamp.power, before)
    assert 0 < lamp.get("share").item() < 0.01


@pytest.mark.parametrize(
    ("name", "value"), [("power", 0.0), ("power", -1.0), ("share", 0.0), ("share", 1.0), ("share", 1.5)]
)
def test_a_free_parameter_cannot_start_on_an_end(name, value):
    with pytest.raises(UserError, match=rf"lamp\.{name} is free but starts at {value}"):
        Lamp(**{name: value}, free=[name])
    assert Lamp(**{name: value}).get(name).item() == value


def test_an_unknown_free_parameter_is_named_with_the_nearest():
    with pytest.raises(UserError, match="lamp has no parameter 'powr' that can be free.*power"):
        Lamp(free=["powr"])


def test_values_that_are_given_are_copied():
    given_value = torch.tensor([1.0, 2.0])
    component = Component()
    component.register("x", given_value, free=True)
    given_value += 1
    assert component.get("x").tolist() == [1.0, 2.0]


@given(power=st.floats(1e-3, 1e3), share=st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_what_is_frozen_in_place_keeps_its_value_to_the_last_bit(power, share):
    lamp = Lamp(power, share, free=["power", "share"])
    before = lamp.get("power").detach().clone(), lamp.get("share").detach().clone()
    lamp.freeze("power")
    assert not lamp.power.requires_grad and lamp.share.requires_grad
    lamp.freeze("share")
    assert torch.equal(lamp.get("power"), before[0]) and torch.equal(lamp.get("share"), before[1])
