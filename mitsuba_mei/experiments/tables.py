"""Tables of results as CSV: a row for each neuron of a comparison, and any rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.sections import RENDERERS
from ..runs.results import ComparedNeuron, Estimate
from ..runs.results.comparison import ComparedValidation, StartByStart

__all__ = ["comparison_row", "write_rows"]

PATH, RASTER = RENDERERS


def comparison_row(neuron: ComparedNeuron) -> dict[str, Any]:
    """One neuron in flat columns; what is unknown is empty.

    ``path_mei_under_raster`` is the activation of the object that was optimized under ``path``, evaluated under
    ``raster``; ``_sem`` its standard error, ``_over_pixel`` its ratio to the pixel MEI.
    """
    columns = ("scene", "folder", "model", "objective", "ended", "seed")
    row: dict[str, Any] = {name: getattr(neuron, name) for name in columns}
    row["neurons"] = " ".join(map(str, neuron.neurons))
    starts, gain = neuron.starts or {}, neuron.gain or {}
    row["starts"] = starts[PATH].n if starts else None
    row |= {f"seconds_{optimized_under}": neuron.seconds.get(optimized_under) for optimized_under in RENDERERS}
    row["pixel"] = neuron.pixel
    for optimized_under in RENDERERS:
        row |= _spread(f"initial_under_{optimized_under}", neuron.initial.get(optimized_under))
    row |= _cells(neuron, "")
    for shown in RENDERERS:
        row |= _spread(f"gain_under_{shown}", gain.get(shown))
        row |= _spread(f"path_less_raster_over_starts_under_{shown}", starts.get(shown))
    row |= _prefixed("stimuli", neuron.stimuli, ("correlation", "rms_difference"))
    row |= {
        f"transport_{optimized_under}_mei": (neuron.transport or {}).get(optimized_under)
        for optimized_under in RENDERERS
    }
    row |= _prefixed("shape", neuron.shape, ("mean", "rms", "greatest", "relative", "rotation", "translation"))
    if neuron.validation is not None:
        row["validation_pixel"] = neuron.validation.pixel
        row |= _cells(neuron.validation, "validation_")
    for name, parameter in (neuron.parameters or {}).items():
        row[f"{name} [{parameter.difference.unit}]"] = parameter.difference.value
    return row


def _cells(tables: ComparedNeuron | ComparedValidation, prefix: str) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for optimized_under in RENDERERS:
        for shown in RENDERERS:
            name = f"{prefix}{optimized_under}_mei_under_{shown}"
            cells |= _spread(name, tables.activation.get(optimized_under, {}).get(shown))
            over = tables.ratio_to_pixel.get(optimized_under, {}).get(shown)
            cells[f"{name}_over_pixel"] = None if over is None else over.mean
    return cells


def _spread(name: str, value: Estimate | StartByStart | None) -> dict[str, float | None]:
    return {name: value and value.mean, f"{name}_sem": value and value.sem}


def _prefixed(prefix: str, values: Any, names: Sequence[str]) -> dict[str, Any]:
    return {f"{prefix}_{name}": getattr(values, name, None) for name in names}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of different columns as CSV; a cell that is unknown, or no finite number, is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value
