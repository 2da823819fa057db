"""The plots as data: what Plotly is given, without Plotly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...runs.results import DiverseResult, Estimate, MetamerResult
from ..numbers import known as is_known
from .aim_words import respect
from .axes import BLACK, BLUE, GREEN, GREY, ORANGE, STYLES, axis, beside_marker, ends_of, log_axis, plain, rounded
from .mesh import PackedMesh, Viewpoint
from .record import RunRecord
from .words import found, maximised, number, with_error

__all__ = [
    "activation_figure",
    "curve_figures",
    "mesh_figure",
]

POINTS = 400
"""Of a curve, at most."""

LOG_FLOOR = 1e-9
"""What a logarithmic axis begins with."""

DIFFERENCES = {
    "image": "1 − correlation of the stimuli",
    "shape": "surface distance over the radius (estimate)",
    "pose": "turn between the objects, degrees",
    "light": "angle between the lights, degrees",
}
"""How much scenes differ, on an axis."""

SHADE = "#a9b4bf"


def activation_figure(run: RunRecord) -> dict[str, Any]:
    """Start, result, pixel MEI, optimum and tolerance on one axis, with error bars."""
    rows = [
        (found(run), run.final.mean, run.final.sem, BLUE, "circle"),
        (
            "start",
            None if run.initial is None else run.initial.mean,
            None if run.initial is None else run.initial.sem,
            GREY,
            "square",
        ),
        ("pixel MEI", run.pixel, None, ORANGE, "diamond"),
        ("optimum", run.optimum, None, GREEN, "triangle-up"),
        (
            "asked for, at most",
            run.other.metamer.responses.tolerance if isinstance(run.other, MetamerResult) else None,
            None,
            GREEN,
            "triangle-up",
        ),
    ]
    rows = [(*row[:2], _finite(row[2]), *row[3:]) for row in rows if _finite(row[1]) is not None]
    known = rows
    ends = ends_of([mean + sign * (sem or 0.0) for _, mean, sem, *_ in known for sign in (-1, 1)])
    data = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": rounded([mean]),
            "y": [name],
            "text": [with_error(Estimate(mean=mean, sem=sem)).replace(" (render", "<br>(render")],
            "textposition": beside_marker(mean, ends),
            "cliponaxis": False,
            "error_x": {"type": "data", "array": rounded([sem or 0.0]), "thickness": 2, "width": 6},
            "marker": {"color": colour, "symbol": symbol, "size": 13},
            "hoverinfo": "skip",
        }
        for name, mean, sem, colour, symbol in reversed(known)
    ]
    layout = {
        "xaxis": axis(maximised(run), range=rounded(ends)),
        "yaxis": {"automargin": True, "type": "category", "range": [-0.5, len(known) - 0.3]},
        "showlegend": False,
        "height": 110 + 50 * len(known),
    }
    summary = "; ".join(f"{name} {number(mean)}" for name, mean, *_ in known)
    return {"data": data, "layout": layout, "alt": f"{maximised(run)} with error bars: {summary}."}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def curve_figures(run: RunRecord) -> list[dict[str, Any]]:
    """The activation of every start, and the regularizers of the one that was kept, over the steps."""
    metrics = run.metrics
    if "step" not in metrics or "activation" not in metrics or not len(metrics["step"]):
        return []
    starts = metrics.get("restart", np.zeros(len(metrics["step"])))
    figures = [_missed_curve(run) if isinstance(run.other, DiverseResult) else _activation_curves(run, starts)]
    known = ("restart", "step", "activation", "mean_activation", "loss", "skipped", "seconds")
    kept = getattr(run.result, "restart", 0)
    if isinstance(run.other, (MetamerResult, DiverseResult)) and "difference" in metrics:
        asked = run.other.metamer.scene if isinstance(run.other, MetamerResult) else run.other.diverse
        figures.append(_difference_curve(run, starts == kept, asked.differ, asked.apart))
        known += ("difference",)
    terms = [name for name in metrics if name not in known and not name.startswith("gradient_")]
    if terms:
        figures.append(_term_curves(run, starts == kept, terms))
    return figures


def _missed_curve(run: RunRecord) -> dict[str, Any]:
    """What diverse scenes lose by missing their level: their metrics hold no activation, but minus that."""
    title = "loss by missing the level"
    lost = 0.0 - run.metrics["activation"]
    alt = f"What the scenes lose, in the mean, by missing the level asked for; at last {number(_last(lost))}."
    return _line(run, np.arange(len(lost)), lost, title, alt, title)


def _difference_curve(run: RunRecord, mine: np.ndarray, differ: str, apart: float) -> dict[str, Any]:
    """How far the scenes lie apart, and how far they were to."""
    rows = np.flatnonzero(mine)
    far = run.metrics["difference"][rows]
    what = respect(differ)
    alt = f"How far the scenes lie apart in {what} over the steps; at last {number(_last(far))}."
    title = DIFFERENCES.get(differ, "difference")
    figure = _line(run, rows, far, title, alt, "each step")
    if len(rows):
        xs = rounded(run.metrics["step"][rows[[0, -1]]], 9)
        ys, line = rounded([apart] * 2), {"color": GREEN, "dash": "dash", "width": 1.5}
        asked = {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "name": "asked for", "line": line}
        figure["data"].append(asked)
    return figure


def _line(run: RunRecord, rows: np.ndarray, values: np.ndarray, title: str, alt: str, name: str) -> dict[str, Any]:
    shown = _thinned(np.arange(len(rows)))
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": rounded(run.metrics["step"][rows[shown]], 9),
        "y": rounded(values[shown]),
        "name": name,
        "line": {"color": BLUE, "width": 2},
    }
    layout = {"xaxis": axis("step"), "yaxis": axis(title, rangemode="tozero"), "height": 320, "showlegend": True}
    return {"data": [trace], "layout": layout, "alt": alt}


def _last(values: np.ndarray) -> float | None:
    return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None


def _activation_curves(run: RunRecord, starts: np.ndarray) -> dict[str, Any]:
    several = sorted(set(starts.tolist()))
    best = getattr(run.result, "restart", 0)
    data = []
    for start in sorted(several, key=lambda s: s == best):
        kept = start == best or len(several) == 1
        rows = _thinned(np.flatnonzero(starts == start))
        noise = "each step, noisy" if run.final.sem > 0 else "each step"
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": rounded(run.metrics["step"][rows], 9),
                "y": rounded(run.metrics["activation"][rows]),
                "name": noise if len(several) == 1 else f"start {int(start) + 1}{', kept' if kept else ''}",
                "line": {
                    "color": BLUE if kept else GREY,
                    "width": 2 if kept else 1,
                    "dash": "solid" if kept else "dot",
                },
            }
        )
    last = float(np.nanmax(run.metrics["step"]))
    ends = [(0.0, run.initial), (last, run.final)]
    ends = [(step, figure) for step, figure in ends if is_known(figure)]
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [step for step, _ in ends],
            "y": rounded([figure.mean for _, figure in ends]),
            "error_y": {"type": "data", "array": rounded([_finite(figure.sem) or 0.0 for _, figure in ends])},
            "name": "converged, bars: render s.e." if run.final.sem > 0 else "converged",
            "marker": {"color": ORANGE, "symbol": "circle", "size": 9},
            "cliponaxis": False,
        }
    )
    for name, level, dash, colour in (("optimum", run.optimum, "dash", GREEN), ("pixel MEI", run.pixel, "dot", BLACK)):
        if level is not None:
            line = {"color": colour, "dash": dash, "width": 1.5}
            ys = rounded([level, level])
            data.append({"type": "scatter", "mode": "lines", "x": [0, last], "y": ys, "name": name, "line": line})
    what = maximised(run)
    levels = [value for trace in data for value in trace["y"] if value is not None]
    return {
        "data": data,
        "layout": {
            "xaxis": axis("step"),
            "yaxis": log_axis(what, levels) if run.is_error else axis(what),
            "height": 320,
        },
        "alt": f"{what} over {last:.0f} steps, from {with_error(run.initial)} to {with_error(run.final)}, converged.",
    }


def _term_curves(run: RunRecord, mine: np.ndarray, terms: Sequence[str]) -> dict[str, Any]:
    rows = _thinned(np.flatnonzero(mine))
    data = []
    for name, (colour, dash, _) in zip(terms, itertools.cycle(STYLES)):
        values = np.maximum(run.metrics[name][rows], LOG_FLOOR)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": rounded(run.metrics["step"][rows], 9),
                "y": rounded(values),
                "name": plain(name.replace("_", " ")),
                "line": {"color": colour, "dash": dash, "width": 2},
            }
        )
    levels = [value for trace in data for value in trace["y"] if value is not None and value > LOG_FLOOR]
    titles = log_axis("regularizer, unweighted", levels)
    named = ", ".join(name.replace("_", " ") for name in terms)
    return {
        "data": data,
        "layout": {"xaxis": axis("step"), "yaxis": titles, "height": 320},
        "alt": f"The regularizers {named} over the steps, on a logarithmic axis.",
    }


def _thinned(rows: np.ndarray) -> np.ndarray:
    """At most so many of them, the first and the last among them."""
    if len(rows) <= POINTS:
        return rows
    return rows[np.round(np.linspace(0, len(rows) - 1, POINTS)).astype(int)]


def mesh_figure(meshes: Sequence[PackedMesh], view: Viewpoint, name: str) -> dict[str, Any]:
    """The object, or one of several, without its vertices and faces, which a page unpacks."""
    half = 0.5 * view.side
    axes = {
        f"{axis}axis": {"range": rounded([middle - half, middle + half], 7), "visible": False, "showspikes": False}
        for axis, middle in zip("xyz", view.centre)
    }
    x, y, z = view.eye
    right, up = np.cross([0, 1, 0], view.eye), np.array([0.0, 1.0, 0.0])
    lamp = view.centre + view.side * 20 * (view.eye - right + 1.2 * np.linalg.norm(view.eye) * up)
    camera = {"eye": _xyz(view.eye), "center": _xyz((0, 0, 0)), "up": _xyz((0, 1, 0))}
    trace = {
        "type": "mesh3d",
        "color": SHADE,
        "flatshading": False,
        "lighting": {"ambient": 0.35, "diffuse": 0.75, "specular": 0.12, "roughness": 0.7, "fresnel": 0.05},
        "lightposition": _xyz(lamp),
        "hoverinfo": "skip",
    }
    scene = {**axes, "aspectmode": "data", "camera": camera, "dragmode": "orbit"}
    return {
        "data": [trace],
        "layout": {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "height": 420, "uirevision": name},
        "alt": "The object in three dimensions; it can be turned and zoomed.",
        "meshes": [
            {
                "vertices": mesh.vertices,
                "faces": mesh.key,
                "wide": mesh.wide,
                "origin": mesh.origin,
                "step": mesh.step,
            }
            for mesh in meshes
        ],
    }


def _xyz(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    return {axis: float(f"{value:.6g}") for axis, value in zip("xyz", values)}
