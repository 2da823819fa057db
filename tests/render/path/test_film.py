"""The film: projection, rays, solid angles, pixels."""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest

from mitsuba_mei.render.path.film import Film
from mitsuba_mei.render.path.sampler import Sampler

TAN = 0.4


@pytest.fixture
def film() -> Film:
    return Film(8, mi.Float(TAN))


def test_a_ray_passes_through_what_projects_to_its_start(film):
    q = mi.Point2f([-0.9, 0.0, 0.3], [0.5, 0.0, -0.99])
    ray = film.ray(q)
    np.testing.assert_allclose(dr.norm(ray.d).numpy(), 1, rtol=1e-6)
    np.testing.assert_allclose(film.project(ray(mi.Float(3.7))).numpy(), q.numpy(), atol=1e-6)


def test_the_axes_are_those_of_the_scene(film):
    right, up, edge = (
        film.project(mi.Point3f(*p)).numpy().ravel() for p in ([0.1, 0, -2], [0, 0.1, -2], [2 * TAN, 0, -2])
    )
    assert right[0] > 0 and right[1] == 0 and up[1] > 0 and up[0] == 0
    np.testing.assert_allclose(edge, [1, 0], atol=1e-6)


def test_areas_add_up_to_the_pyramids_solid_angle(film):
    q = film.samples(Sampler(64, 256, 0, 0))
    mean = dr.mean(1 / film.area_per_solid_angle(film.ray(q).d))
    # A square pyramid of half angle a at its faces subtends 4 asin(sin^2 a).
    expected = 4 * math.asin(math.sin(math.atan(TAN)) ** 2)
    assert 4 * mean[0] == pytest.approx(expected, rel=1e-3)


def test_samples_lie_in_their_pixels_and_find_them_again(film):
    q = film.samples(Sampler(64, 16, 0, 0))
    assert dr.all(film.contains(q))
    image = mi.Float(np.arange(64, dtype=np.float32))
    np.testing.assert_array_equal(film.gather(image, q).numpy().ravel(), np.repeat(np.arange(64), 16))
    x, y = q.numpy()
    assert x[:16].max() < -0.75 and y[:16].min() > 0.75  # the first pixel is at the top left


def test_off_the_film_there_is_nothing(film):
    image = mi.Float(np.ones(64, dtype=np.float32))
    q = mi.Point2f([1.01, -1.01, 0.0, 0.999], [0.0, 0.0, 1.5, 0.999])
    np.testing.assert_array_equal(film.contains(q).numpy(), [False, False, False, True])
    np.testing.assert_array_equal(film.gather(image, q).numpy().ravel(), [0, 0, 0, 1])
