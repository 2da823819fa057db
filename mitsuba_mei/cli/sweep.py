"""The command for many runs: sweep, its progress and its sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..config.sweep import with_workers
from ..sweep.scheduler import SweepStatus
from .errors import interrupted, report_kept
from .options import Quiet, Set, Trust, app
from .progress import LiveProgress

__all__ = ["SweepProgress", "describe_sweep", "duration", "standing_sentence"]

if TYPE_CHECKING:
    from ..sweep.run import SweepOutcome
    from ..sweep.scheduler import SweepStatus


MAX_TOLD = 8
"""Neurons of whose seeds a line is said."""


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    for large, small, names in ((86_400, 3_600, ("d", "h")), (3_600, 60, ("h", "min")), (60, 1, ("min", "s"))):
        if seconds >= large:
            return f"{seconds // large} {names[0]} {seconds % large // small} {names[1]}"
    return f"{seconds} s"


def standing_sentence(standing: SweepStatus) -> str:
    """How far it is, in a line."""
    parts = [f"{standing.before + standing.done} of {standing.asked} runs done", f"{standing.running} running"]
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    if not math.isnan(standing.mean_seconds):
        parts.append(f"{duration(standing.mean_seconds)} a run")
    if standing.seconds_left is not None:
        parts.append(f"about {duration(standing.seconds_left)} left")
    return ", ".join(parts)


def describe_sweep(outcome: SweepOutcome, asked: int) -> list[str]:
    """A sweep that has ended, or was ended."""
    already = f", {outcome.before} of them before" if outcome.before else ""
    lines = [f"{outcome.done} of {asked} runs are done{already}"]
    if outcome.failed:
        lines.append(f"{outcome.failed} failed; summary.csv says why, and the same command tries them again")
    if outcome.missing:
        lines.append(f"{outcome.missing} are missing; the same command goes on with them")
    lines += _over_seeds(outcome.over_seeds)
    files = "summary.parquet, summary.csv" + (", over_seeds.parquet, over_seeds.csv" if outcome.over_seeds else "")
    if outcome.report is not None:
        files += ", report.html"
        if outcome.reported < outcome.done:
            files += f" (of the first {outcome.reported} runs)"
    return [*lines, f"written to {outcome.folder}: {files}"]


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each neuron mean and standard deviation over seeds, beside the error of rendering alone."""
    known = [row for row in rows if row["seeds"] > 1]
    lines = [f"{_label(row)}{_spread(row)}" for row in known[:MAX_TOLD]]
    if len(known) > MAX_TOLD:
        lines.append(f"and {len(known) - MAX_TOLD} more: see over_seeds.csv")
    return lines


def _label(row: Mapping[str, Any]) -> str:
    """The axes before the figures, but for the seed."""
    axes = list(row)[: list(row).index("of")]
    columns = [f"{'neuron' if path == 'model.neuron' else path} {row[path]}" for path in axes]
    return f"{', '.join(columns)}: " if columns else ""


def _spread(row: Mapping[str, Any]) -> str:
    text = f"{row['of']} over {row['seeds']} seeds: mean {row['mean']:.4g}, s.d. {row['sd']:.2g}"
    text += f" ({row['lowest']:.4g} to {row['highest']:.4g})"
    text += f", render s.e. {row['render_se']:.2g}" if row["render_se"] else ", without render noise"
    if row["stimulus_correlation_mean"] is not None:
        text += f"; stimuli correlate by {row['stimulus_correlation_mean']:.2f}"
    if row["surface_distance_mean"] is not None:
        text += f"; surfaces lie {100 * row['surface_distance_mean']:.2g} % of the radius apart"
    return text


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

    def update(self, standing: SweepStatus) -> None:
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


def _table(standing: SweepStatus, width: int) -> Table:
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


__all__: list[str] = []

Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A dask scheduler that is there already, with its workers: tcp://host:8786."),
]
Count = Annotated[int | None, typer.Option("--workers", min=1, help="How many worker processes; default the file's.")]


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP", help="The sweep file (YAML).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the sweep; default runs/<name>. Again: it goes on.")
    ] = None,
    scheduler: Scheduler = None,
    workers: Count = None,
    overrides: Set = [],  # noqa: B006
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Do many runs of a scene, on worker processes. Started again, do what is missing."""
    out = Path("runs") / file.stem if out is None else out
    with report_kept(out), SweepProgress(Console(stderr=True), quiet) as watcher:
        watcher.doing("loading the libraries")
        from ..sweep.plan import check_cluster, read_plan
        from ..sweep.run import every_neuron, run_sweep

        plan = read_plan(file, overrides, every_neuron, trust)
        if scheduler is None:
            check_cluster(plan)
        requested = with_workers(plan.sweep, scheduler, workers)
        watcher.doing("checking the runs, and starting the workers")
        outcome = run_sweep(plan, requested, out, watcher)
    print("\n".join(describe_sweep(outcome, len(plan.rows))), flush=True)
    if outcome.interrupted:
        raise interrupted(out)
    if outcome.failed or outcome.missing:
        raise typer.Exit(1)
