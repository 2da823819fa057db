"""Pictures of all directions as light: no power is lost between the pixels and the renderers' tables of directions.

A picture is what Mitsuba's ``envmap`` takes it for: radiance that is bilinear between its pixels, the middles of
columns at longitudes 2 pi (j + 1/2) / W, its rows from pole to pole at colatitudes pi i / (H - 1). A renderer looks at
it along a fixed set of directions, about :data:`WIDTH` apart, and would miss, or count twice, what is smaller: a sun
of one pixel. So a detailed picture is first spread by a gaussian on the sphere, as wide as the directions are far
apart; sums over directions are then integrals, whichever way the picture is turned.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["WIDTH", "framed", "is_detailed", "look_at", "spread"]

WIDTH = math.radians(0.7)
"""Standard deviation of a picture's light after :func:`spread`, radians: sums of it over any of the renderers' tables
are within a thousandth of integrals.
"""

COARSE = 16
"""A picture of so few rows, and twice as many columns, varies slowly enough as it is."""

ROWS, COLUMNS = 513, 1024
"""Of a picture that was spread."""

WAVES = COLUMNS // 2 + 1
"""Of longitude; the gaussian leaves nothing of higher ones."""


def is_detailed(image: np.ndarray) -> bool:
    """Whether a picture (H, W, C) has details that renderers' directions could miss."""
    return image.shape[0] > COARSE or image.shape[1] > 2 * COARSE


def spread(image: np.ndarray) -> np.ndarray:
    """A picture spread by a gaussian on the sphere, to be looked at smoothly.

    Parameters
    ----------
    image : ndarray
        (H, W, C), radiance at least 0.

    Returns
    -------
    ndarray
        (513, 1024, C) float32, of the same power; rows and columns lie as in ``image``.
    """
    power = _power(image)
    nodes = np.linspace(0, math.pi, len(power))
    around = 2 * math.pi / COLUMNS * np.arange(COLUMNS)
    # Splines between the rows and columns that are kept widen it further, by a third of their distance squared.
    variance = WIDTH**2 - (math.pi / (ROWS - 1)) ** 2 / 3
    spectrum = np.empty((ROWS, *power.shape[1:]), dtype=np.complex128)
    for row, place in enumerate(np.linspace(0, math.pi, ROWS)):
        near = slice(*np.searchsorted(nodes, (place - 6 * WIDTH, place + 6 * WIDTH)))
        theirs = nodes[near, None]
        between = np.cos(place - theirs) - np.sin(place) * np.sin(theirs) * (1 - np.cos(around))
        kernel = np.fft.rfft(np.exp((between - 1) / variance), axis=1) / len(around)
        spectrum[row] = np.einsum("im,imc->mc", kernel, power[near])
    # Back to columns, whose middles the first wave's phase is about.
    spectrum *= np.exp(1j * math.pi * np.arange(WAVES) / COLUMNS)[:, None] * COLUMNS / variance
    return np.maximum(np.fft.irfft(spectrum, n=COLUMNS, axis=1), 0).astype(np.float32)


def _power(image: np.ndarray) -> np.ndarray:
    """Power per longitude and 2 pi that may stand at the rows' places: Fourier coefficients by longitude (N, M, C)."""
    image = _refined(image)
    waves = _waves(image) * _row_weights(len(image))[:, None, None]
    nodes = 2 * ROWS - 1
    if len(waves) <= nodes:
        return waves
    # Each row between two nodes gives to both, so that power and its centre stay.
    at = np.linspace(0, nodes - 1, len(waves))
    low = np.minimum(at.astype(int), nodes - 2)
    share = (at - low)[:, None, None]
    gathered = np.zeros((nodes, *waves.shape[1:]), dtype=waves.dtype)
    np.add.at(gathered, low, (1 - share) * waves)
    np.add.at(gathered, low + 1, share * waves)
    return gathered


