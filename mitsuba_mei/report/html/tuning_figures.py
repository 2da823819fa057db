"""Tuning curves and maps as data for Plotly, and what they come to in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...runs.results import Axis, Estimate, TunedNeuron, TuningResult, TuningSummary
from ...runs.results.responses import OLD_BANDWIDTH, Preferred
from ..colors import COLOUR_MAP, colour_range
from .axes import BLACK, GREY, STYLES, rounded
from .axes import axis as titled
from .words import measured, number

__all__ = ["summary_rows", "tuning_figures"]

SHOWN = len(STYLES)
"""Neurons of one measurement that are drawn, at most."""


def tuning_figures(tuning: TuningResult, whose: str = "this MEI") -> list[dict[str, Any]]:
    """A figure of curves, or a map for each neuron; ``whose`` values the varied ones are where nothing is varied."""
    if len(tuning.over) == 1:
        return [_curves(tuning, tuning.over[0], whose)]
    return [_map(tuning, neuron, whose) for neuron in tuning.neurons[:SHOWN]]


def _curves(tuning: TuningResult, over: Axis, whose: str) -> dict[str, Any]:
    order = np.argsort(over.values)
    data = []
    for neuron, (colour, dash, symbol) in zip(tuning.neurons, STYLES):
        errors = [0.0 if error is None else error for error in rounded(neuron.sem[order])]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": rounded(over.values[order], 7),
                "y": rounded(neuron.mean[order]),
                "error_y": {"type": "data", "array": errors, "thickness": 1.5, "width": 3},
                "name": f"neuron {neuron.neuron}",
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": symbol, "size": 7},
            }
        )
    layout: dict[str, Any] = {
        "xaxis": titled(over.label),
        "yaxis": titled("response", rangemode="tozero"),
        "showlegend": len(data) > 1,
        "height": 320,
    }
    if over.at is not None:
        line = {"color": GREY, "dash": "dash", "width": 1.5}
        layout["shapes"] = [
            {"type": "line", "x0": over.at, "x1": over.at, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        ]
        layout["annotations"] = [
            {
                "x": over.at,
                "yref": "paper",
                "y": 0,
                "yanchor": "bottom",
                "xanchor": "left",
                "text": whose,
                "showarrow": False,
                "bgcolor": "rgba(255, 255, 255, 0.8)",
            }
        ]
    peaks = "; ".join(_peak(neuron, [over]) for neuron in tuning.neurons[:SHOWN])
    return {"data": data, "layout": layout, "alt": f"Response over {over.label}, with standard errors. {peaks}."}


def _map(tuning: TuningResult, neuron: TunedNeuron, whose: str) -> dict[str, Any]:
    first, second = tuning.over
    rows, columns = np.argsort(first.values), np.argsort(second.values)
    low, high = colour_range(neuron.mean)
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": rounded(second.values[columns], 7),
            "y": rounded(first.values[rows], 7),
            "z": [rounded(row) for row in neuron.mean[np.ix_(rows, columns)]],
            "colorscale": COLOUR_MAP.capitalize(),
            "zmin": low,
            "zmax": high,
            "colorbar": {"title": {"text": "response", "side": "right"}, "thickness": 14},
        }
    ]
    if first.at is not None and second.at is not None:
        marker = {"symbol": "x", "size": 12, "color": "white", "line": {"color": BLACK, "width": 1.5}}
        where = {"x": [second.at], "y": [first.at], "name": whose, "marker": marker}
        data.append({"type": "scatter", "mode": "markers", "hoverinfo": "name", **where})
    layout = {
        "title": {"text": f"neuron {neuron.neuron} (× {whose})", "font": {"size": 14}},
        "xaxis": titled(second.label),
        "yaxis": titled(first.label),
        "showlegend": False,
        "height": 360,
    }
    alt = f"Response map over {first.label} and {second.label}. {_peak(neuron, [first, second])}."
    return {"data": data, "layout": layout, "alt": alt}


def _peak(neuron: TunedNeuron, axes: list[Axis]) -> str:
    if np.isnan(neuron.mean).all():
        return f"neuron {neuron.neuron} gave no finite response"
    index = np.unravel_index(int(np.nanargmax(neuron.mean)), neuron.mean.shape)
    where = ", ".join(
        f"{axis.path} {number(float(axis.values[i]))} {axis.unit}".strip() for axis, i in zip(axes, index)
    )
    return f"neuron {neuron.neuron} answers most, {number(float(neuron.mean[index]))}, at {where}"


def summary_rows(tuning: TuningResult, whose: str = "this MEI") -> list[dict[str, str]]:
    """What each neuron's curve or map comes to; the keys are the columns' titles."""
    rows = []
    for neuron in tuning.neurons:
        summary = neuron.summary or TuningSummary()
        row = {"neuron": str(neuron.neuron), f"at {whose}": measured(neuron.at_scene)}
        for i, axis in enumerate(tuning.over):
            preferred = summary.preferred[i] if i < len(summary.preferred) else None
            width = summary.bandwidth[i] if i < len(summary.bandwidth) else None
            row[f"preferred {axis.label}"] = measured(_estimate(preferred))
            row[f"{_bandwidth(summary)} of {axis.label}"] = number(width)
        row["modulation depth"] = number(summary.modulation_depth)
        chosen = summary.selectivity
        row["selectivity"] = number(chosen.value) + (f" ({chosen.index})" if chosen.index else "")
        rows.append(row)
    return rows


def _bandwidth(summary: TuningSummary) -> str:
    """The column's title: what the bandwidth is where that is another thing than today."""
    return OLD_BANDWIDTH if summary.bandwidth_is == OLD_BANDWIDTH else "bandwidth"


def _estimate(preferred: Preferred | None) -> Estimate | None:
    if preferred is None or preferred.value is None:
        return None
    return Estimate(mean=preferred.value, sem=0.0 if preferred.sem is None else preferred.sem)
