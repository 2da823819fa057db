"""Outlines of meshes on the film, cut into pieces, and the area that each piece hides from a point of its cell.

A cell is a part of a pixel. Seen from its point, a piece of an outline casts a shadow to the cell's border: the area
beyond it. The derivative of that area is what the piece sweeps (Reynolds' transport theorem).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .gather import cross, expand, gather
from .projection import Screen
from .segments import NEIGHBOURS, POINT, cut, first_of_equals, length_of, part, sector

__all__ = ["Outlines", "Pieces", "Regions"]

ASIDE = 1e-3
"""Pixels from an outline at which its two sides are looked up."""

STRIP = 0.33
"""Where in a strip beside an outline, of its width, the derivative is its mean (:meth:`Outlines.regions`)."""

INNER = 1e-3
"""How far from a cell's border its points stay, in cells."""


class Outlines:
    """Edges all of whose faces lie on one side of them.

    Parameters
    ----------
    faces : Tensor
        (F, 3).
    resolution, cells : int
        Pixels along a side of the film, and cells along a side of a pixel.
    near : float
        Depth of the near plane.
    """

    def __init__(self, faces: Tensor, resolution: int, cells: int, near: float) -> None:
        self.resolution, self.cells, self.near = resolution, cells, near
        starts, ends = faces.T, faces.roll(-1, 1).T
        pairs = torch.stack([torch.minimum(starts, ends), torch.maximum(starts, ends)]).reshape(2, -1)
        count = int(faces.max()) + 1 if len(faces) else 1
        key, edge = (pairs[0] * count + pairs[1]).unique(return_inverse=True)
        self.edges = torch.stack([torch.div(key, count, rounding_mode="trunc"), key % count])
        order = edge.argsort(stable=True)
        incident = torch.bincount(edge, minlength=len(key))
        rank = torch.arange(len(edge), device=faces.device) - (incident.cumsum(0) - incident)[edge[order]]
        sense = torch.where(starts < ends, 1, -1).reshape(-1).to(torch.int8)
        # The first two faces of an edge lie in tables, with a face of no area where there is none; others in a list.
        self._table = torch.full((2, len(key)), len(faces), device=faces.device)
        self._senses = torch.zeros_like(self._table, dtype=torch.int8)
        for k in range(2):
            those = order[rank == k]
            self._table[k, edge[those]] = those % max(len(faces), 1)
            self._senses[k, edge[those]] = sense[those]
        others = order[rank >= 2]
        self._others = edge[others], others % max(len(faces), 1), sense[others]

    def pieces(self, screen: Screen, projected: Tensor, vertices: int) -> Pieces:
        """Outlines, cut where they pass from cell to cell."""
        n = self.resolution * self.cells
        image, edge, side = self._edges(screen)
        ends = self.edges[:, edge] + image * vertices
        before = (projected[2][ends] > self.near).any(0).nonzero().squeeze(1)
        image, side, ends = image[before], side[before], ends[:, before]
        at = self._ends(projected, ends)
        one = first_of_equals(at, image)
        image, side, ends, at = image[one], side[one], ends[:, one], at[..., one]
        owner, row, t0, t1 = cut(at[1], None, None, n)
        again, column, t0, t1 = cut(at[0][:, owner], t0, t1, n)
        owner, row = owner[again], row[again]
        start, along = at[:, 0][:, owner], (at[:, 1] - at[:, 0])[:, owner]
        whole, t0, t1 = part(start, along, t0, t1, (image[owner] * n + row) * n + column)
        owner, start, along = owner[whole], start[:, whole], along[:, whole]
        cell = torch.stack([column, row])[:, whole]
        corner = cell.to(at.dtype)
        point = at.new_tensor(POINT)[:, None]
        a = (start + t0 * along - corner).clamp_(0, 1) - point
        b = (start + t1 * along - corner).clamp_(0, 1) - point
        # Which side the cell's point is on is told as the z-buffer tells it.
        reference = self.points(cell, at.dtype)
        full = projected[:, ends[:, owner].reshape(-1)].reshape(3, 2, -1)
        relative = full[:2] - reference[:, None] * full[2]
        orientation = cross(relative[:, 0], relative[:, 1]).sign()
        orientation = torch.where(orientation == 0, side[owner].to(at.dtype), orientation)
        between = sector(b) - sector(a)
        between = between - between.round()
        between = between + orientation * (orientation * between < -0.25)
        # Shadow: the sector of the cell from a to b, less the triangle of the cell's point, a and b.
        area = between - 0.5 * cross(a, b)
        side_distance = ASIDE * self.cells
        aside = torch.stack([-along[1], along[0]]) * (side_distance / length_of(along))
        middle = start + 0.5 * (t0 + t1) * along
        sides = torch.stack([middle + aside, middle - aside], dim=1).clamp_(0, n) / self.cells - 0.5 * self.resolution
        return Pieces(image[owner], ends[:, owner], side[owner], cell, start, along, t0, t1, area, sides, side_distance)

    def swept(self, projected: Tensor, pieces: Pieces, kept: Tensor) -> Tensor:
        """Zeros (K,) whose derivatives are those of the areas to the left of pieces, in cells."""
        at = self._ends(projected, pieces.ends[:, kept])
        t0, t1 = pieces.t0[kept], pieces.t1[kept]
        moved = (1 - 0.5 * (t0 + t1)) * at[:, 0] + 0.5 * (t0 + t1) * at[:, 1]
        moved = moved - moved.detach()
        with torch.no_grad():
            along = at[:, 1] - at[:, 0]
            across = torch.stack([-along[1], along[0]])
        # Reynolds: dA = int n . dx ds over the piece = (t1 - t0) (perp(along) . dx) at its middle, as dx is linear in
        # t.
        return (t1 - t0) * (across * moved).sum(0)

    def regions(
        self, pieces: Pieces, kept: Tensor, body: Tensor, cell: Tensor, cells: int, at_point: Tensor
    ) -> Regions:
        """Points that stand for what lies on either side of pieces.

        Parameters
        ----------
        kept : Tensor
            (K,), which pieces.
        body : Tensor
            (2, K), what is seen on their left and right; -1 for nothing.
        cell : Tensor
            (K,), their cells, of ``cells``.
        at_point : Tensor
            (cells,), the same at the cells' points.

        Notes
        -----
        On a smooth surface colour changes with the root of the distance to its outline, and its derivative at a fixed
        point of the film has no bound there. Over a strip of width w the mean of that derivative is the one at w / 4;
        where facets make it linear, any place has it. A third is between, and did best on the benchmark's body
        (``python -m benchmarks raster_gradients``; 0.25 and 0.36 are off by up to 10 % where large parts cancel).
        """
        area, along = pieces.area[kept], pieces.along[:, kept]
        t0, t1 = pieces.t0[kept], pieces.t1[kept]
        length = ((t1 - t0) * length_of(along)).clamp_min(1e-6)
        right = area < 0
        own = torch.where(right, body[1], body[0]) == at_point[cell]
        # What of a cell lies in no shadow is seen beside those pieces that have the like of its point on their side.
        border = area.new_zeros(cells).scatter_add(0, cell, length * own)
        shadow = area.new_zeros(cells).scatter_add(0, cell, area.abs())
        share = torch.where(own, length / border[cell].clamp_min(1e-6), 0.0)
        near = (1 - shadow[cell]).clamp_min(0) / border[cell].clamp_min(1e-6)
        far = area.abs() / length
        left_and_right = torch.stack([torch.where(right, far, near), torch.where(right, near, far)])
        away = (STRIP * left_and_right).clamp(pieces.side_distance, 0.5)
        middle = pieces.start[:, kept] + 0.5 * (t0 + t1) * along
        aside = torch.stack([-along[1], along[0]]) / length_of(along)
        points = torch.stack([middle + away[0] * aside, middle - away[1] * aside], dim=1)
        inner = pieces.cell[:, kept].to(area.dtype)[:, None]
        points = torch.maximum(torch.minimum(points, inner + (1 - INNER)), inner + INNER)
        weights = torch.stack([torch.where(right, 0.0, share), torch.where(right, share, 0.0)])
        weights = weights + torch.stack([-area, area])
        return Regions(points / self.cells - 0.5 * self.resolution, weights, cell, border > 0)

    def points(self, cell: Tensor, dtype: torch.dtype) -> Tensor:
        """Film coordinates (2, N) of the points of cells (2, N)."""
        return (cell.to(dtype) + torch.tensor(POINT, dtype=dtype, device=cell.device)[:, None]) / self.cells - (
            0.5 * self.resolution
        )

    def _edges(self, screen: Screen) -> tuple[Tensor, Tensor, Tensor]:
        """Edges all of whose faces lie on one side of them: images, edges, and the side (1 left, -1 right)."""
        facing = torch.nn.functional.pad(screen.facing.reshape(screen.images, -1), (0, 1))
        sides = facing[:, self._table.reshape(-1)].reshape(screen.images, 2, -1) * self._senses
        total, count = sides.sum(1, dtype=torch.int32), sides.abs().sum(1, dtype=torch.int32)
        edge, face, sense = self._others
        if len(edge):
            side = (facing[:, face] * sense).to(torch.int32)
            total.index_add_(1, edge, side)
            count.index_add_(1, edge, side.abs())
        # A silhouette: all faces on one side, |sum of sides| = their number.
        image, edge = ((count > 0) & (total.abs() == count)).nonzero(as_tuple=True)
        return image, edge, total[image, edge].sign()

    def _ends(self, projected: Tensor, ends: Tensor) -> Tensor:
        """Ends (2, 2, N) of the projected edges between vertices ``ends`` (2, N): cells from the film's top left, by
        coordinate and end. What lies behind the near plane is cut off.
        """
        corners = gather(projected, ends)
        depth = corners[2]
        behind = depth.detach() < self.near
        if behind.any():
            other = corners.flip(1)
            step = other[2] - depth
            along = torch.where(behind, (self.near - depth) / torch.where(behind & (step != 0), step, 1), 0)
            plane = corners[:2] + along * (other[:2] - corners[:2])
            return (plane / torch.where(behind, self.near, depth) + 0.5 * self.resolution) * self.cells
        return (corners[:2] / depth + 0.5 * self.resolution) * self.cells


