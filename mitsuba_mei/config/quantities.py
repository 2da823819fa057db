"""Physical quantities of the scene file: unit, range, and how two of them differ; read off the schema's fields.

The scene's parts, tuning, comparisons and exports ask here, so that each of these facts stands once, on the field.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["DEGREES", "LENGTH", "Quantity", "Range", "freeable_names", "kind_of", "quantity_of", "range_of"]

DEGREES, LENGTH = "deg", "scene units"


@dataclass(frozen=True)
class Quantity:
    """What a field's number is, or each number of its list; it stands in the field's annotation.

    Attributes
    ----------
    unit : str
        ``deg``, ``scene units``, or nothing.
    difference : str
        How two values differ: by the angle between ``direction`` vectors, of the turn from one ``rotation`` to
        another, or of one ``angle`` to another; by the ``distance`` of places; ``relative`` to the first, as of powers
        and sizes; or ``absolute``.
    components : str
        Names of the numbers of a list, a letter each; where there are none they are counted from 0.
    period : float or None
        By how much an angle grows until it is the same again.
    least : float
        Above which a free value stays, though the range may go on below.
    """

    unit: str = ""
    difference: Literal["direction", "rotation", "angle", "distance", "relative", "absolute"] = "absolute"
    components: str = ""
    period: float | None = None
    least: float = -math.inf


class Range(NamedTuple):
    """Ends of what a field allows, and whether each end itself is outside."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = True
    high_open: bool = True


BOUNDS = {"ge": ("low", False), "gt": ("low", True), "le": ("high", False), "lt": ("high", True)}
"""Which end each of pydantic's constraints says, and whether the end itself is outside."""


def quantity_of(part: type[BaseModel], name: str) -> Quantity:
    """Quantity of the field ``name`` of a mapping; by default a number without a unit."""
    marks = (mark for mark in _marks(part.model_fields[name]) if isinstance(mark, Quantity))
    return next(marks, Quantity())


def range_of(part: type[BaseModel], name: str) -> Range:
    """Bounds of the field ``name`` of a mapping, or of each of its numbers."""
    limits = Range()
    for mark in _marks(part.model_fields[name]):
        for bound, (end, is_open) in BOUNDS.items():
            if (value := getattr(mark, bound, None)) is not None:
                limits = limits._replace(**{end: float(value), f"{end}_open": is_open})
    return limits


def freeable_names(part: type[BaseModel]) -> tuple[str, ...]:
    """Parameters of a mapping that can be free, in the schema's order."""
    names, *_ = typing.get_args(part.model_fields["free"].annotation)
    return typing.get_args(names)


def kind_of(part: type[BaseModel]) -> str:
    """``type`` of a mapping in the scene file."""
    return part.model_fields["type"].default


def _marks(field: FieldInfo) -> Iterator[Any]:
    """Everything that annotates a field, from the outside in."""
    yield from field.metadata
    yield from _inner_marks(field.annotation)


def _inner_marks(annotation: Any) -> Iterator[Any]:
    for mark in getattr(annotation, "__metadata__", ()):
        yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)
    for argument in typing.get_args(annotation):
        yield from _inner_marks(argument)
