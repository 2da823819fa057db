"""How a sweep goes on, on the terminal."""

from __future__ import annotations

import math
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..sentences_sweep import duration, standing_sentence
from ..sweep.conduct import Standing
from .progress import LiveProgress

__all__ = ["SweepProgress"]

LEFT_OUT_FIRST = ("workers", "a run", "elapsed", "running")
"""Columns that a narrow terminal does without."""

LINES = 20
"""About how many lines tell of a whole sweep, where the output is no terminal."""


class SweepProgress:
    """A table that lives while a sweep goes on; where the output is no terminal, a plain line now and then.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._live: Live | None = None
        self._before = LiveProgress(console, quiet)
        self._told = -1

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._before.stop()
        if self._live is not None:
            self._live.stop()

    def doing(self, text: str) -> None:
        """What is under way before the first run, on a terminal."""
        self._before.doing(text)

    def update(self, standing: Standing) -> None:
        """So far it is."""
        if self._quiet:
            return
        self._before.stop()
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False)
                self._live.start()
            self._live.update(_table(standing, self._console.width), refresh=True)
            return
        ended = standing.done + standing.failed
        every = max(1, (standing.asked - standing.before) // LINES)
        if ended != self._told and (ended % every == 0 or not standing.left):
            self._told = ended
            self.message(standing_sentence(standing))

    def message(self, text: str) -> None:
        """Something worth knowing, above the table."""
        if not self._quiet:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(standing: Standing, width: int) -> Table:
    """As much as there is room for."""
    table = Table(box=None, pad_edge=False)
    left = standing.seconds_left
    cells = {
        "runs": f"{standing.asked}",
        "done": f"{standing.before + standing.done}",
        "running": f"{standing.running}",
        "failed": f"{standing.failed}",
        "left": f"{standing.left}",
        "workers": f"{standing.workers}",
        "a run": "" if math.isnan(standing.mean_seconds) else duration(standing.mean_seconds),
        "elapsed": duration(standing.elapsed),
        "time left": "" if left is None else f"about {duration(left)}",
    }
    for name in LEFT_OUT_FIRST:
        if sum(max(map(cell_len, each)) + 2 for each in cells.items()) > width + 2:
            del cells[name]
    for title in cells:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_row(*cells.values())
    return table
