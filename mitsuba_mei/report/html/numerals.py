"""Figures as text."""

from __future__ import annotations

from .files import Figure

__all__ = ["BARS", "measured", "moved", "number", "percent", "with_error"]

BARS = (
    "Bars: render s.e., the standard error over renders of the same scene; where none is to be seen, it is smaller "
    "than the marker."
)

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """``24.49``, ``1.6×10⁻⁵``; a dash where it is unknown."""
    if value is None:
        return "–"
    mantissa, e, exponent = f"{value:.{digits}g}".replace("-", "−").replace("e−", "e-").partition("e")
    return mantissa + (f"×10{str(int(exponent)).translate(RAISED)}" if e else "")


def measured(figure: Figure | None) -> str:
    """``24.49 ± 0.0021``: for tables, which say that ± is the render s.e."""
    if figure is None or figure.mean is None:
        return "–"
    return number(figure.mean) + (f" ± {number(figure.sem, 2)}" if figure.sem else "")


def with_error(figure: Figure | None, digits: int = 4) -> str:
    """``24.49 (render s.e. 0.0021)``; the error is there where the renders have noise."""
    if figure is None or figure.mean is None:
        return "–"
    return number(figure.mean, digits) + (f" (render s.e. {number(figure.sem, 2)})" if figure.sem else "")


def moved(initial: Figure | None, final: Figure | None, when: str = "") -> str:
    """``, up from 1.5``, ``, down from 30``, ``, unchanged from 20``; nothing where either is unknown.

    Parameters
    ----------
    initial, final : Figure or None
    when : str
        Added to the initial figure: `` at the start``.
    """
    if None in (initial, final) or None in (initial.mean, final.mean):
        return ""
    way = "up" if final.mean > initial.mean else "down"
    if number(initial.mean) == number(final.mean):
        way = "unchanged"
    return f", {way} from {with_error(initial)}{when}"


def percent(figure: Figure | None) -> str:
    """``18 %``, ``1.53 % (render s.e. 0.02 %)``, of a fraction."""
    if figure is None or figure.mean is None:
        return "–"
    digits = 3 if figure.sem else 2
    error = f" (render s.e. {number(100 * figure.sem, 1)} %)" if figure.sem else ""
    return f"{number(100 * figure.mean, digits)} %{error}"