@dataclass(frozen=True)
class Regions:
    """Points on both sides of pieces of outlines, and their weights.

    Attributes
    ----------
    points : Tensor
        (2, 2, K): film coordinates of a point to the left and one to the right, by coordinate and side.
    weights : Tensor
        (2, K), the share of their cell that they stand for.
    cell : Tensor
        (K,).
    replaced : Tensor
        Of every cell whether these points stand for its own.
    """

    points: Tensor
    weights: Tensor
    cell: Tensor
    replaced: Tensor


@dataclass(frozen=True)
class Pieces:
    """Pieces of outlines within a cell each.

    Attributes
    ----------
    image : Tensor
        (K,).
    ends : Tensor
        (2, K), vertices between which the whole edge runs.
    side : Tensor
        (K,), 1 where the edge's faces are on its left, -1 on its right.
    cell : Tensor
        (2, K), column and row.
    start, along : Tensor
        (2, K), the projected edge's start and extent, in cells.
    t0, t1 : Tensor
        (K,), where on the projected edge the piece starts and ends.
    area : Tensor
        (K,), of the shadow, in cells; negative where the cell's point is on the right.
    sides : Tensor
        (2, 2, K): film coordinates of a point to the left and one to the right, by coordinate and side.
    side_distance : float
        How far from a piece these are, in cells.
    """

    image: Tensor
    ends: Tensor
    side: Tensor
    cell: Tensor
    start: Tensor
    along: Tensor
    t0: Tensor
    t1: Tensor
    area: Tensor
    sides: Tensor
    side_distance: float

    def distinct(self, beside: Tensor, corner: Tensor) -> Tensor:
        """The pieces that part two faces, each place of an outline once: indices.

        Parameters
        ----------
        beside : Tensor
            (2, K), the faces to the left and to the right, or -1.
        corner : Tensor
            (3, B * F), the vertices of every face.

        Notes
        -----
        A piece that does not show a face of its own edge is left out if one that does lies between it and where its
        sides were looked up.
        """
        kept = (beside[0] != beside[1]).nonzero().squeeze(1)
        face = torch.where(self.side[kept] > 0, beside[0, kept], beside[1, kept])
        of_face = corner[:, face.clamp(min=0)] if corner.shape[1] else corner.new_zeros(3, len(kept))
        own = (of_face[:, None] == self.ends[:, kept]).any(0).all(0) & (face >= 0)
        doubtful = (~own).nonzero().squeeze(1)
        if not len(doubtful) or len(doubtful) == len(kept):
            return kept
        sure = own.nonzero().squeeze(1)
        cell = (self.image[kept] << 42) + (self.cell[1, kept] << 21) + self.cell[0, kept]
        ordered, again = cell[sure].sort(stable=True)
        sure = sure[again]
        first = torch.searchsorted(ordered, cell[doubtful])
        count = torch.searchsorted(ordered, cell[doubtful], right=True) - first
        one, local = expand(count.clamp_(max=NEIGHBOURS))
        other = kept[sure[first[one] + local]]
        piece = kept[doubtful[one]]
        middle = self.start[:, piece] + 0.5 * (self.t0 + self.t1)[piece] * self.along[:, piece]
        offset, along = middle - self.start[:, other], self.along[:, other]
        square = along.square().sum(0)
        foot = (offset * along).sum(0) / square
        near = cross(along, offset).square() <= square * self.side_distance**2
        twice = near & (self.t0[other] <= foot) & (foot <= self.t1[other])
        unique = torch.ones_like(own)
        unique[doubtful[one[twice]]] = False
        return kept[unique]
