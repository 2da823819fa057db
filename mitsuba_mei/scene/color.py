"""Luminance and colour."""

from __future__ import annotations

import torch
from torch import Tensor

from ..stimulus import LUMINANCE

__all__ = ["LUMINANCE", "to_channels"]


def to_channels(values: Tensor, channels: int) -> Tensor:
    """A number or a colour in 1 or 3 channels.

    Parameters
    ----------
    values : Tensor
        (..., 1) or (..., 3).
    channels : int
        1 (luminance) or 3 (linear RGB).

    Returns
    -------
    Tensor
        (..., channels).
    """
    if values.shape[-1] == channels:
        return values
    if channels == 3:
        return values.expand(*values.shape[:-1], 3)
    return (values * torch.tensor(LUMINANCE, dtype=values.dtype, device=values.device)).sum(-1, keepdim=True)
