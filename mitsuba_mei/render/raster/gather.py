"""Operations on tensors whose columns are vertices, faces or points."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cross", "expand", "gather"]


def expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """``counts[i]`` items for every i: the i of each item (N,), and the item's number within its i (N,)."""
    owner = torch.repeat_interleave(counts)
    first = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - first.index_select(0, owner)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of plane vectors (2, ...); exchanging ``a`` and ``b`` changes the sign alone, to the last bit."""
    return a[0] * b[1] - a[1] * b[0]


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
