"""The pictures, plots and tables of scenes recovered from images, metamers and diverse scenes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...runs.results import DiverseScene, DiverseSet, InverseResult, MetamerResult
from ..numbers import number, with_error
from .aim_words import amount, found
from .axes import BLUE, GREY, ORANGE, axis, rounded
from .pictures import CaptionedPicture
from .record import RunRecord

__all__ = ["Cell", "aim_pictures", "heat", "level_figure", "scene_caption"]

CIVIDIS = (
    (0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115), (138, 134, 120), (165, 156, 116),
    (195, 179, 105), (225, 204, 85), (254, 232, 56),
)  # fmt: skip
"""Nuñez, Anderton & Renslow 2018, Optimizing colormaps with consideration for color vision deficiency, PLoS ONE 13."""


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map: its text, and the colours of its ground and of its letters."""

    text: str
    ground: str
    ink: str


def aim_pictures(run: RunRecord) -> list[CaptionedPicture]:
    """What is to be compared, beside each other."""
    captions = {}
    other = run.other
    if isinstance(other, InverseResult):
        captions = {
            "target": ("Target", "what was to be seen"),
            "initial_render": (f"Start: error {with_error(run.initial)}", "the render of the start"),
            "render": (f"Recovered: error {with_error(run.final)}", "the render of the recovered scene"),
            "difference": (_signed(other), "recovered less target, in colours"),
        }
    elif isinstance(other, MetamerResult):
        name = found(other).capitalize()
        captions = {
            "reference_stimulus": ("Reference, as the neurons saw it", "the reference's stimulus"),
            "stimulus": (f"{name}, as the neurons saw it", "the stimulus of the scene that was found"),
            "reference": ("Render of the reference", "the reference's render"),
            "render": (f"Render of the {name.lower()}", "the render of the scene that was found"),
        }
    return [
        CaptionedPicture(run.pictures[name], caption, f"Picture: {alt}.")
        for name, (caption, alt) in captions.items()
        if name in run.pictures
    ]


def _signed(result: InverseResult) -> str:
    colours = "Recovered − target: orange is too bright, blue too dark"
    scale = result.difference
    if scale is None or not math.isfinite(scale.reach):
        return colours
    return f"{colours}, full colour ±{number(scale.reach, 2)} of radiance"


def scene_caption(index: int, scene: DiverseScene | None) -> str:
    """``Scene 1: 0.928 of the maximum, activation 23.2``; None of a folder of which the result says nothing."""
    if scene is None:
        return f"Scene {index}"
    part = f"{scene.of_maximum:.3f} of the maximum, " if math.isfinite(scene.of_maximum) else ""
    caption = f"Scene {index}: {part}activation {with_error(scene.activation.final)}"
    return caption + ("" if scene.reached else ", below the level")


def level_figure(diverse: DiverseSet) -> dict[str, Any]:
    """Every scene's activation over the maximum, with the level asked for."""
    known = [(index, each) for index, each in enumerate(diverse.scenes, 1) if math.isfinite(each.of_maximum)]
    data = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": rounded([each.of_maximum]),
            "y": [f"scene {index}"],
            "text": [f"  {each.of_maximum:.3f}"],
            "textposition": "middle right",
            "cliponaxis": False,
            "error_x": {"type": "data", "array": _error(each, diverse), "thickness": 2, "width": 6},
            "marker": {
                "color": ORANGE if not each.reached else BLUE,
                "symbol": "x" if not each.reached else "circle",
                "size": 13,
            },
            "hoverinfo": "skip",
        }
        for index, each in reversed(known)
    ]
    parts = [each.of_maximum for _, each in known]
    ends = [min([0.0, *parts]), 1.35 * max([0.1, *parts])]  # with room for the last figure's text
    layout: dict[str, Any] = {
        "xaxis": axis("activation over the maximum", range=rounded(ends)),
        "yaxis": {"automargin": True, "type": "category", "range": [-0.5, len(known) - 0.3]},
        "showlegend": False,
        "height": 110 + 50 * len(known),
    }
    line = {"color": GREY, "dash": "dash", "width": 1.5}
    span = {"yref": "paper", "y0": 0, "y1": 1}
    layout["shapes"] = [{"type": "line", "x0": diverse.level, "x1": diverse.level, **span, "line": line}]
    values = "; ".join(f"scene {index} {each.of_maximum:.3f}" for index, each in known)
    return {"data": data, "layout": layout, "alt": f"Activation over the maximum: {values or 'unknown'}."}


def _error(scene: DiverseScene, diverse: DiverseSet) -> list[float | None]:
    """The render s.e. over the maximum; 0 where it is unknown."""
    error = scene.activation.final.sem / abs(diverse.maximum.value) if diverse.maximum.value else 0.0
    return rounded([error if math.isfinite(error) else 0.0])


def heat(diverse: DiverseSet) -> list[list[Cell | None]]:
    """How far every two scenes lie apart, as cells from dark, 0, to bright, the most; None of one with itself.

    There are none where the pairs' differences are no square of as many rows as there are scenes.
    """
    pairs, count = diverse.pairs.get(diverse.differ, ()), len(diverse.scenes)
    if len(pairs) != count or any(len(row) != count for row in pairs):
        return []
    most = max((abs(value) for row in pairs for value in row if math.isfinite(value)), default=0.0) or 1.0
    return [
        [None if i == j else _cell(value, most, diverse.differ) for j, value in enumerate(row)]
        for i, row in enumerate(pairs)
    ]


def _cell(value: float, most: float, kind: str) -> Cell:
    if not math.isfinite(value):
        return Cell("–", "#ffffff", "#1a1a1a")
    place = min(1.0, max(0.0, value / most)) * (len(CIVIDIS) - 1)
    below = min(int(place), len(CIVIDIS) - 2)
    colour = [round(a + (place - below) * (b - a)) for a, b in zip(CIVIDIS[below], CIVIDIS[below + 1])]
    text = amount(kind, value, short=True).removesuffix(" of the radius")
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 115
    return Cell(text, f"rgb({', '.join(map(str, colour))})", "#000000" if bright else "#ffffff")
