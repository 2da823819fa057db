"""What is said of how an optimisation ended; printed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .checkpoint import FOLDER

__all__ = ["describe_ending", "describe_failures"]


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
        kept = "; what is kept is the last good scene of the optimisation" * _is_of_a_scene(result["reason"])
        lines.insert(0, f"failed: {result['reason']}{kept}")
    if result.get("skipped_steps"):
        lines.insert(0, f"{result['skipped_steps']} steps without a finite value or gradient were left out")
    return lines


def describe_failures(neuron: Mapping[str, Any]) -> list[str]:
    """Which of a neuron's optimisations failed, and why; those for one reason together."""
    alike: dict[str, list[str]] = {}
    for which, reason in neuron.get("failed", {}).items():
        alike.setdefault(reason, []).append(which)
    return [
        f"{neuron['label']}, {', '.join(which)}: failed ({reason})"
        + "; the last good scene is compared" * _is_of_a_scene(reason)
        for reason, which in alike.items()
    ]


def _is_of_a_scene(reason: str) -> bool:
    """Whether a scene failed, of which there was a better one before; where a model did, none is better than others."""
    return not reason.startswith("model ")
