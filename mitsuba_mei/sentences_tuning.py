"""What is said of a tuning, line by line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .tuning.summary import BANDWIDTH

__all__ = ["describe_tuning", "preferred_text"]

MOST_TOLD = 8


def describe_tuning(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """A line for each neuron, of what ``tuning.json`` says."""
    neurons = result["neurons"]
    lines = [_neuron(result["over"], neuron) for neuron in neurons[:MOST_TOLD]]
    if len(neurons) > MOST_TOLD:
        lines.append(f"and {len(neurons) - MOST_TOLD} more neurons: see tuning.csv and tuning.json")
    for axis in result["over"]:
        if axis["period"] == 180:
            lines.append(f"{axis['path']} has period 180 deg: the stimulus is the same after half a turn")
    known = [neuron["summary"] for neuron in neurons if neuron["summary"] is not None]
    widths = [width for summary in known if "bandwidth_is" in summary for width in summary["bandwidth"]]
    if any(width is not None for width in widths):
        lines.append(f"bandwidth: {BANDWIDTH}")
    if result["ended"] != "done":
        lines.append("interrupted: the points that were not reached are empty, and nothing is summed up")
    return [*lines, f"written to {folder}"]


def preferred_text(step: float, unit: str, value: float, sem: float) -> str:
    """A preferred value to its error's first digit, or about a thousandth of the grid's step.

    As ``45.13 deg (render s.e. 0.02)``.
    """
    places = max(0, 3 - math.ceil(math.log10(step)))
    if sem:
        places = max(0, min(places, -math.floor(math.log10(sem))))
    number = f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no minus before a zero
    error = f"{sem:.0f}" if sem >= 10 else f"{sem:.1g}"
    return number + (f" {unit}" if unit else "") + (f" (render s.e. {error})" if sem else "")


def _neuron(axes: Sequence[Mapping[str, Any]], neuron: Mapping[str, Any]) -> str:
    summary = neuron["summary"]
    name = f"neuron {neuron['neuron']}"
    if summary is None:
        return f"{name}: not known at every point"
    if summary["preferred"][0]["value"] is None:
        return f"{name}: answers alike everywhere"
    said = []
    reasons = summary.get("bandwidth_unknown", [None] * len(axes))
    for axis, preferred, bandwidth, reason in zip(axes, summary["preferred"], summary["bandwidth"], reasons):
        unit = f" {axis['unit']}" if axis["unit"] else ""
        step = axis["values"][1] - axis["values"][0]
        words = f"prefers {axis['path']} {preferred_text(step, axis['unit'], **preferred)}"
        if axis["period"] is None and preferred["value"] in (axis["values"][0], axis["values"][-1]):
            words += " (the end of the range)"
        what = "bandwidth" if "bandwidth_is" in summary else "half width at half of the peak above 0"
        words += f", {what} {bandwidth:.3g}{unit}" if bandwidth is not None else ""
        said.append(words + (f", no bandwidth ({reason})" if reason is not None else ""))
    if summary["modulation_depth"] is not None:
        said.append(f"modulation depth {summary['modulation_depth']:.3f}")
    if summary["selectivity"]["value"] is not None:
        said.append(f"{summary['selectivity']['index']} {summary['selectivity']['value']:.3f}")
    return f"{name}: {'; '.join(said)}"
