"""What a result comes to, in sentences: composed here once, laid out by the terminal, the figures and the page."""

from __future__ import annotations

import math

from ..config.objective_names import maximised_value, stimulus_name
from ..runs.results import (
    DiverseResult,
    DiverseSet,
    Estimate,
    InitialFinal,
    InverseResult,
    MEIResult,
    MetamerPair,
    MetamerResult,
    OptimizationResult,
    PixelResult,
    Truth,
    Validation,
)
from ..runs.results.diverse import SceneDistance
from ..runs.results.optimization import PixelValidation
from ..runs.spread import ends_of, named_value, spread
from .numbers import known, moved, noise, number, percent, two_digits, with_error

__all__ = [
    "amount",
    "away",
    "describe_parameters",
    "describe_pair",
    "describe_set",
    "describe_starts",
    "describe_truth",
    "error_name",
    "respect",
    "statements",
]

WORTH_SAYING = 1e-3
"""The least fraction of a stimulus beyond the display's range that is mentioned; result.json has any."""

RESPECTS = {
    "image": "what the neurons see",
    "shape": "shape",
    "pose": "turn of the object",
    "light": "directions of lights",
}


def statements(result: OptimizationResult | PixelResult) -> list[str]:
    """What a run comes to, the most important first.

    Parameters
    ----------
    result : OptimizationResult or PixelResult

    Returns
    -------
    list of str
        Whole sentences: the maximised value or the error beside what it can be compared with, the second model, and
        the spread over starts.
    """
    if isinstance(result, InverseResult):
        value = [f"The {error_name(result)} is {_error_from(-result.activation)}.", *describe_truth(result.truth)]
    elif isinstance(result, MetamerResult):
        value = describe_pair(result.metamer)
    elif isinstance(result, DiverseResult):
        return describe_set(result.diverse)
    else:
        value = _value(result)
    return [*value, *describe_starts(result)]


def error_name(result: InverseResult) -> str:
    """``error (l2)``."""
    return "error" if result.error.kind is None else f"error ({result.error.kind})"


def _error_from(error: InitialFinal) -> str:
    start = f"; at the start it was {with_error(error.initial)}" if known(error.initial) else ""
    return f"{with_error(error.final)}{noise(error.final)}{start}"


def _value(result: OptimizationResult | PixelResult) -> list[str]:
    """The activation, or what else was maximised, beside the optimum, the pixel MEI and a second model."""
    what = maximised_value(result.objective)
    if isinstance(result, PixelResult):
        name = stimulus_name("pixel", result.objective, result.direction)
        value = with_error(Estimate(mean=result.activation))
        if result.ended != "done":
            lines = [f"No {name} was found: the ascent ended at {_of(what)} of {value}."]
        else:
            lines = [f"The {name} reaches {_of(what)} of {value}."]
    else:
        initial, final = result.activation.initial, result.activation.final
        lines = [f"The {what} is {with_error(final)}{noise(final)}{moved(initial, final, ' at the start')}."]
        lines += _ended_worse(result)
    fraction, optimum = (getattr(result, name, None) for name in ("fraction_of_optimum", "optimum"))
    beside = []
    if fraction is not None:
        best = "" if optimum is None else f" ({number(optimum)})"
        beside.append(f"{fraction:.3f} of the best that any image can reach{best}")
    pixel = result.pixel if isinstance(result, MEIResult) else None
    ratio = result.ratio_to_pixel if isinstance(result, MEIResult) else None
    if known(ratio):
        reached = "" if pixel is None else f" ({number(pixel.activation)})"
        beside.append(f"{_ratio(ratio)} of what the pixel MEI reaches{reached}")
    if beside:
        lines.append(f"This is {' and '.join(beside)}.")
    if pixel is not None and pixel.activation is not None and ratio is None:
        lines.append(f"The pixel MEI reaches {number(pixel.activation)}.")
    lines += _validation(getattr(result, "validation", None), result.objective)
    outside = getattr(result, "outside_display", None) or 0.0
    if outside >= WORTH_SAYING:
        lines.append(
            f"{_percent(outside)} of the stimulus is darker than black or brighter than white: the model saw it so, and "
            "the pictures are clipped; a smaller stimulus.norm or contrast can be displayed."
        )
    return lines


def _ended_worse(result: OptimizationResult) -> list[str]:
    """A warning where the optimization lost what it had, beyond three render s.e."""
    initial, final = result.activation.initial, result.activation.final
    gained = (final.mean - initial.mean) * (-1 if getattr(result, "direction", "maximize") == "minimize" else 1)
    if not result.steps or not gained < -3 * math.hypot(initial.sem, final.sem):
        return []
    return [
        "The optimization ended worse than it began: look at the steps in the figure, and at the gradient of the model; "
        "a lower learning rate or weaker regularizers may help."
    ]


