"""The colors of response maps, the same in a picture and in a report."""

from __future__ import annotations

import numpy as np

__all__ = ["COLOUR_MAP", "colour_range"]

COLOUR_MAP = "cividis"
"""As matplotlib names it; Plotly begins the same name with a capital."""


def colour_range(responses: np.ndarray) -> tuple[float, float]:
    """The responses at the two ends of the colors: lowest and highest, 0 always among them; NaN does not count."""
    known = np.asarray(responses, dtype=float)
    known = known[np.isfinite(known)]
    low, high = min(0.0, float(known.min(initial=0.0))), max(0.0, float(known.max(initial=-np.inf)))
    return low, high if high > low else low + 1.0
