"""Which grey levels a picture shows as black and as white."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["DISPLAY", "GreyScale"]

MIN_RANGE = 0.5
"""The least reach of a scale about its middle, grey levels: a uniform stimulus is shown as uniform."""


@dataclass(frozen=True)
class GreyScale:
    """The grey levels that are shown as black and as white; those between are shown in proportion.

    Stimuli can have little contrast, and more than a display has. What stands side by side in a picture is to be
    compared, and has one scale, the same for all channels of a colour stimulus; :attr:`caption` says which.

    Attributes
    ----------
    low, high : float
        In units of a display: 0 is black, 255 white.

    Examples
    --------
    >>> scale = GreyScale.of([np.array([124.0, 100.0]), np.array([124.0, 124.0, 180.0])])
    >>> scale(np.array([68.0, 124.0, 180.0])).tolist()
    [0, 128, 255]
    >>> scale.caption
    'grey levels 68 to 180 shown as black to white'
    """

    low: float
    high: float

    @classmethod
    def of(cls, stimuli: Iterable[np.ndarray]) -> GreyScale:
        """The scale that shows all of these stimuli (grey levels, of any shapes) without clipping.

        Its middle is their common median, which is the ground of most; its ends are round, so that the caption says
        exactly what is shown. What is not finite does not count.
        """
        levels = np.concatenate([np.ravel(each) for each in stimuli] or [np.empty(0)]).astype(float)
        levels = levels[np.isfinite(levels)]
        if not levels.size:
            return DISPLAY
        centre = float(np.median(levels))
        limit = max(float(np.abs(levels - centre).max()), MIN_RANGE)
        digits = max(0, 1 - math.floor(math.log10(limit)))
        unit = 10.0**digits
        # Two ends that are nearly round already are not moved by what rounding did to them.
        low, high = math.floor((centre - limit) * unit + 1e-4), math.ceil((centre + limit) * unit - 1e-4)
        return cls(low / unit, high / unit)

    def __call__(self, grey: np.ndarray) -> np.ndarray:
        """Grey levels as 8-bit pixels of the same shape; what lies beyond either end is clipped, NaN is black."""
        scaled = 255 * (np.asarray(grey, dtype=float) - self.low) / (self.high - self.low)
        return np.round(np.nan_to_num(np.clip(scaled, 0, 255))).astype(np.uint8)

    @property
    def caption(self) -> str:
        """What stands under a picture."""
        return f"grey levels {self.low:g} to {self.high:g} shown as black to white".replace(" -", " −")


DISPLAY = GreyScale(0.0, 255.0)
"""True grey levels, as in ``stimulus.png``."""
