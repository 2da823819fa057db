"""What is said of scenes that differ and do the same to the neurons; printed elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

from ..runs.results import DiverseResult, DiverseSet, MetamerPair, MetamerResult
from ..runs.spread import describe_spread, ends_of, spread
from .sentences import describe_each_mesh, describe_ending, describe_mesh

__all__ = ["RESPONSES", "describe_diverse", "describe_metamer", "describe_pair", "describe_set"]

RESPONSES = "starts, the responses' distance"
"""What the spread over a metamer's starts is of."""

NEGLIGIBLE = 1e-3
"""Differences below are rounding."""

NAMES = {"image": "what the neurons see", "shape": "the shape", "pose": "the turn", "light": "the light's direction"}


def describe_metamer(folder: Path, result: MetamerResult) -> list[str]:
    """A search for a metamer."""
    head = "a metamer was found" if result.metamer.found else "no metamer was found"
    starts = describe_spread(spread(ends_of(result.restarts, -1)), RESPONSES)
    lines = [head, *describe_pair(result.metamer), *starts, *describe_mesh(result.mesh)]
    return [*lines, *describe_ending(folder, result)]


def describe_pair(pair: MetamerPair) -> list[str]:
    """How near the responses and how far the scenes are."""
    responses, scene = pair.responses, pair.scene
    final = responses.distance.final
    error = f" (render s.e. {100 * final.sem:.1g} %)" if final.sem > 0 else ""
    within = "within" if responses.near else "not within"
    kind = scene.differ
    others = [
        f"{NAMES[other]}: {_amount(other, each.value)}"
        for other, each in pair.differences.items()
        if other != kind and math.isfinite(each.value) and each.value > NEGLIGIBLE
    ]
    return [
        f"responses: {100 * final.mean:.2g} %{error} from the reference's ({within} {100 * responses.tolerance:.2g} %)",
        f"{NAMES[kind]}: {_amount(kind, scene.difference)} from the reference's "
        f"({'at least' if scene.far else 'not'} {_amount(kind, scene.apart)})",
        *([f"beside that, {'; '.join(others)}"] if others else []),
    ]


def describe_diverse(folder: Path, result: DiverseResult) -> list[str]:
    """A search for diverse scenes."""
    return [*describe_set(result.diverse), *describe_ending(folder, result)]


def describe_set(diverse: DiverseSet) -> list[str]:
    """How hard the scenes drive the neurons, and how far they differ."""
    scenes, kind = diverse.scenes, diverse.differ
    reached = sum(scene.reached for scene in scenes)
    head = f"{len(scenes)} diverse scenes were found" if diverse.found else "no such set of scenes was found"
    worst = min(scene.of_maximum for scene in scenes)
    maximum = diverse.maximum
    whence = "the known optimum" if maximum.source == "optimum" else "what one scene alone reaches"
    return [
        head,
        f"{reached} of {len(scenes)} drive the neurons to at least {diverse.level:g} of {whence}, "
        f"{maximum.value:.4g}; the least to {worst:.3f}",
        f"{NAMES[kind]} of two of them differ by {_amount(kind, diverse.difference)} in the mean "
        f"({'at least' if diverse.far else 'not by'} {_amount(kind, diverse.apart)})",
        *describe_each_mesh(scenes),
    ]


def _amount(kind: str, value: float) -> str:
    if kind == "image":
        return f"{value:.2f} (correlation {1 - value:.2f})"
    return f"{value:.2f} of the radius" if kind == "shape" else f"{value:.3g}\N{DEGREE SIGN}"
