"""What is said of a sweep, line by line; printed elsewhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sweep.conduct import Standing
    from .sweep.runs import SweepOutcome

__all__ = ["describe_sweep", "duration", "standing_sentence"]


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
    files = "summary.parquet, summary.csv"
    if outcome.report is not None:
        files += ", report.html"
        if outcome.reported < outcome.done:
            files += f" (of the first {outcome.reported} runs)"
    return [*lines, f"written to {outcome.folder}: {files}"]
