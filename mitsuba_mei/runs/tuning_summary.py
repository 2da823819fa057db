"""What a tuning curve or map says in few numbers: preferred values, bandwidths, depth, selectivity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .results import Axis, TuningSummary
from .results.responses import Preferred, Selectivity

__all__ = ["BANDWIDTH", "DRAWS", "INDICES", "modulation_depth", "preferred", "selectivity", "summarize"]

DRAWS = 400
"""Curves drawn within the errors, by whose spread the error of a preferred value is told."""

BANDWIDTH = "half width at half height above the least response"
ALIKE = "the responses are alike along this axis"
BEYOND = "the response does not fall to half its height on both sides within the range"

INDICES = {
    "1 - circular variance": "Ringach, Shapley & Hawken 2002, Journal of Neuroscience 22:5639-5651; Mardia 1972",
    "sparseness": "Vinje & Gallant 2000, Science 287:1273-1276, after Rolls & Tovee 1995",
}
"""Indices of selectivity, and where they come from."""


def summarize(axes: Sequence[Axis], mean: np.ndarray, sem: np.ndarray, seed: int = 0) -> TuningSummary:
    """Preferred values, bandwidths, depth and selectivity of one neuron's responses over the whole grid.

    The standard error of a preferred value is that of the points' noise alone (parametric bootstrap, Efron & Tibshirani
    1993, chapter 6). What the parabola through three points misses is not in it: about a tenth of a step for a lopsided
    peak as wide as a few steps, so a finer grid about the peak tells it better.

    Parameters
    ----------
    axes : sequence of Axis
    mean, sem : ndarray
        The axes' shape, finite.
    seed : int
        Of the curves that are drawn for the preferred value's error.
    """
    axes, mean, sem = _opened(axes, mean, sem)
    where, height = preferred(axes, mean[None])
    generator = np.random.default_rng(seed)
    drawn, _ = preferred(axes, mean + sem * generator.standard_normal((DRAWS, *mean.shape)))
    index, value = selectivity(axes, mean)
    flat = not np.ptp(mean) > 0
    widths = [(None, ALIKE) if flat else _bandwidth(axes, mean, i, float(height[0])) for i in range(len(axes))]
    return TuningSummary(
        preferred=tuple(
            Preferred() if flat else Preferred(value=float(at), sem=_spread(axis, at, others))
            for axis, at, others in zip(axes, where[0], drawn.T)
        ),
        bandwidth=tuple(width for width, _ in widths),
        bandwidth_is=BANDWIDTH,
        bandwidth_unknown=tuple(why for _, why in widths),
        modulation_depth=modulation_depth(mean),
        selectivity=Selectivity(index=index, reference=INDICES[index], value=value),
    )


def _opened(axes: Sequence[Axis], mean: np.ndarray, sem: np.ndarray) -> tuple[tuple[Axis, ...], np.ndarray, np.ndarray]:
    """The same without the second of two points that are one, a period apart: the first is then their mean."""
    opened = []
    for i, axis in enumerate(axes):
        if axis.closed:
            mean, sem = np.moveaxis(mean, i, 0), np.moveaxis(sem, i, 0)
            mean = np.concatenate([(mean[:1] + mean[-1:]) / 2, mean[1:-1]])
            sem = np.concatenate([np.hypot(sem[:1], sem[-1:]) / 2, sem[1:-1]])
            mean, sem = np.moveaxis(mean, 0, i), np.moveaxis(sem, 0, i)
            axis = axis.model_copy(update={"values": axis.values[:-1]})
        opened.append(axis)
    return tuple(opened), mean, sem


def preferred(axes: Sequence[Axis], curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where curves or maps peak, and how high.

    The vertex of the parabola (of two axes, the paraboloid) through the highest point and its neighbours, which lies at
    most half a step aside (Smith & Serra 1987, PARSHL, Proc. International Computer Music Conference, 290-297). On an
    axis that comes round the ends are neighbours; at the end of another one the peak is the end itself.

    Parameters
    ----------
    axes : sequence of Axis
        Of one or two numbers; none closed.
    curves : ndarray
        (D, n) or (D, n, m).

    Returns
    -------
    where : ndarray
        (D, len(axes)), in the axes' units; on an axis that comes round, within a period from its first value.
    height : ndarray
        (D,).
    """
    shape, every = curves.shape[1:], np.arange(len(curves))
    top = np.stack(np.unravel_index(curves.reshape(len(curves), -1).argmax(1), shape), axis=1)
    inside = np.stack([_inside(axis, top[:, i]) for i, axis in enumerate(axes)], axis=1)

    def at(*steps: int) -> np.ndarray:
        index = [
            np.where(inside[:, i], top[:, i] + step, top[:, i]) % n for i, (step, n) in enumerate(zip(steps, shape))
        ]
        return curves[(every, *index)]

    zero = (0,) * len(axes)
    unit = [tuple(int(i == j) for j in range(len(axes))) for i in range(len(axes))]
    peak = at(*zero)
    slope = np.stack([(at(*u) - at(*(-s for s in u))) / 2 for u in unit], axis=1)
    bend = np.stack([at(*u) + at(*(-s for s in u)) - 2 * peak for u in unit], axis=1)
    aside = np.where(bend < 0, -slope / np.where(bend < 0, bend, -1), 0).clip(-0.5, 0.5)
    if len(axes) == 2:
        twist = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
        twist = np.where(inside.all(1), twist, 0)
        determinant = bend[:, 0] * bend[:, 1] - twist**2
        usable = (bend < 0).all(1) & (determinant > 0)
        determinant = np.where(usable, determinant, 1)
        joint = -(bend[:, ::-1] * slope - twist[:, None] * slope[:, ::-1]) / determinant[:, None]
        usable &= (np.abs(joint) <= 1).all(1)
        aside = np.where(usable[:, None], joint, aside)
    height = peak + (slope * aside).sum(1) / 2
    where = np.stack([a.values[0] + a.step * (top[:, i] + aside[:, i]) for i, a in enumerate(axes)], axis=1)
    for i, axis in enumerate(axes):
        if axis.period is not None:
            beyond = (where[:, i] - axis.values[0]) % axis.period
            where[:, i] = axis.values[0] + np.where(beyond < axis.period, beyond, 0)  # rounding can give the period
    return where, height


