"""Hidden surfaces: which face of a mesh is seen at a point of the film, by a z-buffer over the faces' fragments.

A fragment is a face and a place on the film within the face's bounding box. Time and memory grow with their number, and
no table of pixels by faces is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .gather import expand
from .projection import MIN_AREA, Screen, greatest, least

__all__ = ["at_centres", "at_points"]

MAX_FRAGMENTS = 2**21
"""Fragments held at once; a single face may have more, up to the film's pixels."""

MARGIN = 1e-3
"""Pixels by which bounding boxes are widened against rounding."""


class _Nearest:
    """A z-buffer for any places on the film. Of faces at the same depth the first wins."""

    def __init__(self, screen: Screen, places: int) -> None:
        corners = screen.corners
        self.screen = screen
        self.depth = torch.full((places,), torch.inf, dtype=corners.dtype, device=corners.device)
        self.face = torch.full((places,), NONE, dtype=torch.int64, device=corners.device)

    def add(self, face: Tensor, place: Tensor, x: Tensor, y: Tensor) -> None:
        """Fragments: their faces (N,), and the places (N,) at film coordinates ``x`` and ``y``, pixels from the centre.

        Corners are taken relative to the ray before anything is multiplied, so that neighbours leave no gap between
        them, and faces that cross the camera's plane need no clipping (Woop et al. 2013, "Watertight Ray/Triangle
        Intersection").
        """
        screen = self.screen
        corners = screen.corners.reshape(9, -1).index_select(1, face).reshape(3, 3, -1)
        depth = corners[2]
        across, down = corners[0].sub_(x * depth), corners[1].sub_(y * depth)
        weights = torch.empty_like(corners[0])
        for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
            torch.mul(across[i], down[j], out=weights[k]).sub_(down[i] * across[j])
        met = ((least(weights) >= 0) | (greatest(weights) <= 0)).nonzero().squeeze(1)
        weights = weights.index_select(1, met)
        total = weights.sum(0)
        # z = sum w_k z_k / sum w, exact on the plane as the w are perspective-correct.
        depth = (weights * depth.index_select(1, met)).sum(0) / total
        visible = (depth > screen.near) & (total.abs() > MIN_AREA * depth * depth) & depth.isfinite()
        visible = visible.nonzero().squeeze(1)
        depth, met = depth.index_select(0, visible), met.index_select(0, visible)
        face, place = face.index_select(0, met), place.index_select(0, met)
        before = self.depth
        # The z-test of all fragments at once, then the least face of those at the least depth.
        self.depth = before.scatter_reduce(0, place, depth, "amin")
        self.face.masked_fill_(self.depth < before, NONE)
        first = (depth == self.depth.index_select(0, place)).nonzero().squeeze(1)
        self.face.scatter_reduce_(0, place.index_select(0, first), face.index_select(0, first), "amin")

    def result(self) -> Tensor:
        """The visible face of every place, or -1."""
        return self.face.masked_fill_(self.face == NONE, -1)


NONE = 2**62


def _chunks(counts: Tensor):
    """Slices of consecutive items whose counts add up to at most :data:`MAX_FRAGMENTS`, if an item's alone do."""
    ends = counts.cumsum(0)
    if not len(counts) or int(ends[-1]) <= MAX_FRAGMENTS:
        yield slice(0, len(counts))
        return
    ends = ends.cpu()
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(ends, before + MAX_FRAGMENTS, right=True)))
        yield slice(start, stop)
        start = stop


