"""The visible points of meshes and the share of a pixel that each stands for, with derivatives at silhouettes.

A pixel's value is the mean over its area. Where no outline passes it is the value at its centre. Elsewhere the pixel
is cut into cells, and a cell's value is that at a point in it and, for every piece of an outline, the jump of value
across the piece times the area that it hides from the point (:mod:`~mitsuba_mei.render.outlines`). For values that are
constant between outlines this is exact, whatever their number and however small what they enclose. Both sides of each
piece are looked up in the scene, so that hidden outlines add nothing (as in Li et al. 2018, "Differentiable Monte Carlo
Ray Tracing through Edge Sampling"). The derivative of an image is that of the areas, and of what is seen at fixed
points between outlines.

What is left out: curves along which faces pass through each other are no outlines, neither smoothed nor followed by
derivatives; nor is where the near plane cuts a face. In crowded cells a piece that is partly hidden may count as a
whole or not at all. Edges that lie along each other without sharing both ends, all outlines, count each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .outlines import Outlines
from .visibility import Screen, at_centres, at_points, barycentrics, gather, project

__all__ = ["Rasterizer", "VisiblePoints"]


@dataclass(frozen=True)
class VisiblePoints:
    """Points of surfaces whose values, weighed, make images; in no order that matters.

    Attributes
    ----------
    face : Tensor
        (N,) int64, the face on which a point lies.
    image : Tensor
        (N,) int64, the image of the batch.
    pixel : Tensor
        (N,) int64, row by row from the top left.
    barycentrics : Tensor
        (N, 3), perspective-correct; differentiable by vertices and field of view.
    weight : Tensor
        (N,), the share of its pixel that a point stands for; differentiable by vertices and field of view. It may be
        negative: what a pixel's point shows beyond an outline is taken back.
    corner : Tensor
        (3, N) int64: the vertices of the points' faces, images one after the other.
    images, resolution, vertices : int
        B, pixels along a side of the film, and V.
    """

    face: Tensor
    image: Tensor
    pixel: Tensor
    barycentrics: Tensor
    weight: Tensor
    corner: Tensor
    images: int
    resolution: int
    vertices: int

    def interpolate(self, values: Tensor) -> Tensor:
        """Values of the points.

        Parameters
        ----------
        values : Tensor
            Of the vertices, (V, C) or (B, V, C).

        Returns
        -------
        Tensor
            (N, C), differentiable by ``values``, vertices and field of view.
        """
        corner = self.corner if values.ndim == 3 else self.corner - self.image * self.vertices
        at_corners = gather(values.reshape(-1, values.shape[-1]).T, corner)
        return (at_corners * self.barycentrics.T).sum(1).T

    def coverage(self) -> Tensor:
        """The share (B, R, R) of every pixel that shows a surface."""
        return self._sum(self.weight[None]).reshape(self.images, self.resolution, self.resolution)

    def image_of(self, values: Tensor, background: Tensor) -> Tensor:
        """The images that have some values at the points.

        Parameters
        ----------
        values : Tensor
            (N, C).
        background : Tensor
            Where nothing is seen, (C,) or (B, C).

        Returns
        -------
        Tensor
            (B, R, R, C), differentiable by all that the points are, ``values`` and ``background``.
        """
        background = background.expand(self.images, values.shape[-1])
        behind = background[0][:, None] if self.images == 1 else gather(background.T, self.image)
        n = self.resolution
        image = self._sum((values.T - behind) * self.weight).reshape(-1, self.images, n, n)
        return image.permute(1, 2, 3, 0) + background[:, None, None]

    def _sum(self, rows: Tensor) -> Tensor:
        """Sums (C, B * R * R) over each pixel's points of ``rows`` (C, N)."""
        pixels = self.images * self.resolution**2
        place = self.image * self.resolution**2 + self.pixel
        return torch.stack([row.new_zeros(pixels).scatter_add(0, place, row) for row in rows])


