"""How a run goes on, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["LiveProgress"]


class LiveProgress:
    """A line that lives while a run goes on: activation, loss terms, time left.

    Where the output is no terminal, a plain line every tenth of the steps.

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
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps = self._done = 0
        self._label = ""

    def start(self, steps: int, label: str = "") -> None:
        """Begin a run of so many steps; with a label there is room for it and the activation alone."""
        self._steps, self._done, self._label = steps, 0, label
        if self._quiet or not self._console.is_terminal:
            return
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[terms]}"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}", markup=False), *columns) if label else columns
        self._bar = Progress(*columns, console=self._console)
        self._task = self._bar.add_task(label, total=steps, terms="")
        self._bar.start()

    def step(self, info: Mapping[str, Any]) -> None:
        """One step is done; numbers in ``info`` are shown by their names, ``step`` itself aside."""
        self._done += 1
        terms = [
            f"{name} {value:.4g}"
            for name, value in info.items()
            if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        terms = "  ".join(terms[:1] if self._label else terms)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, terms=terms)
        elif not self._quiet and (self._done in (1, self._steps) or self._done % max(1, self._steps // 10) == 0):
            self._print(f"{self._label + ', ' if self._label else ''}step {self._done}/{self._steps}  {terms}")

    def message(self, text: str) -> None:
        """Something worth knowing, above the line."""
        if not self._quiet:
            self._print(text)

    def stop(self) -> None:
        """End the line; may be called twice."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