def _refined(image: np.ndarray) -> np.ndarray:
    """With rows put between those of a low picture, so close that each may stand for itself."""
    height = len(image)
    finer = math.ceil((ROWS - 1) / max(1, height - 1))
    if finer == 1:
        return image
    at = np.linspace(0, height - 1, finer * max(1, height - 1) + 1)
    low = np.minimum(at.astype(int), max(0, height - 2))
    share = (at - low)[:, None, None].astype(np.float32)
    return (1 - share) * image[low] + share * image[np.minimum(low + 1, height - 1)]


def _row_weights(rows: int) -> np.ndarray:
    """Integrals over the colatitude, by its sine, of the tents of which linear interpolation between rows consists."""
    step = math.pi / (rows - 1)
    weights = np.sin(np.linspace(0, math.pi, rows)) * 2 * (1 - math.cos(step)) / step
    weights[[0, -1]] = 1 - math.sin(step) / step
    return weights


def _waves(image: np.ndarray) -> np.ndarray:
    """Fourier coefficients (H, M, C) by longitude of what is interpolated between the columns."""
    width = image.shape[1]
    wave = np.arange(WAVES)
    spectrum = np.empty((len(image), len(wave), image.shape[2]), dtype=np.complex128)
    tent = np.sinc(wave / width) ** 2 * np.exp(-1j * math.pi * wave / width) / width
    for start in range(0, len(image), 128):  # a picture's own transform would be many times as large
        part = slice(start, start + 128)
        spectrum[part] = np.fft.fft(image[part], axis=1)[:, wave % width] * tent[:, None]
    return spectrum


def framed(image: Tensor) -> Tensor:
    """A picture (H, W, C) as (1, C, H + 2, W + 4), for :func:`look_at`.

    Two columns more on each side make longitude go round; beyond a pole a meridian goes on as the opposite one.
    """
    over = image.roll(image.shape[1] // 2, 1)
    image = torch.cat([over[min(1, len(over) - 1)][None], image, over[max(0, len(over) - 2)][None]])
    columns = torch.arange(-2, image.shape[1] + 2) % image.shape[1]
    return image[:, columns].permute(2, 0, 1)[None].contiguous()


def look_at(image: Tensor, longitude: Tensor, latitude: Tensor, smooth: bool) -> Tensor:
    """Radiance from directions.

    Parameters
    ----------
    image : Tensor
        Of :func:`framed`.
    longitude, latitude : Tensor
        (N,), radians; longitude from the middle of the image to the right, any number.
    smooth : bool
        By cubic B-splines, of whose kinks nothing is seen, in place of bilinearly.

    Returns
    -------
    Tensor
        (N, C), differentiable by all of them.
    """
    height, width = image.shape[-2] - 2, image.shape[-1] - 4
    around = longitude / math.pi
    around = around - 2 * torch.floor((around + 1) / 2).detach()
    column = 0.5 * (around + 1) * width - 0.5
    row = (0.5 - latitude / math.pi) * (height - 1)

    def at(column: Tensor, row: Tensor) -> Tensor:
        grid = torch.stack([2 / (width + 3) * (column + 2) - 1, 2 / (height + 1) * (row + 1) - 1], dim=-1)[None, None]
        return nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=True)[0, :, 0].T

    if not smooth:
        return at(column, row)
    # Sigg & Hadwiger, "Fast Third-Order Texture Filtering", GPU Gems 2 (2005): two linear look-ups an axis.
    (left, right), share_right = _spline(column)
    (above, below), share_below = _spline(row)
    upper = torch.lerp(at(left, above), at(right, above), share_right[:, None])
    lower = torch.lerp(at(left, below), at(right, below), share_right[:, None])
    return torch.lerp(upper, lower, share_below[:, None])


def _spline(place: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Two places between nodes, and the second's share, of which a cubic B-spline at ``place`` consists."""
    low = torch.floor(place).detach()
    t = place - low
    first, last = (1 - t) ** 3 / 6, t**3 / 6
    third = (1 + 3 * t + 3 * t * t - 3 * t**3) / 6
    second = 1 - first - third - last
    share = third + last
    return (low - 1 + second / (first + second), low + 1 + last / share), share
