"""Runs that differ in their seeds alone, together: of a sweep, or of runs that were named one by one."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...io.files import read_json
from ...runs.spread import named_value
from ..html import aim_words
from ..numbers import known
from .files import read_text
from .record import RunRecord

__all__ = ["NEURON", "Group", "SweepRead", "groups_of_runs", "labels_of", "read_sweep", "distinguishing_columns"]

SEED, NEURON = "seed", "model.neuron"

WELL = ("done", "no better")
"""How a run ends whose figure counts."""

MAX_FAILURES = 50
"""Failed runs that are listed."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone.

    Attributes
    ----------
    names, labels : tuple of str
        What tells groups apart, and what it is of this one.
    measure : str
        What the values are of.
    values : tuple of float
        What each run ended with.
    sems : tuple of float or None
        Their standard errors over renders.
    correlation, distance : float or None
        How alike they are, the mean over pairs: correlation of the stimuli, and distance of the surfaces over their
        radius.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    measure: str
    values: tuple[float, ...]
    sems: tuple[float | None, ...]
    correlation: float | None = None
    distance: float | None = None

    @property
    def mean(self) -> float:
        """Over the runs."""
        return sum(self.values) / len(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation over the runs, of n - 1; of a single run None."""
        if len(self.values) < 2:
            return None
        return math.sqrt(sum((value - self.mean) ** 2 for value in self.values) / (len(self.values) - 1))

    @property
    def sem(self) -> float | None:
        """Root mean square of the standard errors over renders; None where one is unknown."""
        if None in self.sems:
            return None
        return math.sqrt(sum(sem**2 for sem in self.sems) / len(self.sems))


def distinguishing_columns(groups: Sequence[Group]) -> list[int]:
    """Which of their labels tell groups apart; the last where none does."""
    columns = list(zip(*(group.labels for group in groups)))
    return [i for i, column in enumerate(columns) if len(set(column)) > 1] or [len(columns) - 1]


def labels_of(groups: Sequence[Group]) -> list[str]:
    """What they are called on an axis."""
    telling_columns = distinguishing_columns(groups)
    if len(telling_columns) == 1:
        return [group.labels[telling_columns[0]] for group in groups]
    return [
        ", ".join(f"{group.names[i].rpartition('.')[2]} {group.labels[i]}" for i in telling_columns) for group in groups
    ]


def groups_of_runs(runs: Sequence[RunRecord]) -> list[Group]:
    """Runs of the same scene file but for its seed."""
    groups_found: dict[tuple, list[RunRecord]] = {}
    for run in runs:
        if known(run.final):
            scene = re.sub(r"^seed:.*$", "", run.scene_file, flags=re.MULTILINE)
            scene = "\n".join(line for line in scene.splitlines() if not line.startswith("#"))
            key = run.is_pixel, run.model, run.neurons, run.objective, run.renderer, scene
            groups_found.setdefault(key, []).append(run)
    return [
        Group(
            ("model", "neuron"),
            (same[0].model, ", ".join(map(str, same[0].neurons)) or "–"),
            _measure(same[0]),
            tuple(run.final.mean for run in same),
            tuple(run.final.sem if math.isfinite(run.final.sem) else None for run in same),
        )
        for same in groups_found.values()
        if len({run.result.seed for run in same}) == len(same)
    ]


def _measure(run: RunRecord) -> str:
    if run.other is not None:
        return aim_words.in_short(run.other)
    return "activation" if run.objective == "activation" else "objective"


@dataclass(frozen=True)
class SweepRead:
    """A sweep's folder.

    Attributes
    ----------
    title : str
        Which models it is of.
    axes : dict of str to int
        What was varied, and how many values it had.
    counts : dict of str to int
        Runs ``done``, ``failed`` and ``missing``.
    groups : tuple of Group
    failures : tuple of (str, str)
        Runs that failed, and why.
    """

    title: str
    axes: Mapping[str, int]
    counts: Mapping[str, int]
    groups: tuple[Group, ...]
    failures: tuple[tuple[str, str], ...]


def read_sweep(plan: Path) -> SweepRead:
    """A sweep, of its ``plan.json`` and ``summary.csv``.

    Raises
    ------
    UserError
        If one of them is missing or damaged.
    """
    varied = read_json(plan).get("axes")
    varied = varied if isinstance(varied, dict) else {}
    axes = {name: len(values) for name, values in varied.items() if isinstance(values, list)}
    summary = plan.with_name("summary.csv")
    if not summary.is_file():
        raise UserError(f"{plan.parent} holds a sweep without a summary.csv yet; start the sweep again to write it")
    rows = _table(summary)
    counts = {state: sum(row.get("state") == state for row in rows) for state in ("done", "failed", "missing")}
    telling_columns = [name for name in axes if name != SEED]
    groups_found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        ended = row.get("ended") or "done"
        if row.get("state") == "done" and ended in WELL and _value(row) is not None:
            groups_found.setdefault(tuple(row.get(name) or "" for name in telling_columns), []).append(row)
    failures = [(row.get("run") or "", row.get("reason") or "") for row in rows if row.get("state") == "failed"]
    more = len(failures) - MAX_FAILURES
    failures = failures[:MAX_FAILURES] + ([(f"and {more} more", "see summary.csv")] if more > 0 else [])
    models = dict.fromkeys(row["model"] for row in rows if row.get("model"))
    alike = {
        tuple(row.get(name) or "" for name in telling_columns): row for row in _table(plan.with_name("over_seeds.csv"))
    }
    groups = tuple(
        _group(telling_columns, labels, same, alike.get(labels, {})) for labels, same in groups_found.items()
    )
    return SweepRead(", ".join(models) or "no run is done", axes, counts, groups, tuple(failures))


def _table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where there is no such file."""
    try:
        return list(csv.DictReader(read_text(path).splitlines())) if path.is_file() else []
    except csv.Error as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _group(
    names: Sequence[str], labels: tuple[str, ...], rows: Sequence[Mapping[str, str]], alike: Mapping[str, str]
) -> Group:
    is_error = _is_error(rows[0])
    return Group(
        tuple("neuron" if name == NEURON else name for name in names) or ("scene",),
        labels or ("as in the file",),
        named_value(rows[0].get("objective") or "activation")[0],
        tuple(_value(row) for row in rows),
        tuple(_number(row.get(f"{'error' if is_error else 'activation'}_final_sem")) for row in rows),
        _number(alike.get("stimulus_correlation_mean")),
        _number(alike.get("surface_distance_mean")),
    )


def _is_error(row: Mapping[str, str]) -> bool:
    """Whether what a run ended with has a column of its own as an error."""
    return _number(row.get("error_final_mean")) is not None


def _value(row: Mapping[str, str]) -> float | None:
    """What a run ended with; an error, of which earlier versions wrote minus its value alone, is none below 0."""
    if _is_error(row):
        return _number(row.get("error_final_mean"))
    value = _number(row.get("activation_final_mean"))
    return None if value is None else value * named_value(row.get("objective") or "activation")[1]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
