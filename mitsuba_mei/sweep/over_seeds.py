"""What the seeds of a sweep have in common, a row a neuron: ``over_seeds.parquet`` and ``over_seeds.csv``.

The render s.e. of a run says how well one scene's activation is known. Where another seed ends, and how alike the
stimuli and objects are that they end with, is here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import trimesh
from pyarrow import csv, parquet

from ..errors import UserError
from ..geometry.registration import surface_distance
from ..io.files import write_whole
from ..report.html.files import read_mesh
from ..runs.results import read_run_result
from ..runs.spread import named_value, spread
from .axes import SEED, Axis
from .folder import SweepFolder
from .plan import Plan
from .summary import cell, column_type, run_row

__all__ = ["FILE", "read_over_seeds", "write_over_seeds"]

FILE = "over_seeds.parquet"

MAX_ALIKE = 6
"""Seeds of a neuron whose stimuli and objects are compared with each other, the first ones: fifteen pairs."""

FIGURES: dict[str, pa.DataType] = {
    "of": pa.string(),
    "seeds": pa.int64(),
    "mean": pa.float64(),
    "sd": pa.float64(),
    "lowest": pa.float64(),
    "highest": pa.float64(),
    "render_se": pa.float64(),
    "pairs": pa.int64(),
    "stimulus_correlation_mean": pa.float64(),
    "stimulus_correlation_least": pa.float64(),
    "surface_distance_mean": pa.float64(),
    "surface_distance_greatest": pa.float64(),
    "runs": pa.string(),
}
"""Columns beside the axes. ``render_se`` is the root mean square of the runs'; ``surface_distance`` the mean distance
of two surfaces as they stand in the scene, over their mean radius; ``runs`` the runs' names, one a seed."""


def write_over_seeds(folder: SweepFolder, plan: Plan) -> list[dict[str, Any]]:
    """Write the table anew; gives its rows, none where there are not several seeds."""
    others = [number for number, axis in enumerate(plan.axes) if axis.key != SEED]
    if len(others) == len(plan.axes) or len(plan.axes[_seed(plan.axes)].values) < 2:
        return []
    groups: dict[tuple[int, ...], list[str]] = {}
    for row in plan.rows:
        groups.setdefault(tuple(row.chosen[number] for number in others), []).append(row.name)
    axes = [plan.axes[number] for number in others]
    rows = []
    for chosen, names in groups.items():
        values = {axis.path: cell(axis.plain()[index], axis) for axis, index in zip(axes, chosen)}
        rows.append({**values, **_together({name: folder.run(name) for name in names})})
    schema = pa.schema([(axis.path, column_type(axis)) for axis in axes] + list(FIGURES.items()))
    table = pa.Table.from_pylist(rows, schema=schema)
    write_whole(folder.path / FILE, lambda path: parquet.write_table(table, path))
    write_whole(folder.path / "over_seeds.csv", lambda path: csv.write_csv(table, path))
    return rows


def read_over_seeds(folder: Path) -> list[dict[str, Any]]:
    """The rows that :func:`write_over_seeds` wrote into a sweep's folder, for its report.

    Each has the sweep's axes but for the seed (``model.neuron`` and so on), and :data:`FIGURES`: the number of
    ``seeds``, ``mean``, ``sd``, ``lowest`` and ``highest`` over them of what it is ``of`` (``activation``,
    ``objective`` or ``error``), ``render_se``, and the similarity of what they ended with. None is what is unknown.
    Of a sweep without several seeds there are no rows.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    if not (folder / FILE).is_file():
        return []
    try:
        return parquet.read_table(folder / FILE).to_pylist()
    except (pa.ArrowException, OSError):
        raise UserError(f"{folder / FILE} is damaged; the sweep's own command writes it anew") from None


def _seed(axes: Sequence[Axis]) -> int:
    return next(number for number, axis in enumerate(axes) if axis.key == SEED)


def _together(runs: dict[str, Path]) -> dict[str, Any]:
    """What the runs of one neuron that are done come to."""
    figures = {name: figure for name, folder in runs.items() if (figure := _figure(folder)) is not None}
    of = next((figure[0] for figure in figures.values()), None)
    over = spread((mean for _, mean, _ in figures.values()), of or "activation")
    ends = {} if over is None else {name: getattr(over, name) for name in ("mean", "sd", "lowest", "highest")}
    errors = [error for _, _, error in figures.values()]
    return {
        "of": of,
        "seeds": len(figures),
        **ends,
        "render_se": math.sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None,
        **_alike([runs[name] for name in figures][:MAX_ALIKE]),
        "runs": ";".join(figures),
    }


def _figure(folder: Path) -> tuple[str, float, float] | None:
    """What a run's figure is, its value and its render s.e.; None of a run that did not come to a good end."""
    try:
        row = run_row(read_run_result(folder))
    except UserError:
        return None
    name, _ = named_value(row["objective"] or "activation")
    column = "error_final" if name == "error" else "activation_final"
    mean, error = row[f"{column}_mean"], row[f"{column}_sem"]
    if row["ended"] not in ("done", "no better", None) or mean is None:
        return None
    return name, mean, error or 0.0


def _alike(folders: Sequence[Path]) -> dict[str, Any]:
    """How alike the stimuli and the objects of several runs are, over all pairs."""
    stimuli, objects = ([read(folder) for folder in folders] for read in (_stimulus, _object))
    correlations = [_correlation(a, b) for a, b in _pairs(stimuli)]
    distances = [surface_distance(a, b, aligned=False).relative for a, b in _pairs(objects)]
    return {
        "pairs": max(len(correlations), len(distances)),
        "stimulus_correlation_mean": float(np.mean(correlations)) if correlations else None,
        "stimulus_correlation_least": min(correlations, default=None),
        "surface_distance_mean": float(np.mean(distances)) if distances else None,
        "surface_distance_greatest": max(distances, default=None),
    }


def _pairs(things: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return combinations([thing for thing in things if thing is not None], 2)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _stimulus(folder: Path) -> np.ndarray | None:
    """What the neurons saw; None where there is none, or it is uniform."""
    try:
        stimulus = np.load(folder / "stimulus.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return stimulus if stimulus.dtype.kind == "f" and np.isfinite(stimulus).all() and np.ptp(stimulus) > 0 else None


def _object(folder: Path) -> trimesh.Trimesh | None:
    try:
        mesh = trimesh.Trimesh(*read_mesh(folder / "mesh.ply"), process=False)
    except UserError:
        return None
    return mesh if mesh.area > 0 else None