def _inside(axis: Axis, top: np.ndarray) -> np.ndarray:
    """Whether points have two different neighbours."""
    n = len(axis.values)
    return np.full(len(top), n > 2) if axis.period is not None else (top > 0) & (top < n - 1)


def _spread(axis: Axis, at: float, drawn: np.ndarray) -> float:
    """Root mean square distance of drawn preferred values from the one that is reported."""
    away = drawn - at
    if axis.period is not None:
        away = (away + axis.period / 2) % axis.period - axis.period / 2
    return float(np.sqrt(np.mean(away**2)))


def _bandwidth(axes: Sequence[Axis], mean: np.ndarray, i: int, height: float) -> tuple[float | None, str | None]:
    """The bandwidth along an axis, and why there is none.

    Half the distance between the two places about the peak where the response falls halfway from the interpolated
    peak to the baseline, the least response of the curve: the half width at half height of tuning curves (Swindale
    1998, Orientation tuning curves: empirical description and estimation of parameters, Biological Cybernetics
    78:45-56), read off the points in place of a fitted curve. Responses may be negative; a constant that is added to
    all changes nothing. Of a map, the curve along the axis through its highest point. Between points it is straight.
    """
    axis = axes[i]
    top = np.unravel_index(mean.argmax(), mean.shape)
    curve = mean[tuple(slice(None) if j == i else k for j, k in enumerate(top))]
    baseline = float(curve.min())
    if not height > baseline:
        return None, ALIKE
    level = (height + baseline) / 2
    falls = [_fall(curve, int(top[i]), sense, level, axis.period is not None) for sense in (1, -1)]
    return (None, BEYOND) if None in falls else (float(sum(falls) / 2 * axis.step), None)


def _fall(curve: np.ndarray, top: int, sense: int, level: float, round_: bool) -> float | None:
    """How many steps from the top the curve first falls to a level, going one way."""
    n = len(curve)
    last = n - 1 if round_ else (n - 1 - top if sense > 0 else top)
    for steps in range(1, last + 1):
        before, here = (curve[(top + sense * k) % n] for k in (steps - 1, steps))
        if here <= level:
            return steps - 1 + (before - level) / (before - here)
    return None


def modulation_depth(mean: np.ndarray) -> float | None:
    """``(max - min) / (max + min)``, Michelson's contrast of the responses.

    Responses below 0 count as 0: by their errors, those of a silent neuron may be. None where none is above.
    """
    high, low = max(float(mean.max()), 0.0), max(float(mean.min()), 0.0)
    return (high - low) / (high + low) if high > 0 else None


def selectivity(axes: Sequence[Axis], mean: np.ndarray) -> tuple[str, float | None]:
    r"""The name and value of the index of selectivity: 0 for a neuron that answers alike everywhere, 1 for one point.

    Of one axis that comes round, 1 - circular variance, :math:`|\sum_k r_k e^{2 \pi i x_k / P}| / \sum_k r_k` with P
    the period. Else the sparseness :math:`(1 - (\sum r / n)^2 / (\sum r^2 / n)) / (1 - 1 / n)`, of a map over all its
    points. Responses below 0 count as 0; None where none is above.
    """
    rates = np.maximum(mean, 0)
    circular = len(axes) == 1 and axes[0].period is not None
    name = tuple(INDICES)[0 if circular else 1]
    if not rates.sum() > 0:
        return name, None
    if circular:
        phases = np.exp(2j * np.pi * axes[0].values / axes[0].period)
        return name, float(abs((rates * phases).sum()) / rates.sum())
    n = rates.size
    return name, float((1 - rates.mean() ** 2 / np.mean(rates**2)) / (1 - 1 / n))
