"""The pictures of scenes that differ and do the same to the neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io.images import common_exposure, to_srgb
from ..grey_scale import GreyScale
from .style import BLUE, GREY, caption, drawn, show, wrapped

__all__ = ["DiversePicture", "MetamerPicture", "write_diverse", "write_metamer"]

MAX_SCENES = 8
"""Scenes that are drawn."""

SIDE, TITLE, LINE = 2.4, 0.3, 0.17
"""Inches: across a picture of a metamer's figure, and down a picture's title and a line of text."""


@dataclass(frozen=True)
class DiversePicture:
    """What the figure of diverse scenes shows.

    Attributes
    ----------
    title : str
    renders, previews : sequence of ndarray
        (H, W, C) linear radiance, one a scene.
    stimuli : sequence of ndarray
        (h, w) or (h, w, 3) grey levels as the neurons saw them.
    labels : sequence of str
    pairs : ndarray
        (k, k), how far two scenes lie apart, in ``unit``.
    unit : str
    statements : sequence of str
        What there is to say of them.
    """

    title: str
    renders: Sequence[np.ndarray]
    stimuli: Sequence[np.ndarray]
    previews: Sequence[np.ndarray]
    labels: Sequence[str]
    pairs: np.ndarray
    unit: str
    statements: Sequence[str]


@dataclass(frozen=True)
class MetamerPicture:
    """What the figure of a metamer shows; mappings are by ``reference``, and ``metamer`` or what was found in its place.

    Attributes
    ----------
    title : str
    renders, stimuli : mapping of str to ndarray
        Linear radiance (H, W, C), and grey levels as the neurons saw them.
    previews : mapping of str to sequence of ndarray
        Of the objects from the front and from the side, where there are any.
    responses : mapping of str to ndarray
        (n,).
    statements : sequence of str
    """

    title: str
    renders: Mapping[str, np.ndarray]
    stimuli: Mapping[str, np.ndarray]
    previews: Mapping[str, Sequence[np.ndarray]]
    responses: Mapping[str, np.ndarray]
    statements: Sequence[str]


def write_diverse(path: Path, picture: DiversePicture) -> None:
    """Draw every scene's render, stimulus and object, and how far they lie apart, as a PNG."""
    count = min(MAX_SCENES, len(picture.renders))
    exposure = common_exposure(picture.renders[:count])
    scale = GreyScale.of(picture.stimuli[:count])
    with drawn(path, 2.2 * count + 4.2, 7.6) as figure:
        figure.suptitle(picture.title, fontsize=13, wrap=True)
        left, right = figure.subfigures(1, 2, width_ratios=(2.2 * count, 4.2))
        rows = left.subplots(3, count, squeeze=False)
        for number in range(count):
            title = f"scene {number + 1}\n{picture.labels[number]}"
            show(rows[0, number], to_srgb(exposure * picture.renders[number]), title, 9)
            show(rows[1, number], scale(picture.stimuli[number]), "stimulus", 9)
            show(rows[2, number], to_srgb(picture.previews[number]), "object", 9)
        left.supxlabel(caption(exposure, scale), fontsize=9, color=GREY, wrap=True)
        above, below = right.subfigures(2, 1, height_ratios=(1.5, 1))
        _draw_pairs(above, picture)
        _write_text(below, wrapped(picture.statements, 62))


def _draw_pairs(figure, picture: DiversePicture) -> None:
    axes = figure.subplots()
    numbers = np.arange(1, len(picture.pairs) + 1)
    shown = axes.imshow(np.where(np.eye(len(numbers)), np.nan, picture.pairs), cmap="cividis", vmin=0)
    for (i, j), value in np.ndenumerate(picture.pairs):
        if i != j and len(numbers) <= MAX_SCENES:
            light = value < 0.6 * max(float(np.nanmax(picture.pairs)), 1e-9)
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", color="white" if light else "black", fontsize=9)
    axes.set(xticks=numbers - 1, yticks=numbers - 1, xticklabels=numbers, yticklabels=numbers, xlabel="scene")
    axes.set_title("how far apart", fontsize=10)
    figure.colorbar(shown, ax=axes, label=picture.unit, shrink=0.8)


def write_metamer(path: Path, picture: MetamerPicture) -> None:
    """Draw reference and metamer, and the responses to both, as a PNG."""
    columns = 2 + 2 * bool(picture.previews)
    exposure = common_exposure(picture.renders.values())
    scale = GreyScale.of(picture.stimuli.values())
    shown = [image for each in (picture.renders, picture.stimuli) for image in each.values()]
    tall = SIDE * max(len(image) / image.shape[1] for image in shown) + TITLE
    text = wrapped(picture.statements, 62)
    lines = LINE * (text.count("\n") + 2)
    high = max(2 * (tall + TITLE), lines + 3.5)
    with drawn(path, SIDE * columns + 5, high + TITLE) as figure:
        figure.suptitle(picture.title, fontsize=13, wrap=True)
        left, right = figure.subfigures(1, 2, width_ratios=(SIDE * columns, 5))
        for row, name in zip(left.subplots(2, columns, squeeze=False), picture.renders):
            show(row[0], to_srgb(exposure * picture.renders[name]), f"{name}, render", 9)
            show(row[1], scale(picture.stimuli[name]), f"{name}, stimulus", 9)
            sides = picture.previews.get(name, ())
            for axes, image, side in zip(row[2:], sides, ("front", "side")):
                show(axes, to_srgb(image), f"{name}, object, {side}", 9)
            for axes in row[2 + len(sides) :]:
                axes.set_axis_off()
        left.supxlabel(caption(exposure, scale), fontsize=9, color=GREY, wrap=True)
        above, below = right.subfigures(2, 1, height_ratios=(high - lines, lines))
        _draw_responses(above.subplots(), picture.responses)
        _write_text(below, text)


def _draw_responses(axes, responses: Mapping[str, np.ndarray]) -> None:
    (of, first), (to, second) = responses.items()
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1)
    axes.plot(first, second, ".", color=BLUE, markersize=5 if len(first) < 1000 else 2)
    axes.set(xlabel=f"response to the {of}", ylabel=f"response to the {to}", aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)


def _write_text(figure, text: str) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 1, text, va="top", fontsize=9, transform=axes.transAxes)
