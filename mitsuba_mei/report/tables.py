"""Lines of factors, tunings and exports."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..runs.factor_coalitions import FACTORS, SUBSETS, named
from ..runs.results import Axis, FactorsNeuron, FactorsResult, TunedNeuron, TuningResult
from ..runs.results.factors import MeanOverStarts, Ratio
from ..runs.tuning_summary import BANDWIDTH
from .export.stimuli import ExportedStimuli
from .sentences import describe_failures

__all__ = [
    "describe_factors",
    "describe_scene",
    "describe_stimuli",
    "describe_tuning",
    "percent",
    "preferred_text",
    "signed",
    "subset_rows",
    "worth_rows",
]

MAX_DECIMALS = 5
"""Of a figure in a table; a smaller one is written with its power of ten."""


def subset_rows(neurons: Sequence[FactorsNeuron]) -> tuple[list[str], list[list[str]]]:
    """The table of all subsets: its columns' titles, and a row for each neuron and subset."""
    other = any(neuron.objective != "activation" for neuron in neurons)
    titles = ["neuron", "free", "objective" if other else "activation", "of all", "gain", "of all's gain"]
    rows = []
    for neuron in neurons:
        for index, name in enumerate(map(named, SUBSETS)):
            mean, over, gain = neuron.activation[name], neuron.fraction_of_all[name], neuron.gain.get(name)
            part = neuron.fraction_of_gain.get(name)
            cells = [_mean(mean), "" if over is None else f"{over.mean:.3f}"]
            cells += ["" if gain is None else signed(gain), "" if part is None else percent(part)]
            rows.append(["" if index else _label(neuron), name, *cells])
    return titles, rows


def worth_rows(neurons: Sequence[FactorsNeuron]) -> tuple[list[str], list[list[str]]]:
    """The table of the factors: its columns' titles, and a row for each neuron and factor."""
    titles = ["neuron", "factor", "Shapley value", "95 % interval", "share", "alone", "added last"]
    rows = []
    for neuron in neurons:
        for index, factor in enumerate(FACTORS):
            worth, share = neuron.shapley[factor], neuron.share[factor]
            interval = "" if worth is None or worth.low is None else f"{worth.low:+.2g} to {worth.high:+.2g}"
            row = ["" if index else _label(neuron), factor, "" if worth is None else signed(worth), interval]
            row += ["" if share is None else percent(share)]
            gains = (neuron.alone[factor], neuron.last[factor])
            rows.append([*row, *("" if gain is None else signed(gain) for gain in gains)])
    return titles, rows


def _label(neuron: FactorsNeuron) -> str:
    return neuron.label.replace("neuron ", "") + ("" if neuron.ended == "done" else f" ({neuron.ended})")


def _mean(value: MeanOverStarts | None) -> str:
    return "" if value is None else _rounded(value.mean, value.sem)


def signed(value: MeanOverStarts) -> str:
    """``+0.120 ± 0.034``."""
    return _rounded(value.mean, value.sem, "+")


def percent(part: Ratio) -> str:
    """``83.1 ± 5.2 %``."""
    return _rounded(100 * part.mean, None if part.sem is None else 100 * part.sem) + " %"


def _rounded(mean: float, sem: float | None, sign: str = "") -> str:
    """A figure to two digits of its error; without one, or with one that is rounding alone, to three of its own."""
    if sem is None or sem <= 1e-9 * abs(mean):
        return f"{mean:{sign}.3g}"
    decimals = 1 - math.floor(math.log10(sem))
    if decimals > MAX_DECIMALS:
        return f"{mean:{sign}.2g} ± {sem:.1g}"
    return f"{mean:{sign}.{max(0, decimals)}f} ± {sem:.{max(0, decimals)}f}"


def describe_factors(folder: Path, result: FactorsResult) -> list[str]:
    """What is to be known beside the tables."""
    lines = [f"{other.label} was left out: {other.reason}" for other in result.left_out]
    for neuron in result.neurons:
        lines += describe_failures(neuron)
        pairs = {pair: value for pair, value in neuron.interaction.items() if value is not None}
        if pairs:
            text = ", ".join(f"{pair} {signed(value)}" for pair, value in pairs.items())
            lines.append(f"{neuron.label}: interactions (above 0: they help each other) {text}")
        lost = [f"{each.more} less {each.less} {signed(each)}" for each in neuron.less_with_more]
        if lost:
            lines.append(
                f"{neuron.label}: with more free the optimizer reached less, which no optimum does: "
                f"{', '.join(lost)}; more steps or starts may help"
            )
    counts = sorted({neuron.starts for neuron in result.neurons})
    if counts:
        text = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        lines.append(f"means over {text} starts ± s.e. over starts" if counts != [1] else "one start, no errors")
    if result.ended != "done":
        done = sum(neuron.ended == "done" for neuron in result.neurons)
        lines.append(f"interrupted: {done} of {result.asked} neurons are done")
    return [*lines, f"written to {folder}"]


