"""What is said of a sweep, line by line; printed elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sweep.conduct import Standing
    from .sweep.runs import SweepOutcome

__all__ = ["describe_sweep", "duration", "standing_sentence"]

MOST_TOLD = 8
"""Neurons of whose seeds a line is said."""


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    for large, small, names in ((86_400, 3_600, ("d", "h")), (3_600, 60, ("h", "min")), (60, 1, ("min", "s"))):
        if seconds >= large:
            return f"{seconds // large} {names[0]} {seconds % large // small} {names[1]}"
    return f"{seconds} s"


def standing_sentence(standing: Standing) -> str:
    """How far it is, in a line."""
    parts = [f"{standing.before + standing.done} of {standing.asked} runs done", f"{standing.running} running"]
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    if not math.isnan(standing.mean_seconds):
        parts.append(f"{duration(standing.mean_seconds)} a run")
    if standing.seconds_left is not None:
        parts.append(f"about {duration(standing.seconds_left)} left")
    return ", ".join(parts)


def describe_sweep(outcome: SweepOutcome, asked: int) -> list[str]:
    """A sweep that has ended, or was ended."""
    already = f", {outcome.before} of them before" if outcome.before else ""
    lines = [f"{outcome.done} of {asked} runs are done{already}"]
    if outcome.failed:
        lines.append(f"{outcome.failed} failed; summary.csv says why, and the same command tries them again")
    if outcome.missing:
        lines.append(f"{outcome.missing} are missing; the same command goes on with them")
    lines += _over_seeds(outcome.over_seeds)
    files = "summary.parquet, summary.csv" + (", over_seeds.parquet, over_seeds.csv" if outcome.over_seeds else "")
    if outcome.report is not None:
        files += ", report.html"
        if outcome.reported < outcome.done:
            files += f" (of the first {outcome.reported} runs)"
    return [*lines, f"written to {outcome.folder}: {files}"]


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each neuron mean and standard deviation over seeds, beside the error of rendering alone."""
    known = [row for row in rows if row["seeds"] > 1]
    lines = [f"{_label(row)}{_spread(row)}" for row in known[:MOST_TOLD]]
    if len(known) > MOST_TOLD:
        lines.append(f"and {len(known) - MOST_TOLD} more: see over_seeds.csv")
    return lines


def _label(row: Mapping[str, Any]) -> str:
    """The axes before the figures, but for the seed."""
    axes = list(row)[: list(row).index("of")]
    said = [f"{'neuron' if path == 'model.neuron' else path} {row[path]}" for path in axes]
    return f"{', '.join(said)}: " if said else ""


def _spread(row: Mapping[str, Any]) -> str:
    said = f"{row['of']} over {row['seeds']} seeds: mean {row['mean']:.4g}, s.d. {row['sd']:.2g}"
    said += f" ({row['lowest']:.4g} to {row['highest']:.4g})"
    said += f", render s.e. {row['render_se']:.2g}" if row["render_se"] else ", without render noise"
    if row["stimulus_correlation_mean"] is not None:
        said += f"; stimuli correlate by {row['stimulus_correlation_mean']:.2f}"
    if row["surface_distance_mean"] is not None:
        said += f"; surfaces lie {100 * row['surface_distance_mean']:.2g} % of the radius apart"
    return said
