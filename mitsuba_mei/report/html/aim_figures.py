"""The pictures, plots and tables of scenes recovered from images, metamers and diverse scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .aim_words import amount
from .aims import DiverseSet, Metamer, Recovered, SceneOfSet
from .figures import BLUE, GREY, ORANGE, axis, rounded
from .numerals import number, with_error
from .pictures import Shown
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


def aim_pictures(run: RunRecord) -> list[Shown]:
    """What is to be compared, beside each other."""
    captions = {}
    if isinstance(run.aim, Recovered):
        captions = {
            "target": ("Target", "what was to be seen"),
            "initial_render": (f"Start: error {with_error(run.initial)}", "the render of the start"),
            "render": (f"Recovered: error {with_error(run.final)}", "the render of the recovered scene"),
            "difference": (_signed(run.aim.reach), "recovered less target, in colours"),
        }
    elif isinstance(run.aim, Metamer):
        captions = {
            "reference_stimulus": ("Reference, as the neurons saw it", "the reference's stimulus"),
            "stimulus": (f"{_metamer(run.aim)}, as the neurons saw it", "the stimulus of the scene that was found"),
            "reference": ("Render of the reference", "the reference's render"),
            "render": (f"Render of the {_metamer(run.aim).lower()}", "the render of the scene that was found"),
        }
    return [
        Shown(run.pictures[name], caption, f"Picture: {alt}.")
        for name, (caption, alt) in captions.items()
        if name in run.pictures
    ]


def _metamer(aim: Metamer) -> str:
    return "Metamer" if aim.found else "Scene found"


def _signed(reach: float | None) -> str:
    colours = "Recovered − target: orange is too bright, blue too dark"
    return colours if reach is None else f"{colours}, full colour ±{number(reach, 2)} of radiance"


def scene_caption(index: int, scene: SceneOfSet) -> str:
    """``Scene 1: 0.928 of the maximum, activation 23.2``."""
    said = f"Scene {index}"
    if scene.of_maximum is not None:
        said += f": {scene.of_maximum.mean:.3f} of the maximum"
    if scene.activation is not None:
        said += f", activation {with_error(scene.activation)}"
    return said + (", below the level" if scene.reached is False else "")


def level_figure(aim: DiverseSet) -> dict[str, Any]:
    """Every scene's activation over the maximum, with the level asked for."""
    known = [(index, each) for index, each in enumerate(aim.scenes, 1) if each.of_maximum is not None]
    data = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": rounded([each.of_maximum.mean]),
            "y": [f"scene {index}"],
            "text": [f"  {each.of_maximum.mean:.3f}"],
            "textposition": "middle right",
            "cliponaxis": False,
            "error_x": {"type": "data", "array": rounded([each.of_maximum.sem or 0.0]), "thickness": 2, "width": 6},
            "marker": {
                "color": ORANGE if each.reached is False else BLUE,
                "symbol": "x" if each.reached is False else "circle",
                "size": 13,
            },
            "hoverinfo": "skip",
        }
        for index, each in reversed(known)
    ]
    parts = [each.of_maximum.mean for _, each in known]
    ends = [min([0.0, *parts]), 1.35 * max([0.1, *parts])]  # with room for the last figure's text
    layout: dict[str, Any] = {
        "xaxis": axis("activation over the maximum", range=rounded(ends)),
        "yaxis": {"automargin": True, "type": "category", "range": [-0.5, len(known) - 0.3]},
        "showlegend": False,
        "height": 110 + 50 * len(known),
    }
    if aim.level is not None:
        line = {"color": GREY, "dash": "dash", "width": 1.5}
        span = {"yref": "paper", "y0": 0, "y1": 1}
        layout["shapes"] = [{"type": "line", "x0": aim.level, "x1": aim.level, **span, "line": line}]
    said = "; ".join(f"scene {index} {each.of_maximum.mean:.3f}" for index, each in known)
    return {"data": data, "layout": layout, "alt": f"Activation over the maximum: {said or 'unknown'}."}


def heat(aim: DiverseSet) -> list[list[Cell | None]]:
    """How far every two scenes lie apart, as cells from dark, 0, to bright, the most; None of one with itself."""
    most = max((abs(value) for row in aim.pairs for value in row if value is not None), default=0.0) or 1.0
    return [
        [None if i == j else _cell(value, most, aim.differ) for j, value in enumerate(row)]
        for i, row in enumerate(aim.pairs)
    ]


def _cell(value: float | None, most: float, kind: str | None) -> Cell:
    if value is None:
        return Cell("–", "#ffffff", "#1a1a1a")
    place = min(1.0, max(0.0, value / most)) * (len(CIVIDIS) - 1)
    below = min(int(place), len(CIVIDIS) - 2)
    colour = [round(a + (place - below) * (b - a)) for a, b in zip(CIVIDIS[below], CIVIDIS[below + 1])]
    text = amount(kind, value, short=True).removesuffix(" of the radius")
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 115
    return Cell(text, f"rgb({', '.join(map(str, colour))})", "#000000" if bright else "#ffffff")
