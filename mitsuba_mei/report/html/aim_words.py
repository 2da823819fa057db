"""What is said of scenes recovered from images, of metamers and of diverse scenes, in sentences."""

from __future__ import annotations

import math
import sys
from typing import Any, Union

from ...runs.results import DiverseResult, DiverseSet, Estimate, InverseResult, MetamerPair, MetamerResult
from ...runs.results.optimization import SceneDistance
from .numerals import BARS, known, noise, number, percent, with_error

__all__ = [
    "amount",
    "away",
    "differences",
    "error_kind",
    "found",
    "in_short",
    "lead",
    "measure",
    "outcome",
    "respect",
    "sentences",
    "title",
    "units",
    "value",
]

OtherResult = Union[InverseResult, MetamerResult, DiverseResult]

NEGLIGIBLE = 1e-3
"""Differences below are rounding."""

RESPECTS = {
    "image": "what the neurons see",
    "shape": "shape",
    "pose": "turn of the object",
    "light": "directions of lights",
}

ERRORS = {
    "l2": "root mean square of the difference of the images over the target’s contrast",
    "l1": "mean absolute difference of the images over that of the target from its mean",
    "responses": "distance of the model’s responses from those to the target over the length of the latter",
}


def measure(result: OtherResult) -> str:
    """What the figures are of."""
    if isinstance(result, InverseResult):
        return "error" if result.error.kind is None else f"error ({result.error.kind})"
    if isinstance(result, MetamerResult):
        return "error (responses)"
    return f"activation (mean of {len(result.diverse.scenes)} scenes)"


def error_kind(result: InverseResult | MetamerResult) -> str:
    """Which error the figure is of: ``l2``, ``responses``."""
    return "responses" if isinstance(result, MetamerResult) else result.error.kind or "of images"


def in_short(result: OtherResult) -> str:
    """What the figure is called that counts."""
    return "mean activation" if isinstance(result, DiverseResult) else "error"


def was_found(result: OtherResult) -> bool | None:
    """Whether what was sought was found; None where nothing had to be."""
    if isinstance(result, InverseResult):
        return None
    return (result.metamer if isinstance(result, MetamerResult) else result.diverse).found


def outcome(result: OtherResult) -> str | None:
    """``found``, ``not found``; None where nothing had to be found."""
    found = was_found(result)
    return None if found is None else "found" if found else "not found"


def found(result: OtherResult) -> str:
    """What a run ended with."""
    if isinstance(result, InverseResult):
        return "recovered scene"
    if isinstance(result, MetamerResult):
        return "metamer" if result.metamer.found else "scene found"
    return "scenes"


def title(result: OtherResult, model: str) -> str:
    """What was found, for whom."""
    if isinstance(result, InverseResult):
        of_responses = result.error.kind == "responses"
        return f"Scene recovered from responses of {model}" if of_responses else "Scene recovered from images"
    if isinstance(result, MetamerResult):
        return f"{'Metamer' if result.metamer.found else 'No metamer found'} for {model}"
    if not result.diverse.found:
        return f"No diverse scenes found for {model}"
    return f"{len(result.diverse.scenes)} diverse scenes for {model}"


def lead(result: OtherResult, whom: str, how: str) -> str:
    """What a report begins with; ``how`` it was rendered, in brackets."""
    if isinstance(result, InverseResult):
        of_responses = result.error.kind == "responses"
        what = f"to which {whom} answer most as to the target" if of_responses else "most like the target’s"
        return f"Inverse rendering: the scene whose images{how} are those {what}, of all that the optimizer tried."
    if isinstance(result, MetamerResult):
        layer = result.metamer.responses.layer
        at = "" if layer is None else f" (at its layer “{layer}”)"
        return (
            f"A search for a metamer: another scene than the reference, rendered{how}, to which {whom}{at} answer "
            "as they do to the reference."
        )
    return (
        f"A search for scenes, rendered{how}, that all drive {whom} and differ as much as they can in "
        f"{respect(result.diverse.differ)}: what differs between them, the response is invariant to."
    )


def units(result: OtherResult, noisy: bool) -> str:
    """What the figure's axis and rows are."""
    if isinstance(result, InverseResult):
        text = f"Error: {ERRORS.get(result.error.kind or '', 'how unlike the images are')}; 0 is best."
    elif isinstance(result, MetamerResult):
        text = "Error: distance of the responses from the reference’s over the length of the latter; 0 is best."
    else:
        text = "Each scene’s activation over the maximum; the dashed line is the level that each was asked to reach."
    return f"{text} {BARS}" if noisy else text


