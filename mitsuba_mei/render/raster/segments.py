"""Plane line segments, cut into pieces by the cells of a grid and by each other."""

from __future__ import annotations

import torch
from torch import Tensor

from .gather import cross, expand

__all__ = ["NEIGHBOURS", "POINT", "cut", "first_of_equals", "length_of", "part", "sector"]

NEIGHBOURS = 8
"""Pieces of outlines in a cell that each is tested against."""

POINT = 0.5 + 1.37e-3, 0.5 - 0.83e-3
"""A cell's point: not quite its centre, which corners of simple shapes like to meet."""


def length_of(along: Tensor) -> Tensor:
    """Lengths (N,) of vectors (2, N), above 0."""
    return along.norm(dim=0).clamp(min=torch.finfo(along.dtype).tiny)


def first_of_equals(at: Tensor, image: Tensor) -> Tensor:
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


def cut(at: Tensor, t0: Tensor | None, t1: Tensor | None, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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


def part(start: Tensor, along: Tensor, t0: Tensor, t1: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
    between, a, b = start[:, other] - start[:, one], along[:, one], along[:, other]
    scale = cross(a, b)
    scale = torch.where(scale == 0, torch.inf, scale)
    # p + u a = q + v b with w = q - p: u = w x b / (a x b), v = w x a / (a x b).
    u, v = cross(between, b) / scale, cross(between, a) / scale
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


def sector(p: Tensor) -> Tensor:
    """The area of a cell between the ray from its point to the upper right corner and the ray through ``p`` (2, N),
    clockwise on the film; ``p`` is relative to the point.
    """
    right, down = 1 - POINT[0], 1 - POINT[1]
    left, up = POINT
    x, y = p
    ratios = torch.stack([x / right, y / down, -x / left, -y / up])
    far, side = ratios.max(0)
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
