"""Packed meshes, and where they are seen from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mitsuba_mei.report.html.mesh import FIELD, LEVELS, pack_mesh, unpack_mesh, viewpoint
from tests.report.html.run_folders import bumpy

POINTS = arrays(float, st.tuples(st.integers(3, 30), st.just(3)), elements=st.floats(-1e4, 1e4))


@given(POINTS, st.integers(0, 2**32 - 1))
def test_a_vertex_is_off_by_at_most_half_a_step_and_faces_by_nothing(vertices, seed):
    faces = np.random.default_rng(seed).integers(0, len(vertices), (17, 3))
    packed = pack_mesh(vertices, faces)
    found, same = unpack_mesh(packed)
    extent = np.ptp(vertices, axis=0).max()
    assert np.abs(found - vertices).max() <= 0.5 * extent / LEVELS * (1 + 1e-6) + 1e-11
    assert (same == faces).all()


@pytest.mark.parametrize(("count", "wide"), [(65_536, False), (65_537, True)])
def test_faces_take_as_many_bytes_as_they_need(count, wide):
    vertices = np.random.default_rng(0).normal(size=(count, 3))
    faces = np.array([[0, 1, count - 1]])
    packed = pack_mesh(vertices, faces)
    assert packed.wide is wide
    assert (unpack_mesh(packed)[1] == faces).all()


def test_meshes_of_one_template_share_the_key_of_their_faces():
    mesh = bumpy()
    keys = {pack_mesh(np.asarray(mesh.vertices) * scale, mesh.faces).key for scale in (1, 2)}
    assert len(keys) == 1
    assert pack_mesh(np.asarray(mesh.vertices), mesh.faces[:, ::-1]).key not in keys


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [(0, 0, (0, 0, 1)), (90, 0, (1, 0, 0)), (0, 89.99, (0, 1, 0)), (180, 0, (0, 0, -1))],
)
def test_the_eye_is_where_the_camera_is(azimuth, elevation, expected):
    view = viewpoint(np.array([[-1.0, -1, -1], [1, 1, 1]]), None, azimuth, elevation)
    np.testing.assert_allclose(view.eye / np.linalg.norm(view.eye), expected, atol=1e-3)


@given(POINTS, st.floats(0.1, 1e5), st.floats(-180, 180), st.floats(-88, 88))
def test_the_whole_object_is_in_sight(vertices, distance, azimuth, elevation):
    view = viewpoint(vertices, distance, azimuth, elevation)
    drawn = (vertices - view.centre) / view.side
    assert np.abs(drawn).max() <= 0.5 + 1e-9  # Plotly draws what is within the cube
    towards = drawn - view.eye
    ahead = -view.eye / np.linalg.norm(view.eye)
    cosines = (towards @ ahead) / np.linalg.norm(towards, axis=1)
    assert (cosines >= np.cos(FIELD / 2) - 1e-9).all()


def test_an_exact_view_is_from_the_cameras_own_place():
    vertices = np.asarray(bumpy().vertices) + (0.3, 0.1, 0)
    view = viewpoint(vertices, 5.0, 30, 20)
    a, e = np.radians((30, 20))
    place = 5 * np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    assert view.exact
    np.testing.assert_allclose(view.centre + view.side * view.eye, place, atol=1e-9)
    assert not viewpoint(vertices, 50.0, 30, 20).exact
    assert not viewpoint(vertices, None, 30, 20).exact
