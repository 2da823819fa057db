"""The pictures of scenes that differ and do the same to the neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .images import to_srgb
from .report import BLUE, GREY, exposed, stretch

__all__ = ["DiversePicture", "MetamerPicture", "write_diverse", "write_metamer"]

MOST = 8
"""Scenes that are drawn."""


@dataclass(frozen=True)
class DiversePicture:
    """What the figure of diverse scenes shows.

    Attributes
    ----------
    title : str
    renders, portraits : sequence of ndarray
        (H, W, C) linear radiance, one a scene.
    stimuli : sequence of ndarray
        (h, w) or (h, w, 3) grey levels as the neurons saw them.
    labels : sequence of str
    pairs : ndarray
        (k, k), how far two scenes lie apart, in ``unit``.
    unit : str
    said : sequence of str
        What there is to say of them.
    """

    title: str
    renders: Sequence[np.ndarray]
    stimuli: Sequence[np.ndarray]
    portraits: Sequence[np.ndarray]
    labels: Sequence[str]
    pairs: np.ndarray
    unit: str
    said: Sequence[str]


@dataclass(frozen=True)
class MetamerPicture:
    """What the figure of a metamer shows; mappings are by ``reference`` and ``metamer``.

    Attributes
    ----------
    title : str
    renders, stimuli : mapping of str to ndarray
        Linear radiance (H, W, C), and grey levels as the neurons saw them.
    portraits : mapping of str to sequence of ndarray
        Of the objects from the front and from the side, where there are any.
    responses : mapping of str to ndarray
        (n,).
    said : sequence of str
    """

    title: str
    renders: Mapping[str, np.ndarray]
    stimuli: Mapping[str, np.ndarray]
    portraits: Mapping[str, Sequence[np.ndarray]]
    responses: Mapping[str, np.ndarray]
    said: Sequence[str]


def write_diverse(path: Path, picture: DiversePicture) -> None:
    """Draw every scene's render, stimulus and object, and how far they lie apart, as a PNG."""
    count = min(MOST, len(picture.renders))
    figure = Figure(figsize=(2.2 * count + 4.2, 7.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(picture.title, fontsize=13)
    left, right = figure.subfigures(1, 2, width_ratios=(2.2 * count, 4.2))
    rows = left.subplots(3, count, squeeze=False)
    for number in range(count):
        _show(rows[0, number], exposed(picture.renders[number]), f"scene {number + 1}\n{picture.labels[number]}")
        _show(rows[1, number], stretch(picture.stimuli[number]), "stimulus")
        _show(rows[2, number], to_srgb(picture.portraits[number]), "object")
    above, below = right.subfigures(2, 1, height_ratios=(1.5, 1))
    axes = above.subplots()
    numbers = np.arange(1, len(picture.pairs) + 1)
    shown = axes.imshow(np.where(np.eye(len(numbers)), np.nan, picture.pairs), cmap="cividis", vmin=0)
    for (i, j), value in np.ndenumerate(picture.pairs):
        if i != j and len(numbers) <= MOST:
            light = value < 0.6 * max(float(np.nanmax(picture.pairs)), 1e-9)
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", color="white" if light else "black", fontsize=9)
    axes.set(xticks=numbers - 1, yticks=numbers - 1, xticklabels=numbers, yticklabels=numbers, xlabel="scene")
    axes.set_title("how far apart", fontsize=10)
    above.colorbar(shown, ax=axes, label=picture.unit, shrink=0.8)
    _write_text(below, picture.said)
    figure.savefig(path)


def write_metamer(path: Path, picture: MetamerPicture) -> None:
    """Draw reference and metamer, and the responses to both, as a PNG."""
    columns = 2 + 2 * bool(picture.portraits)
    figure = Figure(figsize=(2.4 * columns + 5, 6.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(picture.title, fontsize=13)
    left, right = figure.subfigures(1, 2, width_ratios=(2.4 * columns, 5))
    for row, name in zip(left.subplots(2, columns, squeeze=False), picture.renders):
        _show(row[0], exposed(picture.renders[name]), name)
        _show(row[1], stretch(picture.stimuli[name]), f"{name}, stimulus")
        sides = picture.portraits.get(name, ())
        for axes, image, side in zip(row[2:], sides, ("front", "side")):
            _show(axes, to_srgb(image), f"object, {side}")
        for axes in row[2 + len(sides) :]:
            axes.set_axis_off()
    above, below = right.subfigures(2, 1, height_ratios=(2, 1))
    axes = above.subplots()
    first, second = picture.responses["reference"], picture.responses["metamer"]
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1)
    axes.plot(first, second, ".", color=BLUE, markersize=5 if len(first) < 1000 else 2)
    axes.set(xlabel="response to the reference", ylabel="response to the metamer", aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
    _write_text(below, picture.said)
    figure.savefig(path)


def _show(axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])


def _write_text(figure, lines: Sequence[str]) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 1, "\n".join(lines), va="top", fontsize=9, wrap=True, transform=axes.transAxes)
