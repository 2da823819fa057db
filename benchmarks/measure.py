"""Statistics and clocks."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = [
    "AGREES",
    "DIFFERS",
    "NOISY",
    "agrees",
    "best_split",
    "compared",
    "mean_and_error",
    "resident_mb",
    "seconds_each",
    "telling",
]

AGREES, DIFFERS, NOISY = "agrees", "DIFFERS", "too noisy to tell"

MARGIN = 0.05
"""How far a gradient may be from finite differences, beyond the statistical error."""


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error of independent estimates, at least 2."""
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def agrees(truth: tuple[float, float], estimate: tuple[float, float], margin: float = MARGIN) -> bool:
    """Whether an estimate is within ``margin`` of the truth beyond two standard errors of their difference.

    Parameters
    ----------
    truth, estimate : (mean, standard error)
    margin : float
        A fraction of the truth.
    """
    error = math.hypot(truth[1], estimate[1])
    return abs(estimate[0] - truth[0]) <= margin * abs(truth[0]) + 2 * error


def telling(truth: tuple[float, float], estimate: tuple[float, float], noise: float = 2 * MARGIN) -> bool:
    """Whether two standard errors of a difference are at most ``noise`` of the truth: an agreement means something."""
    return 2 * math.hypot(truth[1], estimate[1]) <= noise * abs(truth[0])


def compared(label: str, truth: tuple[float, float], gradient: tuple[float, float], bias: float) -> dict:
    """A table's line: finite differences and a gradient, each with its standard error, and whether they agree.

    Parameters
    ----------
    bias : float
        What the extrapolation from two steps took off the plain difference.
    """
    verdict = AGREES if agrees(truth, gradient) else DIFFERS
    if verdict == AGREES and not telling(truth, gradient):
        verdict = NOISY
    return {
        "parameter": label,
        "finite differences": truth[0],
        "+- fd": truth[1],
        "step bias": bias,
        "gradient": gradient[0],
        "+- gradient": gradient[1],
        "difference %": 100 * (gradient[0] - truth[0]) / abs(truth[0]) if truth[0] else 0.0,
        "verdict": verdict,
    }


def best_split(variances: Mapping[str, float], costs: Mapping[str, float], total: float) -> dict[str, float]:
    r"""Samples of each kind that make the least variance :math:`\sum v_i / n_i` at a total cost :math:`\sum c_i n_i`.

    :math:`n_i \propto \sqrt{v_i / c_i}` (Neyman 1934, with costs).

    Parameters
    ----------
    variances : mapping
        What one sample contributes, at least 0.
    costs : mapping
        Of one sample, above 0.
    total : float
        In the costs' unit.
    """
    weight = sum(math.sqrt(variances[name] * costs[name]) for name in variances)
    return {name: total / weight * math.sqrt(variances[name] / costs[name]) for name in variances}


def seconds_each(step: Callable[[int], object], count: int, start: int = 0) -> list[float]:
    """How long each of ``count`` calls ``step(start)``, ``step(start + 1)``, ... takes."""
    result = []
    for index in range(start, start + count):
        began = time.perf_counter()
        step(index)
        result.append(time.perf_counter() - began)
    return result


def resident_mb() -> float:
    """Resident memory of this process now (Linux)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(fields["VmRSS"].split()[0]) / 1024
