"""Distances of surfaces against closed forms and brute force, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from mitsuba_mei.geometry.registration import align, surface_distance


def sphere(radius: float = 1.0, subdivisions: int = 2) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)


def ellipsoid(axes, turned: int | None = None, subdivisions: int = 2) -> trimesh.Trimesh:
    """Its axes along x, y and z; with ``turned``, its faces elsewhere on it."""
    mesh = sphere(subdivisions=subdivisions)
    if turned is not None:
        mesh.vertices = mesh.vertices @ Rotation.random(rng=turned).as_matrix().T
    mesh.vertices = mesh.vertices * axes
    return mesh


def blob(seed: int, amplitude: float = 0.3, subdivisions: int = 2) -> trimesh.Trimesh:
    """A sphere under 25 random Gaussian displacements."""
    generator = np.random.default_rng(seed)
    mesh = sphere(subdivisions=subdivisions)
    centres = generator.normal(size=(25, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    near = np.exp(-np.square(mesh.vertices[:, None] - centres).sum(axis=2) / (2 * 0.4**2))
    mesh.vertices = mesh.vertices + amplitude * near @ generator.normal(size=(25, 3))
    return mesh


def motion(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(rng=generator).as_matrix()
    matrix[:3, 3] = generator.normal(size=3)
    return matrix


def moved(mesh: trimesh.Trimesh, by: int | np.ndarray) -> trimesh.Trimesh:
    return mesh.copy().apply_transform(motion(by) if isinstance(by, int) else by)


def otherwise_triangulated(mesh: trimesh.Trimesh, seed: int = 0) -> trimesh.Trimesh:
    """The same surface with other faces in another order."""
    finer = mesh.subdivide()
    order = np.random.default_rng(seed).permutation(len(finer.faces))
    return trimesh.Trimesh(finer.vertices, finer.faces[order], process=False)


def to_every_face(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    faces, each = np.tile(mesh.triangles, (len(points), 1, 1)), np.repeat(points, len(mesh.faces), axis=0)
    offsets = trimesh.triangles.closest_point(faces, each) - each
    return np.linalg.norm(offsets, axis=1).reshape(len(points), -1).min(axis=1)


def brute_force(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 2000) -> np.ndarray:
    """Distances of random points of each from the other, each point to every face, as the meshes lie."""
    found = []
    for source, target in ((a, b), (b, a)):
        points, _ = trimesh.sample.sample_surface(source, samples, seed=1)
        found.append(to_every_face(target, points))
    return np.concatenate(found)


# ------------------------------------------------------------------------------------------------------ known values


@pytest.mark.slow
@pytest.mark.parametrize("radii", [(2.0, 1.0), (0.001, 0.0012)])
def test_spheres_are_as_far_apart_as_their_radii(radii):
    first, second = (sphere(radius, subdivisions=4) for radius in radii)
    second.apply_translation([3, -4, 12])
    distance = surface_distance(first, second, 2000)
    apart = abs(radii[0] - radii[1])
    for name, tolerance in (("mean", 2e-3), ("rms", 2e-3), ("greatest", 5e-3)):
        # A facet's middle lies 0.0012 of the radius inside the sphere.
        assert getattr(distance, name) == pytest.approx(apart, rel=2e-3, abs=tolerance * max(radii)), name
    assert distance.mean == pytest.approx(apart, rel=2e-3)
    assert distance.relative == pytest.approx(apart / np.mean(radii), rel=5e-3)
    assert distance.translation == pytest.approx(13, rel=2e-3)


def on_sphere(count: int) -> np.ndarray:
    """A Fibonacci lattice, which is even."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)


