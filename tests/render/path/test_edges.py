"""Edges, outlines, and samples of them."""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest
import torch

from mitsuba_mei.geometry.mesh import TEMPLATES, cube, icosphere, torus
from mitsuba_mei.render.path.edges import Edges, draw
from mitsuba_mei.render.path.sampler import Sampler

SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2], [0, 2, 3]])


def edges_of(vertices: torch.Tensor, faces: torch.Tensor) -> tuple[Edges, mi.Float]:
    return Edges.of(vertices.numpy(), faces.numpy()), mi.Float(vertices.numpy().ravel())


@pytest.mark.parametrize("mesh", [icosphere(2), cube(2), torus(0.35, 12, 8)])
def test_edges_are_those_of_the_mesh(mesh):
    edges, _ = edges_of(mesh.vertices, mesh.faces)
    pairs = np.sort(np.stack([edges.start.numpy(), edges.end.numpy()], axis=1), axis=1)
    np.testing.assert_array_equal(pairs[np.lexsort(pairs.T[::-1])], mesh.edges.numpy())
    assert len(edges) == 3 * len(mesh.faces) // 2 and edges.outward == 1
    corners = np.stack([edges.start.numpy(), edges.end.numpy()], axis=1)
    faces = {frozenset(face) for face in mesh.faces.tolist()}
    for apex in (edges.first_apex.numpy(), edges.second_apex.numpy()):
        assert all(frozenset((*pair, top)) in faces for pair, top in zip(corners.tolist(), apex.tolist()))
    assert (edges.first_apex.numpy() != edges.second_apex.numpy()).all()


def test_a_mesh_turned_inside_out_is_known():
    mesh = icosphere(1)
    assert edges_of(mesh.vertices, mesh.faces.flip(1))[0].outward == -1


def test_the_rim_of_an_open_mesh_has_one_face():
    edges, _ = edges_of(*SQUARE)
    assert len(edges) == 5 and edges.outward == 0
    assert (edges.first_apex.numpy() == edges.second_apex.numpy()).sum() == 4


def viewer(direction) -> mi.Vector3f:
    direction = np.asarray(direction, dtype=np.float64)
    return mi.Vector3f(*(direction / np.linalg.norm(direction)).tolist())


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("name", "direction"),
    # Along a cube's axes its sides are seen exactly edge-on.
    [("icosphere", (0.3, 0.5, 0.81)), *(("cube", d) for d in ((0.3, 0.5, 0.81), (0, 0, 1), (0, -1, -1), (-1, 0, 0)))],
)
def test_outlines_of_a_convex_body_are_closed(name, turned, direction):
    mesh = TEMPLATES[name](subdivisions=2)
    edges, vertices = edges_of(mesh.vertices, mesh.faces.flip(1) if turned else mesh.faces)
    index = dr.arange(mi.UInt32, len(edges))
    outline = edges.outlines(vertices, index, viewer(direction)).numpy()
    ends = np.concatenate([edges.start.numpy()[outline], edges.end.numpy()[outline]])
    counts = np.bincount(ends)
    assert outline.any() and set(counts[counts > 0]) == {2}


def test_an_edge_in_a_dent_is_no_outline():
    ring = torus(0.35, 48, 24)
    edges, vertices = edges_of(ring.vertices, ring.faces)
    axis = np.argmin(np.ptp(ring.vertices.numpy(), axis=0))
    d = np.zeros(3)
    d[axis] = 1
    d += [0.011, 0.017, 0.013]
    index = dr.arange(mi.UInt32, len(edges))
    outline = edges.outlines(vertices, index, viewer(d)).numpy()
    middle = ring.vertices.numpy()[edges.start.numpy()[outline]]
    middle[:, axis] = 0
    # Seen along its axis a torus has two outlines: the outer circle and that of its hole.
    radius = np.linalg.norm(middle, axis=1)
    assert np.all((np.abs(radius - 1) < 0.03) | (np.abs(radius - radius.min()) < 0.03))
    assert (radius > 0.9).any() and radius.min() < 0.5


def projected_length(edges: Edges, vertices: mi.Float, sample) -> mi.Float:
    a, b = edges.ends(vertices, sample.edge)
    return dr.norm(dr.cross(b - a, sample.d))


