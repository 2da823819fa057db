"""The grid of a tuning: which numbers of the scene are varied, over which values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import UserError
from ..scene.scalar_parameters import ScalarParameters
from .results import Axis

__all__ = ["MAX_POINTS", "GridSpec", "axes_of", "parse_over", "points"]

MAX_POINTS = 2500
"""Points of a grid: fifty times fifty."""

MAX_AXES = 2


@dataclass(frozen=True)
class GridSpec:
    """One ``--over``, as it was said."""

    text: str
    path: str
    first: float
    last: float
    count: int


def parse_over(text: str) -> GridSpec:
    """``pose.rotation.y=-90:90:19`` as path, first, last, and number of points.

    Raises
    ------
    UserError
        If it is written otherwise, is no growing range, or has too few or too many points.
    """
    path, equals, span = text.partition("=")
    path, parts = path.strip(), span.split(":")
    if not equals or not path or len(parts) != 3:
        raise UserError(f"--over {text}: must read path=first:last:points, as in pose.rotation.y=-90:90:19")
    try:
        first, last = (float(part) for part in parts[:2])
    except ValueError:
        raise UserError(f"--over {text}: the range's ends must be numbers, as in -90:90:19") from None
    try:
        count = int(parts[2])
    except ValueError:
        raise UserError(f"--over {text}: the number of points must be a whole number, not '{parts[2]}'") from None
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        raise UserError(f"--over {text}: the range must go from a smaller to a larger finite number")
    if not 2 <= count <= MAX_POINTS:
        raise UserError(f"--over {text}: the number of points must be 2 to {MAX_POINTS}, not {count}")
    return GridSpec(text, path, first, last, count)


def axes_of(overs: Sequence[GridSpec], scene: ScalarParameters, relative: bool = False) -> tuple[Axis, ...]:
    """The grid's axes.

    Parameters
    ----------
    overs : sequence of GridSpec
    scene : ScalarParameters
    relative : bool
        Whether the ranges are differences from the scene's own values.

    Raises
    ------
    UserError
        If there are none or too many axes or points, a path is named twice or unknown, or a range leaves what the
        number may be.
    """
    if not 1 <= len(overs) <= MAX_AXES:
        raise UserError(f"--over: one or two numbers can be varied, not {len(overs)}; give it once or twice")
    if len({over.path for over in overs}) < len(overs):
        raise UserError(f"--over: {overs[0].path} is named twice; give two different numbers")
    if (total := math.prod(over.count for over in overs)) > MAX_POINTS:
        raise UserError(f"--over: {total} points are too many; a grid may have {MAX_POINTS}")
    return tuple(_axis(over, scene, relative) for over in overs)


def _axis(over: GridSpec, scene: ScalarParameters, relative: bool) -> Axis:
    try:
        quantity = scene.quantity(over.path)
    except UserError as error:
        raise UserError(f"--over {over.text}: {error}") from None
    own = scene.own(over.path)
    shift = own if relative else 0.0
    unit = f" {quantity.unit}" if quantity.unit else ""
    for end in (over.first, over.last):
        if not quantity.allows(end + shift):
            raise UserError(
                f"--over {over.text}: {over.path} would be {end + shift:g}{unit}; it must be {quantity.allowed}"
            )
    turn = quantity.period
    if turn is not None and over.last - over.first > turn * (1 + 1e-9):
        raise UserError(f"--over {over.text}: the range is more than a full turn, {turn:g} deg")
    values = shift + np.linspace(over.first, over.last, over.count)
    axis = Axis(path=over.path, unit=quantity.unit, values=values, at=own)
    return axis.with_period(turn) if turn is not None and axis.goes_round(turn) else axis


def points(axes: Sequence[Axis]) -> list[tuple[tuple[int, ...], dict[str, float]]]:
    """Every point of the grid, the last axis fastest: its index, and the values by path."""
    indices = product(*(range(len(axis.values)) for axis in axes))
    return [(index, {axis.path: float(axis.values[i]) for axis, i in zip(axes, index)}) for index in indices]