MAX_LISTED = 8
"""Neurons of which a line is printed."""


def describe_tuning(folder: Path, result: TuningResult) -> list[str]:
    """A line for each neuron."""
    neurons = result.neurons
    lines = [_neuron(result.over, neuron) for neuron in neurons[:MAX_LISTED]]
    if len(neurons) > MAX_LISTED:
        lines.append(f"and {len(neurons) - MAX_LISTED} more neurons: see tuning.csv and tuning.json")
    for axis in result.over:
        if axis.period == 180:
            lines.append(f"{axis.path} has period 180 deg: the stimulus is the same after half a turn")
    known = [neuron.summary for neuron in neurons if neuron.summary is not None]
    if any(width is not None for summary in known for width in summary.bandwidth if summary.bandwidth_is == BANDWIDTH):
        lines.append(f"bandwidth: {BANDWIDTH}")
    if result.ended != "done":
        lines.append("interrupted: the points that were not reached are empty, and nothing is summed up")
    return [*lines, f"written to {folder}"]


def preferred_text(step: float, unit: str, value: float, sem: float | None) -> str:
    """A preferred value to its error's first digit, or about a thousandth of the grid's step.

    As ``45.13 deg (render s.e. 0.02)``.
    """
    places = max(0, 3 - math.ceil(math.log10(step)))
    if sem:
        places = max(0, min(places, -math.floor(math.log10(sem))))
    number = f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no minus before a zero
    error = f"{sem:.0f}" if sem >= 10 else f"{sem:.1g}"
    return number + (f" {unit}" if unit else "") + (f" (render s.e. {error})" if sem else "")


def _neuron(axes: Sequence[Axis], neuron: TunedNeuron) -> str:
    summary = neuron.summary
    name = f"neuron {neuron.neuron}"
    if summary is None:
        return f"{name}: not known at every point"
    if summary.preferred[0].value is None:
        return f"{name}: answers alike everywhere"
    lines = []
    reasons = summary.bandwidth_unknown or [None] * len(axes)
    for axis, preferred, bandwidth, reason in zip(axes, summary.preferred, summary.bandwidth, reasons):
        unit = f" {axis.unit}" if axis.unit else ""
        words = f"prefers {axis.path} {preferred_text(axis.step, axis.unit, preferred.value, preferred.sem)}"
        if axis.period is None and preferred.value in (axis.values[0], axis.values[-1]):
            words += " (the end of the range)"
        what = "bandwidth" if summary.bandwidth_is == BANDWIDTH else summary.bandwidth_is
        words += f", {what} {bandwidth:.3g}{unit}" if bandwidth is not None else ""
        lines.append(words + (f", no bandwidth ({reason})" if reason is not None else ""))
    if summary.modulation_depth is not None:
        lines.append(f"modulation depth {summary.modulation_depth:.3f}")
    if summary.selectivity.value is not None:
        lines.append(f"{summary.selectivity.index} {summary.selectivity.value:.3f}")
    return f"{name}: {'; '.join(lines)}"


def describe_stimuli(stimuli: ExportedStimuli) -> list[str]:
    """Stimuli for an experiment."""
    rows = stimuli.rows
    counts = Counter(row["what"] for row in rows)
    text = ", ".join(what if count == 1 else f"{count} {_several(what)}" for what, count in counts.items())
    lines = [f"{len(rows)} stimuli: {text}"]
    clipped = [float(row["clipped_fraction"]) for row in rows if float(row["clipped_fraction"]) > 0]
    if clipped:
        least = min(float(row["rms_contrast"]) for row in rows if float(row["clipped_fraction"]) > 0)
        lines.append(
            f"{len(clipped)} of them are clipped, {100 * max(clipped):.2g} % of the values at most, and have an RMS "
            f"contrast of {least:.3g} at least; a smaller --contrast can be displayed"
        )
    if stimuli.gamma.startswith("linear"):
        lines.append("levels are proportional to luminance; for a monitor that is not linear give --gamma")
    return [*lines, f"written to {stimuli.folder}"]


def _several(what: str) -> str:
    return what.replace("stimulus", "stimuli") if what.endswith("stimulus") else f"{what}s"


def describe_scene(folder: Path, left_out: Sequence[str]) -> list[str]:
    """A scene for a modelling program."""
    lines = ["object, camera, lights and material"]
    if left_out:
        lines.append(f"glTF has no such lights, they are in the scene's extras alone: {', '.join(left_out)}")
    return [*lines, f"written to {folder / 'scene.glb'}"]
