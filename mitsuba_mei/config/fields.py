"""The bricks of the scene file's schema: the base class of its mappings, and the values that recur in them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from .quantities import DEGREES, LENGTH, Quantity

__all__ = [
    "Angle",
    "Azimuth",
    "Direction",
    "Disagreements",
    "Distance",
    "EulerAngles",
    "FilePath",
    "FilePathMarker",
    "Fraction",
    "Index",
    "LOOKED_UP",
    "NeuronList",
    "NeuronRange",
    "NonNegative",
    "Part",
    "Position",
    "Positive",
    "Power",
    "Reflectance",
    "Roughness",
    "Size",
    "Vector",
    "freeable",
    "listed_neurons",
]


MAX_SIZE = 1e12
"""Of any number, so that its cube is finite in single precision."""


class Disagreements(ValueError):
    """Several things that do not go together, a sentence each."""


class Part(BaseModel):
    """A mapping of the scene file: immutable, strict about types, closed to unknown keys and to NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _computable(self) -> Part:
        for name in type(self).model_fields:
            value = getattr(self, name)
            for number in value if isinstance(value, (tuple, list)) else (value,):
                if isinstance(number, float) and abs(number) > MAX_SIZE:
                    raise ValueError(f"{name} is {number:g}; numbers must lie between {-MAX_SIZE:g} and {MAX_SIZE:g}")
        return self


class FilePathMarker:
    """Marks the fields that name a file."""


FilePath = Annotated[str, Field(min_length=1), FilePathMarker()]
"""A file, looked for beside the scene file, one and two folders above it, where the program was started, and among
the files that come with the package."""

LOOKED_UP = (
    "looked for from the scene file's folder, the two folders above it, the working directory, then among the files "
    "that come with the package"
)

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Index = Annotated[int, Field(ge=0)]
Vector = Annotated[tuple[float, float, float], Field(strict=False)]


MAX_LISTED = 10_000
"""Neurons that a list may name."""


def _range(value: int | str) -> tuple[int, int]:
    """``7`` and ``"3-9"`` as first and last."""
    first, _, last = str(value).strip().partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()) or int(first) > int(last or first):
        raise ValueError(f"'{value}' is neither an index nor a range of them; write 7 or 3-9")
    return int(first), int(last or first)


_WRITTEN_RANGE = WithJsonSchema({"type": ["integer", "string"]})
NeuronRange = Annotated[tuple[int, int], BeforeValidator(_range), Field(strict=False), _WRITTEN_RANGE]


def listed_neurons(value: Any, most: int = MAX_LISTED, what: str = "neuron") -> list[int]:
    """Every neuron of ``[3, "5-7"]``, of ``"3,5-7"``, or of one index; or every seed.

    Parameters
    ----------
    value : object
        As it was read.
    most : int
        How many there may be.
    what : str
        What each is, in a message.

    Raises
    ------
    ValueError
        If something of it is neither an index nor a range, is named twice, or there are none or too many.
    """
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    ranges = [_range(item) for item in items if item != ""]
    count = sum(last - first + 1 for first, last in ranges)
    if not 1 <= count <= most:
        raise ValueError(f"must name 1 to {most} {what}s, not {count}")
    listed = [index for first, last in ranges for index in range(first, last + 1)]
    (often, times), *_ = Counter(listed).most_common(1)
    if times > 1:
        raise ValueError(f"{what} {often} is named {times} times; name each once")
    return listed


NeuronList = Annotated[
    tuple[Index, ...],
    BeforeValidator(listed_neurons),
    Field(strict=False),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": ["integer", "string"]}}),
]
"""Neurons, counted from 0, written as indices and ranges."""


def _number_or_rgb(value: Any) -> str:
    return "rgb" if isinstance(value, (list, tuple)) else "number"


def _number_or_three(number: Any, difference: str) -> Any:
    """A number for every channel alike, or three of them: red, green, blue."""
    rgb = Annotated[tuple[number, number, number], Field(strict=False)]
    either = Union[Annotated[number, Tag("number")], Annotated[rgb, Tag("rgb")]]
    return Annotated[either, Discriminator(_number_or_rgb), Quantity("", difference, "rgb")]


Power = _number_or_three(NonNegative, "relative")
Reflectance = _number_or_three(Fraction, "absolute")

Size = Annotated[Positive, Quantity(difference="relative")]
Distance = Annotated[Positive, Quantity(LENGTH, "relative")]
Position = Annotated[Vector, Quantity(LENGTH, "distance", "xyz")]
Angle = Annotated[float, Quantity(DEGREES, "angle")]
Azimuth = Annotated[float, Quantity(DEGREES, "angle", period=360.0)]
EulerAngles = Annotated[Vector, Quantity(DEGREES, "rotation", "xyz", period=360.0)]
Roughness = Annotated[float, Field(gt=0, le=1), Quantity(least=0.01)]
"""Where it is free it stays above 0.01, at which the rasterizer's tables begin."""


def _direction(value: tuple[float, float, float]) -> tuple[float, float, float]:
    if not any(value):
        raise ValueError("a direction cannot be [0, 0, 0]")
    return value


Direction = Annotated[Vector, AfterValidator(_direction), Quantity(difference="direction")]


def freeable(*names: str) -> Any:
    """The annotation of a ``free`` list over these parameter names."""
    allowed = tuple[Literal[names], ...]  # type: ignore[valid-type]
    return Annotated[
        allowed, Field(strict=False, description="Parameters that the optimizer moves; the others stay frozen.")
    ]
