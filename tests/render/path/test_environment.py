"""The equal-area map of directions, and light drawn from a table of it."""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.render.path.environment import EnvironmentTable, sphere_to_square, square_to_sphere, texel_directions
from mitsuba_mei.scene.distant_emitters import harmonics

RESOLUTION = 32
INNER = st.floats(1e-4, 1 - 1e-4)


def grid(resolution: int) -> mi.Point2f:
    """Evenly spread places in the unit square."""
    x = (np.arange(resolution, dtype=np.float32) + 0.5) / resolution
    u, v = np.meshgrid(x, x)
    return mi.Point2f(mi.Float(u.ravel()), mi.Float(v.ravel()))


@given(u=INNER, v=INNER)
@settings(max_examples=100, deadline=None)
def test_square_and_sphere_map_to_each_other(u, v):
    d = square_to_sphere(mi.Point2f(u, v))
    assert dr.norm(d)[0] == pytest.approx(1, abs=1e-6)
    again = sphere_to_square(d)
    # The last digits of z decide on a place near the equator's and the poles' creases.
    assert (again.x[0], again.y[0]) == pytest.approx((u, v), abs=2e-3)


def test_directions_survive_the_way_to_the_square_and_back():
    d = torch.nn.functional.normalize(torch.randn(5000, 3, generator=torch.Generator().manual_seed(0)), dim=1).numpy()
    again = square_to_sphere(sphere_to_square(mi.Vector3f(d.T))).numpy().T
    np.testing.assert_allclose(again, d, atol=2e-4)


def test_the_axes_map_to_directions():
    d = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    again = square_to_sphere(sphere_to_square(mi.Vector3f(d.T))).numpy().T
    np.testing.assert_allclose(again, d, atol=1e-3)


def test_equal_areas_are_equal_solid_angles():
    directions = square_to_sphere(grid(512)).numpy()
    for tilt in ([1, 0, 0], [0, 0, 1], [0.6, 0.48, 0.64]):  # on a sphere any coordinate is uniform (Archimedes)
        place = np.sort(np.array(tilt) @ directions)
        np.testing.assert_allclose(place, np.linspace(-1, 1, len(place)), atol=0.01)


def test_texels_are_in_the_tables_order():
    directions = texel_directions(RESOLUTION).numpy()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-6)
    table = EnvironmentTable(mi.Float(np.arange(RESOLUTION**2, dtype=np.float32)), RESOLUTION)
    found = table.eval(mi.Vector3f(directions.T)).numpy().ravel()
    np.testing.assert_array_equal(found, np.arange(RESOLUTION**2))


def test_sums_over_texels_are_integrals_over_the_sphere():
    directions = texel_directions(64)
    weight = 4 * math.pi / len(directions)
    torch.testing.assert_close(directions.T @ directions * weight, 4 * math.pi / 3 * torch.eye(3), rtol=0.0, atol=4e-3)
    y = harmonics(directions)
    torch.testing.assert_close(y.T @ y * weight, torch.eye(16), rtol=0.0, atol=4e-3)


def lobe() -> torch.Tensor:
    """A bright lobe on a dim sky, texel by texel."""
    centre = torch.nn.functional.normalize(torch.tensor([0.5, 0.7, -0.3]), dim=0)
    return 0.1 + 5 * torch.exp(20 * (texel_directions(RESOLUTION) @ centre - 1))


def drawn(count: int = 2**17) -> tuple[EnvironmentTable, mi.Vector3f, mi.Float, mi.Spectrum]:
    table = EnvironmentTable(mi.Float(lobe().numpy()), RESOLUTION)
    rng = mi.PCG32(size=count)
    return table, *table.sample(mi.Point2f(rng.next_float32(), rng.next_float32()))


def test_directions_are_drawn_with_the_density_they_state():
    table, d, pdf, _ = drawn()
    np.testing.assert_allclose(dr.norm(d).numpy(), 1, rtol=1e-6)
    # Rounding puts a few in the neighbouring texel.
    agree = np.isclose(table.pdf(d).numpy(), pdf.numpy(), rtol=1e-3)
    assert agree.mean() > 0.995
    texel = sphere_to_square(d).numpy() * RESOLUTION // 4
    counts = np.histogram2d(*texel, bins=8, range=[[0, 8], [0, 8]])[0]
    uv = grid(8 * RESOLUTION)
    place = uv.numpy() * RESOLUTION // 4
    density = table.pdf(square_to_sphere(uv)).numpy() * 4 * math.pi / dr.width(uv)
    expected = np.histogram2d(*place, bins=8, range=[[0, 8], [0, 8]], weights=density)[0] * dr.width(d)
    assert expected.sum() == pytest.approx(dr.width(d), rel=1e-3)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 63 + 5 * math.sqrt(2 * 63)


def test_estimates_of_the_light_are_the_sums_over_texels():
    _, d, pdf, radiance = drawn()
    value = radiance[0] / pdf
    expected = lobe().sum().item() * 4 * math.pi / RESOLUTION**2
    assert dr.mean(value)[0] == pytest.approx(expected, rel=1e-3)
    assert (
        value.numpy().std() < 0.02 * expected
    )  # in proportion to radiance, but for a thousandth that is spread evenly
    moment = (lobe()[:, None] * texel_directions(RESOLUTION)).sum(0).numpy() * 4 * math.pi / RESOLUTION**2
    np.testing.assert_allclose((d.numpy() * value.numpy()).mean(1), moment, atol=0.01 * expected)


def test_a_texels_radiance_has_a_derivative():
    radiance = mi.Float(lobe().numpy())
    dr.enable_grad(radiance)
    table = EnvironmentTable(radiance, RESOLUTION)
    directions = mi.Vector3f(texel_directions(RESOLUTION).numpy().T[:, [5, 5, 9]])
    dr.backward(dr.sum(table.eval(directions)[0]))
    gradient = dr.grad(radiance).numpy()
    assert gradient[5] == 2 and gradient[9] == 1 and gradient.sum() == 3


def test_a_dark_sky_still_has_a_density():
    table = EnvironmentTable(dr.zeros(mi.Float, RESOLUTION**2), RESOLUTION)
    d, pdf, value = table.sample(mi.Point2f(0.3, 0.6))
    assert (
        pdf[0] == pytest.approx(1 / (4 * math.pi), rel=1e-4) and value[0][0] == 0 and dr.norm(d)[0] == pytest.approx(1)
    )
