"""YAML read into located values, and plain values written as YAML.

Scalars follow YAML 1.2's core schema, so that ``1e-3`` is a number, and ``on``, ``no`` and ``12:30`` are plain text.
Duplicate keys, foreign tags and values that contain themselves are refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ...errors import Place, UserError, nearest
from ...io.files import read_ordinary
from .located import Located

__all__ = ["parse", "read", "write"]

MAX_BYTES = 4 * 2**20
"""Of a file."""

_MAX_NODES = 100_000
_MAX_DEPTH = 60

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
    except UserError:
        raise
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
        text = read_ordinary(path, MAX_BYTES).decode("utf-8-sig")
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
