"""A mapping of the scene file as the arguments of a Python call: the same names, defaults and ranges by either door."""

from __future__ import annotations

import inspect
import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from ..errors import Place
from .fields import Part
from .validation import validate
from .yaml.located import locate

__all__ = ["checked", "described", "signature_of"]

Settings = TypeVar("Settings", bound=Part)


def signature_of(part: type[Part]) -> inspect.Signature:
    """The schema's fields as parameters, in their order, but for the ``type``; those without a default first."""
    return inspect.Signature(
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if field.is_required() else field.default,
        )
        for name, field in sorted(part.model_fields.items(), key=lambda item: not item[1].is_required())
        if not _is_tag(name, field)
    )


def _is_tag(name: str, field: FieldInfo) -> bool:
    """Whether a field says no more than which mapping it is."""
    return name == "type" and len(typing.get_args(field.annotation)) == 1


def described(part: type[Part]) -> str:
    """The schema's descriptions of the fields, as the section ``Parameters`` of a docstring."""
    lines = ["Parameters", "----------"]
    for name in signature_of(part).parameters:
        field = part.model_fields[name]
        lines.append(name if field.is_required() else f"{name} : default {field.default}")
        lines += [f"    {field.description}"] if field.description else []
    return "\n".join(lines)


def checked(part: type[Settings], what: str, given: Mapping[str, Any]) -> Settings:
    """Arguments as a mapping of the scene file, those that are not given by their defaults.

    Parameters
    ----------
    part : type
        The mapping's schema.
    what : str
        Whose arguments they are, for a message.
    given : mapping
        By name; arrays and tensors count as lists.

    Raises
    ------
    UserError
        For a value that a scene file may not have either.
    """
    return validate(part, locate({name: _plain(value) for name, value in given.items()}, Place(what, Path.cwd())))


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if hasattr(value, "tolist") else value
