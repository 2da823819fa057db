"""Faces as they lie on the film: their corners, their boxes, and where within them a point is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .gather import cross, gather

__all__ = ["MIN_AREA", "Screen", "barycentrics", "greatest", "least", "project"]

MIN_AREA = 1e-6
"""Twice the area, in pixels, below which a projected face is not seen: its interpolation would have no bound."""


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
        low, high = least(depth), greatest(depth)
        x, y = corners[:2] / depth.clamp(min=near)
        # Twice the signed area: (p_1 - p_0) x (p_2 - p_0).
        area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
        boxes = torch.stack([least(x), greatest(x), least(y), greatest(y)])
        crossing = ((low <= near) & (high > near)).nonzero().squeeze(1)
        if len(crossing):
            boxes[:, crossing], area[crossing] = _crossing(corners[..., crossing], near)
        before = area.isfinite() & (high > near)
        boxes = (boxes.nan_to_num() + 0.5 * resolution).clamp_(-2.0, resolution + 2.0)
        boxes[0].masked_fill_(~before, torch.inf)
        facing = area.sign().to(torch.int8) * (before & (area.abs() > MIN_AREA))
        return cls(corners, boxes, facing, images, resolution, near)


def least(rows: Tensor) -> Tensor:
    """The least of a face's three corners, (3, N) to (N,)."""
    return torch.minimum(torch.minimum(rows[0], rows[1]), rows[2])


def greatest(rows: Tensor) -> Tensor:
    """The greatest of a face's three corners, (3, N) to (N,)."""
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
    in_front = torch.cat([depth > near, is_cut])
    low = points.masked_fill(~in_front, torch.inf).amin(1)
    high = points.masked_fill(~in_front, -torch.inf).amax(1)
    # The sense of the corners as seen along the ray through the foremost of them.
    foremost = corners.gather(1, depth.argmax(0).expand(3, 1, -1))
    across, down = corners[:2] - foremost[:2] / foremost[2] * depth
    area = (across * down.roll(-1, 0) - down * across.roll(-1, 0)).sum(0)
    return torch.stack([low[0], high[0], low[1], high[1]]), area


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
    # Edge functions in homogeneous coordinates (Olano & Greer 1997): w_k = (p_i - x z_i) x (p_j - x z_j) are
    # perspective-correct without a division by depth: b_k = w_k / sum w.
    weights = cross(relative.roll(-1, 1), relative.roll(-2, 1))
    return weights / weights.sum(0)
