"""Functions of direction as tables over the faces of a cube, interpolated without a seam.

A face's nodes lie on its edges too, so that what is smooth on a face is interpolated from that face alone, and
neighbours agree where they meet.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["cells", "look_up", "narrowing", "nodes"]

FACES = 6


def _on_faces(u: Tensor, v: Tensor) -> Tensor:
    """Unit vectors (6, *u.shape, 3) through the points (u, v) of every face; even faces lie ahead of an axis."""
    directions = []
    for face in range(FACES):
        axis, ahead = face // 2, 1.0 - 2.0 * (face % 2)
        parts = [torch.full_like(u, ahead), u, v]
        directions.append(torch.stack([parts[(k - axis) % 3] for k in range(3)], dim=-1))
    return torch.nn.functional.normalize(torch.stack(directions), dim=-1)


def nodes(resolution: int, finer: int = 1, device: torch.device | str = "cpu") -> Tensor:
    """Directions at the nodes of a table.

    Parameters
    ----------
    resolution : int
        R, squares along an edge of the cube.
    finer : int
        Give as many as ``finer * finer`` directions in the square about every node, in place of the node: what a mean
        over is blurred by a square.

    Returns
    -------
    Tensor
        (6 * (R + 1) * (R + 1) * finer * finer, 3), unit vectors.
    """
    at = torch.arange(resolution + 1, dtype=torch.float32, device=device)[:, None]
    beside = (torch.arange(finer, dtype=torch.float32, device=device) + 0.5) / finer - 0.5
    at = (at + beside) * (2 / resolution) - 1
    v, u = torch.broadcast_tensors(at[:, None, :, None], at[None, :, None, :])
    return _on_faces(u, v).reshape(-1, 3)


def narrowing(directions: Tensor) -> Tensor:
    """Solid angle of a face's unit area at directions (6 * N, ..., 3) that lie face by face: (6 * N, ...)."""
    by_face = directions.reshape(FACES, -1, 3)
    ahead = torch.stack([by_face[face, :, face // 2] for face in range(FACES)])
    # domega = cos^3 dA on a face at distance 1.
    return ahead.abs().pow(3).reshape(directions.shape[:-1])


def cells(resolution: int, finer: int = 1, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Directions at the centres of cells that tile the sphere, and the cells' solid angles.

    Parameters
    ----------
    resolution : int
        R, blocks along an edge of the cube.
    finer : int
        Cells along an edge of a block.

    Returns
    -------
    directions : Tensor
        (6 * R * R, finer * finer, 3), unit vectors, block by block.
    solid_angles : Tensor
        (6 * R * R, finer * finer), steradian.
    """
    n = resolution * finer
    edge = torch.linspace(-1, 1, n + 1, dtype=torch.float64, device=device)
    v, u = torch.meshgrid(edge, edge, indexing="ij")
    # Solid angle of [0, u] x [0, v] on the face at distance 1: atan(u v / sqrt(u^2 + v^2 + 1)).
    corner = torch.atan2(u * v, (u * u + v * v + 1).sqrt())
    solid = (corner[1:, 1:] - corner[1:, :-1] - corner[:-1, 1:] + corner[:-1, :-1]).float()
    middle = (0.5 * (edge[1:] + edge[:-1])).float()
    v, u = torch.meshgrid(middle, middle, indexing="ij")

    def by_block(values: Tensor) -> Tensor:
        return values.reshape(-1, resolution, finer, resolution, finer).transpose(2, 3).reshape(-1, finer * finer)

    directions = torch.stack([by_block(axis) for axis in _on_faces(u, v).unbind(-1)], dim=-1)
    return directions, by_block(solid.expand(FACES, n, n))


def look_up(tables: Tensor, directions: tuple[Tensor, Tensor, Tensor], image: Tensor | None = None) -> Tensor:
    """Interpolate tables, bilinearly on every face.

    Parameters
    ----------
    tables : Tensor
        (B, C, N): of B images, C functions at :func:`nodes`.
    directions : tuple of Tensor
        x, y and z of shape (...); any length above 0.
    image : Tensor, optional
        (...), which of the images each asks; the first without.

    Returns
    -------
    Tensor
        (C, ...), differentiable by tables and directions.
    """
    images, functions, count = tables.shape
    edge = math.isqrt(count // FACES)
    x, y, z = directions
    ax, ay, az = x.abs(), y.abs(), z.abs()
    first = (ax >= ay) & (ax >= az)
    second = ~first & (ay >= az)

    def choose(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return torch.where(first, a, torch.where(second, b, c))

    ahead = choose(x, y, z)
    scale = 1 / ahead.abs()
    u, v = choose(y, z, x) * scale, choose(z, x, y) * scale
    with torch.no_grad():
        face = 4 - 4 * first.to(u.dtype) - 2 * second.to(u.dtype) + (ahead < 0).to(u.dtype)
        if image is not None and images > 1:
            face += FACES * image
    rows = images * FACES * edge
    row = face * edge + (0.5 * (edge - 1)) * (v + 1)
    grid = torch.stack([u, row * (2 / (rows - 1)) - 1], dim=-1).reshape(1, 1, -1, 2)
    atlas = tables.transpose(0, 1).reshape(1, functions, rows, edge)
    values = torch.nn.functional.grid_sample(atlas, grid, padding_mode="border", align_corners=True)
    return values.reshape(functions, *u.shape)
