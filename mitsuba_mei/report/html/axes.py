"""Axes, colours and numbers of the page's plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numbers import number

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "STYLES",
    "axis",
    "beside_marker",
    "ends_of",
    "log_axis",
    "plain",
    "rounded",
]

BLACK, BLUE, ORANGE, GREEN, PURPLE, GREY = "#1a1a1a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#595959"
"""Of the Okabe-Ito palette; every series has a dash or marker of its own too."""

STYLES = (
    (BLUE, "solid", "circle"),
    (ORANGE, "dash", "square"),
    (GREEN, "dot", "diamond"),
    (PURPLE, "dashdot", "triangle-up"),
    (BLACK, "longdash", "x"),
    (GREY, "longdashdot", "star"),
)
"""Colour, dash and marker of series after series."""

FEW, MANY = 3, 8
"""Ticks of a logarithmic axis."""


def rounded(values: Sequence[float] | np.ndarray, digits: int = 5) -> list[float | None]:
    """Numbers for JSON with so many digits; None is what is not finite."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in np.asarray(values, float)]


def plain(text: str) -> str:
    """Text that Plotly, which takes some tags, shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title, which keeps so many pixels away from its tick labels however many lines it has."""
    return {"title": {"text": plain(title), "standoff": 8}, "zeroline": False, "automargin": True, **more}


def log_axis(title: str, values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """A logarithmic axis of these values, with a few round ticks that are written out."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        return axis(title, type="log")
    low, high = math.log10(known.min()), math.log10(known.max())
    margin = max(0.04 * (high - low), 0.02)
    low, high = low - margin, high + margin
    decades = range(math.floor(low), math.ceil(high) + 1)
    for mantissas in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        ticks = [m * 10.0**e for e in decades for m in mantissas if low <= math.log10(m) + e <= high]
        if len(ticks) >= FEW:
            break
    ticks = ticks[:: -(-len(ticks) // MANY)] if len(ticks) > MANY else ticks
    if len(ticks) < 2:
        ticks = [float(f"{known.min():.2g}"), float(f"{known.max():.2g}")]
    ticks_shown = {"tickvals": rounded(ticks), "ticktext": [number(tick, 2) for tick in ticks]}
    return axis(title, type="log", range=rounded([low, high]), **ticks_shown)


def beside_marker(value: float, ends: Sequence[float]) -> str:
    """On which side of a marker its label has room: that of the farther end of the axis."""
    return "top left" if value > 0.5 * (ends[0] + ends[1]) else "top right"


def ends_of(values: Sequence[float]) -> list[float]:
    """The ends of an axis that shows these values and 0, with a margin."""
    low, high = min([0.0, *values]), max([0.0, *values])
    margin = 0.06 * (high - low) or 1.0
    return [low - margin if low < 0 else low, high + margin if high > 0 else high]
