"""A sheet of stimuli: a row along a curve, a square along a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .grid import Axis

__all__ = ["ALONG", "chosen", "draw_sheet"]

ALONG, ACROSS, FEWEST = 11, 6, 4
"""Stimuli in a row beside a curve, and along a side beside a map, at most; at least, where they are evenly spread."""

GAP = 0.06
"""Between stimuli, fractions of their width."""


def chosen(axis: Axis, most: int) -> np.ndarray:
    """Indices of spread values, the ends among them; evenly, where that leaves not too few."""
    last = len(axis.values) - 1
    even = [count for count in range(FEWEST, most + 1) if last % (count - 1) == 0]
    count = max(even, default=most)
    return np.unique(np.linspace(0, last, min(count, last + 1)).round().astype(int))


def draw_sheet(panel, axes: Sequence[Axis], stimuli: np.ndarray) -> None:
    """Stimuli of evenly spread points, all stretched alike about their median grey level."""
    maps = len(axes) == 2
    stimuli = stimuli if maps else stimuli[None]
    down = chosen(axes[0], ACROSS)[::-1] if maps else np.array([0])
    across = chosen(axes[-1], ACROSS if maps else ALONG)
    picked = stimuli[np.ix_(down, across)]
    centre = float(np.nanmedian(picked))
    reach = max(float(np.nanmax(np.abs(picked - centre))), 1e-9)
    h, w = picked.shape[2:4]
    gap = max(1, round(GAP * w))
    sheet = np.ones((len(down) * (h + gap) - gap, len(across) * (w + gap) - gap, 3))
    for i, row in enumerate(picked):
        for j, stimulus in enumerate(row):
            if np.isfinite(stimulus).all():
                grey = np.clip(0.5 + 0.5 * (stimulus - centre) / reach, 0, 1)
                sheet[i * (h + gap) :, j * (w + gap) :][:h, :w] = grey if grey.ndim == 3 else grey[..., None]
    panel.imshow(sheet, interpolation="nearest")
    panel.set_title(f"stimuli (black: grey level {centre - reach:.0f}, white: {centre + reach:.0f})", fontsize=9.5)
    panel.set_xticks([j * (w + gap) + w / 2 for j in range(len(across))], _numbers(axes[-1], across))
    panel.set_xlabel(axes[-1].label)
    if maps:
        panel.set_yticks([i * (h + gap) + h / 2 for i in range(len(down))], _numbers(axes[0], down))
        panel.set_ylabel(axes[0].label)
    else:
        panel.set_yticks([])
    panel.tick_params(length=0, labelsize=8.5)
    panel.spines[:].set_visible(False)


def _numbers(axis: Axis, chosen: np.ndarray) -> list[str]:
    return [f"{axis.values[i]:.4g}" for i in chosen]