def _span(low: Tensor, high: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """First and one past the last of the pixels from ``low`` to ``high`` that are on the film."""
    first = low.clamp(0, n).long()
    return first, torch.maximum(first, high.clamp(-1, n - 1).long() + 1)


def _fragments(screen: Screen, faces: Tensor, columns: tuple[Tensor, Tensor], rows: tuple[Tensor, Tensor]):
    """Chunks of the fragments of some ``faces``: their faces, columns, rows and pixels, images one after the other."""
    n, each = screen.resolution, len(screen.facing) // screen.images
    width, height, left, top = (
        v.index_select(0, faces) for v in (columns[1] - columns[0], rows[1] - rows[0], columns[0], rows[0])
    )
    counts = width * height
    for chunk in _chunks(counts):
        owner, local = expand(counts[chunk])
        if chunk.start:
            owner += chunk.start
        wide = width.index_select(0, owner)
        row = torch.div(local, wide, rounding_mode="trunc")
        column = left.index_select(0, owner) + local - row * wide
        row += top.index_select(0, owner)
        face = faces.index_select(0, owner)
        pixel = row * n + column
        if screen.images > 1:
            pixel += torch.div(face, each, rounding_mode="trunc") * (n * n)
        yield face, column, row, pixel


@torch.no_grad()
def at_centres(screen: Screen) -> Tensor:
    """The face (B * R * R,) that is seen at every pixel's centre, or -1."""
    n, dtype = screen.resolution, screen.corners.dtype
    left, right, top, bottom = screen.boxes
    columns = _span((left - (0.5 + MARGIN)).ceil(), (right - (0.5 - MARGIN)).floor(), n)
    rows = _span((top - (0.5 + MARGIN)).ceil(), (bottom - (0.5 - MARGIN)).floor(), n)
    some = ((columns[1] > columns[0]) & (rows[1] > rows[0])).nonzero().squeeze(1)
    nearest = _Nearest(screen, screen.images * n * n)
    for face, column, row, pixel in _fragments(screen, some, columns, rows):
        nearest.add(face, pixel, column.to(dtype) + (0.5 - 0.5 * n), row.to(dtype) + (0.5 - 0.5 * n))
    return nearest.result()


@torch.no_grad()
def at_points(screen: Screen, image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The face that is seen at some points, or -1.

    Parameters
    ----------
    image : Tensor
        (P,), the points' images.
    x, y : Tensor
        (P,), pixels right of and below the film's centre, on the film.

    Returns
    -------
    Tensor
        (P,).
    """
    n, images = screen.resolution, screen.images
    column, row = ((v + 0.5 * n).long().clamp_(0, n - 1) for v in (x, y))
    pixel = (image * n + row) * n + column
    count = torch.bincount(pixel, minlength=images * n * n)
    order = pixel.argsort()
    start = count.cumsum(0) - count
    left, right, top, bottom = screen.boxes
    columns = _span((left - MARGIN).floor(), (right + MARGIN).floor(), n)
    rows = _span((top - MARGIN).floor(), (bottom + MARGIN).floor(), n)
    # Faces near any point, by a table of sums (Crow 1984).
    table = torch.nn.functional.pad((count > 0).reshape(images, n, n).cumsum(1).cumsum(2), (1, 0, 1, 0)).reshape(-1)
    first = torch.arange(images, device=x.device).repeat_interleave(len(screen.facing) // images) * (n + 1)
    near = torch.zeros_like(first)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            # Points in a box: T(bottom, right) - T(top, right) - T(bottom, left) + T(top, left).
            near += table.index_select(0, (first + row) * (n + 1) + column) * (1 if i == j else -1)
    nearest = _Nearest(screen, len(x))
    for face, _, _, pixel in _fragments(screen, near.nonzero().squeeze(1), columns, rows):
        points = count.index_select(0, pixel)
        shared = points.nonzero().squeeze(1)
        face, pixel, points = (v.index_select(0, shared) for v in (face, pixel, points))
        for part in _chunks(points):
            owner, local = expand(points[part])
            if part.start:
                owner += part.start
            place = order.index_select(0, start.index_select(0, pixel.index_select(0, owner)) + local)
            nearest.add(face.index_select(0, owner), place, x.index_select(0, place), y.index_select(0, place))
    return nearest.result()
