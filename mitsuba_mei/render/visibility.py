"""Hidden surfaces: which face of a mesh is seen at a point of the film, by a z-buffer over the faces' fragments.

A fragment is a face and a place on the film within the face's bounding box. Time and memory grow with their number, and
no table of pixels by faces is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Screen", "at_centres", "at_points", "barycentrics", "cross", "expand", "gather", "project"]

MAX_FRAGMENTS = 2**21
"""Fragments held at once; a single face may have more, up to the film's pixels."""

MIN_AREA = 1e-6
"""Twice the area, in pixels, below which a projected face is not seen: its interpolation would have no bound."""

MARGIN = 1e-3
"""Pixels by which bounding boxes are widened against rounding."""


def project(vertices: Tensor, tan_half_fov: Tensor, resolution: int) -> Tensor:
    """Homogeneous film coordinates.

    Parameters
    ----------
    vertices : Tensor
        (B, V, 3) in the camera's frame.
    tan_half_fov : Tensor
        Tangent of half the field of view, scalar or (B,).
    resolution : int
        Pixels along a side of the film.

    Returns
    -------
    Tensor
        (3, B * V). The first two over the third are pixels right of and below the film's centre; the third is the depth
        before the camera.
    """
    x, y, z = vertices.unbind(-1)
    scale = (0.5 * resolution / tan_half_fov).reshape(-1, 1)
    return torch.stack([x * scale, -y * scale, -z]).reshape(3, -1)


@dataclass(frozen=True)
class Screen:
    """The faces of B images on a square film. Faces of all images are numbered one after the other.

    Attributes
    ----------
    corners : Tensor
        (3, 3, B * F): homogeneous film coordinates (:func:`project`) by coordinate, corner and face.
    boxes : Tensor
        (4, B * F): left, right, top and bottom of what of a face lies before the near plane, pixels from the top left;
        beyond the film they are cut, and the left of an empty one is infinite.
    facing : Tensor
        (B * F,) int8: the sense in which a face's corners run on the film, or 0 where it has no area or lies behind
        the near plane.
    images, resolution : int
        B, and pixels along a side of the film.
    near : float
        Depth of the near plane.
    """

    corners: Tensor
    boxes: Tensor
    facing: Tensor
    images: int
    resolution: int
    near: float

    @classmethod
    @torch.no_grad()
    def of(cls, projected: Tensor, corner: Tensor, images: int, resolution: int, near: float) -> Screen:
        """The screen of ``projected`` vertices (3, B * V), and of ``corner``, the vertices (3, B * F) of every face."""
        corners = projected.index_select(1, corner.reshape(-1)).reshape(3, *corner.shape)
        depth = corners[2]
        low, high = _least(depth), _greatest(depth)
        x, y = corners[:2] / depth.clamp(min=near)
        area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
        boxes = torch.stack([_least(x), _greatest(x), _least(y), _greatest(y)])
        crossing = ((low <= near) & (high > near)).nonzero().squeeze(1)
        if len(crossing):
            boxes[:, crossing], area[crossing] = _crossing(corners[..., crossing], near)
        before = area.isfinite() & (high > near)
        boxes = (boxes.nan_to_num() + 0.5 * resolution).clamp_(-2.0, resolution + 2.0)
        boxes[0].masked_fill_(~before, torch.inf)
        facing = area.sign().to(torch.int8) * (before & (area.abs() > MIN_AREA))
        return cls(corners, boxes, facing, images, resolution, near)


def _least(rows: Tensor) -> Tensor:
    return torch.minimum(torch.minimum(rows[0], rows[1]), rows[2])


def _greatest(rows: Tensor) -> Tensor:
    return torch.maximum(torch.maximum(rows[0], rows[1]), rows[2])


def _crossing(corners: Tensor, near: float) -> tuple[Tensor, Tensor]:
    """Boxes (4, N) about the film's centre, and areas up to a positive factor, of faces that cross the near plane."""
    depth = corners[2]
    following = corners.roll(-1, 1)
    step = following[2] - depth
    along = (near - depth) / torch.where(step == 0, 1, step)
    cut = (corners[:2] + along * (following - corners)[:2]) / near
    is_cut = (depth <= near) != (following[2] <= near)
    points = torch.cat([corners[:2] / depth.clamp(min=near), cut], dim=1)
    seen = torch.cat([depth > near, is_cut])
    low = points.masked_fill(~seen, torch.inf).amin(1)
    high = points.masked_fill(~seen, -torch.inf).amax(1)
    # The sense of the corners as seen along the ray through the foremost of them.
    foremost = corners.gather(1, depth.argmax(0).expand(3, 1, -1))
    across, down = corners[:2] - foremost[:2] / foremost[2] * depth
    area = (across * down.roll(-1, 0) - down * across.roll(-1, 0)).sum(0)
    return torch.stack([low[0], high[0], low[1], high[1]]), area


def expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """``counts[i]`` items for every i: the i of each item (N,), and the item's number within its i (N,)."""
    owner = torch.repeat_interleave(counts)
    first = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - first.index_select(0, owner)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Of plane vectors (2, ...); exchanging ``a`` and ``b`` changes the sign and nothing else, to the last bit."""
    return a[0] * b[1] - a[1] * b[0]


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
        met = ((_least(weights) >= 0) | (_greatest(weights) <= 0)).nonzero().squeeze(1)
        weights = weights.index_select(1, met)
        total = weights.sum(0)
        depth = (weights * depth.index_select(1, met)).sum(0) / total
        seen = (depth > screen.near) & (total.abs() > MIN_AREA * depth * depth) & depth.isfinite()
        seen = seen.nonzero().squeeze(1)
        depth, met = depth.index_select(0, seen), met.index_select(0, seen)
        face, place = face.index_select(0, met), place.index_select(0, met)
        before = self.depth
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


class _Gather(torch.autograd.Function):
    """``rows[:, index]`` with a backward pass that runs along rows."""

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.columns = rows.shape[1]
        return rows.index_select(1, index)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        out = gradient.new_zeros(len(gradient), ctx.columns)
        for into, row in zip(out, gradient):
            into.scatter_add_(0, index, row)
        return out, None


def gather(rows: Tensor, index: Tensor) -> Tensor:
    """Columns of ``rows`` (K, V), differentiable: (K, *index.shape)."""
    return _Gather.apply(rows, index.reshape(-1)).reshape(len(rows), *index.shape)


def barycentrics(projected: Tensor, corner: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Perspective-correct barycentric coordinates, differentiable by ``projected``.

    Parameters
    ----------
    projected : Tensor
        (3, V), from :func:`project`.
    corner : Tensor
        (3, N): the vertices of each point's face.
    x, y : Tensor
        (N,): film coordinates, pixels from the centre.

    Returns
    -------
    Tensor
        (3, N).
    """
    corners = gather(projected, corner)
    relative = corners[:2] - torch.stack([x, y])[:, None] * corners[2]
    weights = cross(relative.roll(-1, 1), relative.roll(-2, 1))
    return weights / weights.sum(0)
