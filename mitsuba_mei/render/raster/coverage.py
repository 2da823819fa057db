"""The visible points of meshes and the share of a pixel that each stands for, with derivatives at silhouettes.

A pixel's value is the mean over its area. Where no outline passes it is the value at its centre. Elsewhere the pixel
is cut into cells, and each piece of an outline parts the area of its cell: a point stands for what lies on either side
of it (:mod:`~mitsuba_mei.render.raster.silhouettes`). For values that are constant between outlines this is exact,
whatever their number and however small what they enclose. Both sides of each piece are looked up in the scene, so
that hidden outlines add nothing (as in Li et al. 2018, "Differentiable Monte Carlo Ray Tracing through Edge
Sampling"). The derivative of an image is that of what is seen at fixed points between outlines, and of the areas, times
the jump of value across the outline itself (Reynolds' transport theorem).

What is left out: curves along which faces pass through each other are no outlines, neither smoothed nor followed by
derivatives; nor is where the near plane cuts a face. In crowded cells a piece that is partly hidden may count as a
whole or not at all. Edges that lie along each other without sharing both ends, all outlines, count each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from .gather import gather
from .projection import Screen, barycentrics, project
from .silhouettes import Outlines, Pieces
from .zbuffer import at_centres, at_points

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
        negative in crowded cells, and is 0 for points whose value counts for the derivative alone.
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
        # I = background + sum_k w_k (value_k - background), w the share of the pixel's area.
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
        self._body = _bodies(faces)

    def __call__(self, vertices: Tensor, tan_half_fov: Tensor) -> VisiblePoints:
        """Compute the visible points.

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
        image_index = torch.arange(images, device=vertices.device)
        corner = (self.faces.T[:, None] + image_index[:, None] * each).reshape(3, -1)
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
        n, dtype = self.resolution, screen.corners.dtype
        visible = at_centres(screen)
        with torch.no_grad():
            pieces = self._outlines.pieces(screen, projected.detach(), vertices)
            passed, cell = self._cells(pieces, len(visible))
            middle = self._outlines.points(cell, dtype)
            image = torch.cat([pieces.image, pieces.image, self._image(passed)])
            faces = at_points(screen, image, *torch.cat([pieces.sides.flatten(1), middle], dim=1))
            beside, faces = faces[: 2 * len(pieces.image)].reshape(2, -1), faces[2 * len(pieces.image) :]
            kept = pieces.distinct(beside, corner)
            beside = beside[:, kept]
            body = self._bodies(beside)
            regions = self._outlines.regions(
                pieces, kept, body, *self._owners(pieces, kept, passed), self._bodies(faces)
            )
            pixel = passed[regions.cell]
            within = at_points(screen, self._image(pixel).expand(2, -1).reshape(-1), *regions.points.flatten(1))
            within = within.reshape(2, -1)
            # Where something else comes between, the piece's very side stands for what lies there.
            occluded = self._bodies(within) != body
            within = torch.where(occluded, beside, within)
            inner = torch.where(occluded, pieces.sides[:, :, kept], regions.points)
            crossed = torch.zeros(len(visible), dtype=torch.bool, device=visible.device)
            crossed[pixel] = True
            whole = ((visible >= 0) & ~crossed).nonzero().squeeze(1)
            parts = ((faces >= 0) & crossed[passed] & ~regions.replaced).nonzero().squeeze(1)
        swept = self._outlines.swept(projected, pieces, kept)
        one = 1 / self.cells**2
        sets = [
            (visible[whole], whole, self._centre(whole, dtype), swept.new_ones(len(whole))),
            (faces[parts], passed[parts], middle[:, parts], swept.new_full((len(parts),), one)),
            *((within[k], pixel, inner[:, k], one * regions.weights[k]) for k in range(2)),
        ]
        # Boundary term, as of edge sampling (Li et al. 2018): (v_right - v_left) * swept, whose value is 0 and whose
        # derivative is that of the area between them.
        if swept.requires_grad:
            sides = pieces.sides[:, :, kept]
            sets += [(beside[k], pixel, sides[:, k], one * swept * (2 * k - 1)) for k in range(2)]
        faces, pixel, at, weight = ([each[k] for each in sets] for k in range(4))
        faces, pixel, at, weight = torch.cat(faces), torch.cat(pixel), torch.cat(at, dim=1), torch.cat(weight)
        some = (faces >= 0).nonzero().squeeze(1)
        faces, pixel, weight = (v.index_select(0, some) for v in (faces, pixel, weight))
        x, y = at.index_select(1, some)
        image = self._image(pixel)
        return faces, image, x, y, pixel - image * (n * n), weight

    def _bodies(self, face: Tensor) -> Tensor:
        """The bodies that faces belong to, -1 for no face."""
        return self._body[torch.where(face >= 0, face % max(len(self.faces), 1), len(self.faces))]

    def _image(self, pixel: Tensor) -> Tensor:
        return torch.div(pixel, self.resolution**2, rounding_mode="trunc")

    def _cells(self, pieces: Pieces, pixels: int) -> tuple[Tensor, Tensor]:
        """All cells of the pixels that pieces pass: their pixels (N,), and their columns and rows (2, N)."""
        n, cells = self.resolution, self.cells
        marked = torch.zeros(pixels, dtype=torch.bool, device=pieces.cell.device)
        marked[self._pixel(pieces)] = True
        passed = marked.nonzero().squeeze(1)
        step = torch.arange(cells, device=passed.device)
        row, column = torch.div(passed, n, rounding_mode="trunc") % n, passed % n
        column = (column[:, None, None] * cells + step).expand(-1, cells, -1)
        row = (row[:, None, None] * cells + step[:, None]).expand(-1, -1, cells)
        return passed.repeat_interleave(cells * cells), torch.stack([column, row]).reshape(2, -1)

    def _pixel(self, pieces: Pieces) -> Tensor:
        n = self.resolution
        column, row = (torch.div(part, self.cells, rounding_mode="trunc") for part in pieces.cell)
        return (pieces.image * n + row) * n + column

    def _owners(self, pieces: Pieces, kept: Tensor, passed: Tensor) -> tuple[Tensor, int]:
        """Index among the cells of :meth:`_cells` of each kept piece, and the number of cells."""
        cells = self.cells
        first = torch.searchsorted(passed, self._pixel(pieces)[kept])
        return first + (pieces.cell[1, kept] % cells) * cells + pieces.cell[0, kept] % cells, len(passed)

    def _centre(self, pixel: Tensor, dtype: torch.dtype) -> Tensor:
        """Film coordinates (2, N) of pixels' centres."""
        n = self.resolution
        row = torch.div(pixel, n, rounding_mode="trunc")
        return torch.stack([pixel - row * n, row % n]).to(dtype) + (0.5 - 0.5 * n)


def _bodies(faces: Tensor) -> Tensor:
    """Index of the connected component of every face, and -1 at the end."""
    starts, ends = faces.cpu().reshape(-1).numpy(), faces.roll(-1, 1).cpu().reshape(-1).numpy()
    count = int(starts.max()) + 1 if len(starts) else 1
    joined = coo_array((np.ones(len(starts), dtype=bool), (starts, ends)), shape=(count, count))
    body = torch.from_numpy(connected_components(joined, directed=False)[1]).to(faces)
    return torch.nn.functional.pad(body[faces[:, 0]], (0, 1), value=-1)
