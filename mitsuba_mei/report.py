"""The pictures of a run: a summary figure, and how the stimulus came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .images import exposure, to_srgb

__all__ = ["Summary", "displayed", "exposed", "stretch", "write_animation", "write_pixel_summary", "write_summary"]

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"
"""Of the Okabe-Ito palette, which colour-blind readers can tell apart."""

WIDEST = 4096
"""Pixels across a video that any player takes."""


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
    portraits : sequence of ndarray
        (H, W, C) linear radiance: the object from several sides.
    history : dict of str to sequence of float
        ``activation``, and each regularizer, a figure a step.
    initial, final : (float, float)
        Converged activation and its standard error.
    optimum, pixel : float or None
        The best that any image reaches, where it is known; what the pixel MEI reaches.
    """

    title: str
    renders: dict[str, np.ndarray]
    stimuli: dict[str, np.ndarray]
    portraits: Sequence[np.ndarray]
    history: dict[str, Sequence[float]]
    initial: tuple[float, float]
    final: tuple[float, float]
    optimum: float | None
    pixel: float | None = None


def write_summary(path: Path, summary: Summary) -> None:
    """Draw the summary figure as a PNG."""
    figure = Figure(figsize=(13, 7.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(summary.title, fontsize=13)
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    pictures = {_render_title(k, v): exposed(v) for k, v in summary.renders.items()}
    pictures |= {f"stimulus, {k}": stretch(v) for k, v in summary.stimuli.items()}
    for axes, (title, pixels) in zip(above.subplots(1, len(pictures)), pictures.items()):
        _show(axes, pixels, title)
    *sides, activation, terms = below.subplots(1, 5, width_ratios=(1, 1, 1, 1.35, 1.35))
    for axes, portrait, side in zip(sides, summary.portraits, ("left", "front", "right")):
        _show(axes, to_srgb(portrait), f"object, {side}")
    _plot_activation(activation, summary)
    _plot_terms(terms, summary)
    figure.savefig(path)


def write_pixel_summary(
    path: Path,
    title: str,
    stimuli: Sequence[np.ndarray],
    history: Sequence[Sequence[float]],
    optimum: float | None,
    shown: int = 6,
) -> None:
    """Draw what every start of a pixel MEI ended with, the best first, as a PNG.

    Parameters
    ----------
    stimuli : sequence of ndarray
        (h, w) or (h, w, 3) grey levels, one a start.
    history : sequence of sequence of float
        The activation of every start, step by step; the last is what was reached.
    shown : int
        Starts whose stimuli are drawn, at most.
    """
    order = sorted(range(len(stimuli)), key=lambda i: -history[-1][i])
    pictures = order[:shown]
    figure = Figure(figsize=(3 * len(pictures) + 4.5, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    *panels, curves = figure.subplots(1, len(pictures) + 1, width_ratios=(*[1] * len(pictures), 1.4))
    for axes, i in zip(panels, pictures):
        _show(axes, stretch(stimuli[i]), f"start {i + 1}: {history[-1][i]:.4g}")
    for i in reversed(order):
        colour, width, name = (ORANGE, 1.6, "best start") if i == order[0] else (BLUE, 0.8, None)
        curves.plot([values[i] for values in history], color=colour, linewidth=width, label=name)
    _plot_levels(curves, {"optimum": optimum})
    curves.set(xlabel="step", title="activation")
    curves.title.set_fontsize(10)
    curves.xaxis.get_major_locator().set_params(integer=True)
    curves.legend(fontsize=8, frameon=False)
    curves.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def exposed(radiance: np.ndarray) -> np.ndarray:
    """A render as 8-bit sRGB, darkened where it is too bright to be displayed."""
    return to_srgb(radiance * exposure(radiance))


def displayed(grey: np.ndarray) -> np.ndarray:
    """Grey levels as 8-bit pixels; what is beyond black or white is clipped."""
    return np.round(np.clip(grey, 0, 255)).astype(np.uint8)


def _render_title(name: str, radiance: np.ndarray) -> str:
    factor = exposure(radiance)
    return f"render, {name}" + (f" (exposure {factor:.2g})" if factor < 0.995 else "")


def stretch(grey: np.ndarray) -> np.ndarray:
    """Grey levels about their median, stretched to fill 0 to 255, as 8-bit pixels: contrasts can be low, and only shape
    is looked at.
    """
    centre = float(np.median(grey))
    reach = max(float(np.abs(grey - centre).max()), 1e-9)
    return np.round(127.5 + 127.5 * (grey - centre) / reach).astype(np.uint8)


def write_animation(
    path: Path, frames: Sequence[tuple[np.ndarray, np.ndarray]], fps: int = 12, size: int = 320
) -> None:
    """Write render and stimulus, side by side, as a video.

    Parameters
    ----------
    frames : sequence of (ndarray, ndarray)
        Linear radiance (H, W, C), and grey levels as the neuron saw them.
    size : int
        Pixels along a side of each, about; less where several views would make the video too wide for its format.
    """
    width = sum(picture.shape[1] / picture.shape[0] for picture in frames[0])
    size = min(size, 16 * max(1, int(WIDEST / width) // 16))
    pictures = [np.concatenate([_enlarge(exposed(a), size), _enlarge(stretch(b), size)], axis=1) for a, b in frames]
    iio.imwrite(path, np.stack(pictures), plugin="FFMPEG", fps=fps, codec="libx264", macro_block_size=16, quality=8)


def _enlarge(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pixels (H, W) or (H, W, 3) as RGB about ``size`` high, both sides a multiple of 16, each repeated."""
    pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    height, width = pixels.shape[:2]
    index = [
        np.arange(n) * m // n for n, m in ((size, height), (max(1, round(size * width / height / 16)) * 16, width))
    ]
    return pixels[np.ix_(*index)]


def _show(axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _plot_activation(axes, summary: Summary) -> None:
    noisy = summary.history.get("activation", [])
    steps = np.arange(1, len(noisy) + 1)
    label = "noisy, each step" if summary.final[1] else "each step"
    axes.plot(steps, noisy, color=BLUE, alpha=0.5, linewidth=1, label=label)
    converged = "converged, bars: render s.e." if summary.final[1] else "converged"
    for x, (mean, sem), label in ((0, summary.initial, converged), (len(noisy), summary.final, None)):
        axes.errorbar([x], [mean], [sem], color=ORANGE, fmt="o", markersize=5, capsize=4, label=label)
    _plot_levels(axes, {"optimum": summary.optimum, "pixel MEI": summary.pixel})
    axes.set(xlabel="step", title="activation")
    axes.title.set_fontsize(10)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _plot_levels(axes, levels: Mapping[str, float | None]) -> None:
    """A horizontal line at each level that is known."""
    for (name, level), style in zip(levels.items(), ("--", ":")):
        if level is not None:
            axes.axhline(level, color=GREY, linestyle=style, linewidth=1.2, label=name)


def _plot_terms(axes, summary: Summary) -> None:
    names = [name for name in summary.history if name != "activation"]
    markers = ("-", "--", "-.", ":")
    for name, style in zip(names, markers):
        values = np.maximum(np.asarray(summary.history[name]), 1e-6)
        axes.plot(np.arange(1, len(values) + 1), values, style, linewidth=1.2, label=name.replace("_", " "))
    axes.set(xlabel="step", title="regularizers, unweighted", yscale="log")
    axes.title.set_fontsize(10)
    if names:
        axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
