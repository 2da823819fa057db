"""Figure of a tuning: curves or maps, and a sheet of the stimuli along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runs.results import Axis, TunedNeuron
from ...runs.results.responses import Preferred
from ..colors import COLOUR_MAP, colour_range
from ..grey_scale import GreyScale
from ..tables import preferred_text
from .style import BLUE, GREY, ORANGE, MaxNLocator, drawn

__all__ = ["ALONG", "TuningFigure", "chosen", "draw_sheet", "write_tuning"]

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


MAX_SHOWN = 8
"""Neurons whose curves or maps are drawn."""

COLUMNS = 4
MARGIN = 0.06
HEADROOM = 0.05
"""Beyond the values and the responses, fractions of their range."""

ANGLE_STEPS = (1, 1.5, 3, 4.5, 6, 9, 10)
"""Round distances between ticks in degrees."""


@dataclass(frozen=True)
class TuningFigure:
    """What is drawn.

    Attributes
    ----------
    title : str
    axes : sequence of Axis
        One or two.
    neurons : sequence of TunedNeuron
        Numbers may be NaN where a tuning was interrupted.
    stimuli : ndarray
        (grid..., h, w) or (grid..., h, w, 3), grey levels; NaN where not rendered.
    """

    title: str
    axes: Sequence[Axis]
    neurons: Sequence[TunedNeuron]
    stimuli: np.ndarray


def write_tuning(path: Path, shown: TuningFigure) -> None:
    """Draw the figure as a PNG."""
    neurons = _strongest(shown.neurons)
    several = len(shown.neurons) > 1
    rows, columns = -(-len(neurons) // COLUMNS), min(COLUMNS, len(neurons))
    maps = len(shown.axes) == 2
    wide = max(8.0 - 2 * maps, 3.4 * columns) + (4.2 if several or maps else 0)
    pictures = 4.4 if several else 0.0
    if not maps:
        h, w = shown.stimuli.shape[1:3]
        pictures = 0.7 + 0.95 * wide / len(chosen(shown.axes[0], ALONG)) * h / w
    high = 4.2 if rows == 1 else 2.9 * rows
    more = f"; the {len(neurons)} of {len(shown.neurons)} neurons with the widest range of responses"
    with drawn(path, wide, 0.5 + high + pictures, dpi=120) as figure:
        figure.suptitle(shown.title + (more if len(shown.neurons) > len(neurons) else ""), fontsize=12, wrap=True)
        if maps and not several:
            left, right = figure.subfigures(1, 2, width_ratios=(6, 4.6))
            _draw_maps(left, shown, neurons, rows, columns)
            draw_sheet(right.subplots(), shown.axes, shown.stimuli)
        elif maps:
            above, below = figure.subfigures(2, 1, height_ratios=(max(4.2, 2.9 * rows), pictures))
            left, right = below.subfigures(1, 2)
            _draw_maps(above, shown, neurons, rows, columns)
            draw_sheet(left.subplots(), shown.axes, shown.stimuli)
            _draw_all(right.subplots(), shown)
        else:
            above, below = figure.subfigures(2, 1, height_ratios=(high, pictures))
            left, right = above.subfigures(1, 2, width_ratios=(3.4 * columns, 4.2)) if several else (above, None)
            _draw_curves(left, shown, neurons, rows, columns)
            if right is not None:
                _draw_all(right.subplots(), shown)
            draw_sheet(below.subplots(), shown.axes, shown.stimuli)


def _strongest(neurons: Sequence[TunedNeuron]) -> list[TunedNeuron]:
    """Those with the widest range of responses, in their order."""
    order = sorted(range(len(neurons)), key=lambda i: -np.nan_to_num(_range(neurons[i])))
    return [neurons[i] for i in sorted(order[:MAX_SHOWN])]


def _range(neuron: TunedNeuron) -> float:
    known = neuron.mean[np.isfinite(neuron.mean)]
    return float(np.ptp(known)) if known.size else 0.0


def _heading(axes: Sequence[Axis], neuron: TunedNeuron) -> str:
    """A neuron's number, and what its curve says."""
    preferred = _preferred(neuron)
    if not preferred:
        return f"neuron {neuron.neuron}"
    values = [preferred_text(axis.step, axis.unit, each.value, each.sem) for axis, each in zip(axes, preferred)]
    return f"neuron {neuron.neuron}: prefers {', '.join(values)}"


def _preferred(neuron: TunedNeuron) -> tuple[Preferred, ...]:
    """A neuron's preferred values; none where they are unknown."""
    summary = neuron.summary
    return () if summary is None or summary.preferred[0].value is None else summary.preferred


def _ticks(ruler, axis: Axis) -> None:
    if axis.unit == "deg":
        ruler.set_major_locator(MaxNLocator(7, steps=ANGLE_STEPS))


# ---------------------------------------------------------------------------------------------------------- curves


