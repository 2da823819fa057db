"""What is said of how an optimisation ended; printed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .checkpoint import FOLDER

__all__ = ["describe_ending"]

KEPT = "; what is kept is the last good scene of the optimisation"
"""Where a scene failed; where a model did, no scene is better than another."""


def describe_ending(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Time and place, of what ``result.json`` says; and what became of it where that is not what was asked for."""
    ended = result.get("ended", "done")
    stopped = "" if ended == "done" else f", {ended}"
    lines = [f"{result['steps']} steps in {result['seconds']:.1f} s{stopped}; written to {folder}"]
    missing = [f"not written: {each}" for each in result.get("not_written", ())]
    if missing and (folder / FOLDER).is_dir():
        missing.append(f"everything else is written; once this is mended, 'resume {folder}' writes what is missing")
    lines = [*missing, *lines]
    if result.get("reason"):
        kept = "" if result["reason"].startswith("model ") else KEPT
        lines.insert(0, f"failed: {result['reason']}{kept}")
    if result.get("skipped_steps"):
        lines.insert(0, f"{result['skipped_steps']} steps without a finite value or gradient were left out")
    return lines
