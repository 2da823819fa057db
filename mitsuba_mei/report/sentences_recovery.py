"""What is said of inverse rendering; printed elsewhere."""

from __future__ import annotations

from pathlib import Path

from ..runs.results import InverseResult, Truth
from ..runs.spread import describe_spread, ends_of, spread
from ..scene.initial import describe_initial
from .sentences import certainty, describe_ending, describe_mesh

__all__ = ["describe_recovery", "describe_truth"]


def describe_recovery(folder: Path, result: InverseResult) -> list[str]:
    """A run of inverse rendering."""
    initial, final = result.error.initial, result.error.final
    lines = [f"error ({result.error.kind}) {initial.mean:.4g} -> {final.mean:.4g} ({certainty(final)})"]
    lines += describe_initial(result.initial_scene)
    lines += describe_spread(spread(ends_of(result.restarts, -1)))
    lines += describe_truth(result.truth)
    return [*lines, *describe_mesh(result.mesh), *describe_ending(folder, result)]


def describe_truth(truth: Truth | None) -> list[str]:
    """How far the recovered scene lies from the truth, where that is known."""
    if truth is None:
        return []
    lines = []
    if truth.surface is not None:
        each = (truth.surface.initial, truth.surface.final, truth.surface.alignment)
        initial, final, aligned = (f"{100 * surface.of_diameter:.2g}" for surface in each)
        lines.append(
            f"mean surface distance: {initial} -> {final} % of the true object's diameter; {aligned} % after alignment"
        )
    for name, value in truth.parameters.items():
        initial, final = (_with_unit(off, value.unit) for off in (value.off.initial, value.off.final))
        lines.append(f"{name}: {initial} -> {final} from the true one")
    return lines


def _with_unit(value: float, unit: str) -> str:
    if unit == "relative":
        return f"{_rounded(100 * value)} %"
    return _rounded(value) + {"degrees": "\N{DEGREE SIGN}", "scene units": " scene units"}.get(unit, "")


def _rounded(value: float) -> str:
    """To two digits, and no less exact than a unit."""
    return f"{abs(value):.2g}" if abs(value) < 99.5 else f"{abs(value):.0f}"
