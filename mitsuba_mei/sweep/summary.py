"""A sweep in one table, a row a run: ``summary.parquet`` and ``summary.csv``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from ..errors import UserError
from ..io.files import without_home, write_whole
from ..runs.results import OptimizationResult, read_run_result
from ..runs.spread import named_value
from .axes import Axis
from .folder import SweepFolder
from .plan import Plan

__all__ = ["cell", "column_type", "run_row", "write_summary"]

BATCH = 5000
"""Rows that are held in memory as Python's own values."""

FIGURES: dict[str, tuple[tuple[str, ...], pa.DataType]] = {
    "objective": (("objective",), pa.string()),
    "model": (("model",), pa.string()),
    "renderer": (("renderer",), pa.string()),
    "activation_initial_mean": (("activation", "initial", "mean"), pa.float64()),
    "activation_initial_sem": (("activation", "initial", "sem"), pa.float64()),
    "activation_final_mean": (("activation", "final", "mean"), pa.float64()),
    "activation_final_sem": (("activation", "final", "sem"), pa.float64()),
    "error_initial_mean": (("error", "initial", "mean"), pa.float64()),
    "error_initial_sem": (("error", "initial", "sem"), pa.float64()),
    "error_final_mean": (("error", "final", "mean"), pa.float64()),
    "error_final_sem": (("error", "final", "sem"), pa.float64()),
    "starts": (("over_starts", "n"), pa.int64()),
    "over_starts_mean": (("over_starts", "mean"), pa.float64()),
    "over_starts_sd": (("over_starts", "sd"), pa.float64()),
    "fraction_of_optimum": (("fraction_of_optimum",), pa.float64()),
    "ratio_to_pixel_mean": (("ratio_to_pixel", "mean"), pa.float64()),
    "ratio_to_pixel_sem": (("ratio_to_pixel", "sem"), pa.float64()),
    "validation_final_mean": (("validation", "activation", "final", "mean"), pa.float64()),
    "validation_final_sem": (("validation", "activation", "final", "sem"), pa.float64()),
    "validation_ratio_to_pixel_mean": (("validation", "ratio_to_pixel", "mean"), pa.float64()),
    "steps": (("steps",), pa.int64()),
    "seconds": (("seconds",), pa.float64()),
    "intersecting_faces": (("mesh", "intersecting_faces"), pa.int64()),
    "new_intersecting_faces": (("mesh", "new_intersecting_faces"), pa.int64()),
    "flipped_faces": (("mesh", "flipped_faces"), pa.int64()),
    "degenerate_faces": (("mesh", "degenerate_faces"), pa.int64()),
    "watertight": (("mesh", "watertight"), pa.bool_()),
    "ended": (("ended",), pa.string()),
    "reason": (("reason",), pa.string()),
}
"""Columns that come from ``result.json``: the keys that lead to each, and its type."""

AROUND = {"state": pa.string(), "attempts": pa.int64(), "folder": pa.string()}
"""Columns about a run as one of a sweep: ``done``, ``failed`` or ``missing``."""


def write_summary(folder: SweepFolder, plan: Plan) -> dict[str, int]:
    """Write the table anew.

    Returns
    -------
    dict
        How many runs are ``done``, ``failed`` and ``missing``.
    """
    schema = pa.schema(
        [("run", pa.string())]
        + [(axis.path, column_type(axis)) for axis in plan.axes]
        + [(name, kind) for name, (_, kind) in FIGURES.items()]
        + list(AROUND.items())
    )
    counts = {"done": 0, "failed": 0, "missing": 0}

    def counted() -> Iterator[dict[str, Any]]:
        for row in _rows(folder, plan):
            counts[row["state"]] += 1
            yield row

    rows, batches = counted(), []
    while batch := list(islice(rows, BATCH)):
        batches.append(pa.RecordBatch.from_pylist(batch, schema=schema))
    table = pa.Table.from_batches(batches, schema=schema)
    write_whole(folder.path / "summary.parquet", lambda path: parquet.write_table(table, path))
    write_whole(folder.path / "summary.csv", lambda path: csv.write_csv(table, path))
    return counts


def _rows(folder: SweepFolder, plan: Plan) -> Iterator[dict[str, Any]]:
    tried: dict[str, int] = {}
    reasons: dict[str, str | None] = {}
    for attempt in folder.attempts():
        tried[attempt.name] = tried.get(attempt.name, 0) + 1
        reasons[attempt.name] = attempt.reason
    for row in plan.rows:
        values = {axis.path: cell(value, axis) for axis, value in zip(plan.axes, plan.values(row).values())}
        around = {"run": row.name, **values, "attempts": tried.get(row.name, 0)}
        file = folder.run(row.name) / "result.json"
        if not file.exists():
            state = "failed" if reasons.get(row.name) is not None else "missing"
            yield {**around, "state": state, "reason": reasons.get(row.name)}
            continue
        try:
            figures = run_row(read_run_result(file.parent))
            yield {**around, **figures, "state": "done", "folder": f"runs/{row.name}"}
        except UserError as error:
            yield {**around, "state": "failed", "reason": without_home(str(error))}


def run_row(result: OptimizationResult) -> dict[str, Any]:
    """A run's result in flat columns; what is unknown is None.

    Where what was maximised is minus an error, there is that error and no activation.
    """
    parts: dict[str, Any] = dict(result)
    if named_value(result.objective)[0] == "error":
        parts |= {"activation": None, "error": -result.activation}
    return {name: _at(parts, keys) for name, (keys, _) in FIGURES.items()}


def _at(parts: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value = parts.get(keys[0])
    for key in keys[1:]:
        value = getattr(value, key, None)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def column_type(axis: Axis) -> pa.DataType:
    """Of an axis' column: numbers where all its values are, else text."""
    kinds = {type(value) for value in axis.plain()}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def cell(value: Any, axis: Axis) -> Any:
    """A value of an axis, as its column takes it."""
    kind = column_type(axis)
    if kind == pa.string():
        return without_home(value if isinstance(value, str) else json.dumps(value))
    return float(value) if kind == pa.float64() else value
