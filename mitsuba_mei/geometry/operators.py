"""Differential operators on a mesh, as sparse matrices."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mesh import TriangleMesh

__all__ = ["SparseMatrix", "edge_weights", "mixed_areas"]


class _Gather(torch.autograd.Function):
    """A sparse matrix times a dense one, both ways as ``embedding_bag``, PyTorch's fastest sparse product on a CPU."""

    @staticmethod
    def forward(ctx, dense: Tensor, forth: tuple[Tensor, ...], back: tuple[Tensor, ...]) -> Tensor:
        ctx.back = back
        return _product(forth, dense)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _product(ctx.back, gradient.contiguous()), None, None


def _product(rows: tuple[Tensor, ...], dense: Tensor) -> Tensor:
    columns, offsets, values = rows
    return functional.embedding_bag(columns, dense, offsets, mode="sum", per_sample_weights=values)


class SparseMatrix(nn.Module):
    """A constant sparse matrix, differentiable in what it is multiplied with.

    Parameters
    ----------
    rows, columns : Tensor
        Indices of the entries, ``(N,)`` int64; entries of the same place add up.
    values : Tensor
        ``(N,)``.
    shape : tuple of int
        Rows and columns.
    """

    def __init__(self, rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        for name, (keys, others, count) in {
            "forth": (rows, columns, shape[0]),
            "back": (columns, rows, shape[1]),
        }.items():
            order = torch.argsort(keys, stable=True)
            ends = torch.bincount(keys, minlength=count).cumsum(0)
            self.register_buffer(f"{name}_index", others[order])
            self.register_buffer(f"{name}_offsets", torch.cat([ends.new_zeros(1), ends[:-1]]))
            self.register_buffer(f"{name}_values", values[order].clone())

    def forward(self, dense: Tensor) -> Tensor:
        """``(columns, D)`` to ``(rows, D)``."""
        forth = (self.forth_index, self.forth_offsets, self.forth_values)
        back = (self.back_index, self.back_offsets, self.back_values)
        return _Gather.apply(dense, forth, back)


def _cotangents(vertices: Tensor, faces: Tensor) -> Tensor:
    """Half the cotangent of the angle at each corner, ``(F, 3)``, between -5 and 5."""
    corners = vertices[faces]
    columns = []
    for corner in range(3):
        a = corners[:, (corner + 1) % 3] - corners[:, corner]
        b = corners[:, (corner + 2) % 3] - corners[:, corner]
        cross = torch.linalg.cross(a, b, dim=-1).norm(dim=1)
        columns.append(0.5 * (a * b).sum(dim=1) / cross.clamp_min(1e-20))
    return torch.stack(columns, dim=1).clamp(-5, 5)


def edge_weights(template: TriangleMesh) -> tuple[Tensor, Tensor, Tensor]:
    """Both directions of all edges, as ``(2E,)`` starts and ends, and their cotangent weights, none below 0."""
    vertices, faces = template.vertices.double(), template.faces
    cotangents = _cotangents(vertices, faces)
    count = len(vertices)
    starts = torch.cat([faces[:, 1], faces[:, 2], faces[:, 0]])
    ends = torch.cat([faces[:, 2], faces[:, 0], faces[:, 1]])
    low, high = torch.minimum(starts, ends), torch.maximum(starts, ends)
    keys, inverse = torch.unique(low * count + high, return_inverse=True)
    weights = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, inverse, cotangents.T.reshape(-1))
    low, high = keys // count, keys % count
    weights = weights.clamp_min(0)
    return torch.cat([low, high]), torch.cat([high, low]), torch.cat([weights, weights])


def mixed_areas(template: TriangleMesh) -> Tensor:
    """Each vertex's mixed area, ``(V,)``: Voronoi areas, and of obtuse faces fixed parts (Meyer et al. 2003)."""
    vertices, faces = template.vertices.double(), template.faces
    corners = vertices[faces]
    areas = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1).norm(dim=1) / 2
    squared = (corners.roll(-1, dims=1) - corners.roll(-2, dims=1)).square().sum(dim=2)  # of the opposite edges
    half = _cotangents(vertices, faces)
    voronoi = torch.stack(
        [(half[:, j] * squared[:, j] + half[:, k] * squared[:, k]) / 4 for j, k in ((1, 2), (2, 0), (0, 1))], dim=1
    )
    obtuse = half < 0
    shares = torch.where(obtuse, areas[:, None] / 2, areas[:, None] / 4)
    shares = torch.where(obtuse.any(dim=1, keepdim=True), shares, voronoi)
    result = torch.zeros(len(vertices), dtype=torch.float64).index_add_(0, faces.reshape(-1), shares.reshape(-1))
    return result.clamp_min(0.05 * result.mean())
