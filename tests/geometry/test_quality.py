"""Mesh faults on constructed cases."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from mitsuba_mei.geometry.mesh import capsule, cube, icosphere, torus
from mitsuba_mei.geometry.quality import assess, intersecting_faces

SPHERE = icosphere(3)


def count(*triangles) -> int:
    """Intersecting faces of separate triangles."""
    vertices = np.array(triangles, dtype=float).reshape(-1, 3)
    return int(intersecting_faces(vertices, np.arange(len(vertices)).reshape(-1, 3)).sum())


def pair(shift, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Two spheres, the second moved and scaled."""
    points, faces = SPHERE.vertices.double().numpy(), SPHERE.faces.numpy()
    return np.concatenate([points, points * scale + shift]), np.concatenate([faces, faces + len(points)])


FLAT = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]


@pytest.mark.parametrize(
    "other, meets",
    [
        ([[1, 1, -1], [1, 1, 1], [1, 2, 1]], True),  # pierces
        ([[0.5, 0.5, -1], [2.5, 2.5, 1], [2.5, 9, 1]], True),  # one edge of each through the other
        ([[1, 1, 0.1], [1, 1, 1], [1, 2, 1]], False),  # above
        ([[5, 5, -1], [5, 5, 1], [5, 6, 1]], False),  # beside
        ([[1, 1, 0], [1, 1, 1], [1, 2, 1]], False),  # touches with a corner
        ([[1, 1, 0], [2, 1, 0], [1, 1, 1]], False),  # touches with an edge
        ([[1, 1, 0], [9, 9, 1], [9, 9, -1]], True),  # a corner within, the opposite edge beyond
        ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], True),  # in its plane, inside
        ([[-1, -1, 0], [9, -1, 0], [-1, 9, 0]], True),  # in its plane, around
        ([[1, 1, 0], [9, 1, 0], [9, 2, 0]], True),  # in its plane, partly over
        ([[3, 3, 0], [9, 3, 0], [9, 9, 0]], False),  # in its plane, beside
        ([[0, 0, 0], [4, 0, 0], [0, -4, 0]], False),  # in its plane, a common edge
        (FLAT, True),  # twice the same
    ],
)
def test_two_triangles(other, meets):
    assert count(FLAT, other) == (2 if meets else 0)
    assert count(other, FLAT) == (2 if meets else 0)
    generator = np.random.default_rng(0)
    for _ in range(5):  # anywhere in space, the corners in any order
        turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
        corners = [np.array(t, dtype=float)[generator.permutation(3)] for t in (FLAT, other)]
        if np.ptp(np.sign(np.array(other)[:, 2])) != 1:  # where they touch, a turn's rounding decides
            assert count(*[c @ turn.T + 0.3 for c in corners]) == (2 if meets else 0)


def test_faces_that_share_a_vertex_count_only_where_they_pierce():
    corners = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [9, 9, 1], [9, 9, -1], [-1, -1, 1], [-1, -1, -1], [1, 1, 0]]
    vertices = np.array(corners, dtype=float)
    faces = np.array([[0, 1, 2], [0, 3, 4]])
    assert intersecting_faces(vertices, faces).tolist() == [True, True]
    assert not intersecting_faces(vertices, np.array([[0, 1, 2], [0, 5, 6]])).any()
    assert intersecting_faces(vertices, np.array([[0, 1, 2], [0, 1, 7]])).all()  # a common edge, folded flat
    assert not intersecting_faces(vertices, np.array([[0, 1, 2], [0, 1, 3]])).any()


@pytest.mark.parametrize("mesh", [icosphere(0), icosphere(3), cube(0), cube(3), torus(), capsule(), capsule(3.0, 7)])
def test_templates_are_faultless(mesh):
    quality = assess(mesh.vertices, mesh.faces)
    assert (quality.vertices, quality.faces) == (len(mesh.vertices), len(mesh.faces))
    assert (quality.flipped_faces, quality.degenerate_faces, quality.intersecting_faces) == (0, 0, 0)
    assert quality.watertight
    json.dumps(dataclasses.asdict(quality))


def test_smallest_angles():
    assert assess(icosphere(0).vertices, icosphere(0).faces).smallest_angle == pytest.approx(60, abs=1e-3)
    assert assess(cube(2).vertices, cube(2).faces).smallest_angle == pytest.approx(45, abs=1e-3)