def from_ellipsoid(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Exact distances of points from an ellipsoid: x = a^2 y / (t + a^2) is on it for just one t above -min(a)^2."""
    low = np.full(len(points), -(axes.min() ** 2))
    high = np.full(len(points), axes.max() * np.linalg.norm(points, axis=1).max())
    for _ in range(80):
        t = (low + high) / 2
        outside = np.square(axes * points / (t[:, None] + axes**2)).sum(axis=1) > 1
        low, high = np.where(outside, t, low), np.where(outside, high, t)
    return np.linalg.norm(points - axes**2 * points / (high[:, None] + axes**2), axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("axes", [(0.8, 1.0, 1.4), (0.6, 1.5, 1.6)])
def test_a_sphere_and_an_ellipsoid(axes):
    axes = np.array(axes)
    directions = on_sphere(20_000)
    of_sphere = from_ellipsoid(directions, axes)
    of_ellipsoid = np.abs(np.linalg.norm(directions * axes, axis=1) - 1)
    areas = np.linalg.norm(directions / axes, axis=1)  # of the sphere's even pieces once on the ellipsoid, relatively
    mean = (of_sphere.mean() + np.average(of_ellipsoid, weights=areas)) / 2
    square = (np.square(of_sphere).mean() + np.average(np.square(of_ellipsoid), weights=areas)) / 2
    distance = surface_distance(moved(sphere(subdivisions=4), 1), moved(ellipsoid(axes, 5, 4), 2), 2000)
    assert distance.mean == pytest.approx(mean, rel=0.01)
    assert distance.rms == pytest.approx(square**0.5, rel=0.01)
    assert distance.greatest == pytest.approx(max(of_sphere.max(), of_ellipsoid.max()), rel=0.02)


@pytest.mark.slow
def test_parallel_sides_of_boxes():
    """A long box, and one that is wider by 0.2: the long sides are 0.1 apart, their edges more, the ends 0."""
    first, second = trimesh.creation.box((40, 1, 1)), moved(trimesh.creation.box((40, 1.2, 1.2)), 3)
    distance = surface_distance(first, second)
    assert distance.mean == pytest.approx(0.1, rel=0.03)
    assert distance.greatest == pytest.approx(0.1 * 2**0.5, rel=0.06)
    assert distance.relative == pytest.approx(distance.mean / np.sqrt(40**2 / 12), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0, 1), (2, 2)])
def test_every_point_to_every_face(seeds):
    first, second = moved(blob(seeds[0], 0.3, 1), 4), moved(blob(seeds[1], 0.4, 1), 5)
    laid = moved(first, align(first, second))
    expected = brute_force(laid, second)
    distance = surface_distance(first, second)
    assert distance.mean == pytest.approx(expected.mean(), rel=0.03)
    assert distance.rms == pytest.approx(np.sqrt(np.square(expected).mean()), rel=0.03)
    greatest = max(
        to_every_face(second, laid.vertices).max(), to_every_face(laid, second.vertices).max(), expected.max()
    )
    assert distance.greatest == pytest.approx(greatest, rel=0.01)


# --------------------------------------------------------------------------------------------------------- alignment


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("change", [lambda mesh: mesh, otherwise_triangulated], ids=["vertices", "surfaces"])
def test_a_rigid_motion_is_undone(seed, change):
    mesh, matrix = blob(seed), motion(seed)
    other = change(moved(mesh, matrix))
    np.testing.assert_allclose(align(mesh, other), matrix, atol=1e-3)
    distance = surface_distance(mesh, other)
    assert distance.greatest < 1e-3
    assert distance.relative < 1e-4
    assert distance.rotation == pytest.approx(np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()), abs=0.1)
    centroid = mesh.triangles_center.T @ mesh.area_faces / mesh.area
    shift = np.linalg.norm(trimesh.transform_points(centroid[None], matrix)[0] - centroid)
    assert distance.translation == pytest.approx(shift, abs=1e-3)


def test_boxes_of_few_and_of_many_faces():
    box = trimesh.creation.box((1, 1.2, 1.4))
    distance = surface_distance(box, moved(box.subdivide().subdivide(), 2))
    assert distance.greatest < 1e-3


def test_an_open_flat_surface():
    square = trimesh.Trimesh([[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    assert surface_distance(square, moved(square.subdivide(), 1)).greatest < 2e-3


@pytest.mark.slow
def test_the_motion_is_rigid_and_no_reflection():
    boxes = [
        trimesh.creation.box(size, trimesh.transformations.translation_matrix(place))
        for size, place in [((2, 0.4, 0.4), (0, 0, 0)), ((0.4, 1.2, 0.4), (1, 0.6, 0)), ((0.4, 0.4, 0.8), (-1, 0, 0.6))]
    ]
    left = trimesh.util.concatenate(boxes)
    right = left.copy()
    right.vertices[:, 2] *= -1
    right.invert()
    matrix = align(left, right)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])
    # Their hands differ by a limb.
    assert surface_distance(left, right).greatest > 0.3
    assert surface_distance(left, moved(otherwise_triangulated(left), 7)).greatest < 2e-3


@pytest.mark.slow
def test_no_motion_nearby_does_better():
    first, second = blob(8, 0.3, 1), blob(8, 0.45, 1)
    laid = moved(first, align(first, second))
    least = np.sqrt(np.square(brute_force(laid, second, 500)).mean())
    generator = np.random.default_rng(0)
    for _ in range(8):
        matrix = np.eye(4)
        direction = generator.normal(size=6)
        direction *= 0.05 / np.linalg.norm(direction)
        matrix[:3, :3] = Rotation.from_rotvec(direction[:3]).as_matrix()
        matrix[:3, 3] = direction[3:]
        assert np.sqrt(np.square(brute_force(moved(laid, matrix), second, 500)).mean()) > least


@pytest.mark.slow
@pytest.mark.parametrize("matrix", [np.eye(4), motion(3)], ids=["in place", "moved"])
def test_where_vertices_correspond_nothing_is_turned_over(matrix):
    """An ellipsoid fits another in four ways, one of revolution in any number; a little noise must not choose."""
    expected = np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude())
    for axes in ([0.7, 1, 1.6], [0.8, 0.8, 1.5]):
        first, second = ellipsoid(axes, 1), ellipsoid(np.multiply(axes, 1.06), 1)
        second.vertices += 0.01 * np.random.default_rng(0).normal(size=second.vertices.shape)
        distance = surface_distance(first, moved(second, matrix), 1000)
        assert distance.rotation == pytest.approx(expected, abs=8)


# ---------------------------------------------------------------------------------------- what changes it, what not


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [(blob(3), blob(4)), (ellipsoid([0.8, 1, 1.5]), trimesh.creation.torus(1, 0.3, 24, 12))],
    ids=["of the same faces", "of other faces"],
)
def test_order_motion_and_scale_make_no_difference(first, second):
    distance = surface_distance(first, second, 2000)
    other = surface_distance(*(moved(mesh, i).apply_scale(1e-3) for i, mesh in enumerate((second, first))), 2000)
    assert other.mean == pytest.approx(1e-3 * distance.mean, rel=0.01)
    assert other.rms == pytest.approx(1e-3 * distance.rms, rel=0.01)
    assert other.greatest == pytest.approx(1e-3 * distance.greatest, rel=0.05)
    assert other.relative == pytest.approx(distance.relative, rel=0.01)


def test_the_way_back_undoes_the_way_there():
    first, second = blob(3), moved(blob(3, 0.4), 4)
    there, back = align(first, second), align(second, first)
    np.testing.assert_allclose(there @ back, np.eye(4), atol=2e-3)


@pytest.mark.slow
def test_a_seed_decides_and_matters_little():
    first, second = blob(5), blob(5, 0.4)
    distance = surface_distance(first, second, seed=3)
    assert distance == surface_distance(first, second, seed=3)
    other = surface_distance(first, second, seed=4)
    assert other != distance
    assert other.mean == pytest.approx(distance.mean, rel=0.02)
    assert other.rms == pytest.approx(distance.rms, rel=0.02)


@pytest.mark.slow
def test_more_deformation_is_farther():
    distances = [surface_distance(blob(6), blob(6, amplitude), 1000) for amplitude in (0.32, 0.36, 0.44)]
    assert distances[0].mean < distances[1].mean < distances[2].mean
    for distance in distances:
        assert distance.mean <= distance.rms <= distance.greatest


@pytest.mark.slow
def test_faces_without_area_and_loose_vertices_count_for_nothing():
    clean, other = blob(7), blob(7, 0.4)
    corner, along = clean.vertices[:2]
    vertices = np.concatenate([clean.vertices, [[50, 0, 0], (corner + along) / 2, corner]])
    n = len(clean.vertices)
    faulty = [[0, 0, 1], [5, 5, 5], [0, n + 1, 1], [0, n + 2, 1]]  # an edge twice, a point, a line, two points at one
    broken = trimesh.Trimesh(vertices, np.concatenate([faulty, clean.faces, faulty]), process=False)
    distance = surface_distance(broken, other, 2000)
    assert distance.mean == pytest.approx(surface_distance(clean, other, 2000).mean, rel=0.01)
    assert surface_distance(broken, moved(clean, 1)).greatest < 1e-3


def test_a_needle_does_no_harm():
    """A face whose third corner is a thousandth above its first: next to no area, and a normal of its own."""
    clean = blob(7)
    vertices = np.concatenate([clean.vertices, [1.001 * clean.vertices[0]]])
    spiky = trimesh.Trimesh(vertices, np.concatenate([clean.faces, [[0, 1, len(clean.vertices)]]]), process=False)
    assert surface_distance(spiky, moved(clean, 1), 2000).relative < 1e-3


def test_no_surface_is_refused():
    empty = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(ValueError, match="no area"):
        surface_distance(empty, sphere())
    broken = sphere()
    broken.vertices[3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        align(sphere(), broken)


def test_surfaces_as_they_lie_are_measured_where_they_lie():
    first, shift = sphere(subdivisions=3), 0.25
    second = first.copy().apply_translation([shift, 0, 0])
    found = surface_distance(first, second, aligned=False)
    # Near spheres: a point at an angle t from the shift lies shift |cos t| away, in the mean half of the shift.
    assert found.mean == pytest.approx(shift / 2, rel=0.03)
    assert found.greatest == pytest.approx(shift, rel=0.02)
    assert found.rotation == 0 and found.translation == pytest.approx(0, abs=1e-12)
    assert surface_distance(first, second).mean < 1e-3


@pytest.mark.slow
def test_surfaces_as_they_lie_are_measured_like_every_face():
    first, second = blob(0), moved(blob(5), 0)
    found = surface_distance(first, second, aligned=False)
    assert found.mean == pytest.approx(brute_force(first, second, 700).mean(), rel=0.05)
    assert found.mean > surface_distance(first, second).mean
    back = surface_distance(second, first, aligned=False)
    assert (back.mean, back.rms, back.greatest) == pytest.approx((found.mean, found.rms, found.greatest), rel=1e-6)
