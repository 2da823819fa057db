"""What is said of the factors' worth; printed elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .sentences_ending import describe_failures

__all__ = ["describe_factors", "percent", "signed", "subset_rows", "worth_rows"]

MOST_DECIMALS = 5
"""Of a figure in a table; a smaller one is written with its power of ten."""


def subset_rows(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table of all subsets: its columns' titles, and a row for each neuron and subset."""
    other = any(neuron.get("objective", "activation") != "activation" for neuron in result["neurons"])
    titles = ["neuron", "free", "objective" if other else "activation", "of all", "gain", "of all's gain"]
    rows = []
    for neuron in result["neurons"]:
        for name in result["subsets"]:
            cells = [neuron["activation"][name], neuron["fraction_of_all"][name], neuron["gain"].get(name)]
            mean, over, gain = cells
            part = neuron["fraction_of_gain"].get(name)
            label = _label(neuron) if name == result["subsets"][0] else ""
            said = [_mean(mean), "" if over is None else f"{over['mean']:.3f}"]
            said += ["" if gain is None else signed(gain), "" if part is None else percent(part)]
            rows.append([label, name, *said])
    return titles, rows


def worth_rows(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table of the factors: its columns' titles, and a row for each neuron and factor."""
    titles = ["neuron", "factor", "Shapley value", "95 % interval", "share", "alone", "added last"]
    rows = []
    for neuron in result["neurons"]:
        for factor in result["factors"]:
            worth, share = neuron["shapley"][factor], neuron["share"][factor]
            label = _label(neuron) if factor == result["factors"][0] else ""
            interval = "" if worth is None or worth["low"] is None else f"{worth['low']:+.2g} to {worth['high']:+.2g}"
            row = [label, factor, "" if worth is None else signed(worth), interval]
            row += ["" if share is None else percent(share)]
            gains = (neuron[kind][factor] for kind in ("alone", "last"))
            rows.append([*row, *("" if gain is None else signed(gain) for gain in gains)])
    return titles, rows


def _label(neuron: Mapping[str, Any]) -> str:
    return neuron["label"].replace("neuron ", "") + ("" if neuron["ended"] == "done" else f" ({neuron['ended']})")


def _mean(value: Mapping[str, float | None] | None) -> str:
    return "" if value is None else _rounded(value["mean"], value["sem"])


def signed(value: Mapping[str, float | None]) -> str:
    """``+0.120 ± 0.034``."""
    return _rounded(value["mean"], value["sem"], "+")


def percent(part: Mapping[str, float | None]) -> str:
    """``83.1 ± 5.2 %``."""
    return _rounded(100 * part["mean"], None if part["sem"] is None else 100 * part["sem"]) + " %"


def _rounded(mean: float, sem: float | None, sign: str = "") -> str:
    """A figure to two digits of its error; without one, or with one that is rounding alone, to three of its own."""
    if sem is None or sem <= 1e-9 * abs(mean):
        return f"{mean:{sign}.3g}"
    decimals = 1 - math.floor(math.log10(sem))
    if decimals > MOST_DECIMALS:
        return f"{mean:{sign}.2g} ± {sem:.1g}"
    return f"{mean:{sign}.{max(0, decimals)}f} ± {sem:.{max(0, decimals)}f}"


def describe_factors(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """What is to be known beside the tables, of what ``factors.json`` says."""
    lines = [f"{other['label']} was left out: {other['reason']}" for other in result["left_out"]]
    for neuron in result["neurons"]:
        lines += describe_failures(neuron)
        pairs = {pair: value for pair, value in neuron["interaction"].items() if value is not None}
        if pairs:
            said = ", ".join(f"{pair} {signed(value)}" for pair, value in pairs.items())
            lines.append(f"{neuron['label']}: interactions (above 0: they help each other) {said}")
        lost = [f"{each['more']} less {each['less']} {signed(each)}" for each in neuron["less_with_more"]]
        if lost:
            lines.append(
                f"{neuron['label']}: with more free the optimiser reached less, which no optimum does: "
                f"{', '.join(lost)}; more steps or starts may help"
            )
    counts = sorted({neuron["starts"] for neuron in result["neurons"]})
    if counts:
        said = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        lines.append(f"means over {said} starts ± s.e. over starts" if counts != [1] else "one start, no errors")
    if result["ended"] != "done":
        done = sum(neuron["ended"] == "done" for neuron in result["neurons"])
        lines.append(f"interrupted: {done} of {result['asked']} neurons are done")
    return [*lines, f"written to {folder}"]
