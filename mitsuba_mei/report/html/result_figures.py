"""The plots of what several runs come to, as data for Plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from ...config.sections import RENDERERS
from ...runs.factor_coalitions import FACTORS, SUBSETS, named
from ...runs.results import ComparedNeuron, Estimate, EvaluationResult, FactorsNeuron
from ...runs.results.factors import MeanOverStarts, Ratio
from ...runs.results.populations import Neuron
from ..sentences import SHOWN
from .axes import BLUE, GREEN, GREY, ORANGE, axis, plain, rounded
from .spreads import Group, distinguishing_columns, labels_of

__all__ = ["comparison_figures", "evaluation_figure", "factor_figures", "spread_figure"]

AnyMean = Union[Estimate, MeanOverStarts, Ratio]

COLOURS = dict(zip(RENDERERS, (BLUE, ORANGE)))
SYMBOLS = dict(zip(RENDERERS, ("circle", "square")))
FACTOR_COLOURS = dict(zip(FACTORS, (BLUE, ORANGE, GREEN)))

MAX_GAMES = 12
"""Neurons of which every subset of the factors is drawn."""


def comparison_figures(neurons: Sequence[ComparedNeuron]) -> list[dict[str, Any]]:
    """Both objects of every neuron under each renderer, and the gains."""
    labels = _labels(neurons)
    figures = []
    for shown in RENDERERS:
        data = [
            _points(
                f"optimized {SHOWN[optimized_under]}",
                labels,
                [each.activation.get(optimized_under, {}).get(shown) for each in neurons],
                COLOURS[optimized_under],
                SYMBOLS[optimized_under],
            )
            for optimized_under in RENDERERS
        ]
        what = _what(neurons)
        figures.append(
            _figure(data, f"{what}, shown {SHOWN[shown]}", f"{what} of both objects of each neuron, {SHOWN[shown]}")
        )
    data = [
        _points(
            f"shown {SHOWN[shown]}",
            labels,
            [_percent((each.gain or {}).get(shown)) for each in neurons],
            COLOURS[shown],
            SYMBOLS[shown],
        )
        for shown in RENDERERS
    ]
    alt = "By how much the object that was optimized under a renderer exceeds the other one there, in per cent"
    return [*figures, _figure(data, "gain, %", alt)]


def factor_figures(neurons: Sequence[FactorsNeuron]) -> list[dict[str, Any]]:
    """The Shapley values of every neuron, and what the neurons reach with every subset of the factors free."""
    labels, what = _labels(neurons), _what(neurons)
    data = [
        {
            "type": "bar",
            "name": factor,
            "x": labels,
            "y": _means([each.shapley[factor] for each in neurons]),
            "error_y": _errors([each.shapley[factor] for each in neurons]),
            "marker": {"color": FACTOR_COLOURS[factor]},
            "hoverinfo": "skip",
        }
        for factor in FACTORS
    ]
    worth = _figure(data, f"Shapley value ({what} gained)", "Shapley values of shape, pose and light, with errors")
    worth["layout"]["barmode"] = "group"
    return [worth, *(_subsets(each, what) for each in neurons[:MAX_GAMES])]


def _subsets(neuron: FactorsNeuron, what: str) -> dict[str, Any]:
    """Means over starts with their standard errors, and every start."""
    names = [named(subset) for subset in SUBSETS]
    means = [neuron.activation[name] for name in names]
    starts = [(name, trial.activation.mean) for name in names for trial in neuron.trials.get(name, ())]
    data = [
        _dots("each start", starts),
        _points("mean ± standard error over starts", names, means, BLUE, "line-ew-open"),
    ]
    data[1]["marker"] |= {"size": 16, "line": {"width": 3, "color": BLUE}}
    alt = f"{what} of {neuron.label} with every subset of the factors free"
    figure = _figure(data, f"{what}, {neuron.label}", alt, "free")
    figure["layout"]["xaxis"] |= {"categoryorder": "array", "categoryarray": names}
    return figure


def spread_figure(groups: Sequence[Group]) -> dict[str, Any]:
    """What every run ended with, and mean and standard deviation of those that differ in their seeds alone."""
    labels, measure = [plain(label) for label in labels_of(groups)], groups[0].measure
    points = [(label, value) for label, group in zip(labels, groups) for value in group.values]
    data = [
        _dots("each run", points),
        _points(
            "mean ± standard deviation over seeds",
            labels,
            [Ratio(mean=group.mean, sem=group.sd) for group in groups],
            BLUE,
            "line-ew-open",
        ),
    ]
    data[1]["marker"] |= {"size": 14, "line": {"width": 3, "color": BLUE}}
    telling_columns = distinguishing_columns(groups)
    name = groups[0].names[telling_columns[0]] if len(telling_columns) == 1 else ""
    return _figure(data, f"final {measure}", f"Final {measure} of every run, with mean and deviation over seeds", name)


def evaluation_figure(evaluations: Sequence[tuple[str, EvaluationResult]]) -> dict[str, Any]:
    """Start and end of each evaluation, by its name."""
    labels = [plain(name) for name, _ in evaluations]
    starts, ends = ([getattr(each.activation, when) for _, each in evaluations] for when in ("initial", "final"))
    data = [_points("start", labels, starts, GREY, "square"), _points("final", labels, ends, BLUE, "circle")]
    return _figure(data, "what was maximised", "Start and end of each evaluation, with the render s.e.", "")


def _labels(neurons: Sequence[Neuron]) -> list[str]:
    return [plain(each.label.replace("neuron ", "")) for each in neurons]


def _what(neurons: Sequence[Neuron]) -> str:
    return "activation" if all(each.objective == "activation" for each in neurons) else "objective"


def _percent(value: Estimate | None) -> Estimate | None:
    return None if value is None else Estimate(mean=100 * value.mean, sem=100 * value.sem)


def _means(values: Sequence[AnyMean | None]) -> list[float | None]:
    return rounded([float("nan") if value is None else value.mean for value in values])


def _errors(values: Sequence[AnyMean | None]) -> dict[str, Any]:
    known = rounded([0.0 if value is None or value.sem is None else value.sem for value in values])
    return {"type": "data", "array": [each or 0.0 for each in known], "thickness": 1.5, "width": 4}


def _dots(name: str, points: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Small markers without errors, several of the same label."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [label for label, _ in points],
        "y": rounded([value for _, value in points]),
        "marker": {"color": "#999999", "size": 6},
        "hoverinfo": "skip",
    }


def _points(
    name: str, labels: Sequence[str], values: Sequence[AnyMean | None], colour: str, symbol: str
) -> dict[str, Any]:
    """A marker a label, with its error."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(labels),
        "y": _means(values),
        "error_y": _errors(values),
        "marker": {"color": colour, "symbol": symbol, "size": 10},
        "hoverinfo": "skip",
    }


def _figure(data: list[dict[str, Any]], title: str, alt: str, across: str = "neuron") -> dict[str, Any]:
    layout = {
        "xaxis": axis(across, type="category", tickangle="auto"),
        "yaxis": axis(title, zeroline=True, zerolinecolor=GREY),
        "height": 340,
        "showlegend": True,
    }
    return {"data": data, "layout": layout, "alt": f"{alt[0].upper()}{alt[1:]}."}
