"""What is said of inverse rendering; printed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..runs.spread import describe_spread, ends_of, spread
from ..scene.initial import describe_initial
from .sentences import describe_ending, describe_mesh

__all__ = ["describe_recovery", "describe_truth"]


def describe_recovery(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """A run of inverse rendering, of what its ``result.json`` says."""
    error = result["error"]
    initial, final = error["initial"], error["final"]
    certainty = f"render s.e. {final['sem']:.2g}" if final["sem"] else "without render noise"
    lines = [f"error ({error['kind']}) {initial['mean']:.4g} -> {final['mean']:.4g} ({certainty})"]
    lines += describe_initial(result)
    lines += describe_spread(spread(ends_of(result.get("restarts", ()), -1)))
    lines += describe_truth(result["truth"])
    return [*lines, *describe_mesh(result.get("mesh")), *describe_ending(folder, result)]


def describe_truth(truth: Mapping[str, Any] | None) -> list[str]:
    """How far what was recovered lies from the truth, where that is known."""
    if truth is None:
        return []
    lines = []
    if truth["surface"] is not None:
        surface = truth["surface"]
        initial, final = (100 * surface[when]["of_diameter"] for when in ("initial", "final"))
        aligned = 100 * surface["alignment"]["of_diameter"]
        lines.append(
            f"surface: {initial:.2g} -> {final:.2g} % of its diameter from the true one in the mean; "
            f"{aligned:.2g} % when laid onto it"
        )
    for name, value in truth["parameters"].items():
        initial, final = (_with_unit(value["off"][when], value["unit"]) for when in ("initial", "final"))
        lines.append(f"{name}: {initial} -> {final} from the true one")
    return lines


def _with_unit(value: float, unit: str) -> str:
    if unit == "relative":
        return f"{_rounded(100 * value)} %"
    return _rounded(value) + {"degrees": "\N{DEGREE SIGN}", "scene units": " scene units"}.get(unit, "")


def _rounded(value: float) -> str:
    """To two digits, and no less exact than a unit."""
    return f"{abs(value):.2g}" if abs(value) < 99.5 else f"{abs(value):.0f}"
