"""Whether a mesh is still an object: flipped, degenerate and intersecting faces, angles, holes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .mesh import TriangleMesh

__all__ = [
    "InputQuality",
    "MeshQuality",
    "assess",
    "degenerate_faces",
    "flipped_faces",
    "intersecting_faces",
    "together_of",
]

_DEGENERATE_SHAPE = 0.02
_DEGENERATE_AREA = 1e-4
_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class InputQuality:
    """Flaws of a mesh file, and the messages of its reader."""

    flipped_faces: int
    degenerate_faces: int
    intersecting_faces: int
    watertight: bool
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeshQuality:
    """Counts and figures of one mesh.

    Parameters
    ----------
    vertices, faces : int
        How many there are.
    flipped_faces : int
        See :func:`flipped_faces`.
    degenerate_faces : int
        See :func:`degenerate_faces`.
    intersecting_faces : int
        See :func:`intersecting_faces`.
    smallest_angle : float
        The smallest angle of a face, in degrees.
    watertight : bool
        Whether every edge joins exactly two faces, wound alike.
    new_intersecting_faces : int or None
        Those that did not intersect others in the mesh file; None where there is no file.
    input : InputQuality or None
        The flaws of the mesh file.
    """

    vertices: int
    faces: int
    flipped_faces: int
    degenerate_faces: int
    intersecting_faces: int
    smallest_angle: float
    watertight: bool
    new_intersecting_faces: int | None = None
    input: InputQuality | None = None


def together_of(meshes: Sequence[MeshQuality]) -> MeshQuality:
    """Several meshes as one: counts are added up, the smallest angle is the smallest of all."""
    counts = ("vertices", "faces", "flipped_faces", "degenerate_faces", "intersecting_faces")
    return MeshQuality(
        **{name: sum(getattr(mesh, name) for mesh in meshes) for name in counts},
        smallest_angle=min(mesh.smallest_angle for mesh in meshes),
        watertight=all(mesh.watertight for mesh in meshes),
    )


def assess(vertices: Tensor, faces: Tensor, template: Tensor | None = None) -> MeshQuality:
    """Count a mesh's faults.

    Parameters
    ----------
    vertices : Tensor
        ``(V, 3)``.
    faces : Tensor
        ``(F, 3)``.
    template : Tensor, optional
        The undeformed vertices, ``(V, 3)``: faces that are flipped or degenerate in it already (a file's own slivers)
        are then not counted.

    Returns
    -------
    MeshQuality
    """
    mesh = TriangleMesh(vertices.detach().cpu(), faces.detach().cpu())
    pairs = mesh.edge_faces.numpy()
    positions, triangles = mesh.vertices.double().numpy(), mesh.faces.numpy()
    flipped = flipped_faces(positions, triangles, pairs)
    degenerate = degenerate_faces(positions, triangles)
    if template is not None:
        before = template.detach().cpu().double().numpy()
        flipped &= ~flipped_faces(before, triangles, pairs)
        degenerate &= ~degenerate_faces(before, triangles)
    return MeshQuality(
        vertices=len(positions),
        faces=len(triangles),
        flipped_faces=int(flipped.sum()),
        degenerate_faces=int(degenerate.sum()),
        intersecting_faces=int(intersecting_faces(positions, triangles).sum()),
        smallest_angle=float(np.degrees(_angles(positions, triangles).min())),
        watertight=mesh.is_watertight,
    )


def _area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def _angles(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The angles of the faces, ``(F, 3)``, in radians."""
    corners = vertices[faces]
    a, b = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    return np.arctan2(np.linalg.norm(np.cross(a, b), axis=2), (a * b).sum(axis=2))


def flipped_faces(vertices: np.ndarray, faces: np.ndarray, edge_faces: np.ndarray) -> np.ndarray:
    """Mask of the faces that look away from their surroundings, ``(F,)`` bool.

    A face is flipped where its normal makes more than 90 degrees with the area-weighted mean normal of the faces that
    it shares an edge with.

    Parameters
    ----------
    vertices, faces : ndarray
        ``(V, 3)`` and ``(F, 3)``.
    edge_faces : ndarray
        ``(E, 2)``, as :attr:`TriangleMesh.edge_faces`.
    """
    normals = _area_vectors(vertices, faces)
    inner = edge_faces[(edge_faces >= 0).all(axis=1)]
    around = np.zeros_like(normals)
    np.add.at(around, inner[:, 0], normals[inner[:, 1]])
    np.add.at(around, inner[:, 1], normals[inner[:, 0]])
    return (normals * around).sum(axis=1) < 0


def degenerate_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    r"""Mask of the faces that are next to a line or a point, ``(F,)`` bool.

    Those whose shape :math:`4 \sqrt 3 A / (a^2 + b^2 + c^2)`, 1 for an equilateral triangle, is below 0.02 (a needle of
    0.7 degrees), or whose area is below 1e-4 of the mean face's.

    Parameters
    ----------
    vertices, faces : ndarray
        ``(V, 3)`` and ``(F, 3)``.
    """
    corners = vertices[faces]
    areas = np.linalg.norm(_area_vectors(vertices, faces), axis=1)
    squares = np.square(np.roll(corners, -1, axis=1) - corners).sum(axis=(1, 2))
    return (4 * 3**0.5 * areas <= _DEGENERATE_SHAPE * squares) | (areas <= _DEGENERATE_AREA * areas.mean())


def intersecting_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Mask of the faces that cut through another face or overlap one in its plane, ``(F,)`` bool.

    Faces that share an edge meet there and do not count, unless one is folded flat onto the other; faces that share a
    vertex count where they meet beyond it. Two faces that only touch, at a point or along a line, do not count.

    Candidates come from a uniform grid over the faces' bounding boxes; a pair cuts where an edge of one passes through
    the other, by the signs of tetrahedra's volumes in float64.

    Parameters
    ----------
    vertices, faces : ndarray
        ``(V, 3)`` and ``(F, 3)``.
    """
    vertices = np.asarray(vertices, dtype=np.float64)
    triangles = vertices[faces]
    hit = np.zeros(len(faces), dtype=bool)
    for first, second in _candidates(triangles.min(axis=1), triangles.max(axis=1)):
        meet = _pairs_meet(triangles, faces, first, second)
        hit[first[meet]] = True
        hit[second[meet]] = True
    return hit


def _candidates(low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of boxes that overlap, each pair once, in portions.

    Parameters
    ----------
    low, high : ndarray
        The boxes' corners, ``(F, 3)``.
    """
    origin, extent = low.min(axis=0), (high - low).max(axis=1)
    size = max(1.5 * extent.mean(), (high.max() - low.min()) / 2**20, 1e-12)
    while True:
        start = np.floor((low - origin) / size).astype(np.int64)
        spans = np.floor((high - origin) / size).astype(np.int64) - start + 1
        counts = spans.prod(axis=1)
        if counts.sum() <= 30 * len(low) + 1000:
            break
        size *= 1.5

    # One entry for each cell that a box reaches into, sorted by cell.
    box = np.repeat(np.arange(len(low)), counts)
    place = _arange_each(counts)
    span = spans[box]
    cell = start[box] + np.stack(
        [place // (span[:, 1] * span[:, 2]), place // span[:, 2] % span[:, 1], place % span[:, 2]], axis=1
    )
    shape = cell.max(axis=0) + 1
    key = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
    order = np.argsort(key, kind="stable")
    box, cell, key = box[order], cell[order], key[order]

    # Within a cell, every entry is paired with all later ones.
    partners = np.searchsorted(key, key, side="right") - np.arange(len(key)) - 1
    totals = np.concatenate([[0], np.cumsum(partners)])
    begin = 0
    while begin < len(key):
        end = max(int(np.searchsorted(totals, totals[begin] + _PAIRS_AT_ONCE, side="right")) - 1, begin + 1)
        one = np.repeat(np.arange(begin, end), partners[begin:end])
        other = one + 1 + _arange_each(partners[begin:end])
        a, b = box[one], box[other]
        overlap = ((low[a] <= high[b]) & (low[b] <= high[a])).all(axis=1)
        one, a, b = one[overlap], a[overlap], b[overlap]
        # Two boxes share several cells: only the one with the lowest corner of their common part counts.
        owner = (np.maximum(start[a], start[b]) == cell[one]).all(axis=1)
        yield a[owner], b[owner]
        begin = end


def _arange_each(counts: np.ndarray) -> np.ndarray:
    """``0 .. n-1`` for each n, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _pairs_meet(triangles: np.ndarray, faces: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mask of the pairs of faces that meet beyond what they share, ``(P,)`` bool."""
    same = faces[first][:, :, None] == faces[second][:, None, :]  # (P, 3, 3)
    shared = same.any(axis=2).sum(axis=1)
    meet = np.zeros(len(first), dtype=bool)
    a, b = triangles[first], triangles[second]

    sides_a, sides_b = _sides(a, b), _sides(b, a)  # of a's corners of b's plane, and the other way round
    sides_a[same.any(axis=2)] = 0
    sides_b[same.any(axis=1)] = 0
    flat = (sides_a == 0).all(axis=1) | (sides_b == 0).all(axis=1)
    if flat.any():
        meet[flat] = _overlap_in_plane(a[flat], b[flat])

    for one, other, sides in ((a, b, sides_a), (b, a, sides_b)):
        for i, j in ((0, 1), (1, 2), (2, 0)):
            rows = np.flatnonzero(~flat & ~meet & (shared < 2) & (sides[:, i] * sides[:, j] < 0))
            if len(rows):
                meet[rows] = _passes_through(one[rows, i], one[rows, j], other[rows])
    return meet


def _volume(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Sign of the tetrahedra pqrs's volumes, ``(N,)``: 0 where it is rounding error."""
    u, v, w = q - p, r - p, s - p
    normal = np.cross(u, v)
    size = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1) * np.linalg.norm(w, axis=-1)
    volume = (normal * w).sum(axis=-1)
    return np.where(np.abs(volume) <= 1e-13 * size, 0.0, np.sign(volume))


def _sides(points: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """On which side of a triangle's plane three points are, ``(N, 3)``: -1, 0 or 1."""
    return np.stack([_volume(plane[:, 0], plane[:, 1], plane[:, 2], points[:, k]) for k in range(3)], axis=1)


def _passes_through(p: np.ndarray, q: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Whether the segments pq, whose ends lie on different sides, go through the triangles or their rims, ``(N,)``."""
    turns = np.stack([_volume(p, q, triangle[:, k], triangle[:, (k + 1) % 3]) for k in range(3)], axis=1)
    return (turns >= 0).all(axis=1) | (turns <= 0).all(axis=1)


def _overlap_in_plane(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether triangles of one plane share an area, ``(N,)``, by separating axes: their edges' normals in the plane."""
    normals = [np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]) for t in (a, b)]
    larger = (np.square(normals[0]).sum(axis=1) >= np.square(normals[1]).sum(axis=1))[:, None]
    normal = np.where(larger, normals[0], normals[1])
    separate = ~(np.square(normal).sum(axis=1) > 0)
    for triangle in (a, b):
        for k in range(3):
            axis = np.cross(normal, triangle[:, (k + 1) % 3] - triangle[:, k])[:, None]
            on_a, on_b = (a * axis).sum(axis=2), (b * axis).sum(axis=2)
            common = np.minimum(on_a.max(axis=1), on_b.max(axis=1)) - np.maximum(on_a.min(axis=1), on_b.min(axis=1))
            width = np.ptp(on_a, axis=1) + np.ptp(on_b, axis=1)
            separate |= common <= 1e-9 * width
    return ~separate
