"""From located YAML to a schema's model, or to a sentence about each thing that is wrong."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from ..errors import UserError, nearest
from .fields import Disagreements, Part
from .registry import OneOf
from .yaml.located import Key, Located, path_text

__all__ = ["fields_inside", "parts_at", "validate"]

Model = TypeVar("Model", bound=Part)


def validate(model: type[Model], tree: Located) -> Model:
    """``tree`` as a ``model``.

    Raises
    ------
    UserError
        If it does not fit: the file and line, the key, what is wrong and what is allowed, for each mistake in the file.
    """
    try:
        return model.model_validate(tree.plain())
    except ValidationError as error:
        problems = error.errors(include_url=False)
    keyed = [(_key(problem, tree), problem) for problem in problems]
    # A list whose entries are wrong is called too short as well: pydantic counts those alone that are right.
    inside = {key[:depth] for key, _ in keyed for depth in range(len(key))}
    keyed = [(key, problem) for key, problem in keyed if problem["type"] != "too_short" or key not in inside]
    sentences: dict[Key | str, tuple[tuple[bool, int, int], str]] = {}
    for order, (key, problem) in enumerate(keyed):
        if isinstance(raised := problem.get("ctx", {}).get("error"), Disagreements):
            for what in raised.args:
                place = tree.at(_named(what, tree) or key)
                sentences[what] = ((False, place.line or 0, order), f"{place}: {what}")
            continue
        what = _what(problem, key, model)
        if problem["type"] == "missing" and isinstance(key[-1], int):
            key = key[:-1]
            lacking = [other[-1] for other, _ in keyed if other[:-1] == key and other]
            what = f"needs {max(lacking) + 1} numbers, not {min(lacking)}"
        place = tree.at(key)
        sentence = f"{place}: {path_text(key)}{': ' if key else ''}{what}"
        # A key that is missing may be one that was misspelt: that is told first.
        sentences.setdefault(key, ((problem["type"] == "missing", place.line or 0, order), sentence))
    raise UserError(*(sentence for _, sentence in sorted(sentences.values())))


def _named(what: str, tree: Located) -> Key | None:
    """The first key that a sentence names and that is written in a file."""
    for name in re.findall(r"[a-z]\w*(?:\.\w+)+", what):
        key = tuple(int(step) if step.isdecimal() else step for step in name.split("."))
        node: Located | None = tree
        for step in key:
            node = None if node is None else node.child(step)
        if node is not None and node.place.line is not None:
            return key
    return None


def parts_at(model: type[Part], location: Key) -> list[type[Part]]:
    """The mappings that the schema allows at a location; the name of a ``type`` on the way narrows them down."""
    parts = [model]
    for step in location:
        inside = [inner for part in parts if step in part.model_fields for inner in _parts_in(part.model_fields[step])]
        parts = inside or [part for part in parts if _type_of(part) == step] or parts
    return parts


def fields_inside(model: type[Part]) -> Iterator[tuple[str, ...]]:
    """Every key that the schema knows, as a path; those in lists without an index."""
    for name, field in model.model_fields.items():
        yield (name,)
        for part in _parts_in(field):
            yield from ((name, *inner) for inner in fields_inside(part))


def _parts_in(field: Any) -> list[type[Part]]:
    parts: list[type[Part]] = []
    pending = [getattr(field, "annotation", field), *getattr(field, "metadata", ())]
    while pending:
        annotation = pending.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, Part) and annotation not in parts:
            parts.append(annotation)
        elif isinstance(annotation, OneOf):
            pending.extend(annotation.parts())
        else:
            pending.extend(arg for arg in typing.get_args(annotation) if arg is not Ellipsis)
    return parts


def _type_of(part: type[Part]) -> str | None:
    return part.model_fields["type"].default if "type" in part.model_fields else None


def _key(problem: Any, tree: Located) -> Key:
    """Pydantic's location without the names of the union's members that it went through."""
    key: list[str | int] = []
    node: Located | None = tree
    *way, last = problem["loc"] or (None,)
    for step in way:
        child = node.child(step) if node else None
        if child is not None:
            key.append(step)
            node = child
    if last is None:
        return ()
    if problem["type"] == "missing" or (node is not None and node.child(last) is not None):
        key.append(last)
    return tuple(key)


def _quoted(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value[:60]}'" if isinstance(value, str) else str(value)


_KINDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "tuple_type": "must be a list in [brackets]",
    "finite_number": "must be a finite number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be above"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be below"),
}


def _what(problem: Any, key: Key, model: type[Part]) -> str:
    """Describe an error, and the allowed values."""
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in _KINDS:
        return f"{_KINDS[kind]}, not {_said(value)}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}, not {_said(value)}"
    if kind == "extra_forbidden":
        return _unknown_key(key, model, problem["loc"][:-1])
    if kind == "missing":
        return "is required"
    if kind == "literal_error":
        words = _quoted(context["expected"])
        hint = nearest(str(value), words) if words else f"allowed: {context['expected']}"
        return f"{_said(value)} is not allowed; {hint}"
    if kind == "union_tag_invalid":
        return (
            f"unknown type {_said(context['tag'])}; {nearest(str(context['tag']), _quoted(context['expected_tags']))}"
        )
    if kind == "union_tag_not_found":
        types = [name for part in parts_at(model, key) if (name := _type_of(part)) is not None]
        return f"needs a type; {nearest('', types)}"
    if kind == "too_long":
        return f"needs {context['max_length']} numbers, not {len(value)}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "value_error":
        return str(context["error"])
    return problem["msg"][:1].lower() + problem["msg"][1:]


def _unknown_key(key: Key, model: type[Part], location: Key) -> str:
    """Suggest a known key: one of the same mapping, or one of that name elsewhere."""
    name = str(key[-1])
    hint = nearest(name, {field for part in parts_at(model, location) for field in part.model_fields})
    if not hint.startswith("did you mean"):
        here = tuple(step for step in key if not isinstance(step, int))
        elsewhere = {path_text(path): None for path in fields_inside(model) if path[-1] == name and path != here}
        if elsewhere:
            hint = f"did you mean {' or '.join(repr(path) for path in list(elsewhere)[:2])}?"
    return f"unknown key; {hint}"
