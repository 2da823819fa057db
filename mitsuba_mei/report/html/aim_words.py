"""What is said of scenes recovered from images, of metamers and of diverse scenes, in sentences."""

from __future__ import annotations

import sys
from typing import Any, Union

from ...runs.results import DiverseResult, InverseResult, MetamerResult
from ..numbers import BARS, number
from ..statements import amount, away, error_name, respect

__all__ = [
    "away",
    "differences",
    "error_kind",
    "found",
    "in_short",
    "lead",
    "measure",
    "outcome",
    "respect",
    "title",
    "units",
    "value",
]

OtherResult = Union[InverseResult, MetamerResult, DiverseResult]

NEGLIGIBLE = 1e-3
"""Differences below are rounding."""

ERRORS = {
    "l2": "root mean square of the difference of the images over the target’s contrast",
    "l1": "mean absolute difference of the images over that of the target from its mean",
    "responses": "distance of the model’s responses from those to the target over the length of the latter",
}


def measure(result: OtherResult) -> str:
    """What the figures are of."""
    if isinstance(result, InverseResult):
        return error_name(result)
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


def differences(result: MetamerResult | DiverseResult) -> dict[str, str]:
    """How far the scenes differ in every respect, with units."""
    if isinstance(result, MetamerResult):
        sizes = {kind: each.value for kind, each in result.metamer.differences.items()}
    else:
        sizes = {kind: each.mean for kind, each in result.diverse.differences.items()}
    return {kind: "none" if size < NEGLIGIBLE else amount(kind, size) for kind, size in sizes.items()}


def value(setting: Any) -> str:
    """``35``, ``(0, 30, 0)``; a dash where it is unknown, or no number."""
    if isinstance(setting, (list, tuple)) and setting:
        return f"({', '.join(value(each) for each in setting)})"
    is_number = isinstance(setting, (int, float)) and not isinstance(setting, bool)
    return number(setting, 3) if is_number and abs(setting) <= sys.float_info.max else "–"
