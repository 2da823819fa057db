"""YAML whose every value remembers the file and line that it came from.

Scalars follow YAML 1.2's core schema, so that ``1e-3`` is a number, and ``on``, ``no`` and ``12:30`` are plain text.
Duplicate keys, foreign tags and values that contain themselves are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError, nearest
from .ordinary_files import read_ordinary

__all__ = ["Key", "Located", "Place", "locate", "merge", "parse", "path_text", "read", "with_value", "write"]

Key = tuple["str | int", ...]
"""Where a value stands in a document: the mapping keys and list indices that lead to it."""

MOST_BYTES = 4 * 2**20
"""Of a file."""

_MAX_NODES = 100_000
_MAX_DEPTH = 60


@dataclass(frozen=True)
class Place:
    """Where a value was written.

    Attributes
    ----------
    source : str
        The file's name as the user wrote it, or the command-line option.
    folder : Path
        What relative paths in the value are relative to.
    line : int or None
        Counted from 1; None outside files.
    """

    source: str
    folder: Path
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Located:
    """A value and its place; a mapping or list holds located values in turn."""

    value: Any
    place: Place

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def child(self, step: str | int) -> Located | None:
        """The value under one key or index; None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def at(self, key: Key) -> Place:
        """The place of the value at ``key``, or of the innermost thing around it that was written."""
        node = self
        for step in key:
            child = node.child(step)
            if child is None:
                break
            node = child
        return node.place


def path_text(key: Iterable[str | int]) -> str:
    """A key as users write it: ``lighting.0.irradiance``."""
    return ".".join(str(step) for step in key)


def locate(value: Any, place: Place) -> Located:
    """Plain values, all of them from the same place."""
    if isinstance(value, Mapping):
        return Located({key: locate(item, place) for key, item in value.items()}, place)
    if isinstance(value, (list, tuple)):
        return Located([locate(item, place) for item in value], place)
    return Located(value, place)


# ---------------------------------------------------------------------------------------------------------- text

_SCALARS: dict[str, tuple[str, str]] = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
_TAG = "tag:yaml.org,2002:"


def _core_schema(base: type) -> type:
    """A PyYAML loader or dumper that tells scalars apart as YAML 1.2's core schema does."""
    core = type(f"Core{base.__name__}", (base,), {"yaml_implicit_resolvers": {}})
    for name, (pattern, first) in _SCALARS.items():
        starts = ["" if letter == "\0" else letter for letter in first]
        core.add_implicit_resolver(_TAG + name, re.compile(f"^(?:{pattern})$"), starts)
    return core


class _BoundedLoader(yaml.SafeLoader):
    """Gives up where there is too much or too deep, without reading on; aliases are not followed here."""

    _nodes = _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MAX_NODES:
            raise yaml.composer.ComposerError(
                None, None, f"more than {_MAX_NODES:,} values", self.peek_event().start_mark
            )
        if self._depth > _MAX_DEPTH:
            raise RecursionError
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader = _core_schema(_BoundedLoader)
_Dumper = _core_schema(yaml.SafeDumper)
_Dumper.ignore_aliases = lambda self, data: True


def _scalar(tag: str, text: str) -> Any:
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if tag == "float":
        return float(text.replace(".", "") if text.lower().endswith((".inf", ".nan")) else text)
    return text


class _Reader:
    """Turns PyYAML's node graph into located values."""

    def __init__(self, place: Place, numbered: bool) -> None:
        self._place = place
        self._numbered = numbered
        self._left = _MAX_NODES

    def place(self, mark: Any) -> Place:
        return replace(self._place, line=mark.line + 1) if self._numbered and mark is not None else self._place

    def fail(self, mark: Any, what: str) -> UserError:
        return UserError(f"{self.place(mark)}: {what}")

    def value(self, node: yaml.Node, place: Place, around: tuple[int, ...] = ()) -> Located:
        self._left -= 1
        if self._left < 0 or id(node) in around:
            raise self.fail(node.start_mark, "anchors and aliases make this value endless or huge; write it out")
        if len(around) > _MAX_DEPTH:
            raise self.fail(node.start_mark, "nested too deeply")
        around = (*around, id(node))
        tag = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and tag == "map":
            return Located(self._mapping(node, around), place)
        if isinstance(node, yaml.SequenceNode) and tag == "seq":
            return Located([self.value(item, self.place(item.start_mark), around) for item in node.value], place)
        if isinstance(node, yaml.ScalarNode) and tag in (*_SCALARS, "str"):
            try:
                value = _scalar(tag, node.value)
            except ValueError:
                raise self.fail(node.start_mark, f"'{node.value[:40]}' is no {tag}") from None
            if tag == "int" and abs(value) >= 2**63:
                raise self.fail(node.start_mark, f"'{node.value[:40]}' is too large a whole number; write it as 1e20")
            return Located(value, place)
        raise self.fail(node.start_mark, f"the tag '{node.tag}' is not allowed; write plain values")

    def _mapping(self, node: yaml.MappingNode, around: tuple[int, ...]) -> dict[str, Located]:
        mapping: dict[str, Located] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.fail(key_node.start_mark, "a key must be a word, not a list or mapping")
            key = key_node.value
            place = self.place(key_node.start_mark)
            if key in mapping:
                earlier = mapping[key].place.line
                raise self.fail(
                    key_node.start_mark,
                    f"the key '{key}' is written twice" + (f", first on line {earlier}" if earlier else ""),
                )
            mapping[key] = self.value(value_node, place, around)
        return mapping


