"""Numbers and estimates as text."""

from __future__ import annotations

import math

from ..runs.results import Estimate

__all__ = ["BARS", "known", "measured", "moved", "noise", "number", "percent", "two_digits", "with_error"]

BARS = (
    "Bars: render s.e., the standard error over renders of the same scene; where none is to be seen, it is smaller "
    "than the marker."
)

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """``24.49``, ``1.6×10⁻⁵``; a dash where it is unknown."""
    if value is None or not math.isfinite(value):
        return "–"
    mantissa, e, exponent = f"{value:.{digits}g}".replace("-", "−").replace("e−", "e-").partition("e")
    return mantissa + (f"×10{str(int(exponent)).translate(RAISED)}" if e else "")


def known(figure: Estimate | None) -> bool:
    """Whether a figure is there, and finite."""
    return figure is not None and math.isfinite(figure.mean)


def measured(figure: Estimate | None) -> str:
    """``24.49 ± 0.0021``: for tables, which say that ± is the render s.e."""
    if not known(figure):
        return "–"
    return number(figure.mean) + (f" ± {number(figure.sem, 2)}" if figure.sem > 0 else "")


def with_error(figure: Estimate | None, digits: int = 4) -> str:
    """``24.49 (render s.e. 0.0021)``; the error is there where the renders have noise."""
    if not known(figure):
        return "–"
    return number(figure.mean, digits) + (f" (render s.e. {number(figure.sem, 2)})" if figure.sem > 0 else "")


def noise(figure: Estimate) -> str:
    """What is added to a figure that has no error."""
    if figure.sem > 0:
        return ""
    return " (its renders have no noise)" if figure.sem == 0 else " (its error is unknown)"


def moved(initial: Estimate | None, final: Estimate | None, when: str = "") -> str:
    """``, up from 1.5``, ``, down from 30``, ``, unchanged from 20``; nothing where either is unknown.

    Parameters
    ----------
    initial, final : Estimate or None
    when : str
        Added to the initial figure: `` at the start``.
    """
    if not (known(initial) and known(final)):
        return ""
    way = "up" if final.mean > initial.mean else "down"
    if number(initial.mean) == number(final.mean):
        way = "unchanged"
    return f", {way} from {with_error(initial)}{when}"


def two_digits(value: float) -> str:
    """``0.57``, ``45``, ``123``: two digits, and no power of ten of what is below a thousand."""
    return number(value, 3 if abs(value) >= 99.5 else 2)


def percent(figure: Estimate | None) -> str:
    """``18 %``, ``1.53 % (render s.e. 0.02 %)``, of a fraction."""
    if not known(figure):
        return "–"
    digits = 3 if figure.sem > 0 or abs(figure.mean) >= 0.995 else 2
    error = f" (render s.e. {number(100 * figure.sem, 1)} %)" if figure.sem > 0 else ""
    return f"{number(100 * figure.mean, digits)} %{error}"