def test_outlines_are_drawn_by_length():
    mesh = icosphere(4)
    edges, vertices = edges_of(mesh.vertices, mesh.faces)
    directions = mi.Vector3f(np.array([[0.48, -0.64, 0.6], [-0.64, 0.48, 0.6], [0.36, 0.48, -0.8]], dtype=np.float32).T)
    sample, light, length = edges.sample_outlines(
        vertices, lambda k, p: dr.gather(mi.Vector3f, directions, k), 3, Sampler(4096, 1, 0, 0)
    )
    assert dr.all(sample.active) and length[0] == pytest.approx(2 * math.pi, rel=5e-3)
    total = dr.sum(projected_length(edges, vertices, sample) * sample.inverse)
    assert total[0] == pytest.approx(length[0], rel=1e-4)
    np.testing.assert_allclose(np.bincount(light.numpy()) / 4096, 1 / 3, atol=0.01)
    assert dr.all(edges.outlines(vertices, sample.edge, sample.d))
    assert ((sample.along.numpy() >= 0) & (sample.along.numpy() < 1.0001)).all()


def test_lunes_hold_the_directions_of_silhouettes():
    mesh = icosphere(3)
    edges, vertices = edges_of(mesh.vertices, mesh.faces)
    sample = edges.sample_lunes(vertices, Sampler(2**15, 1, 0, 0))
    assert dr.all(sample.active)
    np.testing.assert_allclose(dr.norm(sample.d).numpy(), 1, atol=1e-5)
    # Rounding decides at the very ends of a lune.
    assert edges.outlines(vertices, sample.edge, sample.d).numpy().mean() > 0.999
    # The outline of a unit sphere is 2 pi long from each of the 4 pi directions.
    total = dr.sum(projected_length(edges, vertices, sample) * sample.inverse)
    assert total[0] == pytest.approx(8 * math.pi**2, rel=0.02)
    weight = edges.lune_weight(vertices)
    a, b = edges.ends(vertices, sample.edge)
    np.testing.assert_allclose((dr.norm(b - a) * dr.width(sample.d) * sample.inverse / 4).numpy(), weight[0], rtol=1e-3)


def test_a_rims_lunes_are_all_directions():
    edges, vertices = edges_of(*SQUARE)
    sample = edges.sample_lunes(vertices, Sampler(2**15, 1, 0, 0))
    total = dr.sum(dr.select(sample.active, projected_length(edges, vertices, sample) * sample.inverse, 0))
    # Each of the four sides is a silhouette from everywhere: length 1 times the mean sine, pi / 4, times 4 pi.
    assert total[0] == pytest.approx(4 * math.pi**2, rel=0.02)


def test_frames_stand_across_edge_and_light():
    mesh = icosphere(2)
    edges, vertices = edges_of(mesh.vertices, mesh.faces)
    sample = edges.sample_lunes(vertices, Sampler(512, 1, 0, 0))
    frame = edges.frame(vertices, sample)
    a, b = edges.ends(vertices, sample.edge)
    np.testing.assert_allclose(dr.norm(frame.normal).numpy(), 1, atol=1e-5)
    np.testing.assert_allclose(dr.dot(frame.normal, b - a).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(dr.dot(frame.normal, sample.d).numpy(), 0, atol=1e-4)
    assert (
        dr.dot(frame.normal, frame.y).numpy() > 0
    ).mean() > 0.99  # away from a sphere's faces is away from its middle
    np.testing.assert_allclose(frame.length.numpy(), projected_length(edges, vertices, sample).numpy(), rtol=1e-5)


def test_points_move_with_the_plane_that_a_ray_meets():
    edges, vertices = edges_of(*SQUARE)
    dr.enable_grad(vertices)
    d = viewer([1, 0, -1])
    point = edges.moving_point(vertices, mi.UInt32(0), mi.Point3f(0.2, 0.2, 1), d, mi.Bool(True))
    np.testing.assert_allclose(point.numpy().ravel(), [1.2, 0.2, 0], atol=1e-5)
    dr.backward(point.x)
    # Raised by h, the square meets the ray h earlier: x falls by h.
    assert dr.grad(vertices).numpy()[2::3].sum() == pytest.approx(-1, abs=1e-5)


def test_indices_are_drawn_in_proportion_and_zeros_never():
    weight = np.array([0, 1, 3, 0, 4, 0], dtype=np.float32)
    index, reused, pmf, total = draw(mi.Float(weight), Sampler(8000, 1, 0, 0))
    np.testing.assert_allclose(np.bincount(index.numpy(), minlength=6) / 8000, weight / 8, atol=2e-3)
    np.testing.assert_allclose(pmf.numpy(), weight[index.numpy()] / 8, rtol=1e-5)
    assert total[0] == pytest.approx(8) and reused.numpy().mean() == pytest.approx(0.5, abs=0.02)


def test_nothing_to_draw_from_is_said():
    _, _, pmf, _ = draw(dr.zeros(mi.Float, 5), Sampler(10, 1, 0, 0))
    assert (pmf.numpy() == 0).all()