def sentences(result: OtherResult, initial: Estimate | None, final: Estimate) -> list[str]:
    """What came of it, the most important first."""
    if isinstance(result, InverseResult):
        return _of_recovered(result, initial, final)
    if isinstance(result, MetamerResult):
        return _of_metamer(result.metamer, initial, final)
    return _of_set(result.diverse)


def _of_recovered(result: InverseResult, initial: Estimate | None, final: Estimate) -> list[str]:
    start = f"; at the start it was {with_error(initial)}" if known(initial) else ""
    lines = [f"The {measure(result)} is {with_error(final)}{noise(final)}{start}."]
    truth = result.truth
    if truth is None or (truth.surface is None and not truth.parameters):
        return [*lines, "How near this is to the truth is not known."]
    if truth.surface is not None:
        each = (truth.surface.initial, truth.surface.final, truth.surface.alignment)
        first, last, aligned = (_percent(surface.of_diameter) for surface in each)
        lines.append(f"The mean surface distance is {last} of the true object’s diameter, {first} at the start.")
        lines.append(f"After alignment, which leaves the shape alone to differ, it is {aligned}.")
    return lines


def _of_metamer(pair: MetamerPair, initial: Estimate | None, final: Estimate) -> list[str]:
    start = f"; at the start {_percent(initial.mean)}" if known(initial) else ""
    responses, scene = pair.responses, pair.scene
    near = f"{'within' if responses.near else 'not within'} the {_percent(responses.tolerance)} asked for"
    return [
        "A metamer was found." if pair.found else "No metamer was found.",
        f"The responses lie {percent(final)} from the reference’s, {near}{start}.",
        _unlike(scene, "the scenes", "apart"),
    ]


def _of_set(diverse: DiverseSet) -> list[str]:
    count, maximum = len(diverse.scenes), diverse.maximum
    whence = "the known optimum" if maximum.source == "optimum" else "what one scene alone reaches"
    parts = [scene.of_maximum for scene in diverse.scenes if math.isfinite(scene.of_maximum)]
    worst = f"; the least reaches {min(parts):.3f}" if parts else ""
    return [
        f"{count} diverse scenes were found." if diverse.found else "No such set of scenes was found.",
        f"{sum(scene.reached for scene in diverse.scenes)} of {count} drive the neurons to at least "
        f"{number(diverse.level)} of {whence} ({number(maximum.value)}){worst}.",
        _unlike(diverse, "two of them", "apart in the mean"),
    ]


def _unlike(scenes: SceneDistance | DiverseSet, which: str, apart: str) -> str:
    """How far scenes lie apart in what they are to differ in."""
    asked = (
        f"{'at least' if scenes.far else 'less than'} the {amount(scenes.differ, scenes.apart, short=True)} asked for"
    )
    return f"In {respect(scenes.differ)} {which} lie {amount(scenes.differ, scenes.difference)} {apart}, {asked}."


def respect(kind: str | None) -> str:
    """In what scenes differ."""
    return "some respect" if kind is None else RESPECTS.get(kind, kind)


def amount(kind: str | None, size: float | None, short: bool = False) -> str:
    """How far scenes lie apart in a respect, with its unit."""
    if size is None or not math.isfinite(size):
        return "–"
    if kind == "image":
        return f"{size:.2f}" + ("" if short else f" (a correlation of {number(round(1 - size, 2), 2)})")
    if kind == "shape":
        return f"{number(size, 2)} of the radius"
    return f"{number(size, 2)}°" if kind in ("pose", "light") else number(size, 3)


def differences(result: MetamerResult | DiverseResult) -> dict[str, str]:
    """How far the scenes differ in every respect, with units."""
    if isinstance(result, MetamerResult):
        sizes = {kind: each.value for kind, each in result.metamer.differences.items()}
    else:
        sizes = {kind: each.mean for kind, each in result.diverse.differences.items()}
    return {kind: "none" if size < NEGLIGIBLE else amount(kind, size) for kind, size in sizes.items()}


def _percent(fraction: float) -> str:
    return percent(Estimate(mean=fraction))


def value(setting: Any) -> str:
    """``35``, ``(0, 30, 0)``; a dash where it is unknown, or no number."""
    if isinstance(setting, (list, tuple)) and setting:
        return f"({', '.join(value(each) for each in setting)})"
    is_number = isinstance(setting, (int, float)) and not isinstance(setting, bool)
    return number(setting, 3) if is_number and abs(setting) <= sys.float_info.max else "–"


def away(unit: str, off: float) -> str:
    """How far off a parameter is, without a sign, with its unit."""
    if not math.isfinite(off):
        return "–"
    if unit == "relative":
        return _percent(abs(off))
    return number(abs(off), 2) + {"degrees": "°", "scene units": " scene units"}.get(unit, "")
