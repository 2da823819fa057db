"""Figures as text."""

from __future__ import annotations

from .files import Figure

__all__ = ["measured", "number", "percent"]

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """``24.49``, ``1.6×10⁻⁵``; a dash where it is unknown."""
    if value is None:
        return "–"
    mantissa, e, exponent = f"{value:.{digits}g}".replace("-", "−").replace("e−", "e-").partition("e")
    return mantissa + (f"×10{str(int(exponent)).translate(RAISED)}" if e else "")


def measured(figure: Figure | None) -> str:
    """A mean with its standard error, where there is noise."""
    if figure is None or figure.mean is None:
        return "–"
    return number(figure.mean) + (f" ± {number(figure.sem, 2)}" if figure.sem else "")


def percent(figure: Figure | None) -> str:
    """``18 %``, ``1.53 ± 0.02 %``, of a fraction."""
    if figure is None or figure.mean is None:
        return "–"
    digits = 3 if figure.sem else 2
    error = f" ± {number(100 * figure.sem, 1)}" if figure.sem else ""
    return f"{number(100 * figure.mean, digits)}{error} %"
