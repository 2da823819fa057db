"""Tables of every key of the files that a run folder holds, from the typed results."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic_core import PydanticUndefined

from mitsuba_mei.runs import results
from mitsuba_mei.runs.results.optimization import Result
from mitsuba_mei.runs.results.parts import Record
from mitsuba_mei.runs.results.populations import Request

from .markdown import code, field_table, section, text

__all__ = ["FILES", "own_fields", "records", "result_files", "target_of"]

HEADER, WIDTHS = ("key", "value", "meaning"), (24, 26, 50)
WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", dict: "mapping", Any: "any value"}

FILES: Mapping[str, tuple[str, tuple[type[Record], ...]]] = {
    "Every result": ("Each of the files below has these keys.", (Result,)),
    "result.json": (
        "Of every optimized scene. The keys of `OptimizationResult` are in all of them; `objective.type` says which "
        "of the others stand beside them.",
        (
            results.OptimizationResult,
            results.MEIResult,
            results.DiverseResult,
            results.MetamerResult,
            results.InverseResult,
        ),
    ),
    "result.json of pixel": ("Of a pixel MEI found alone, by the command `pixel`.", (results.PixelResult,)),
    "comparison.json": (
        "Of `compare`: over all neurons, and in the folder of each neuron its own record.",
        (results.PopulationResult, results.ComparisonResult, results.ComparedNeuron),
    ),
    "factors.json": (
        "Of `factors`: over all neurons, and in the folder of each neuron its own record.",
        (results.FactorsResult, results.FactorsNeuron),
    ),
    "tuning.json": ("Of `tune`.", (results.TuningResult,)),
    "evaluation-path.json, evaluation-raster.json": ("Of `evaluate`.", (results.EvaluationResult,)),
    "asked/asked.json": ("What `compare` or `factors` was asked for, from which `resume` goes on.", (Request,)),
}
"""By the file's name: what it is of, and the records in it."""


def result_files() -> str:
    """A table of every record of every file, and of the records within them."""
    pages, shown = [], set()
    for name, (said, kinds) in FILES.items():
        target = "result-file-" + "".join(each if each.isalnum() else "-" for each in name).lower()
        title = code(name) if ".json" in name and " " not in name else name
        pages.append(section(title, target, 3, said))
        for kind in (each for each in (*_parents(kinds), *kinds) if each not in shown):
            shown.add(kind)
            pages.append(_record(kind, 4))
    note = "By the names that the tables above link to."
    pages.append(section("Values within these files", "result-values", 3, note))
    pages += [_record(kind, 4) for kind in sorted(records() - shown, key=lambda kind: kind.__name__)]
    return "\n".join(pages)


def records() -> set[type[Record]]:
    """Every record of the package's results."""
    return {kind for kind in _below(Record) if kind.__module__.startswith("mitsuba_mei.")}


def own_fields(kind: type[Record]) -> list[str]:
    """The keys that a record has and its parents have not, or have otherwise."""
    return [name for name in kind.model_fields if name in inspect.get_annotations(kind)]


def target_of(kind: type[Record]) -> str:
    """Name by which pages refer to the table of a record."""
    return f"result-{kind.__name__}"


def _below(kind: type[Record]) -> Iterator[type[Record]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _parents(kinds: tuple[type[Record], ...]) -> list[type[Record]]:
    """Records that these are derived from."""
    found = [each for kind in kinds for each in reversed(kind.__mro__) if isinstance(each, type)]
    return [each for each in dict.fromkeys(found) if issubclass(each, Record) and each is not Record]


def _record(kind: type[Record], level: int) -> str:
    body = text(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0])
    base = kind.__base__
    if base is not None and issubclass(base, Record) and base is not Record:
        body += f" All keys of [{base.__name__}](#{target_of(base)}), and:" if own_fields(kind) else ""
    rows = [
        (code(_key(kind, name)), _value(kind, name), text(kind.model_fields[name].description or ""))
        for name in own_fields(kind)
    ]
    table = field_table(HEADER, rows, WIDTHS) if rows else ""
    return section(kind.__name__, target_of(kind), level, f"{body}\n\n{table}")


def _key(kind: type[Record], name: str) -> str:
    return kind.model_fields[name].alias or name


def _value(kind: type[Record], name: str) -> str:
    field = kind.model_fields[name]
    annotation = inspect.get_annotations(kind, eval_str=True)[name]
    kinds = _kind(annotation)
    if field.default is PydanticUndefined or field.default in (None, {}, ()) or isinstance(field.default, Record):
        return kinds
    return f"{kinds}; {code(str(field.default))} where left out"


def _kind(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return "grid of numbers" if arguments[0] is np.ndarray else _kind(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if each is type(None) else _kind(each) for each in arguments)
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"mapping to {_kind(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return f"[{annotation.__name__}](#{target_of(annotation)})"
    return WORDS.get(annotation, "any value")
