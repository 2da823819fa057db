"""Pictures of all directions as light: no power is lost between the pixels and the renderers' tables of directions.

A picture is what Mitsuba's ``envmap`` takes it for: radiance that is bilinear between its pixels, the middles of columns
at longitudes 2 pi (j + 1/2) / W, its rows from pole to pole at colatitudes pi i / (H - 1). A renderer looks at it along
a fixed set of directions, :data:`WIDTH` or a little more apart, and would miss, or count twice, what is smaller than
that: a sun of one pixel. So a detailed picture is first spread by a gaussian on the sphere, as wide as the directions
are far apart; sums over directions are then integrals, whichever way the picture is turned.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["WIDTH", "look_at", "spread"]

WIDTH = math.radians(0.7)
"""Standard deviation of a picture's light after :func:`spread`, radians: sums of it over any of the renderers' tables
are within a thousandth of integrals.
"""

COARSE = 90
"""A picture of so few rows, and twice as many columns, varies slowly enough as it is."""

ROWS, COLUMNS = 1025, 2048
"""Of a picture that was spread: so close that kinks between them add no detail of their own."""

WAVES = 513
"""Of longitude; the gaussian leaves nothing of higher ones."""


def spread(image: np.ndarray) -> np.ndarray:
    """A picture spread by a gaussian on the sphere; one of large pixels as it is.

    Parameters
    ----------
    image : ndarray
        (H, W, C), radiance at least 0.

    Returns
    -------
    ndarray
        (1025, 2048, C) float32, of the same power; rows and columns lie as in ``image``.
    """
    if image.shape[0] <= COARSE and image.shape[1] <= 2 * COARSE:
        return image
    power = _power(image)
    nodes = np.linspace(0, math.pi, len(power))
    around = math.pi / (WAVES - 1) * np.arange(2 * (WAVES - 1))
    found = np.empty((ROWS // 2 + 1, *power.shape[1:]), dtype=np.complex128)
    for row, place in enumerate(np.linspace(0, math.pi, len(found))):
        near = slice(*np.searchsorted(nodes, (place - 6 * WIDTH, place + 6 * WIDTH)))
        theirs = nodes[near, None]
        between = np.cos(place - theirs) - np.sin(place) * np.sin(theirs) * (1 - np.cos(around))
        kernel = np.fft.rfft(np.exp((between - 1) / WIDTH**2), axis=1) / len(around)
        found[row] = np.einsum("im,imc->mc", kernel, power[near])
    return _picture(found / (WIDTH**2 * -math.expm1(-2 / WIDTH**2)))


def _power(image: np.ndarray) -> np.ndarray:
    """Power per longitude and 2 pi that may stand at the rows' places: Fourier coefficients by longitude (N, M, C)."""
    height = len(image)
    image = _refined(image)
    waves = _waves(image) * _row_weights(len(image))[:, None, None]
    if len(waves) <= ROWS:
        return waves
    # Each row between two nodes gives to both, so that power and its centre stay.
    at = np.linspace(0, ROWS - 1, height)
    low = np.minimum(at.astype(int), ROWS - 2)
    share = (at - low)[:, None, None]
    gathered = np.zeros((ROWS, *waves.shape[1:]), dtype=waves.dtype)
    np.add.at(gathered, low, (1 - share) * waves)
    np.add.at(gathered, low + 1, share * waves)
    return gathered


def _refined(image: np.ndarray) -> np.ndarray:
    """With rows put between those of a low picture, so close that each may stand for itself."""
    height = len(image)
    finer = math.ceil((ROWS // 2) / max(1, height - 1))
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
    found = np.empty((len(image), len(wave), image.shape[2]), dtype=np.complex128)
    tent = np.sinc(wave / width) ** 2 * np.exp(-1j * math.pi * wave / width) / width
    for start in range(0, len(image), 128):  # a picture's own transform would be many times as large
        part = slice(start, start + 128)
        found[part] = np.fft.fft(image[part], axis=1)[:, wave % width] * tent[:, None]
    return found


def _picture(waves: np.ndarray) -> np.ndarray:
    """From Fourier coefficients of every second row to rows and columns (R, W, C)."""
    wave = np.arange(WAVES)[:, None]
    # Over the pole a meridian goes on as the opposite one, whose odd waves have the other sign.
    circle = np.concatenate([waves, waves[-2:0:-1] * (-1.0) ** wave])
    between = np.fft.ifft(np.fft.fft(circle, axis=0) * _half_step(len(circle)), axis=0)[: len(waves) - 1]
    rows = np.empty((ROWS, *waves.shape[1:]), dtype=waves.dtype)
    rows[::2], rows[1::2] = waves, between
    rows *= np.exp(1j * math.pi * wave / COLUMNS) * COLUMNS
    return np.maximum(np.fft.irfft(rows, n=COLUMNS, axis=1), 0).astype(np.float32)


def _half_step(count: int) -> np.ndarray:
    """Fourier factors that shift by half a step on a circle of so many nodes, (N, 1, 1)."""
    return np.exp(1j * math.pi * np.fft.fftfreq(count))[:, None, None]


def look_at(image: Tensor, longitude: Tensor, latitude: Tensor) -> Tensor:
    """Radiance from directions, bilinear between pixels.

    Parameters
    ----------
    image : Tensor
        (1, C, H, W + 2), with one more column on each side, which makes longitude go round.
    longitude, latitude : Tensor
        (N,), radians; longitude from the middle of the image to the right, any number.

    Returns
    -------
    Tensor
        (N, C), differentiable by all of them.
    """
    around = longitude / math.pi
    around = around - 2 * torch.floor((around + 1) / 2).detach()
    width = image.shape[-1] - 2
    column = 0.5 * (around + 1) * width + 0.5
    grid = torch.stack([2 / (width + 1) * column - 1, -2 * latitude / math.pi], dim=-1)[None, None]
    return nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=True)[0, :, 0].T
