"""The bricks of the scene file's schema: the base class of its mappings, and the values that recur in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

__all__ = [
    "Direction",
    "FilePath",
    "FilePathMarker",
    "Fraction",
    "Index",
    "LOOKED_UP",
    "NonNegative",
    "Part",
    "Positive",
    "Power",
    "Reflectance",
    "Vector",
    "freeable",
]


class Part(BaseModel):
    """A mapping of the scene file: immutable, strict about types, closed to unknown keys and to NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


def _number_or_rgb(value: Any) -> str:
    return "rgb" if isinstance(value, (list, tuple)) else "number"


def _number_or_three(number: Any) -> Any:
    """A number for every channel alike, or three of them: red, green, blue."""
    rgb = Annotated[tuple[number, number, number], Field(strict=False)]
    return Annotated[Union[Annotated[number, Tag("number")], Annotated[rgb, Tag("rgb")]], Discriminator(_number_or_rgb)]


Power = _number_or_three(NonNegative)
Reflectance = _number_or_three(Fraction)


def _direction(value: tuple[float, float, float]) -> tuple[float, float, float]:
    if not any(value):
        raise ValueError("a direction cannot be [0, 0, 0]")
    return value


Direction = Annotated[Vector, AfterValidator(_direction)]


def freeable(*names: str) -> Any:
    """The annotation of a ``free`` list over these parameter names."""
    allowed = tuple[Literal[names], ...]  # type: ignore[valid-type]
    return Annotated[
        allowed, Field(strict=False, description="Parameters that the optimizer moves; the others stay frozen.")
    ]
