"""What is read off curves and maps, against curves of which it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.runs.results import Axis
from mitsuba_mei.runs.results.responses import Preferred
from mitsuba_mei.runs.tuning_summary import modulation_depth, preferred, selectivity, summarize


def line(low: float, high: float, n: int, period: float | None = None) -> Axis:
    return Axis(path="x", unit="deg", values=np.linspace(low, high, n), at=0.0, period=period)


def von_mises(x: np.ndarray, centre: float, period: float, sharpness: float = 2.0) -> np.ndarray:
    return np.exp(sharpness * (np.cos(2 * np.pi * (x - centre) / period) - 1))


@given(st.floats(-9, 9), st.floats(0.1, 5), st.floats(20, 60))
def test_the_vertex_of_a_parabola_is_found_exactly(centre, bend, height):
    axis = line(-10, 10, 21)
    where, top = preferred([axis], (height - bend * (axis.values - centre) ** 2)[None])
    assert where[0, 0] == pytest.approx(centre, abs=1e-6) and top[0] == pytest.approx(height)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-0.9, 0.9))
def test_the_vertex_of_a_tilted_paraboloid_is_found_exactly(a, b, twist):
    first, second = line(-5, 5, 11), line(-5, 5, 11)
    x, y = np.meshgrid(first.values - a, second.values - b, indexing="ij")
    where, top = preferred([first, second], (9 - x**2 - y**2 - 2 * twist * x * y)[None])
    # A narrow ridge can have its highest point of the grid more than a step from its vertex.
    if abs(twist) < 0.5:
        assert where[0] == pytest.approx([a, b], abs=1e-6) and top[0] == pytest.approx(9)
    assert np.abs(where[0] - [a, b]).max() < 3


@given(st.floats(-180, 180), st.sampled_from([180.0, 360.0]), st.booleans())
def test_a_peak_is_found_anywhere_on_the_circle(centre, period, closed):
    n = 37 if closed else 36
    axis = line(-period / 2, period / 2 if closed else period / 2 - period / 36, n, period)
    curve = von_mises(axis.values, centre, period)
    found = summarize([axis], curve, np.zeros(n)).preferred[0]
    assert abs((found.value - centre + period / 2) % period - period / 2) < 0.1
    assert -period / 2 <= found.value < period / 2 and found.sem == 0


def test_at_an_end_the_peak_is_the_end():
    axis = line(0, 10, 11)
    assert preferred([axis], axis.values[None])[0][0, 0] == 10
    assert preferred([axis], -axis.values[None])[0][0, 0] == 0
    both = preferred([axis, axis], (axis.values[:, None] - (axis.values[None] - 3.2) ** 2)[None])[0][0]
    assert both == pytest.approx([10, 3.2])


def test_the_error_of_the_preferred_value_is_right():
    """Of a parabola's vertex it follows from the points' errors in closed form; and it is what repetition shows."""
    axis, error = line(-10, 10, 21), 0.02
    curve = 30 - 0.25 * axis.values**2
    sem = summarize([axis], curve, np.full(21, error)).preferred[0].sem
    # x = (f+ - f-) / (2 (2 f0 - f+ - f-)) about the top, where f+ = f-: its derivatives are +-1 / (2 * 0.5), 0.
    assert sem == pytest.approx(math.sqrt(2) * error, rel=0.15)
    draws = curve + error * np.random.default_rng(1).standard_normal((4000, 21))
    assert sem == pytest.approx(preferred([axis], draws)[0].std(), rel=0.15)


def test_the_error_of_a_preferred_angle_goes_round():
    axis = line(0, 350, 36, 360.0)
    found = summarize([axis], von_mises(axis.values, 0.0, 360), np.full(36, 0.005)).preferred[0]
    assert 0.5 < found.sem < 5


def test_the_two_ends_of_a_full_turn_are_one_point():
    axis = line(0, 180, 7, 180.0)
    mean = np.array([2.0, 1, 1, 1, 1, 1, 4.0])
    index, value = selectivity([line(0, 150, 6, 180.0)], np.array([3.0, 1, 1, 1, 1, 1]))
    found = summarize([axis], mean, np.zeros(7))
    assert found.selectivity.value == pytest.approx(value) == 2 / 8
    assert found.preferred[0].value == 0 and found.modulation_depth == pytest.approx(2 / 4)


@settings(deadline=None)
@given(st.floats(10, 30), st.floats(-20, 20))
def test_the_half_width_of_a_gaussian(sigma, centre):
    axis = line(-180, 180, 361)  # to where its foot is 0
    found = summarize([axis], np.exp(-0.5 * ((axis.values - centre) / sigma) ** 2), np.zeros(361))
    assert found.bandwidth[0] == pytest.approx(sigma * math.sqrt(2 * math.log(2)), rel=2e-3)


def test_the_half_width_on_a_circle_and_of_a_map():
    axis = line(-180, 170, 36, 360.0)
    for centre in (0.0, 170.0, -180.0):
        width = summarize([axis], von_mises(axis.values, centre, 360), np.zeros(36)).bandwidth[0]
        assert width == pytest.approx(math.degrees(math.acos(1 - math.log(2) / 2)), rel=0.02)
    first, second = line(-90, 90, 91), line(-40, 40, 81)
    gaussian = np.exp(-0.5 * ((first.values[:, None] / 20) ** 2 + (second.values[None] / 8) ** 2))
    half = math.sqrt(2 * math.log(2))
    assert summarize([first, second], gaussian, 0 * gaussian).bandwidth == pytest.approx(
        (20 * half, 8 * half), rel=0.01
    )


@pytest.mark.parametrize("pedestal", [0.0, 2.0, -0.4, -7.0])
@pytest.mark.parametrize("period", [None, 180.0])
def test_a_pedestal_does_not_change_the_half_width(pedestal, period):
    """A peak that rises over 30 degrees to either side, half of it at 15, wherever its foot lies."""
    axis = line(-90, 85, 36, period)
    curve = pedestal + np.maximum(0, 1 - np.abs(axis.values) / 30)
    found = summarize([axis], curve, np.zeros(36))
    # The parabola through the tip and its neighbours has its vertex at the tip.
    assert found.bandwidth == (pytest.approx(15),)
    assert found.bandwidth_is == "half width at half height above the least response"
    assert found.bandwidth_unknown == (None,)


def test_of_a_cosine_the_half_width_is_a_quarter_of_its_period():
    circle = line(0, 355, 72, 360.0)
    found = summarize([circle], 3.1 + np.cos(np.radians(circle.values)), np.zeros(72))
    assert found.bandwidth[0] == pytest.approx(90, rel=1e-3)


def test_there_is_no_half_width_where_the_curve_does_not_fall_that_far():
    axis = line(-10, 10, 21)
    for curve in (np.exp(axis.values / 3), -np.exp(-axis.values / 3), np.exp(-((axis.values + 8) ** 2) / 200)):
        found = summarize([axis], curve, np.zeros(21))
        assert found.bandwidth == (None,) and "on both sides" in found.bandwidth_unknown[0]
    ridge = np.repeat(np.exp(-(axis.values[:, None] ** 2)), 21, axis=1)
    found = summarize([axis, axis], ridge, 0 * ridge)
    assert found.bandwidth[0] is not None and found.bandwidth[1] is None
    assert "alike" in found.bandwidth_unknown[1]


def test_modulation_depth():
    assert modulation_depth(np.array([1.0, 3.0])) == 0.5
    assert modulation_depth(np.array([0.0, 3.0])) == 1
    assert modulation_depth(np.array([-1e-3, 3.0])) == 1
    assert modulation_depth(np.array([-1.0, -3.0])) is None and modulation_depth(np.zeros(3)) is None


@given(st.floats(0, 0.99), st.sampled_from([180.0, 360.0]))
def test_one_less_circular_variance_of_a_cosine(depth, period):
    """Of 1 + d cos it is d / 2; of one response alone 1; of equal ones 0."""
    axis = line(0, period * 11 / 12, 12, period)
    name, value = selectivity([axis], 1 + depth * np.cos(2 * np.pi * axis.values / period))
    assert name == "1 - circular variance" and value == pytest.approx(depth / 2, abs=1e-9)
    assert selectivity([axis], np.eye(12)[5])[1] == pytest.approx(1)


@given(st.integers(1, 10))
def test_the_sparseness_of_a_neuron_that_answers_to_some_points_alike(active):
    """Of m among n equal responses A = m / n."""
    responses = np.where(np.arange(10) < active, 3.0, 0.0)
    name, value = selectivity([line(0, 9, 10)], responses)
    assert name == "sparseness" and value == pytest.approx((1 - active / 10) / 0.9, abs=1e-9)
    assert selectivity([line(0, 4, 5), line(0, 1, 2)], responses.reshape(5, 2))[1] == pytest.approx(value, abs=1e-9)


def test_a_silent_neuron_prefers_nothing():
    axis = line(0, 9, 10)
    found = summarize([axis], np.zeros(10), np.zeros(10))
    assert found.preferred == (Preferred(value=None, sem=None),) and found.bandwidth == (None,)
    assert found.modulation_depth is None and found.selectivity.value is None
    below = selectivity([axis], np.linspace(-2, 1, 10))[1]
    assert below == selectivity([axis], np.linspace(-2, 1, 10).clip(0))[1]
