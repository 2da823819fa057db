"""Polygons cut into triangles that cover each of them exactly, concave ones and those with bridges to holes too."""

from __future__ import annotations

import heapq

import numpy as np

from .contents import MeshFault

__all__ = ["triangulate"]

MAX_CORNERS = 5000
"""Of a polygon that is not convex; the time that it takes grows with the square."""

STRAIGHT = 1e-6
"""The sine of an angle that counts as none."""

CONVEX = 1e-4
"""The least sine of a convex polygon's turns, from which on it is cut into a fan."""

FLAT = 0.05
"""How far a polygon's corners may lie from its plane, over its size, before that is said."""


def triangulate(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cut polygons into triangles.

    A polygon is looked at along its mean normal (Newell's). Where it turns one way only it becomes a fan, else its ears
    are cut off one by one, the best-shaped first. As long as no triangle is turned against the polygon, they cover it
    exactly; where one is, the polygon crosses itself, which is said.

    Parameters
    ----------
    vertices : ndarray
        ``(V, 3)``.
    corners : ndarray
        The polygons' vertices, one polygon after the other, ``(C,)``, each within ``V``.
    sizes : ndarray
        How many corners each has, at least 3, ``(P,)``.

    Returns
    -------
    faces : ndarray
        ``(C - 2 P, 3)`` int64, in the polygons' order.
    notes : tuple of str
        How many polygons are not flat or cross themselves, in words.
    """
    first, place = np.cumsum(sizes) - sizes, np.cumsum(sizes - 2) - (sizes - 2)
    faces = np.empty((int((sizes - 2).sum()), 3), dtype=np.int64)
    bent = crossed = 0
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        index = corners[first[rows][:, None] + np.arange(size)]
        if size == 3:
            faces[place[rows]] = index
            continue
        with np.errstate(all="ignore"):  # coordinates that are not finite are refused elsewhere
            flat, height, extent = _flattened(vertices[index])
            cut, wrong = _quads(flat) if size == 4 else _polygons(flat)
        faces[place[rows][:, None] + np.arange(size - 2)] = np.take_along_axis(
            index[:, None], cut.reshape(len(rows), -1)[:, None], axis=2
        ).reshape(len(rows), size - 2, 3)
        bent += int((height > FLAT * extent).sum())
        crossed += int(wrong.sum())
    notes = []
    many = f"{int((sizes > 3).sum()):,} polygons"
    if bent:
        how = f"corners more than {100 * FLAT:g} % of their size off the plane"
        notes.append(f"{bent:,} of {many} are not flat ({how}): how they are cut into triangles is a choice")
    if crossed:
        notes.append(f"{crossed:,} of {many} cross themselves: how they are cut into triangles is a guess")
    return faces, tuple(notes)


def _flattened(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Polygons in their own planes, ``(P, n, 2)``, counter-clockwise; their corners' largest distances from those, and
    their sizes, ``(P,)``.
    """
    points = points - points.mean(axis=1, keepdims=True)
    extent = np.linalg.norm(points, axis=2).max(axis=1)
    after = np.roll(points, -1, axis=1)
    normal = np.cross(points, after).sum(axis=1)
    # The lobes of a figure of eight cancel: it is looked at along its sharpest corner.
    turns = np.cross(after - points, np.roll(points, -2, axis=1) - after)
    largest = turns[np.arange(len(turns)), np.square(turns).sum(axis=2).argmax(axis=1)]
    none = np.linalg.norm(normal, axis=1) <= 1e-9 * np.square(extent)
    normal[none] = largest[none]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    aside = np.cross(normal, np.eye(3)[np.abs(normal).argmin(axis=1)])
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-300)
    axes = np.stack([aside, np.cross(normal, aside)], axis=2)
    return points @ axes, np.abs(points @ normal[:, :, None]).max(axis=(1, 2)), extent


def _sine(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the area of the triangles abc, ``(..., 2)`` each, positive where they run counter-clockwise."""
    u, v = b - a, c - b
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _quads(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut along the diagonal that leaves two triangles turned alike; the first one where both do."""
    a, b, c, d = flat.transpose(1, 0, 2)
    size = np.square(flat).sum(axis=2).max(axis=1)
    first, second = (
        np.minimum(_sine(*one), _sine(*other)) for one, other in (((a, b, c), (a, c, d)), ((a, b, d), (b, c, d)))
    )
    one = (first > CONVEX * size) | (first >= second)
    cut = np.where(one[:, None], [[0, 1, 2, 0, 2, 3]], [[0, 1, 3, 1, 2, 3]])
    return cut, np.where(one, first, second) < -STRAIGHT * size


def _polygons(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fans where a polygon is convex, and cut-off ears."""
    count, size = flat.shape[:2]
    edges = np.roll(flat, -1, axis=1) - flat
    after = np.roll(edges, -1, axis=1)
    sines = edges[..., 0] * after[..., 1] - edges[..., 1] * after[..., 0]
    angles = np.arctan2(sines, (edges * after).sum(axis=2))
    sines = sines / (np.linalg.norm(edges, axis=2) * np.linalg.norm(after, axis=2))
    convex = (sines > CONVEX).all(axis=1) & (angles.sum(axis=1) < 3 * np.pi)
    fan = np.stack([np.zeros(size - 2, int), np.arange(1, size - 1), np.arange(2, size)], axis=1)
    cut = np.repeat(fan.reshape(1, -1), count, axis=0)
    wrong = np.zeros(count, dtype=bool)
    rest = np.flatnonzero(~convex & np.isfinite(flat).all(axis=(1, 2)))
    if len(rest) and size > MAX_CORNERS:
        raise MeshFault(
            f"has a polygon of {size:,} corners that is not convex; at most {MAX_CORNERS:,} are cut into triangles "
            "here: export it as a triangle mesh"
        )
    for row in rest:
        cut[row], wrong[row] = _clipped(flat[row])
    return cut, wrong


def _clipped(flat: np.ndarray) -> tuple[list[int], bool]:
    """Cut off ears until a triangle is left; and whether one of them is turned over."""
    ring = _Ring(flat.tolist())
    cut: list[int] = []
    while ring.left > 3:
        cut += ring.take()
    cut += ring.last()
    triangles = flat[np.reshape(cut, (-1, 3))]
    turns = _sine(*triangles.transpose(1, 0, 2))
    return cut, bool((turns < -STRAIGHT * np.square(flat).sum(axis=1).max()).any())


class _Ring:
    """Remaining corners of a polygon during ear clipping.

    A corner is an ear where it is convex and no other corner lies in its triangle or on its third side. One that is
    blocked by a corner stays so until that one is cut off, or a neighbour of its own.
    """

    def __init__(self, points: list[list[float]]) -> None:
        self._points, self.left = points, len(points)
        self._before = [i - 1 for i in range(len(points))]
        self._before[0] = len(points) - 1
        self._after = [i + 1 for i in range(len(points))]
        self._after[-1] = 0
        self._sine = [self._bend(i)[0] for i in range(len(points))]
        self._dull = {i for i, sine in enumerate(self._sine) if sine <= STRAIGHT}
        self._version = [0] * len(points)
        self._blocked: dict[int, list[int]] = {}
        self._ears: list[tuple[float, int, int]] = []
        for corner in range(len(points)):
            self._offer(corner)

    def _bend(self, corner: int) -> tuple[float, float]:
        """The sine of the turn at a corner, and the shape of its triangle: 0 a line, the more the better."""
        (ax, ay), (bx, by), (cx, cy) = (self._points[i] for i in self._triangle(corner))
        ux, uy, vx, vy = bx - ax, by - ay, cx - bx, cy - by
        cross = ux * vy - uy * vx
        one, other, third = ux * ux + uy * uy, vx * vx + vy * vy, (cx - ax) ** 2 + (cy - ay) ** 2
        lengths = (one * other) ** 0.5
        return (cross / lengths if lengths > 0 else 0.0), cross / max(one + other + third, 1e-300)

    def _triangle(self, corner: int) -> tuple[int, int, int]:
        return self._before[corner], corner, self._after[corner]

    def _offer(self, corner: int) -> None:
        if self._sine[corner] > STRAIGHT:
            heapq.heappush(self._ears, (-self._bend(corner)[1], corner, self._version[corner]))

    def take(self) -> tuple[int, int, int]:
        """Cut off the best ear."""
        while self._ears:
            _, corner, version = heapq.heappop(self._ears)
            if version != self._version[corner]:
                continue
            blocker = self._blocker(corner)
            if blocker is None:
                return self._cut(corner)
            self._blocked.setdefault(blocker, []).append(corner)
        # Nothing but straight corners and such as lie in each other's way.
        remaining = [corner for corner in range(len(self._points)) if self._version[corner] >= 0]
        straight = [corner for corner in remaining if abs(self._sine[corner]) <= STRAIGHT]
        return self._cut(straight[0] if straight else max(remaining, key=lambda corner: self._bend(corner)[1]))

    def last(self) -> tuple[int, int, int]:
        """The triangle that is left."""
        return self._triangle(next(corner for corner, version in enumerate(self._version) if version >= 0))

    def _cut(self, corner: int) -> tuple[int, int, int]:
        triangle = before, _, after = self._triangle(corner)
        self._after[before], self._before[after] = after, before
        self._version[corner] = -1
        self._dull.discard(corner)
        self.left -= 1
        for neighbour in (before, after):
            self._version[neighbour] += 1
            self._sine[neighbour] = self._bend(neighbour)[0]
            (self._dull.add if self._sine[neighbour] <= STRAIGHT else self._dull.discard)(neighbour)
            self._offer(neighbour)
        for freed in self._blocked.pop(corner, ()):
            if self._version[freed] >= 0:
                self._offer(freed)
        return triangle

    def _blocker(self, corner: int) -> int | None:
        """A corner in this one's triangle, or on its third side; those that stand at its own corners do not count."""
        a, b, c = self._triangle(corner)
        (ax, ay), (bx, by), (cx, cy) = self._points[a], self._points[b], self._points[c]
        edge = 1e-12 * ((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
        side = STRAIGHT * ((cx - ax) ** 2 + (cy - ay) ** 2)
        for other in self._dull:
            if other in (a, b, c):
                continue
            x, y = self._points[other]
            if (
                (bx - ax) * (y - ay) - (by - ay) * (x - ax) > edge
                and (cx - bx) * (y - by) - (cy - by) * (x - bx) > edge
                and (ax - cx) * (y - cy) - (ay - cy) * (x - cx) > -side
                and (x, y) != (ax, ay)
                and (x, y) != (cx, cy)
            ):
                return other
        return None
