"""The schema of who looks: the model, its neurons, and the model that judges."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Union

from pydantic import Discriminator, Field, Tag

from .parts import LOOKED_UP, FilePath, Index, Part

__all__ = ["Model"]


def _path_or_inline(value: Any) -> str:
    return "inline" if isinstance(value, dict) else "none" if value is None else "path"


_Path, _Inline = Annotated[FilePath, Tag("path")], Annotated[dict[str, Any], Tag("inline")]
Card = Annotated[Union[_Path, _Inline], Discriminator(_path_or_inline)]
OptionalCard = Annotated[Union[_Path, _Inline, Annotated[None, Tag("none")]], Discriminator(_path_or_inline)]


with warnings.catch_warnings():
    # pydantic still carries a method of that name, deprecated since its version 2.
    warnings.filterwarnings("ignore", 'Field name "validate"')

    class Model(Part):
        """Who looks."""

        card: Card = Field(
            "models/v4_curvature.yaml",
            description=f"The model's card: a YAML file, {LOOKED_UP}; or what such a file says, written in place.",
        )
        neuron: Index | None = Field(None, description="Whose activation is maximised, counted from 0; default 0.")
        neurons: Annotated[tuple[Index, ...], Field(strict=False, min_length=1)] | None = Field(
            None, description="The same for several, whose mean is maximised."
        )
        validate: OptionalCard = Field(
            None, description="Card of a second model of the same neurons, which judges the finished stimulus."
        )