def _draw_curves(figure, shown: TuningFigure, neurons, rows: int, columns: int) -> None:
    axis = shown.axes[0]
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for panel in panels[len(neurons) :]:
        panel.set_axis_off()
    for number, (panel, neuron) in enumerate(zip(panels, neurons)):
        mean, low, high = neuron.mean, neuron.low, neuron.high
        interval = [mean - low, high - mean]
        panel.axvline(axis.at, color=GREY, linestyle="--", linewidth=1, label="the scene's own value")
        label = "response, 95 % interval" if np.nanmax(high - low) > 0 else "response"
        panel.errorbar(
            axis.values,
            mean,
            interval,
            color=BLUE,
            fmt="o-",
            markersize=3.5,
            linewidth=1.2,
            elinewidth=1,
            capsize=2,
            label=label,
        )
        for preferred in _preferred(neuron):
            panel.axvline(preferred.value, color=ORANGE, linewidth=1.6, label="preferred", zorder=0)
        panel.set_title(_heading(shown.axes, neuron), fontsize=9.5)
        panel.spines[["top", "right"]].set_visible(False)
        bottom, top = min(0.0, float(np.nanmin(low))), max(0.0, float(np.nanmax(high)))
        panel.set_ylim(bottom - (HEADROOM * (top - bottom) if bottom < 0 else 0), top + HEADROOM * (top - bottom or 1))
        if number % columns == 0:
            panel.set_ylabel("response")
        if number >= len(neurons) - columns:
            panel.set_xlabel(axis.label)
            panel.tick_params(labelbottom=True)
    _ticks(panels[0].xaxis, axis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)


# ------------------------------------------------------------------------------------------------------------ maps


def _draw_maps(figure, shown: TuningFigure, neurons, rows: int, columns: int) -> None:
    first, second = shown.axes
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel in panels[len(neurons) :]:
        panel.set_axis_off()
    extent = [*_edges(second), *_edges(first)]
    for number, (panel, neuron) in enumerate(zip(panels, neurons)):
        mean = neuron.mean
        bottom, top = colour_range(mean)
        image = panel.imshow(mean, origin="lower", extent=extent, aspect="auto", cmap=COLOUR_MAP, vmin=bottom, vmax=top)
        if extent[0] <= second.at <= extent[1] and extent[2] <= first.at <= extent[3]:
            panel.plot(second.at, first.at, "x", color="white", markersize=8, markeredgewidth=2.2)
            panel.plot(
                second.at,
                first.at,
                "x",
                color="black",
                markersize=7,
                markeredgewidth=1.1,
                label="the scene's own values",
            )
        if preferred := _preferred(neuron):
            y, x = (each.value for each in preferred)
            ring = {"markerfacecolor": "none", "markersize": 13}
            panel.plot(x, y, "o", markeredgecolor="white", markeredgewidth=4, **ring)
            panel.plot(x, y, "o", markeredgecolor=ORANGE, markeredgewidth=2.2, label="preferred", **ring)
        panel.set(xlim=extent[:2], ylim=extent[2:])
        panel.set_title(_heading(shown.axes, neuron), fontsize=8.5)
        bar = figure.colorbar(image, ax=panel)
        bar.set_label("response", fontsize=8)
        bar.ax.tick_params(labelsize=7.5)
        bar.outline.set_visible(False)
        if number % columns == 0:
            panel.set_ylabel(first.label)
        if number >= len(neurons) - columns:
            panel.set_xlabel(second.label)
            panel.tick_params(labelbottom=True)
    _ticks(panels[0].xaxis, second)
    _ticks(panels[0].yaxis, first)
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=2,
            fontsize=8.5,
            frameon=True,
            facecolor="0.8",
            edgecolor="none",
        )


def _edges(axis: Axis) -> tuple[float, float]:
    """Of a map's cells, half a step beyond the values."""
    return float(axis.values[0] - axis.step / 2), float(axis.values[-1] + axis.step / 2)


# ------------------------------------------------------------------------------------------------------ all neurons


def _draw_all(panel, shown: TuningFigure) -> None:
    """What all neurons prefer: beside their selectivity, or of a map on both axes."""
    known = [neuron for neuron in shown.neurons if _preferred(neuron)]
    count = len(shown.neurons)
    panel.set_title(f"all {count} neurons" if count > MAX_SHOWN else f"{count} neurons", fontsize=9.5)
    panel.spines[["top", "right"]].set_visible(False)
    maps = len(shown.axes) == 2
    x_axis = shown.axes[-1]
    x = [n.summary.preferred[-1] for n in known]
    values = [n.summary.selectivity.value for n in known]
    style = {"fmt": "o", "markersize": 4, "elinewidth": 1, "alpha": 0.8}
    if maps:
        y = [n.summary.preferred[0] for n in known]
        panel.errorbar(
            [p.value for p in x],
            [p.value for p in y],
            [p.sem for p in y],
            [p.sem for p in x],
            color=BLUE,
            **style,
        )
        panel.set_ylabel(f"preferred {shown.axes[0].label}")
        _limits(panel.set_ylim, shown.axes[0])
        _ticks(panel.yaxis, shown.axes[0])
    else:
        panel.errorbar(
            [p.value for p in x],
            [np.nan if v is None else v for v in values],
            None,
            [p.sem for p in x],
            color=BLUE,
            **style,
        )
        index = known[0].summary.selectivity.index if known else "selectivity"
        panel.set(ylabel=index.replace("-", "−"), ylim=(-0.03, 1.03))
    panel.set_xlabel(f"preferred {x_axis.label}")
    _limits(panel.set_xlim, x_axis)
    _ticks(panel.xaxis, x_axis)


def _limits(setter, axis: Axis) -> None:
    margin = MARGIN * (axis.values[-1] - axis.values[0])
    setter(axis.values[0] - margin, axis.values[-1] + margin)
