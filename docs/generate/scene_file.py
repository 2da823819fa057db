"""Tables of everything that scene files, model cards and sweep files may say, from the schema."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mitsuba_mei.config.card import CARDS, Card, CardInPlace, Input
from mitsuba_mei.config.experiment import Config
from mitsuba_mei.config.fields import FilePathMarker, NeuronList, NeuronRange, Part
from mitsuba_mei.config.quantities import freeable_names, quantity_of, range_of
from mitsuba_mei.config.sweep import Sweep

from .markdown import code, field_table, section, text

__all__ = ["model_cards", "scene_file", "sweep_file", "target_of"]

HEADER, WIDTHS = ("key", "value", "default", "meaning"), (18, 24, 18, 40)
WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "null", dict: "mapping"}
PLURALS = {
    "integer": "integers",
    "number": "numbers",
    "text": "texts",
    "file": "files",
    "mapping": "mappings",
    "index or range": "indices and ranges",
    "list of 2 numbers": "pairs of numbers",
}


def scene_file() -> str:
    """Every section of a scene file."""
    simple = [name for name, field in Config.model_fields.items() if not _parts(field.annotation)]
    pages = [
        section(
            "Top level",
            target_of(Config),
            3,
            "One value each; they stand beside the sections below. `extends: other.yaml` names another scene file to "
            "start from.\n\n" + _table(Config, simple),
        )
    ]
    for name, field in Config.model_fields.items():
        if name not in simple:
            pages += _sections(name, field, 3)
    return "\n".join(pages)


def model_cards() -> str:
    """Every key of a model card, by the format of the model."""
    common = [name for name in Card.model_fields if name != "type"]
    pages = [
        section("All cards", target_of(Card), 3, _table(Card, common)),
        section("`input`", target_of(Input), 3, f"{_doc(Input)}\n\n{_table(Input)}"),
    ]
    for kind, card in CARDS.own.items():
        own = [name for name in card.model_fields if name not in common]
        pages.append(section(f"`type: {kind}`", target_of(card), 3, f"{_doc(card)}\n\n{_table(card, own)}"))
        for name in own:
            for part in _parts(card.model_fields[name].annotation):
                body = f"{_doc(part)}\n\n{_table(part)}"
                pages.append(section(f"`{name}` of `{kind}`", target_of(part), 4, body))
    return "\n".join(pages)


def sweep_file() -> str:
    """Every key of a sweep file."""
    pages = [section("Sweep file", target_of(Sweep), 3, f"{_doc(Sweep)}\n\n{_table(Sweep)}")]
    for name, field in Sweep.model_fields.items():
        pages += _sections(name, field, 4)
    return "\n".join(pages)


def target_of(part: type[Part]) -> str:
    """Name by which pages refer to the table of a mapping."""
    return f"schema-{part.__name__}"


def _sections(key: str, field: FieldInfo, level: int) -> Iterator[str]:
    """The tables of what stands at a key, and of what stands within it."""
    parts = _parts(field.annotation)
    several = len(parts) > 1
    if several:
        named = ", ".join(f"[`{_type(part)}`](#{target_of(part)})" for part in parts)
        said = f"{text(field.description)} " if field.description else ""
        default = "" if _default(field) == "" else f" Default: {_default(field)}."
        yield section(code(key), f"schema-{key}", level, f"{said}One of the types {named}.{default}")
    for part in parts:
        title = f"`{key}`, type `{_type(part)}`" if several else code(key)
        yield section(title, target_of(part), level + several, f"{_doc(part)}\n\n{_table(part)}")
        for name, inner in part.model_fields.items():
            yield from _sections(f"{key}.{name}", inner, level + 1 + several)


def _type(part: type[Part]) -> str:
    field = part.model_fields.get("type")
    return part.__name__.lower() if field is None else str(field.default)


def _doc(part: type[Part]) -> str:
    lines = inspect.cleandoc(part.__doc__ or "").split("\n\n")
    return text(lines[0])


def _table(part: type[Part], names: list[str] | None = None) -> str:
    names = list(part.model_fields) if names is None else names
    return field_table(HEADER, [_row(part, name) for name in names], WIDTHS)


def _row(part: type[Part], name: str) -> tuple[str, ...]:
    field = part.model_fields[name]
    facts = [_kind(_whole(field)), _bounds(part, name), quantity_of(part, name).unit]
    if "free" in part.model_fields and name in freeable_names(part):
        facts.append("can be freed")
    return code(name), "; ".join(filter(None, facts)), _default(field), _meaning(part, name, field)


def _meaning(part: type[Part], name: str, field: FieldInfo) -> str:
    parts = _parts(field.annotation)
    if name == "type" and not field.description:
        return "Names this type."
    if field.description:
        return text(field.description)
    if part is Card and name == "input":
        parts = [Input]
    return _doc(parts[0]) if len(parts) == 1 else "One of several types, below." if parts else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "none (required)"
    value = field.default
    if isinstance(value, Part):
        return code(_type(type(value))) if "type" in type(value).model_fields else "as in its own table"
    if isinstance(value, tuple) and any(isinstance(each, Part) for each in value):
        return ", ".join(code(_type(type(each))) for each in value)
    return code(_yaml(value))


def _yaml(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return {"": '""', None: "null"}.get(value, str(value)) if not isinstance(value, dict) else str(value)


def _bounds(part: type[Part], name: str) -> str:
    low, high, low_open, high_open = range_of(part, name)
    least = "" if low == -math.inf else f"above {low:.15g}" if low_open else f"at least {low:.15g}"
    most = "" if high == math.inf else f"below {high:.15g}" if high_open else f"at most {high:.15g}"
    if least and most and not low_open and not high_open:
        return f"{low:.15g} to {high:.15g}"
    return ", ".join(filter(None, (least, most)))


def _whole(field: FieldInfo) -> Any:
    """The annotation with what pydantic took off it."""
    return typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _kind(annotation: Any) -> str:
    """A type in the words of a scene file."""
    if annotation is CardInPlace:
        return "mapping"
    if annotation in (NeuronList, NeuronRange):
        return "list of indices and ranges" if annotation is NeuronList else "index or range"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        if any(isinstance(mark, FilePathMarker) for mark in arguments):
            return "file"
        return _kind(arguments[0])
    if origin is typing.Literal:
        return " or ".join(code(_yaml(value)) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        if len(_parts(annotation)) > 1:
            arguments = [dict if _parts(each) else each for each in arguments]
        return " or ".join(dict.fromkeys(map(_kind, arguments)))
    if origin in (tuple, list):
        if origin is list or arguments[-1] is Ellipsis:
            return f"list of {_plural(arguments[0])}"
        return f"list of {len(arguments)} {_plural(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return f"[mapping](#{target_of(annotation)})"
    return WORDS.get(origin or annotation, "any value")


def _plural(annotation: Any) -> str:
    parts = _parts(annotation)
    if parts:
        return "mappings"
    kind = _kind(annotation)
    return PLURALS.get(kind, kind)


def _parts(annotation: Any) -> list[type[Part]]:
    """The mappings that an annotation allows."""
    if annotation is CardInPlace:
        return []
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    found = [part for each in typing.get_args(annotation) for part in _parts(each)]
    return list(dict.fromkeys(found))
