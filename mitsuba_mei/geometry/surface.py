"""A mesh as a surface: its moments, points all over it, and what of it is nearest to any point."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import trimesh
from scipy.spatial import KDTree

__all__ = ["Surface", "surfaces"]

_LONGEST_EDGE = 0.3  # radii
_PAIRS_AT_ONCE = 2_000_000


class Shape:
    """A mesh's moments as a surface of even density, exact.

    Parameters
    ----------
    mesh : Trimesh
        In scene units.
    """

    def __init__(self, mesh: trimesh.Trimesh) -> None:
        self.vertices, self.faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces)
        if not np.isfinite(self.vertices).all():
            raise ValueError("a mesh has vertices that are not finite")
        corners = self.vertices[self.faces]
        self.areas = np.linalg.norm(_area_vectors(corners), axis=1)
        self.has_area = self.areas > 1e-10 * self.areas.sum()
        if not self.has_area.any():
            raise ValueError("a mesh has no area")
        weights = self.areas / self.areas.sum()
        self.centroid = weights @ corners.mean(axis=1)
        # Over a triangle of area A with corners v, the integral of x x^T is A / 12 (sum v v^T + (sum v) (sum v)^T).
        about = corners - self.centroid
        sums = about.sum(axis=1)
        moments = np.einsum("f,fki,fkj->ij", weights, about, about) + np.einsum("f,fi,fj->ij", weights, sums, sums)
        self.radius = float(np.sqrt(np.trace(moments) / 12))
        _, axes = np.linalg.eigh(moments)
        self.axes = axes * np.linalg.det(axes)

    @cached_property
    def vertex_weights(self) -> np.ndarray:
        """Each vertex's share of the area, ``(V,)``."""
        shares = np.repeat(self.areas / (3 * self.areas.sum()), 3)
        return np.bincount(self.faces.ravel(), shares, len(self.vertices))


class Surface:
    """A surface about its centroid, with points on it, that knows what of it is nearest to any point.

    Parameters
    ----------
    shape : Shape
        In scene units; everything here is in the common ``unit``.
    unit : float
        The mean radius of the two surfaces, scene units.
    samples, seed : int
        Points on the surface, and their seed.
    """

    def __init__(self, shape: Shape, unit: float, samples: int, seed: int) -> None:
        self.shape = shape
        self.vertices = (shape.vertices - shape.centroid) / unit
        # No face much larger than the others: all faces as near as the largest might reach have to be looked at.
        faces = shape.faces[shape.has_area]
        longest = max(_LONGEST_EDGE, np.ptp(self.vertices[faces], axis=1).max() / 16)
        vertices, faces = trimesh.remesh.subdivide_to_size(self.vertices, faces, longest)
        self.corners, self.knots = vertices[faces], vertices[np.unique(faces)]
        area_vectors = _area_vectors(self.corners)
        areas = np.linalg.norm(area_vectors, axis=1)
        self.normals = area_vectors / np.where(areas > 0, areas, 1)[:, None]
        self.centres = self.corners.mean(axis=1)
        self.reaches = np.linalg.norm(self.corners - self.centres[:, None], axis=2).max(axis=1)
        self.centre_tree = KDTree(self.centres)
        self.points = _spread(self.corners, areas, samples, seed)
        self.point_tree = KDTree(self.points)

    def some_points(self, count: int) -> np.ndarray:
        """About ``count`` of the points, from everywhere on the surface."""
        return self.points[:: max(len(self.points) // count, 1)]

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Closest surface points ``(N, 3)`` to given points, and the normals ``(N, 3)`` there.

        ``trimesh.proximity`` does the same, but looks at all faces that meet a box of the distance to all sides. Where
        surfaces are a radius apart, that takes ten times as long, and where they are three apart, gigabytes.
        """
        portion = max(_PAIRS_AT_ONCE // len(self.corners), 1)
        results = [self._nearest(points[i : i + portion]) for i in range(0, len(points), portion)]
        closest, faces = (np.concatenate(part) for part in zip(*results, strict=True))
        return closest, self.normals[faces]

    def _nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Closest points, ``(N, 3)``, and the faces they are on, ``(N,)``."""
        # The face with the nearest centre gives a bound, and all that could be within the bound are looked at: a face
        # lies in its plane, and there within its reach about its centre.
        rows = np.arange(len(points))
        _, faces = self.centre_tree.query(points)
        closest = trimesh.triangles.closest_point(self.corners[faces], points)
        bounds = np.linalg.norm(closest - points, axis=1)
        around = self.centre_tree.query_ball_point(points, bounds + self.reaches.max() + 1e-6, return_sorted=False)
        others, candidates = np.repeat(rows, [len(near) for near in around]), np.concatenate(around).astype(np.int64)
        offsets = points[others] - self.centres[candidates]
        heights = (offsets * self.normals[candidates]).sum(axis=1)
        beside = np.sqrt(np.maximum(np.square(offsets).sum(axis=1) - heights**2, 0)) - self.reaches[candidates]
        hopeful = heights**2 + np.maximum(beside, 0) ** 2 < (bounds[others] + 1e-6) ** 2

        others, candidates = others[hopeful], candidates[hopeful]
        rows, faces = np.concatenate([rows, others]), np.concatenate([faces, candidates])
        more = trimesh.triangles.closest_point(self.corners[candidates], points[others])
        closest = np.concatenate([closest, more])
        order = np.lexsort((np.linalg.norm(closest - points[rows], axis=1), rows))
        best = order[np.flatnonzero(np.diff(rows[order], prepend=-1))]
        return closest[best], faces[best]


def surfaces(a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int, seed: int) -> tuple[Surface, Surface, float]:
    """Both surfaces in their common unit, and that unit."""
    first, second = Shape(a), Shape(b)
    unit = (first.radius + second.radius) / 2
    # The same seed for both, so that it makes no difference which one comes first.
    return Surface(first, unit, samples, seed), Surface(second, unit, samples, seed), unit


def _area_vectors(corners: np.ndarray) -> np.ndarray:
    """Normals as long as the triangles' areas, ``(F, 3)``."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def _spread(corners: np.ndarray, areas: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random points on triangles, uniform by area, ``(count, 3)``: one on each of ``count`` stretches of equal area.

    A mesh's faces mostly follow their neighbours, so that these points lie more evenly than independent ones. The mean
    distance between two irregular surfaces varies a quarter to a tenth as much from seed to seed, and an alignment does
    not follow the unevenness of the points.
    """
    generator = np.random.default_rng(seed)
    upto = np.cumsum(areas)
    face = np.searchsorted(upto, (np.arange(count) + generator.random(count)) / count * upto[-1])
    u, v = np.sqrt(generator.random(count)), generator.random(count)
    return np.einsum("nk,nki->ni", np.stack([1 - u, u * (1 - v), u * v], axis=1), corners[face])
