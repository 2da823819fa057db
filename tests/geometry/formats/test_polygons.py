"""Polygons are covered by their triangles exactly: as many, of the same area, none turned over."""

from __future__ import annotations

import numpy as np
import pytest

from mitsuba_mei.geometry.formats.contents import MeshFault
from mitsuba_mei.geometry.formats.polygons import triangulate

COMB = [(0, 0), (8, 0), (8, 3), (7, 0.5), (6, 4), (5, 0.2), (4, 3), (3, 0.1), (2, 5), (1, 0.7), (0, 2)]
T_JUNCTIONS = [(0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (2, 2), (0, 2), (0, 1)]
CORNER_ON_ITS_SIDES = [(0, 0), (1, 0), (2, 0), (3, 0), (1.5, 2)]
TURN = np.linspace(0, 6 * np.pi, 40)
ARM = np.stack([np.cos(TURN), np.sin(TURN)], axis=1)
SPIRAL = np.concatenate([ARM * (1.0 + TURN)[:, None], (ARM * (0.6 + TURN)[:, None])[::-1]])
WINDOWS = [(0, 0)]
for left in (1, 3, 5):  # a wall with three windows, each joined to the floor by a seam that is walked twice
    WINDOWS += [(left, 0), (left, 1), (left, 2), (left + 1, 2), (left + 1, 1), (left, 1), (left, 0)]
WINDOWS += [(7, 0), (7, 3), (0, 3)]
RING = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]


def shoelace(corners: np.ndarray) -> float:
    x, y = corners.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Of the triangles, as vectors."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return np.cross(b - a, c - a) / 2


@pytest.mark.parametrize("name", ["COMB", "T_JUNCTIONS", "CORNER_ON_ITS_SIDES", "SPIRAL", "WINDOWS", "RING"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_polygon_anywhere_in_space(name, turned):
    corners = np.array(globals()[name], dtype=float)
    corners = corners[::-1] if turned else corners
    generator = np.random.default_rng(1)
    for start in range(0, len(corners), 3):
        axes, _ = np.linalg.qr(generator.normal(size=(3, 3)))
        vertices = (np.roll(corners, start, axis=0) @ axes[:2] + generator.normal(size=3)).astype(np.float32)
        vertices = vertices.astype(float)
        faces, notes = triangulate(vertices, np.arange(len(corners)), np.array([len(corners)]))
        assert len(faces) == len(corners) - 2 and notes == ()
        found = areas(vertices, faces)
        assert np.linalg.norm(found, axis=1).sum() == pytest.approx(abs(shoelace(corners)), rel=1e-4)
        normal = np.sign(shoelace(corners)) * np.cross(axes[0], axes[1])
        assert (found @ normal).min() > -1e-5  # wound as the polygon


def test_corners_on_the_sides_cost_no_triangle_its_area():
    """Else a neighbour would be torn off there."""
    for corners in (T_JUNCTIONS, CORNER_ON_ITS_SIDES, [(0, 0), (1, 0), (2, 0), (0, 2)]):
        vertices = np.c_[np.array(corners, dtype=float), np.zeros(len(corners))]
        faces, _ = triangulate(vertices, np.arange(len(corners)), np.array([len(corners)]))
        assert areas(vertices, faces)[:, 2].min() > 0.1


def test_many_polygons_keep_their_order_and_share_vertices():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [0.5, 1, 0], [3, 1, 0]], dtype=float)
    polygons = [[0, 1, 4], [1, 2, 3, 4], [1, 5, 2], [0, 1, 2, 3]]
    corners, sizes = np.concatenate(polygons), np.array([len(p) for p in polygons])
    faces, notes = triangulate(vertices, corners, sizes)
    assert faces[[0, 3]].tolist() == [[0, 1, 4], [1, 5, 2]] and faces[4:].tolist() == [[0, 1, 2], [0, 2, 3]]
    assert areas(vertices, faces)[:, 2].tolist() == pytest.approx([1, *areas(vertices, faces)[1:3, 2], 1, 2, 2])
    assert areas(vertices, faces)[1:3, 2].sum() == pytest.approx(4 - 1 - 0.5)
    assert notes == ()


@pytest.mark.parametrize("corners", [[(0, 0), (2, 2), (2, 0), (0, 2)], [(0, 0), (4, 0), (4, 3), (1, -1), (0, 3)]])
def test_a_polygon_that_crosses_itself_is_said(corners):
    vertices = np.c_[np.array(corners, dtype=float), np.zeros(len(corners))]
    faces, notes = triangulate(vertices, np.arange(len(corners)), np.array([len(corners)]))
    assert len(faces) == len(corners) - 2
    assert len(notes) == 1 and "1 of 1 polygons cross themselves" in notes[0]


def test_a_polygon_that_is_not_flat_is_said():
    vertices = np.array([[0, 0, 0], [1, 0, 0.4], [1, 1, 0], [0, 1, 0.4], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1.02]])
    _, notes = triangulate(vertices, np.arange(8), np.array([4, 4]))
    assert len(notes) == 1 and "1 of 2 polygons are not flat" in notes[0]


def test_a_huge_polygon_is_cut_where_it_is_convex_and_refused_where_it_is_not():
    turn = np.linspace(0, 2 * np.pi, 6000, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn), np.zeros(6000)], axis=1)
    faces, _ = triangulate(circle, np.arange(6000), np.array([6000]))
    assert areas(circle, faces)[:, 2].sum() == pytest.approx(np.pi, rel=1e-4)
    circle[::2] *= 0.5
    with pytest.raises(MeshFault, match="6,000 corners"):
        triangulate(circle, np.arange(6000), np.array([6000]))
