"""What is said of scenes recovered from images, of metamers and of diverse scenes, in sentences."""

from __future__ import annotations

from .aims import Aim, Apart, Away, DiverseSet, Metamer, Recovered
from .files import Figure
from .numerals import BARS, number, percent, with_error

__all__ = [
    "amount",
    "apart",
    "away",
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

LEAST = 1e-3
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


def measure(aim: Aim) -> str:
    """What the figures are of."""
    if isinstance(aim, Recovered):
        return "error" if aim.error is None else f"error ({aim.error})"
    if isinstance(aim, Metamer):
        return "error (responses)"
    return f"activation (mean of {len(aim.scenes)} scenes)"


def error_kind(aim: Recovered | Metamer) -> str:
    """Which error the figure is of: ``l2``, ``responses``."""
    return "responses" if isinstance(aim, Metamer) else aim.error or "of images"


def in_short(aim: Aim) -> str:
    """What the figure is called that counts."""
    return "mean activation" if isinstance(aim, DiverseSet) else "error"


def outcome(aim: Aim) -> str | None:
    """``found``, ``not found``; None where nothing had to be found."""
    if isinstance(aim, Recovered) or aim.found is None:
        return None
    return "found" if aim.found else "not found"


def found(aim: Aim) -> str:
    """What a run ended with."""
    if isinstance(aim, Recovered):
        return "recovered scene"
    if isinstance(aim, Metamer):
        return "metamer" if aim.found else "scene found"
    return "scenes"


def title(aim: Aim, model: str) -> str:
    """What was found, for whom."""
    if isinstance(aim, Recovered):
        return (
            "Scene recovered from images" if aim.error != "responses" else f"Scene recovered from responses of {model}"
        )
    if isinstance(aim, Metamer):
        return f"{'Metamer' if aim.found else 'No metamer found'} for {model}"
    return f"{len(aim.scenes)} diverse scenes for {model}" if aim.found else f"No diverse scenes found for {model}"


def lead(aim: Aim, whom: str, how: str) -> str:
    """What a report begins with; ``how`` it was rendered, in brackets."""
    if isinstance(aim, Recovered):
        what = f"to which {whom} answer most as to the target" if aim.error == "responses" else "most like the target’s"
        return f"Inverse rendering: the scene whose images{how} are those {what}, of all that the optimizer tried."
    if isinstance(aim, Metamer):
        layer = "" if aim.layer is None else f" (at its layer “{aim.layer}”)"
        return (
            f"A search for a metamer: another scene than the reference, rendered{how}, to which {whom}{layer} answer "
            "as they do to the reference."
        )
    return (
        f"A search for scenes, rendered{how}, that all drive {whom} and differ as much as they can in "
        f"{respect(aim.differ)}: what differs between them, the response is invariant to."
    )


def units(aim: Aim, noisy: bool) -> str:
    """What the figure's axis and rows are."""
    if isinstance(aim, Recovered):
        said = f"Error: {ERRORS.get(aim.error or '', 'how unlike the images are')}; 0 is best."
    elif isinstance(aim, Metamer):
        said = "Error: distance of the responses from the reference’s over the length of the latter; 0 is best."
    else:
        said = "Each scene’s activation over the maximum; the dashed line is the level that each was asked to reach."
    return f"{said} {BARS}" if noisy else said


def sentences(aim: Aim, initial: Figure | None, final: Figure) -> list[str]:
    """What came of it, the most important first."""
    if isinstance(aim, Recovered):
        return _of_recovered(aim, initial, final)
    return _of_metamer(aim, initial, final) if isinstance(aim, Metamer) else _of_set(aim)


def _of_recovered(aim: Recovered, initial: Figure | None, final: Figure) -> list[str]:
    noise = "" if final.sem else " (its renders have no noise)"
    start = "" if initial is None or initial.mean is None else f"; at the start it was {with_error(initial)}"
    said = [f"The {measure(aim)} is {with_error(final)}{noise}{start}."]
    if aim.final is not None:
        start = "" if aim.initial is None else f", {_percent(aim.initial)} at the start"
        said.append(f"The surface lies {_percent(aim.final)} of its diameter from the true one in the mean{start}.")
    if aim.aligned is not None:
        said.append(f"Laid onto it, which leaves the shape alone to differ, it lies {_percent(aim.aligned)} from it.")
    if aim.final is None and not aim.parameters:
        said.append("How near this is to the truth is not known.")
    return said


def _of_metamer(aim: Metamer, initial: Figure | None, final: Figure) -> list[str]:
    said = [] if aim.found is None else ["A metamer was found." if aim.found else "No metamer was found."]
    start = "" if initial is None or initial.mean is None else f"; at the start {percent(Figure(initial.mean))}"
    near = ""
    if aim.tolerance is not None and aim.near is not None:
        near = f", {'within' if aim.near else 'not within'} the {_percent(aim.tolerance)} asked for"
    said.append(f"The responses lie {percent(final)} from the reference’s{near}{start}.")
    return said + _unlike(aim, "the scenes", "apart")


def _of_set(aim: DiverseSet) -> list[str]:
    count = len(aim.scenes)
    said = []
    if aim.found is not None:
        said.append(f"{count} diverse scenes were found." if aim.found else "No such set of scenes was found.")
    reached = [scene.reached for scene in aim.scenes]
    parts = [scene.of_maximum.mean for scene in aim.scenes if scene.of_maximum is not None]
    if aim.level is not None and count and None not in reached:
        whence = "the known optimum" if aim.source == "optimum" else "what one scene alone reaches"
        worst = f"; the least reaches {min(parts):.3f}" if parts else ""
        said.append(
            f"{sum(reached)} of {count} drive the neurons to at least {number(aim.level)} of {whence}"
            f"{'' if aim.maximum is None else f' ({number(aim.maximum)})'}{worst}."
        )
    return said + _unlike(aim, "two of them", "apart in the mean") or ["What came of it is not recorded."]


def _unlike(aim: Metamer | DiverseSet, which: str, apart: str) -> list[str]:
    """How far scenes lie apart in what they are to differ in, where it is known."""
    if aim.difference is None:
        return []
    asked = ""
    if aim.apart is not None and aim.far is not None:
        asked = f", {'at least' if aim.far else 'less than'} the {amount(aim.differ, aim.apart, short=True)} asked for"
    return [f"In {respect(aim.differ)} {which} lie {amount(aim.differ, aim.difference)} {apart}{asked}."]


def respect(kind: str | None) -> str:
    """In what scenes differ."""
    return "some respect" if kind is None else RESPECTS.get(kind, kind)


def amount(kind: str | None, size: float | None, short: bool = False) -> str:
    """How far scenes lie apart in a respect, with its unit."""
    if size is None:
        return "–"
    if kind == "image":
        return f"{size:.2f}" + ("" if short else f" (a correlation of {number(round(1 - size, 2), 2)})")
    if kind == "shape":
        return f"{number(size, 2)} of the radius"
    return f"{number(size, 2)}°" if kind in ("pose", "light") else number(size, 3)


def apart(each: Apart) -> str:
    """A row of the table of all differences."""
    return "none" if each.value is not None and each.value < LEAST else amount(each.kind, each.value)


def _percent(fraction: float) -> str:
    return percent(Figure(fraction))


def value(said: float | list[float] | None) -> str:
    """``35``, ``(0, 30, 0)``; a dash where it is unknown."""
    if isinstance(said, list):
        return f"({', '.join(number(each, 3) for each in said)})"
    return number(said)


def away(each: Away, off: float | None) -> str:
    """How far off a parameter is, without a sign, with its unit."""
    if off is None:
        return "–"
    if each.unit == "relative":
        return _percent(abs(off))
    return number(abs(off), 2) + {"degrees": "°", "scene units": " scene units"}.get(each.unit, "")