def _of(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _ratio(ratio: Estimate) -> str:
    return f"{ratio.mean:.3f}" + (f" (render s.e. {number(ratio.sem, 2)})" if ratio.sem > 0 else "")


def _validation(second: Validation | PixelValidation | None, objective: str) -> list[str]:
    """The second model's answer to the same stimuli."""
    if second is None:
        return []
    gives = "answers" if objective == "activation" else "gives an objective of"
    lead = f"A second model, “{second.model}”, which the optimization never saw, {gives}"
    if isinstance(second, PixelValidation):
        return [f"{lead} {number(second.activation)}."]
    text = f"{lead} {with_error(second.activation.final)}{moved(second.activation.initial, second.activation.final)}"
    if second.pixel is not None:
        text += f"; to the pixel MEI {number(second.pixel)}"
    if known(second.ratio_to_pixel):
        text += f", so that the ratio is {_ratio(second.ratio_to_pixel)} there"
    return [f"{text}."]


def describe_starts(result: OptimizationResult | PixelResult) -> list[str]:
    """The spread over the starts that came to a good end; nothing of fewer than two."""
    if isinstance(result, PixelResult):
        ends = result.restarts
    else:
        ends = ends_of(result.restarts, named_value(result.objective)[1])
    over = spread(ends)
    if over is None:
        return []
    return [
        f"The best of {over.n} starts was kept. Over them the mean is {number(over.mean)} and the standard "
        f"deviation {number(over.sd, 2)} ({number(over.lowest)} to {number(over.highest)}): so far apart "
        "may other starts or seeds end, of which the render s.e. says nothing."
    ]


def describe_truth(truth: Truth | None) -> list[str]:
    """How far the recovered surface lies from the true one."""
    if truth is None or (truth.surface is None and not truth.parameters):
        return ["How near this is to the truth is not known."]
    if truth.surface is None:
        return []
    each = (truth.surface.initial, truth.surface.final, truth.surface.alignment)
    first, last, aligned = (_percent(surface.of_diameter) for surface in each)
    return [
        f"The mean surface distance is {last} of the true object’s diameter, {first} at the start.",
        f"After alignment, which leaves the shape alone to differ, it is {aligned}.",
    ]


def describe_parameters(truth: Truth | None) -> list[str]:
    """How far every recovered parameter lies from its true value."""
    lines = []
    for name, value in ({} if truth is None else truth.parameters).items():
        initial, final = (away(value.unit, off) for off in (value.off.initial, value.off.final))
        lines.append(f"{name} lies {final} from its true value, {initial} at the start.")
    return lines


def away(unit: str, off: float) -> str:
    """How far off a parameter is, without a sign, with its unit."""
    if not math.isfinite(off):
        return "–"
    if unit == "relative":
        return _percent(abs(off))
    return two_digits(abs(off)) + {"degrees": "°", "scene units": " scene units"}.get(unit, "")


def describe_pair(pair: MetamerPair) -> list[str]:
    """How near a metamer's responses are to the reference's, and how far the scenes lie apart."""
    responses, scene = pair.responses, pair.scene
    initial, final = responses.distance.initial, responses.distance.final
    start = f"; at the start {_percent(initial.mean)}" if known(initial) else ""
    near = f"{'within' if responses.near else 'not within'} the {_percent(responses.tolerance)} asked for"
    return [
        "A metamer was found." if pair.found else "No metamer was found.",
        f"The responses lie {percent(final)} from the reference’s, {near}{start}.",
        _unlike(scene, "the scenes", "apart"),
        *_other_differences(pair),
    ]


NEGLIGIBLE = 1e-3
"""Differences below are rounding."""


def _other_differences(pair: MetamerPair) -> list[str]:
    """In what else the scenes differ."""
    others = [
        f"{respect(kind)} by {amount(kind, each.value)}"
        for kind, each in pair.differences.items()
        if kind != pair.scene.differ and math.isfinite(each.value) and each.value > NEGLIGIBLE
    ]
    return [f"They also differ in {', in '.join(others)}."] if others else []


def describe_set(diverse: DiverseSet) -> list[str]:
    """How hard diverse scenes drive the neurons, and how far they differ."""
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
    return f"{two_digits(size)}°" if kind in ("pose", "light") else number(size, 3)


def _percent(fraction: float) -> str:
    return percent(Estimate(mean=fraction))
