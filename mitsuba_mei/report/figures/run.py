"""The pictures of a run: a summary figure, and how the stimulus came about."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io.images import common_exposure, to_srgb
from ..grey_scale import GreyScale
from .style import BLUE, GREY, ORANGE, caption, drawn, end_axes, show

__all__ = ["Summary", "write_pixel_summary", "write_summary"]

WIDTH, PLOTS = 13.0, 3.3
"""Inches: across the summary, and down its lower part."""


@dataclass(frozen=True)
class Summary:
    """What the summary figure shows.

    Attributes
    ----------
    title : str
    renders : dict of str to ndarray
        (H, W, C) linear radiance, by title.
    stimuli : dict of str to ndarray
        (h, w) or (h, w, 3) grey levels as the neuron saw them, by title; 0 is black, 255 white.
    previews : sequence of ndarray
        (H, W, C) linear radiance: the object from several sides.
    history : dict of str to sequence of float
        ``activation``, and each regularizer, a figure a step.
    what : str
        What is maximised: the activation, or an objective's name.
    initial, final : (float, float)
        Converged activation and its standard error.
    optimum, pixel : float or None
        The best that any image reaches, where it is known; what the pixel MEI reaches.
    """

    title: str
    renders: dict[str, np.ndarray]
    stimuli: dict[str, np.ndarray]
    previews: Sequence[np.ndarray]
    history: dict[str, Sequence[float]]
    what: str
    initial: tuple[float, float]
    final: tuple[float, float]
    optimum: float | None
    pixel: float | None = None


def write_summary(path: Path, summary: Summary) -> None:
    """Draw the summary figure as a PNG."""
    exposure = common_exposure(summary.renders.values())
    scale = GreyScale.of(summary.stimuli.values())
    high = WIDTH / (len(summary.renders) + len(summary.stimuli)) + 0.75
    with drawn(path, WIDTH, high + PLOTS, dpi=120) as figure:
        figure.suptitle(summary.title, fontsize=13, wrap=True)
        above, below = figure.subfigures(2, 1, height_ratios=(high, PLOTS))
        pictures = {f"render, {name}": to_srgb(exposure * image) for name, image in summary.renders.items()}
        pictures |= {f"stimulus, {name}": scale(grey) for name, grey in summary.stimuli.items()}
        for axes, (title, pixels) in zip(above.subplots(1, len(pictures)), pictures.items()):
            show(axes, pixels, title)
        above.supxlabel(caption(exposure, scale), fontsize=9, color=GREY)
        *sides, course, terms = below.subplots(1, 5, width_ratios=(1, 1, 1, 1.35, 1.35))
        for axes, preview, side in zip(sides, summary.previews, ("left", "front", "right")):
            show(axes, to_srgb(preview), f"object, {side}")
        _plot_course(course, summary)
        _plot_terms(terms, summary)


def write_pixel_summary(
    path: Path,
    title: str,
    stimuli: Sequence[np.ndarray],
    history: Sequence[Sequence[float]],
    optimum: float | None,
    what: str = "activation",
    shown: int = 6,
) -> None:
    """Draw what every start of a pixel MEI ended with, the best first, as a PNG.

    Parameters
    ----------
    stimuli : sequence of ndarray
        (h, w) or (h, w, 3) grey levels, one a start.
    history : sequence of sequence of float
        The objective of every start, step by step; the last is what was reached.
    what : str
        What is maximised.
    shown : int
        Starts whose stimuli are drawn, at most.
    """
    order = sorted(range(len(stimuli)), key=lambda i: -history[-1][i])
    pictures = order[:shown]
    scale = GreyScale.of(stimuli[i] for i in pictures)
    with drawn(path, 3 * len(pictures) + 4.5, 3.9, dpi=120) as figure:
        figure.suptitle(title, fontsize=13, wrap=True)
        figure.supxlabel(caption(1.0, scale), fontsize=9, color=GREY)
        *panels, curves = figure.subplots(1, len(pictures) + 1, width_ratios=(*[1] * len(pictures), 1.4))
        for axes, i in zip(panels, pictures):
            show(axes, scale(stimuli[i]), f"start {i + 1}: {history[-1][i]:.4g}")
        for i in reversed(order):
            colour, width, name = (ORANGE, 1.6, "best start") if i == order[0] else (BLUE, 0.8, None)
            curves.plot([values[i] for values in history], color=colour, linewidth=width, label=name)
        _plot_levels(curves, {"optimum": optimum})
        curves.set(xlabel="step", title=what)
        curves.xaxis.get_major_locator().set_params(integer=True)
        end_axes(curves)


def _plot_course(axes, summary: Summary) -> None:
    noisy = summary.history.get("activation", [])
    steps = np.arange(1, len(noisy) + 1)
    label = "noisy, each step" if summary.final[1] else "each step"
    axes.plot(steps, noisy, color=BLUE, alpha=0.5, linewidth=1, label=label)
    converged = "converged, bars: render s.e." if summary.final[1] else "converged"
    for x, (mean, sem), label in ((0, summary.initial, converged), (len(noisy), summary.final, None)):
        axes.errorbar([x], [mean], [sem], color=ORANGE, fmt="o", markersize=5, capsize=4, label=label)
    _plot_levels(axes, {"optimum": summary.optimum, "pixel MEI": summary.pixel})
    axes.set(xlabel="step", title=summary.what)
    end_axes(axes)


def _plot_levels(axes, levels: Mapping[str, float | None]) -> None:
    """A horizontal line at each level that is known."""
    for (name, level), style in zip(levels.items(), ("--", ":")):
        if level is not None:
            axes.axhline(level, color=GREY, linestyle=style, linewidth=1.2, label=name)


def _plot_terms(axes, summary: Summary) -> None:
    names = [name for name in summary.history if name != "activation"]
    for name, style in zip(names, itertools.cycle(("-", "--", "-.", ":"))):
        values = np.maximum(np.asarray(summary.history[name]), 1e-6)
        axes.plot(np.arange(1, len(values) + 1), values, style, linewidth=1.2, label=name.replace("_", " "))
    axes.set(xlabel="step", title="regularizers, unweighted", yscale="log")
    end_axes(axes)
