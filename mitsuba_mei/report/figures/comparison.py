"""The pictures of a comparison between renderers: one neuron's two objects, and all neurons together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...config.sections import RENDERERS
from ...io.images import common_exposure, to_srgb
from ...runs.results import ComparedNeuron, ComparisonResult, EvaluationResult
from ...runs.results.comparison import ComparisonStatistics
from ..grey_scale import GreyScale
from ..sentences import SHOWN, signed_percent
from .style import BLUE, GREY, ORANGE, Rectangle, caption, draw_difference, drawn, show

__all__ = ["MEI", "ComparedMEIs", "EvaluatedView", "write_comparison", "write_evaluation", "write_overview"]

PATH, RASTER = RENDERERS
COLOURS = {PATH: BLUE, RASTER: ORANGE}
MADE = {PATH: "optimized path traced", RASTER: "optimized rasterized"}


@dataclass(frozen=True)
class MEI:
    """What one object looks like.

    Attributes
    ----------
    renders : dict of str to ndarray
        (H, W, C) linear radiance, by renderer.
    stimulus : ndarray
        (h, w) or (h, w, 3), grey levels as the neuron saw the path-traced render.
    portrait : ndarray
        (H, W, C) linear radiance: the object in a neutral light.
    """

    renders: dict[str, np.ndarray]
    stimulus: np.ndarray
    preview: np.ndarray


@dataclass(frozen=True)
class ComparedMEIs:
    """What the figure of one neuron shows.

    Attributes
    ----------
    title : str
    meis : dict of str to MEI
        By the renderer that each was optimized under.
    pixel : ndarray or None
        The pixel MEI, grey levels as ``MEI.stimulus``.
    result : ComparedNeuron
    """

    title: str
    meis: dict[str, MEI]
    pixel: np.ndarray | None
    result: ComparedNeuron


# ---------------------------------------------------------------------------------------------------- one neuron


def write_comparison(path: Path, figure_data: ComparedMEIs) -> None:
    """Draw the figure of one neuron as a PNG."""
    renders = [mei.renders for mei in figure_data.meis.values()]
    exposure = common_exposure(image for both in renders for image in both.values())
    limit = max(_reach(both) for both in renders)
    pixel = [] if figure_data.pixel is None else [figure_data.pixel]
    scale = GreyScale.of([*(mei.stimulus for mei in figure_data.meis.values()), *pixel])
    with drawn(path, 16, 6.9) as figure:
        figure.suptitle(figure_data.title, fontsize=13, wrap=True)
        figure.supxlabel(caption(exposure, scale), fontsize=9, color=GREY)
        left, right = figure.subfigures(1, 2, width_ratios=(5, 1.5))
        for row, (optimized_under, mei) in zip(left.subfigures(2, 1), figure_data.meis.items()):
            row.supylabel(MADE[optimized_under], fontsize=11, color=COLOURS[optimized_under], weight="bold")
            axes = row.subplots(1, 5)
            for panel, (shown, image) in zip(axes, mei.renders.items()):
                show(panel, to_srgb(image * exposure), SHOWN[shown])
            _draw_less(axes[2], mei.renders, limit)
            show(axes[3], scale(mei.stimulus), f"stimulus, {SHOWN[PATH]}")
            show(axes[4], to_srgb(mei.preview), "object")
        above, below = right.subplots(2, 1, height_ratios=(1.25, 1))
        if figure_data.pixel is None:
            above.set_axis_off()
        else:
            show(above, scale(figure_data.pixel), f"pixel MEI: {figure_data.result.pixel:.4g}")
        _draw_table(below, figure_data.result)


def _reach(renders: Mapping[str, np.ndarray]) -> float:
    """The radiance by which two renders differ at most, but for one per cent of where they differ at all."""
    differences = np.abs(_less(renders))
    differences = differences[differences > 1e-6]
    return float(np.percentile(differences, 99)) if differences.size else 1e-6


def _less(renders: Mapping[str, np.ndarray]) -> np.ndarray:
    """The path-traced render less the rasterized one, the mean over channels (H, W)."""
    return (renders[PATH] - renders[RASTER]).mean(axis=2)


def _draw_less(axes, renders: Mapping[str, np.ndarray], limit: float) -> None:
    draw_difference(axes, _less(renders), limit, "path traced − rasterized")


def _draw_table(axes, result: ComparedNeuron) -> None:
    """Who was optimized under which renderer, down; who shows it, across."""
    axes.set(xlim=(-0.75, 2), ylim=(2.9, -0.6))
    axes.set_axis_off()
    noisy = any(cell.sem for row in result.activation.values() for cell in row.values())
    error = " ± render s.e." if noisy else ""
    axes.set_title(f"{_what([result])}{error}, by who shows the object", fontsize=10)
    for column, shown in enumerate(RENDERERS):
        axes.text(column + 0.5, -0.25, SHOWN[shown], ha="center", va="center", fontsize=9)
        for row, optimized_under in enumerate(RENDERERS):
            cell = (column + 0.03, row + 0.03)
            alpha = 0.25 if optimized_under == shown else 0.06
            axes.add_patch(Rectangle(cell, 0.94, 0.94, color=COLOURS[optimized_under], alpha=alpha, linewidth=0))
            text = _cell(result, optimized_under, shown)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, linespacing=1.6)
    for row, optimized_under in enumerate(RENDERERS):
        row_label = MADE[optimized_under].replace(" ", "\n", 1)
        axes.text(-0.04, row + 0.5, row_label, ha="right", va="center", fontsize=8, color=COLOURS[optimized_under])
    start = ", ".join(f"{SHOWN[optimized_under]} {start.mean:.3g}" for optimized_under, start in result.initial.items())
    gains = ", ".join(f"{SHOWN[by]} {signed_percent(gain.mean)} %" for by, gain in result.gain.items() if gain)
    below = f"at the start: {start}" + (f"\nown over other: {gains}" if gains else "")
    axes.text(0.625, 2.15, below, ha="center", va="top", fontsize=8, color=GREY, linespacing=1.6)


def _what(neurons: Sequence[ComparedNeuron]) -> str:
    """What was maximised."""
    return "activation" if all(each.objective == "activation" for each in neurons) else "objective"


def _cell(result: ComparedNeuron, optimized_under: str, shown: str) -> str:
    value, ratio = result.activation[optimized_under][shown], result.ratio_to_pixel[optimized_under][shown]
    text = f"{value.mean:.4g}" + (f" ± {value.sem:.1g}" if value.sem else "")
    return text + (f"\n{ratio.mean:.3f} of pixel" if ratio is not None else "")


# ------------------------------------------------------------------------------------------------ one finished run


@dataclass(frozen=True)
class EvaluatedView:
    """A render (H, W, C), linear radiance, and the grey levels (h, w) or (h, w, 3) that the neuron saw of it."""

    render: np.ndarray
    stimulus: np.ndarray


def write_evaluation(
    path: Path, title: str, views: Mapping[str, Mapping[str, EvaluatedView]], result: EvaluationResult
) -> None:
    """Draw a run's initial and final scene, by its own renderer and by the one that it is evaluated under, as a PNG.

    Parameters
    ----------
    views : dict of str to dict of str to EvaluatedView
        ``initial`` and ``final``, each by renderer; one where both are the same.
    result : EvaluationResult
    """
    shown = [name for name in RENDERERS if name in views["final"]]
    both = len(shown) > 1
    renders = {when: {name: seen.render for name, seen in view.items()} for when, view in views.items()}
    exposure = common_exposure(image for each in renders.values() for image in each.values())
    scale = GreyScale.of(seen.stimulus for view in views.values() for seen in view.values())
    limit = max(_reach(each) for each in renders.values()) if both else 0.0
    with drawn(path, (5 if both else 2) * 2.7 + 0.3, 6.9) as figure:
        figure.suptitle(title, fontsize=13, wrap=True)
        figure.supxlabel(caption(exposure, scale), fontsize=9, color=GREY, wrap=True)
        for row, (when, view) in zip(figure.subfigures(2, 1), views.items()):
            value = getattr(result.activation, when)
            error = f" (render s.e. {value.sem:.1g})" if value.sem else ""
            row.suptitle(f"{when}: {value.mean:.4g}{error}", fontsize=11, x=0.01, ha="left", weight="bold")
            axes = list(row.subplots(1, 5 if both else 2))
            for name in shown:
                show(axes.pop(0), to_srgb(renders[when][name] * exposure), SHOWN[name])
            if both:
                _draw_less(axes.pop(0), renders[when], limit)
            for name in shown:
                show(axes.pop(0), scale(view[name].stimulus), f"stimulus, {SHOWN[name]}")


# --------------------------------------------------------------------------------------------------- all neurons


def write_overview(path: Path, result: ComparisonResult) -> None:
    """Draw all neurons together as a PNG: both objects of each under each renderer, and what is gained."""
    neurons = [neuron for neuron in result.neurons if neuron.ended == "done"]
    labels = [neuron.label.replace("neuron ", "") for neuron in neurons]
    models = ", ".join(dict.fromkeys(neuron.model for neuron in neurons))
    width = min(max(2.0, 0.3 * len(labels)), 8.0)
    what = _what(neurons)
    with drawn(path, 3 * width + 6, 5.4) as figure:
        figure.suptitle(f"{models}: MEIs path traced and rasterized", fontsize=13, wrap=True)
        *under, gain = figure.subplots(1, 3)
        over_pixel = all(each.ratio_to_pixel[PATH][PATH] is not None for each in neurons)
        for axes, shown in zip(under, RENDERERS):
            _draw_pairs(axes, neurons, shown, over_pixel)
            axes.set_title(f"shown {SHOWN[shown]}", fontsize=10)
            axes.set_ylabel(f"{what} / " + ("pixel MEI's" if over_pixel else "own renderer's MEI"))
        low, high = zip(*(axes.get_ylim() for axes in under))
        for axes in under:
            axes.set_ylim(min(low), max(high))
        _draw_gains(gain, neurons, result.statistics)
        turned = max(map(len, labels)) > 4 or len(labels) > 12
        for axes in (*under, gain):
            axes.set_xlim(-0.6, len(labels) - 0.4)
            axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=90 if turned else 0)
            axes.set_xlabel("neuron", fontsize=9)
            axes.yaxis.label.set_fontsize(9)
            axes.tick_params(axis="y", labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.06))


def _draw_pairs(axes, neurons: Sequence[ComparedNeuron], shown: str, over_pixel: bool) -> None:
    """Both objects of each neuron under one renderer."""
    values = {
        optimized_under: [_scaled(each, optimized_under, shown, over_pixel) for each in neurons]
        for optimized_under in RENDERERS
    }
    for x, ends in enumerate(zip(*values.values())):
        axes.plot([x, x], [mean for mean, _ in ends], color=GREY, linewidth=0.8, zorder=1)
    for optimized_under, marker in zip(RENDERERS, "os"):
        means, errors = zip(*values[optimized_under])
        bars = " (bars: render s.e.)" if any(errors) else ""
        style = {"fmt": marker, "markersize": 5, "capsize": 3, "elinewidth": 1}
        axes.errorbar(
            range(len(means)),
            means,
            errors,
            color=COLOURS[optimized_under],
            label=f"{MADE[optimized_under]}{bars}",
            **style,
        )
        if len(means) > 1:
            axes.axhline(float(np.median(means)), color=COLOURS[optimized_under], linestyle=":", linewidth=1.2)
    if len(neurons) > 1:
        axes.plot([], [], ":", color=GREY, linewidth=1.2, label="medians")


def _scaled(neuron: ComparedNeuron, optimized_under: str, shown: str, over_pixel: bool) -> tuple[float, float]:
    """A cell's activation over the pixel MEI's, or over that of the renderer's own; not a number where that is no
    scale.
    """
    if over_pixel:
        ratio = neuron.ratio_to_pixel[optimized_under][shown]
        return ratio.mean, ratio.sem
    cell, own = neuron.activation[optimized_under][shown], neuron.activation[shown][shown].mean
    return (cell.mean / own, cell.sem / own) if own > 0 else (np.nan, np.nan)


def _draw_gains(axes, neurons: Sequence[ComparedNeuron], statistics: ComparisonStatistics) -> None:
    """What is gained by optimizing under the renderer that shows the object; medians with their intervals."""
    axes.axhline(0, color=GREY, linewidth=0.8)
    for shown, marker, aside in zip(RENDERERS, "os", (-0.12, 0.12)):
        gains = [(x, each.gain[shown]) for x, each in enumerate(neurons) if each.gain[shown] is not None]
        if gains:
            style = {"fmt": marker, "markersize": 5, "capsize": 3, "elinewidth": 1, "color": COLOURS[shown]}
            means, errors = ([100 * getattr(gain, part) for _, gain in gains] for part in ("mean", "sem"))
            bars = " (bars: render s.e.)" if any(errors) else ""
            axes.errorbar([x + aside for x, _ in gains], means, errors, label=f"shown {SHOWN[shown]}{bars}", **style)
        median = statistics.gain[shown]
        if median is not None and median.n > 1:
            axes.axhline(100 * median.median, color=COLOURS[shown], linestyle=":", linewidth=1.2)
        if median is not None and median.low is not None:
            axes.axhspan(100 * median.low, 100 * median.high, color=COLOURS[shown], alpha=0.1, linewidth=0)
    if len(neurons) > 1:
        bands = any(median is not None and median.low is not None for median in statistics.gain.values())
        label = "medians, 95 % intervals" if bands else "medians"
        axes.plot([], [], ":", color=GREY, linewidth=1.2, label=label)
    axes.set_title("own MEI over the other's", fontsize=10)
    axes.set_ylabel("gain, %", fontsize=9)
