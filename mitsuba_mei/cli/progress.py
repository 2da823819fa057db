"""How a run goes on, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["LiveProgress"]

MAX_WIDTH, NARROWEST = 24, 8
"""Columns of the bar, at most and at least."""

TIME = 8
"""Columns of the time left."""

ESTIMATES = frozenset({"difference"})
"""What is estimated on the way, to tell how it goes, and measured at the end."""


class LiveProgress:
    """A line that lives while a run goes on: a bar, the count, the time left, activation and loss terms.

    Where the line is too narrow for all of it, the terms are left out first, the last ones before the others, then the
    bar is shortened, and then the label. Where the output is no terminal, a plain line every tenth of the steps.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live: Progress | None = None
        self._bar = False
        self._steps = self._done = 0
        self._label = ""

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        """Begin, or go on with, a run of so many steps; with a label there is room for it and the activation alone."""
        self.stop()
        self._steps, self._done, self._label = steps, done, label
        if self._hidden:
            return
        room = self._console.width - 2 * len(str(steps)) - TIME - 4
        shown = set_cell_size(label, min(cell_len(label), max(0, room - NARROWEST - 1)))
        if shown != label:
            shown = shown[:-1] + "…"
        room -= cell_len(shown) + bool(shown)
        wide = max(NARROWEST, min(MAX_WIDTH, room))
        columns = [BarColumn(wide), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[terms]}")]
        if shown:
            columns.insert(0, TextColumn("{task.description}", markup=False))
        self._room = room - wide - 1
        self._bar = True
        self._show(columns, shown, total=steps, completed=done, terms="")

    def step(self, info: Mapping[str, Any]) -> None:
        """One step is done; numbers in ``info`` are shown by their names, ``step`` itself aside."""
        self._done += 1
        terms = [
            f"est. {name} {value:.3g}" if name in ESTIMATES else f"{name} {value:.4g}"
            for name, value in info.items()
            if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        terms = terms[:1] if self._label else terms
        if self._bar:
            while terms and cell_len("  ".join(terms)) > self._room:
                terms.pop()
            self._live.update(self._live.task_ids[0], completed=self._done, terms="  ".join(terms))
        elif not self._quiet and (self._done in (1, self._steps) or self._done % max(1, self._steps // 10) == 0):
            label = f"{self._label}, " if self._label else ""
            self._print(f"{label}step {self._done}/{self._steps}  {'  '.join(terms)}")

    def doing(self, text: str) -> None:
        """What is under way now that has no steps, until something else is; on a terminal alone."""
        self.stop()
        if self._hidden:
            return
        text = set_cell_size(text, min(cell_len(text), self._console.width - TIME - 4))
        columns = [SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
        self._show(columns, text, total=None, transient=True)

    def message(self, text: str) -> None:
        """Something worth knowing, above the line."""
        if not self._quiet:
            self._print(text)

    def stop(self) -> None:
        """End the line; may be called twice."""
        if self._live is not None:
            self._live.stop()
            self._live, self._bar = None, False

    @property
    def _hidden(self) -> bool:
        return self._quiet or not self._console.is_terminal

    def _show(self, columns: list[Any], text: str, transient: bool = False, **task: Any) -> None:
        self._live = Progress(*columns, console=self._console, transient=transient)
        self._live.add_task(text, **task)
        self._live.start()

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
