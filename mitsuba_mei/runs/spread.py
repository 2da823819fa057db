"""Mean and standard deviation over starts or seeds, and the name of the maximised value."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from ..config.objective_names import experiment_of
from .results import Spread, Start

__all__ = ["ends_of", "named_value", "spread"]


def spread(values: Iterable[float], of: str = "activation") -> Spread | None:
    """How far apart several optimizations ended; None of fewer than two that ended with a finite figure.

    The standard deviation is that of the optimizations (n - 1 in the denominator): where another start or seed may end,
    of which the renders' standard error says nothing.

    Parameters
    ----------
    values : iterable of float
    of : str
        What they are: ``activation``, ``objective``, ``error``.
    """
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return None
    mean, sd = statistics.fmean(known), statistics.stdev(known)
    return Spread(of=of, n=len(known), mean=mean, sd=sd, lowest=min(known), highest=max(known))


def ends_of(starts: Iterable[Start], sign: float = 1.0) -> list[float]:
    """What the starts ended with, but for those that failed or were interrupted.

    ``sign`` is -1 where what was maximised is minus an error.
    """
    return [sign * each.activation.final.mean for each in starts if each.ended in ("done", "no better")]


def named_value(objective: str) -> tuple[str, float]:
    """The figure's name (``activation``, ``objective`` or ``error``), and its sign over what is maximised."""
    name = experiment_of(objective).VALUE
    return name, -1.0 if name == "error" else 1.0
