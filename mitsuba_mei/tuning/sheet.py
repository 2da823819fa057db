"""A sheet of stimuli: a row along a curve, a square along a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..grey_scale import GreyScale
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
    """Stimuli of evenly spread points, all in one grey scale."""
    maps = len(axes) == 2
    stimuli = stimuli if maps else stimuli[None]
    down = chosen(axes[0], ACROSS)[::-1] if maps else np.array([0])
    across = chosen(axes[-1], ACROSS if maps else ALONG)
    picked = stimuli[np.ix_(down, across)]
    scale = GreyScale.of([picked])
    h, w = picked.shape[2:4]
    gap = max(1, round(GAP * w))
    sheet = np.full((len(down) * (h + gap) - gap, len(across) * (w + gap) - gap, 3), 255, np.uint8)
    for i, row in enumerate(picked):
        for j, stimulus in enumerate(row):
            if np.isfinite(stimulus).all():
                grey = scale(stimulus)
                sheet[i * (h + gap) :, j * (w + gap) :][:h, :w] = grey if grey.ndim == 3 else grey[..., None]
    panel.imshow(sheet, interpolation="nearest")
    panel.set_title(f"stimuli ({scale.caption})", fontsize=9.5)
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
