"""What arrives from lights at a place or in a single direction."""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.render.path.lights import AreaLight, DirectionalLight, PointLight, SpotLight

COORDINATE = st.floats(-3, 3)
PLACE = st.tuples(COORDINATE, COORDINATE, COORDINATE)
MIDDLE = [0.5, 0.5]


def spectrum(value: float) -> mi.Spectrum:
    return mi.Spectrum(value)


@given(p=PLACE, q=PLACE)
@settings(max_examples=30, deadline=None)
def test_a_point_light_obeys_the_inverse_square_law(p, q):
    way = np.subtract(q, p)
    distance = np.linalg.norm(way)
    if distance < 0.1:
        return
    sample = PointLight(mi.Point3f(q), spectrum(7)).sample(mi.Point3f(p), mi.Point2f(MIDDLE))
    np.testing.assert_allclose(sample.d.numpy().ravel(), way / distance, atol=1e-5)
    assert sample.distance[0] == pytest.approx(distance, rel=1e-5)
    assert sample.value[0][0] == pytest.approx(7 / distance**2, rel=1e-4)


def test_a_spot_is_constant_in_its_beam_and_falls_linearly_to_its_cutoff():
    cutoff, beam = math.radians(30), math.radians(10)
    light = SpotLight(mi.Point3f(0, 0, 5), mi.Point3f(0, 0, 0), spectrum(4), cutoff, beam)
    angles = np.radians([0, 5, 9.9, 15, 20, 29, 30.1, 80])
    p = mi.Point3f(mi.Float(2 * np.sin(angles)), 0, mi.Float(5 - 2 * np.cos(angles)))
    value = light.sample(p, mi.Point2f(MIDDLE)).value.numpy().ravel()
    expected = np.clip((cutoff - angles) / (cutoff - beam), 0, 1)
    np.testing.assert_allclose(value, expected, atol=1e-4)


def test_parallel_light_is_the_same_everywhere():
    direction = np.array([0.6, 0.0, -0.8], dtype=np.float32)
    sample = DirectionalLight(mi.Vector3f(direction), spectrum(3)).sample(mi.Point3f(1, 2, 3), mi.Point2f(MIDDLE))
    np.testing.assert_allclose(sample.d.numpy().ravel(), -direction)
    assert sample.value[0][0] == 3 and np.isinf(sample.distance[0]) and sample.position is None


def rectangle() -> AreaLight:
    """1 x 2, two units above the origin, shining down."""
    return AreaLight(mi.Point3f(0, 2, 0), mi.Vector3f(1, 0, 0), mi.Vector3f(0, 0, 2), spectrum(5))


def test_a_rectangle_gives_the_irradiance_of_its_form_factor():
    grid = (np.arange(64, dtype=np.float32) + 0.5) / 64
    u, v = (mi.Float(x.ravel()) for x in np.meshgrid(grid, grid))
    sample = rectangle().sample(mi.Point3f(0, 0, 0), mi.Point2f(u, v))
    irradiance = dr.mean(sample.value[0] * dr.maximum(sample.d.y, 0))[0]

    def quarter(a: float, b: float, c: float) -> float:
        """Form factor of an a x b rectangle, its corner c above a parallel facet."""
        x, y = a / c, b / c
        root_x, root_y = math.sqrt(1 + x * x), math.sqrt(1 + y * y)
        return (x / root_x * math.atan(y / root_x) + y / root_y * math.atan(x / root_y)) / (2 * math.pi)

    assert irradiance == pytest.approx(math.pi * 5 * 4 * quarter(0.5, 1.0, 2.0), rel=1e-3)


def test_a_rectangle_shines_from_one_side():
    light = rectangle()
    below, above = (light.sample(mi.Point3f(0.3, y, 0), mi.Point2f(MIDDLE)) for y in (0.0, 4.0))
    # across x up = (1, 0, 0) x (0, 0, 2) = (0, -2, 0) points down.
    assert below.value[0][0] > 0 and above.value[0][0] == 0


def test_positions_are_attached():
    position, target = mi.Point3f(0.2, 0.1, 3), mi.Point3f(0.5, 0, 0)
    dr.enable_grad(position, target)
    p = mi.Point3f(0, 0, 0)

    def value(x, t):
        light = SpotLight(x, t, spectrum(4), math.radians(30), math.radians(2))
        return light.sample(p, mi.Point2f(MIDDLE)).value[0]

    dr.backward(value(position, target))
    h = 1e-2
    for k in range(3):
        step = mi.Vector3f(*[h * (i == k) for i in range(3)])
        x, t = dr.detach(position), dr.detach(target)
        by_position = (value(x + step, t) - value(x - step, t))[0] / (2 * h)
        by_target = (value(x, t + step) - value(x, t - step))[0] / (2 * h)
        assert dr.grad(position)[k][0] == pytest.approx(by_position, rel=0.01, abs=1e-3)
        assert dr.grad(target)[k][0] == pytest.approx(by_target, rel=0.01, abs=1e-3)
