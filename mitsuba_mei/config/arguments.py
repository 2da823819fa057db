"""A mapping of the scene file as the arguments of a Python call: the same names, defaults and ranges by either door."""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from ..errors import Place
from .fields import Part
from .validation import validate
from .yaml.located import locate

__all__ = ["checked", "described", "signature_of", "type_in_words"]

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
        default = "" if field.is_required() else f", default {_quoted(field.default)}"
        lines.append(f"{name} : {type_in_words(field.annotation)}{default}")
        lines += [f"    {field.description}"] if field.description else []
    return "\n".join(lines)


def type_in_words(annotation: Any) -> str:
    """A field's type as documentation has it: ``float or sequence of float``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_in_words(arguments[0])
    if origin is typing.Literal:
        return "{" + ", ".join(map(repr, arguments)) + "}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_in_words, arguments)))
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"sequence of {type_in_words(arguments[0])}"
    if origin is tuple:
        return f"{len(arguments)} {type_in_words(arguments[0])}s"
    if annotation is type(None):
        return "None"
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return "mapping"
    return {dict: "mapping", Any: "mapping"}.get(origin or annotation, getattr(annotation, "__name__", str(annotation)))


def _quoted(default: Any) -> str:
    """A default as it is written in Python; of a mapping, that it has defaults of its own."""
    return "its own" if isinstance(default, Part) else repr(default)


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