def test_spheres_in_each_other_and_apart_do_not_intersect():
    assert not intersecting_faces(*pair(0.0, 0.5)).any()
    assert not intersecting_faces(*pair([2.5, 0, 0], 1.0)).any()


def test_overlapping_spheres_intersect_along_their_circle():
    shift = np.array([0.51, 0.013, 0.007])
    hit = intersecting_faces(*pair(shift, 1.0))
    vertices, faces = pair(shift, 1.0)
    centers = vertices[faces][hit].mean(axis=1)
    plane = (centers - shift / 2) @ shift / np.linalg.norm(shift)
    assert np.abs(plane).max() < 0.15  # a face's size
    radius = np.sqrt(1 - shift @ shift / 4)
    edge = 0.14  # every face that the circle crosses, in both spheres: more than one an edge's length
    assert 2 * 2 * np.pi * radius / edge < hit.sum() < 6 * 2 * np.pi * radius / edge


def brute_force(triangles: np.ndarray) -> np.ndarray:
    """Which of a few triangles in general position meet: edge against face by solving for the crossing point."""
    hit = np.zeros(len(triangles), dtype=bool)
    for i in range(len(triangles)):
        for j in range(len(triangles)):
            a, b, c = triangles[j]
            for k in range(3):
                p, q = triangles[i][k], triangles[i][(k + 1) % 3]
                t, u, v = np.linalg.solve(np.stack([p - q, b - a, c - a], axis=1), p - a) if i != j else (2, 0, 0)
                if 0 <= t <= 1 and u >= 0 and v >= 0 and u + v <= 1:
                    hit[[i, j]] = True
    return hit


@pytest.mark.parametrize("size", [0.3, 0.8, 3.0])
def test_agrees_with_brute_force_on_random_triangles(size):
    generator = np.random.default_rng(3)
    spread = size * generator.uniform(0.1, 2, size=(60, 1, 1))
    triangles = generator.uniform(-1, 1, size=(60, 1, 3)) + spread * generator.normal(size=(60, 3, 3)) / 2
    found = intersecting_faces(triangles.reshape(-1, 3), np.arange(180).reshape(-1, 3))
    expected = brute_force(triangles)
    assert (found == expected).all() and expected.any()


def test_pushed_in_vertex_flips_and_pierces():
    vertices = SPHERE.vertices.clone()
    assert assess(vertices, SPHERE.faces).flipped_faces == 0
    neighbour = SPHERE.edges[SPHERE.edges[:, 0] == 100][0, 1]
    direction = vertices[neighbour] - vertices[100]
    vertices[100] += 2.2 * direction  # beyond its own ring of faces, along the surface
    quality = assess(vertices, SPHERE.faces)
    assert quality.flipped_faces > 0
    assert quality.watertight


def test_vertex_through_the_far_side_pierces_it():
    vertices = SPHERE.vertices.clone()
    vertices[100] *= -1.5
    quality = assess(vertices, SPHERE.faces)
    assert quality.intersecting_faces >= 6


def test_collapsed_faces_are_degenerate():
    vertices = SPHERE.vertices.clone()
    start, end = SPHERE.edges[50]
    vertices[start] = vertices[end]
    quality = assess(vertices, SPHERE.faces)
    assert quality.degenerate_faces == 2
    assert quality.smallest_angle == 0


def test_template_excuses_its_own_faults():
    vertices = SPHERE.vertices.clone()
    start, end = SPHERE.edges[50]
    vertices[start] = vertices[end]
    assert assess(vertices, SPHERE.faces, template=vertices).degenerate_faces == 0
    assert assess(vertices, SPHERE.faces, template=SPHERE.vertices).degenerate_faces == 2


def test_holes_are_not_watertight():
    assert not assess(SPHERE.vertices, SPHERE.faces[1:]).watertight


def test_accepts_a_tensor_that_requires_a_gradient():
    assert assess(SPHERE.vertices.clone().requires_grad_(), SPHERE.faces).faces == 1280


def test_one_large_face_among_many_small_ones():
    vertices, faces = SPHERE.vertices.double().numpy(), SPHERE.faces.numpy()
    sheet = np.array([[-50, -50, 0.01], [50, -50, 0.011], [0, 90, 0.012]])
    hit = intersecting_faces(np.concatenate([vertices, sheet]), np.concatenate([faces, [[642, 643, 644]]]))
    assert hit[-1] and 40 <= hit[:-1].sum() <= 120
