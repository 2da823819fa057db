"""Outlines of meshes on the film, cut into pieces, and the area that each piece hides from a point of its cell.

A cell is a part of a pixel. Seen from its point, a piece of an outline casts a shadow to the cell's border: the area
beyond it. The derivative of that area is what the piece sweeps (Reynolds' transport theorem).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .visibility import Screen, cross, expand, gather

__all__ = ["Outlines", "Pieces"]

ASIDE = 1e-3
"""Pixels from an outline at which its two sides are looked up."""

NEIGHBOURS = 8
"""Pieces of outlines in a cell that each is tested against."""

POINT = 0.5 + 1.37e-3, 0.5 - 0.83e-3
"""A cell's point: not quite its centre, which corners of simple shapes like to meet."""


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
        one = _first_of_equals(at, image)
        image, side, ends, at = image[one], side[one], ends[:, one], at[..., one]
        owner, row, t0, t1 = _cut(at[1], None, None, n)
        again, column, t0, t1 = _cut(at[0][:, owner], t0, t1, n)
        owner, row = owner[again], row[again]
        start, along = at[:, 0][:, owner], (at[:, 1] - at[:, 0])[:, owner]
        whole, t0, t1 = _part(start, along, t0, t1, (image[owner] * n + row) * n + column)
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
        turn = cross(relative[:, 0], relative[:, 1]).sign()
        turn = torch.where(turn == 0, side[owner].to(at.dtype), turn)
        sector = _sector(b) - _sector(a)
        sector = sector - sector.round()
        sector = sector + turn * (turn * sector < -0.25)
        area = sector - 0.5 * cross(a, b)
        reach = ASIDE * self.cells
        aside = torch.stack([-along[1], along[0]]) * (reach / _length(along))
        middle = start + 0.5 * (t0 + t1) * along
        sides = torch.stack([middle + aside, middle - aside], dim=1).clamp_(0, n) / self.cells - 0.5 * self.resolution
        return Pieces(image[owner], ends[:, owner], side[owner], cell, start, along, t0, t1, area, sides, reach)

    def motion(self, projected: Tensor, pieces: Pieces, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros whose derivatives are those of the shadows' areas (K,), in cells, and of the pieces' places across
        themselves (2, K), in pixels.
        """
        at = self._ends(projected, pieces.ends[:, kept])
        t0, t1 = pieces.t0[kept], pieces.t1[kept]
        moved = (1 - 0.5 * (t0 + t1)) * at[:, 0] + 0.5 * (t0 + t1) * at[:, 1]
        moved = moved - moved.detach()
        with torch.no_grad():
            along = at[:, 1] - at[:, 0]
            length = _length(along)
            across = torch.stack([-along[1], along[0]]) / length
        step = (across * moved).sum(0)
        return (t1 - t0) * length * step, across * (step / self.cells)

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
        image, edge = ((count > 0) & (total.abs() == count)).nonzero(as_tuple=True)
        return image, edge, total[image, edge].sign()

    def _ends(self, projected: Tensor, ends: Tensor) -> Tensor:
        """Where edges between vertices ``ends`` (2, N) start and end, (2, 2, N): cells from the film's top left, by
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
    reach : float
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
    reach: float

    def distinct(self, seen: Tensor, corner: Tensor) -> Tensor:
        """The pieces that part two faces, each place of an outline once: indices.

        Parameters
        ----------
        seen : Tensor
            (2, K), the faces to the left and to the right, or -1.
        corner : Tensor
            (3, B * F), the vertices of every face.

        Notes
        -----
        A piece that does not show a face of its own edge is left out if one that does lies between it and where its
        sides were looked up.
        """
        kept = (seen[0] != seen[1]).nonzero().squeeze(1)
        face = torch.where(self.side[kept] > 0, seen[0, kept], seen[1, kept])
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
        near = cross(along, offset).square() <= square * self.reach**2
        twice = near & (self.t0[other] <= foot) & (foot <= self.t1[other])
        alone = torch.ones_like(own)
        alone[doubtful[one[twice]]] = False
        return kept[alone]


def _length(along: Tensor) -> Tensor:
    return along.norm(dim=0).clamp(min=torch.finfo(along.dtype).tiny)


def _first_of_equals(at: Tensor, image: Tensor) -> Tensor:
    """One of each set of edges of an image that start and end in the same places, either way round: indices."""
    bits = (at + 0.0).view(torch.int64 if at.dtype == torch.float64 else torch.int32).long()
    mixed = _mix(_mix(bits[0]) + bits[1])
    key = _mix(mixed.sum(0) + image)
    order = key.argsort(stable=True)
    key = key[order]
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    return order[first].sort().values


def _mix(x: Tensor) -> Tensor:
    """Spread the bits of 64-bit integers (Steele et al. 2014, splitmix64; shifts keep the sign)."""
    x = (x ^ (x >> 30)) * -0x40A7B892E31B1A47
    x = (x ^ (x >> 27)) * -0x6B2FB644ECCEEE15
    return x ^ (x >> 31)


def _cut(at: Tensor, t0: Tensor | None, t1: Tensor | None, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut lines at integers of one coordinate.

    Parameters
    ----------
    at : Tensor
        (2, K), the coordinate where the lines start and end.
    t0, t1 : Tensor, optional
        (K,), the part of each line that counts; all of it without.
    n : int
        What lies below 0 or above ``n`` is dropped.

    Returns
    -------
    tuple of Tensor
        Of every piece its line, the integer below it, and the part of the line that it is.
    """
    start, step = at[0], at[1] - at[0]
    if t0 is None:
        t0, t1 = torch.zeros_like(start), torch.ones_like(start)
        a, b = at
    else:
        a, b = start + t0 * step, start + t1 * step
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    first = low.floor().clamp(0, n).long()
    last = high.floor().clamp(-1, n - 1).long()
    owner, local = expand((last - first + 1).clamp_(min=0))
    cell = first[owner] + local
    start, step, t0, t1 = start[owner], step[owner], t0[owner], t1[owner]
    flat = step == 0
    inverse = 1 / torch.where(flat, 1, step)
    lower = cell.to(at.dtype)
    enter, leave = (lower - start) * inverse, (lower + 1 - start) * inverse
    enter, leave = torch.minimum(enter, leave), torch.maximum(enter, leave)
    # Only what passes an integer is cut, so that rounding parts no line where none is.
    t0 = torch.where(flat, t0, torch.maximum(t0, enter))
    t1 = torch.where(flat, t1, torch.minimum(t1, leave))
    some = (t1 > t0).nonzero().squeeze(1)
    return owner[some], cell[some], t0[some], t1[some]


def _part(start: Tensor, along: Tensor, t0: Tensor, t1: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cut pieces of lines where they cross others of their cell, so that each is seen as a whole or not at all.

    Parameters
    ----------
    start, along : Tensor
        (2, K), the lines.
    t0, t1 : Tensor
        (K,), the pieces.
    cell : Tensor
        (K,); of a cell's pieces each is cut by at most :data:`NEIGHBOURS` that come after it, and as many before it.

    Returns
    -------
    tuple of Tensor
        Of every part its piece, and the part of the line that it is.
    """
    count = len(cell)
    cell, order = cell.sort(stable=True)
    after = torch.searchsorted(cell, cell, right=True) - torch.arange(1, count + 1, device=cell.device)
    one, local = expand(after.clamp(max=NEIGHBOURS))
    one, other = order[one], order[one + local + 1]
    apart, a, b = start[:, other] - start[:, one], along[:, one], along[:, other]
    scale = cross(a, b)
    scale = torch.where(scale == 0, torch.inf, scale)
    u, v = cross(apart, b) / scale, cross(apart, a) / scale
    crossed = ((t0[one] < u) & (u < t1[one]) & (t0[other] < v) & (v < t1[other])).nonzero().squeeze(1)
    piece = torch.cat([torch.arange(count, device=cell.device), one[crossed], other[crossed]])
    if not len(crossed):
        return piece, t0, t1
    begin, order = torch.cat([t0, u[crossed], v[crossed]]).sort()
    piece, again = piece[order].sort(stable=True)
    begin = begin[again]
    end = t1[piece]
    follows = piece[1:] == piece[:-1]
    end[:-1][follows] = begin[1:][follows]
    return piece, begin, end


def _sector(p: Tensor) -> Tensor:
    """The area of a cell between the ray from its point to the upper right corner and the ray through ``p`` (2, N),
    clockwise on the film; ``p`` is relative to the point.
    """
    right, down = 1 - POINT[0], 1 - POINT[1]
    left, up = POINT
    x, y = p
    reach = torch.stack([x / right, y / down, -x / left, -y / up])
    far, side = reach.max(0)
    x, y = p / far.clamp(min=torch.finfo(p.dtype).tiny)
    within = torch.stack(
        [
            right * (y + up),
            right + down * (right - x),
            right + down + left * (down - y),
            right + down + left + up * (x + left),
        ]
    )
    return 0.5 * within.gather(0, side[None])[0]
