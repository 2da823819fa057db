"""The table of all runs of a report: only the columns that say something, and what all runs share, said once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...runs.results import DiverseResult
from ..html import words
from ..numbers import known
from .aim_words import error_kind
from .record import RunRecord

__all__ = ["Cell", "Column", "RunTable", "run_table"]

UNKNOWN = "–"


@dataclass(frozen=True)
class Cell:
    """A cell: what it says, what it is sorted by, nothing where that is unknown, and what follows in brackets."""

    text: str
    value: str | float = ""
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its title, ``number`` or ``text``, and a cell a run."""

    title: str
    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RunTable:
    """The columns after each run's pictures and name, and sentences on what is the same in all runs."""

    columns: tuple[Column, ...]
    same: tuple[str, ...]


def run_table(runs: Sequence[RunRecord]) -> RunTable:
    """The table of these runs.

    A column of which nothing is known is left out; model, objective and renderer are said once where all runs have the
    same, so that the columns that are left fit beside each other.
    """
    columns, same = [], []
    for title, kind, cell in COLUMNS:
        cells = tuple(map(cell, runs))
        texts = {each.text for each in cells}
        if texts == {UNKNOWN}:
            continue
        if title in SHARED and len(texts) == 1:
            same.append(f"{SHARED[title]} of all runs: {cells[0].text}.")
        else:
            columns.append(Column(title, kind, cells))
    return RunTable(tuple(columns), tuple(same))


SHARED = {"model": "Model", "objective": "Objective", "renderer": "Renderer"}
"""Columns that are said once where all runs agree."""


def _neuron(run: RunRecord) -> Cell:
    return Cell(", ".join(map(str, run.neurons)) or UNKNOWN, run.neurons[0] if run.neurons else "")


def _activation(run: RunRecord) -> Cell:
    if run.is_error or not known(run.final):
        return Cell(UNKNOWN)
    note = "(mean)" if run.other is not None else "" if run.objective == "activation" else "(objective)"
    return Cell(words.measured(run.final), run.final.mean, note)


def _error(run: RunRecord) -> Cell:
    if not run.is_error or not known(run.final):
        return Cell(UNKNOWN)
    return Cell(words.measured(run.final), run.final.mean, f"({error_kind(run.other)})")


def _fraction(value: float | None) -> Cell:
    return Cell(UNKNOWN) if value is None else Cell(f"{value:.3f}", value)


def _renderer(run: RunRecord) -> Cell:
    text = "none (pixels)" if run.is_pixel else words.rendered(run.renderer)
    return Cell(text, run.renderer or "")


def _flaws(run: RunRecord) -> Cell:
    count, other = words.flaws(run.mesh), run.other
    alone = isinstance(other, DiverseResult) and not words.flaws_of_each(other.diverse.scenes)
    of = "(scene 1)" if alone else ""  # folders of earlier versions count the first alone
    return Cell(words.flaws_in_short(run.mesh), "" if count is None else count, of)


def _number(value: float | None, text: str) -> Cell:
    return Cell(UNKNOWN) if value is None else Cell(text, value)


def _text(text: str) -> Cell:
    return Cell(text, text)


COLUMNS: tuple[tuple[str, str, Callable[[RunRecord], Cell]], ...] = (
    ("neuron", "number", _neuron),
    ("model", "text", lambda run: _text(run.model)),
    ("objective", "text", lambda run: _text(words.served(run))),
    ("activation", "number", _activation),
    ("error", "number", _error),
    ("of optimum", "number", lambda run: _fraction(run.fraction)),
    ("3D / pixel MEI", "number", lambda run: _fraction(run.ratio.mean if known(run.ratio) else None)),
    ("renderer", "text", _renderer),
    ("steps", "number", lambda run: _number(run.result.steps, f"{run.result.steps}")),
    ("seconds", "number", lambda run: _number(run.result.seconds, words.number(run.result.seconds, 3))),
    ("mesh flaws", "number", _flaws),
)
"""Title, kind, and a run's cell."""