def parse(text: str, place: Place, numbered: bool = True) -> Located:
    """One YAML document; an empty one is None.

    Parameters
    ----------
    text : str
        The document.
    place : Place
        Where it was written; its line is filled in where ``numbered``.
    numbered : bool
        Whether lines mean something to the user: a file's do, a command-line option's do not.

    Raises
    ------
    UserError
        If the text is not YAML, or says something that plain values cannot.
    """
    reader = _Reader(place, numbered)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise reader.fail(error.problem_mark, f"not YAML: {what}") from None
    except yaml.reader.ReaderError:
        raise UserError(f"{place}: not a text file") from None
    except RecursionError:
        raise UserError(f"{place}: nested too deeply") from None
    except (ValueError, OverflowError):  # of numbers in \U escapes and %YAML lines
        raise UserError(f"{place}: not YAML: a letter or a version of YAML that does not exist") from None
    if node is None:
        return Located(None, replace(place, line=1) if numbered else place)
    return reader.value(node, reader.place(node.start_mark))


def read(path: Path | str, place: Place | None = None) -> Located:
    """A YAML file.

    Parameters
    ----------
    path : Path or str
        The file.
    place : Place, optional
        Where its name was written, for the message that it cannot be read.

    Raises
    ------
    UserError
        If it cannot be read or is not YAML.
    """
    path = Path(path)
    prefix = "" if place is None else f"{place}: "
    try:
        text = read_ordinary(path, MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        hint = nearest(path.name, (file.name for file in path.parent.glob("*.y*ml")))
        hint = f"; {hint}" if hint.startswith("did you mean") else ""
        raise UserError(f"{prefix}there is no file '{path}'{hint}") from None
    except IsADirectoryError:
        raise UserError(f"{prefix}'{path}' is a folder; a YAML file is needed") from None
    except UnicodeDecodeError:
        raise UserError(f"{prefix}'{path}' is not a text file; a YAML file is needed") from None
    except OSError as error:
        raise UserError(f"{prefix}'{path}' cannot be read: {error.strerror}") from None
    return parse(text, Place(str(path), path.resolve().parent))


def write(value: Any) -> str:
    """Plain values as YAML that :func:`parse` reads back equal; short lists and mappings stay on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)


# --------------------------------------------------------------------------------------------------------- change


def merge(base: Located, over: Located) -> Located:
    """``over`` upon ``base``: mappings key by key, everything else replaced.

    A mapping whose ``type`` differs is replaced as well: the other type's keys would not fit.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    types = [node.value.get("type") for node in (base, over)]
    if types[1] is not None and (types[0] is None or types[0].value != types[1].value):
        return over
    merged = dict(base.value)
    for key, item in over.value.items():
        merged[key] = merge(merged[key], item) if key in merged else item
    return Located(merged, over.place)


def with_value(tree: Located, key: Sequence[str | int], value: Located, defaults: Located | None = None) -> Located:
    """``tree`` with ``value`` at ``key``; what is missing on the way starts from ``defaults``.

    A new ``type`` empties the mapping that it is in: the other type's keys would not fit.

    Raises
    ------
    UserError
        If the key leads through a value that is no mapping or list, or past the end of a list.
    """
    return _with_value(tree, tuple(key), value, defaults, tuple(key))


def _with_value(tree: Located, key: Key, value: Located, defaults: Located | None, whole: Key) -> Located:
    if not key:
        return value
    step, rest = key[0], key[1:]
    so_far = path_text(whole[: len(whole) - len(key)])
    if isinstance(tree.value, list):
        if not (isinstance(step, int) or step.isdecimal()) or int(step) >= len(tree.value):
            count = len(tree.value)
            raise UserError(
                f"{value.place}: '{so_far}' is a list of {count}; its items are 0 to {count - 1}, not '{step}'"
            )
        items = list(tree.value)
        below = defaults.child(int(step)) if defaults else None
        items[int(step)] = _with_value(items[int(step)], rest, value, below, whole)
        return Located(items, tree.place)
    if tree.value is not None and not isinstance(tree.value, dict):
        raise UserError(f"{value.place}: '{so_far}' has nothing inside, no '{step}' either")
    mapping = dict(tree.value or {})
    below = defaults.child(step) if defaults else None
    if rest:
        start = mapping.get(step) or _start(below, value.place)
        mapping[step] = _with_value(start, rest, value, below, whole)
    else:
        if step == "type" and "type" in mapping and mapping["type"].value != value.value:
            mapping = {}
        mapping[step] = value
    return Located(mapping, tree.place)


def _start(defaults: Located | None, place: Place) -> Located:
    """What a value that nobody wrote starts from: a default list whole, of a default mapping its type."""
    if defaults is not None and isinstance(defaults.value, list):
        return defaults
    if defaults is not None and isinstance(defaults.value, dict) and "type" in defaults.value:
        return Located({"type": defaults.value["type"]}, place)
    return Located({}, place)
