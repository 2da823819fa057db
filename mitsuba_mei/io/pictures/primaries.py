"""From the primaries that a file names to those of Rec. 709, by which radiance is computed here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["REC709", "from_xyz", "to_rec709"]

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""Chromaticities x, y of red, green, blue and white."""

SAME = 2e-3
"""Differences between chromaticities that are rounding."""


def _to_xyz(chromaticities: Sequence[float]) -> np.ndarray:
    """The matrix from RGB to CIE XYZ, in which white has luminance 1."""
    pairs = np.asarray(chromaticities, dtype=np.float64).reshape(4, 2)
    with np.errstate(all="ignore"):
        x, y = pairs.T / pairs[:, 1]
        scaled = np.stack([x, np.ones(4), (1 - pairs.sum(1)) / pairs[:, 1]])
        try:
            matrix = scaled[:, :3] * np.linalg.solve(scaled[:, :3], scaled[:, 3])
        except np.linalg.LinAlgError:
            matrix = np.full((3, 3), np.nan)
    if not np.isfinite(matrix).all():
        raise ValueError(f"its chromaticities {', '.join(f'{value:g}' for value in pairs.ravel())} are no colours")
    return matrix


def from_xyz(pixels: np.ndarray) -> np.ndarray:
    """CIE XYZ (..., 3) as Rec. 709 red, green and blue."""
    return pixels @ np.linalg.inv(_to_xyz(REC709)).T


def to_rec709(pixels: np.ndarray, chromaticities: Sequence[float]) -> np.ndarray:
    """RGB (..., 3) of other primaries as Rec. 709; the light stays the same, white is not adapted.

    Parameters
    ----------
    pixels : ndarray
        Linear.
    chromaticities : 8 float
        x and y of red, green, blue and white.

    Raises
    ------
    ValueError
        For chromaticities that span no colours.
    """
    if np.allclose(chromaticities, REC709, rtol=0, atol=SAME):
        return pixels
    return from_xyz(pixels @ _to_xyz(chromaticities).T)