class Rasterizer:
    """Finds what is seen of meshes of one topology.

    The camera is at the origin, looks along -z, and its film is square. Faces are seen from both sides. Faces without
    area on the film are not seen, nor is anything behind the near plane. Of coincident faces the first is seen.

    Parameters
    ----------
    faces : Tensor
        (F, 3).
    resolution : int
        R, pixels along a side of the film.
    cells : int
        Cells along a side of a pixel that an outline passes.
    near : float
        Depth of the near plane.

    Notes
    -----
    Time and memory grow with the pixels in the faces' bounding boxes and, where outlines pass, with those boxes' pixels
    times the pieces of outline in each.
    """

    def __init__(self, faces: Tensor, resolution: int, cells: int = 2, near: float = 1e-3) -> None:
        self.faces, self.resolution, self.cells, self.near = faces, resolution, cells, near
        self._outlines = Outlines(faces, resolution, cells, near)

    def __call__(self, vertices: Tensor, tan_half_fov: Tensor) -> VisiblePoints:
        """What is seen.

        Parameters
        ----------
        vertices : Tensor
            (V, 3) or (B, V, 3), in the camera's frame; float32 or float64.
        tan_half_fov : Tensor
            Tangent of half the field of view, scalar or (B,).

        Returns
        -------
        VisiblePoints
            Of one image, or of B.
        """
        vertices = vertices.reshape(-1, *vertices.shape[-2:])
        images, each = vertices.shape[:2]
        projected = project(vertices, tan_half_fov, self.resolution)
        shift = torch.arange(images, device=vertices.device)
        corner = (self.faces.T[:, None] + shift[:, None] * each).reshape(3, -1)
        screen = Screen.of(projected.detach(), corner, images, self.resolution, self.near)
        face, image, x, y, pixel, weight = self._points(screen, projected, corner, each)
        corner = corner.index_select(1, face)
        return VisiblePoints(
            face - image * len(self.faces),
            image,
            pixel,
            barycentrics(projected, corner, x, y).T,
            weight,
            corner,
            images,
            self.resolution,
            each,
        )

    def _points(self, screen: Screen, projected: Tensor, corner: Tensor, vertices: int):
        """Faces, images, film coordinates, pixels and weights of the visible points, each (N,)."""
        n, cells = self.resolution, self.cells
        seen = at_centres(screen)
        with torch.no_grad():
            pieces = self._outlines.pieces(screen, projected.detach(), vertices)
            place = (pieces.image * n + torch.div(pieces.cell[1], cells, rounding_mode="trunc")) * n + torch.div(
                pieces.cell[0], cells, rounding_mode="trunc"
            )
            passed = torch.zeros(len(seen), dtype=torch.bool, device=seen.device)
            passed[place] = True
            passed = passed.nonzero().squeeze(1)
            step = torch.arange(cells, device=seen.device)
            row, column = torch.div(passed, n, rounding_mode="trunc"), passed % n
            cell = torch.stack(
                [
                    (column[:, None, None] * cells + step).expand(-1, cells, -1),
                    ((row % n)[:, None, None] * cells + step[:, None]).expand(-1, -1, cells),
                ]
            ).reshape(2, -1)
            inner = passed.repeat_interleave(cells * cells)
            where = torch.cat([pieces.sides.flatten(1), self._outlines.points(cell, screen.corners.dtype)], dim=1)
            image = torch.cat([pieces.image, pieces.image, torch.div(inner, n * n, rounding_mode="trunc")])
            faces = at_points(screen, image, where[0], where[1])
            sides, faces = faces[: 2 * len(place)].reshape(2, -1), faces[2 * len(place) :]
            kept = pieces.distinct(sides, corner)
            sides, place = sides[:, kept], place[kept]
            passed = torch.zeros(len(seen), dtype=torch.bool, device=seen.device)
            passed[place] = True
            whole = ((seen >= 0) & ~passed).nonzero().squeeze(1)
            parts = ((faces >= 0) & passed[inner]).nonzero().squeeze(1)
            beside = [(side >= 0).nonzero().squeeze(1) for side in sides]
        swept, moved = self._outlines.motion(projected, pieces, kept)
        area = (pieces.area[kept] + swept) / cells**2
        beside_at = pieces.sides[:, :, kept] + moved[:, None]
        faces = torch.cat([seen[whole], faces[parts], sides[0][beside[0]], sides[1][beside[1]]])
        pixel = torch.cat([whole, inner[parts], place[beside[0]], place[beside[1]]])
        middle = self._centre(whole, screen.corners.dtype)
        parts_at = where[:, 2 * len(pieces.image) :][:, parts]
        at = torch.cat([middle, parts_at, *(beside_at[:, k, those] for k, those in enumerate(beside))], dim=1)
        weight = torch.cat(
            [
                area.new_ones(len(whole)),
                area.new_full((len(parts),), 1 / cells**2),
                -area[beside[0]],
                area[beside[1]],
            ]
        )
        image = torch.div(pixel, n * n, rounding_mode="trunc")
        return faces, image, at[0], at[1], pixel - image * (n * n), weight

    def _centre(self, pixel: Tensor, dtype: torch.dtype) -> Tensor:
        """Film coordinates (2, N) of pixels' centres."""
        n = self.resolution
        row = torch.div(pixel, n, rounding_mode="trunc")
        return torch.stack([pixel - row * n, row % n]).to(dtype) + (0.5 - 0.5 * n)
