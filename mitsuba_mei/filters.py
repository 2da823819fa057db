"""Image filters."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["gaussian_blur"]

NARROW = 0.1


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur by a gaussian; beyond the edges everything is 0.

    Parameters
    ----------
    images : Tensor
        (B, C, h, w).
    sigma : float
        Standard deviation, pixels; below 0.1, where no neighbour counts, the images stay as they are.
    """
    if sigma < NARROW:
        return images
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-torch.arange(-reach, reach + 1, device=images.device).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(images.dtype)
    channels = images.shape[1]
    rows = kernel.reshape(1, 1, 1, -1).expand(channels, -1, -1, -1)
    columns = kernel.reshape(1, 1, -1, 1).expand(channels, -1, -1, -1)
    images = F.conv2d(images, rows, padding=(0, reach), groups=channels)
    return F.conv2d(images, columns, padding=(reach, 0), groups=channels)
