"""A whole sweep: from its file to a folder of runs and a summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.groups import ObserverSettings
from ..config.sweep import Sweep
from ..errors import UserError, about
from ..experiments.targets import check_targets
from ..interrupts import at_once, finishing, interruptible
from ..neurons.cards import load_card
from ..pipeline import check_files
from ..report.html.places import MAX_RUNS, Place
from ..report.html.write import write_page
from .axes import NEURON
from .folder import SweepFolder
from .job import Job
from .over_seeds import write_over_seeds
from .plan import Plan, check_plan
from .scheduler import SweepScheduler, Watcher
from .summary import write_summary
from .workers import opened_pool, threads_of

__all__ = ["SweepOutcome", "check_model", "every_neuron", "run_sweep"]


@dataclass(frozen=True)
class SweepOutcome:
    """What became of a sweep.

    Attributes
    ----------
    folder : Path
    before : int
        Runs that were done already.
    done, failed, missing : int
        Runs in all, whenever they were done.
    interrupted : bool
        Whether Ctrl-C ended it.
    report : Path or None
    reported : int
        How many of the runs the report shows.
    over_seeds : list of dict
        As :func:`~mitsuba_mei.sweep.over_seeds.read_over_seeds` gives them.
    """

    folder: Path
    before: int
    done: int
    failed: int
    missing: int
    interrupted: bool
    report: Path | None
    reported: int
    over_seeds: list[dict[str, Any]] = field(default_factory=list)


def every_neuron(settings: ObserverSettings) -> Sequence[int]:
    """All neurons of a model that make sense."""
    return load_card(settings.model.card, trust_code=settings.trusts_code).every_neuron


def check_model(plan: Plan, progress: Watcher) -> None:
    """Make sure of what a scene file names, and that there are the neurons; a download is reported.

    Raises
    ------
    UserError
        For what cannot be used.
    """
    with about(plan.scene.path):
        first = plan.config(plan.rows[0])
        check_files(first, progress.message)
        check_targets(first.objective, first.render, first.trusts_code, progress.message)
    numbers = [number for number, axis in enumerate(plan.axes) if axis.key == NEURON]
    if not numbers:
        return
    (number,) = numbers
    cards = [i for i, axis in enumerate(plan.axes) if axis.key[:1] == ("model",) and i != number]
    neurons: dict[tuple[int, ...], dict[int, object]] = {}
    for row in plan.rows:
        neurons.setdefault(tuple(row.chosen[i] for i in cards), {}).setdefault(row.chosen[number], row)
    axis = plan.axes[number]
    for chosen in neurons.values():
        config = plan.config(next(iter(chosen.values())))
        model = load_card(config.model.card, on_message=progress.message, trust_code=config.trusts_code)
        for i in chosen:
            try:
                model.check_neurons(axis.values[i].plain())
            except UserError as error:
                raise UserError(f"{axis.values[i].place}: axes: neurons: {error}") from None


def run_sweep(plan: Plan, sweep: Sweep, out: Path, watcher: Watcher) -> SweepOutcome:
    """Do what is missing of a sweep, and write its summary and report.

    The first Ctrl-C begins no further run and waits for those under way; a second one gives them up. The summary is
    written in any case, and the same sweep into the same folder goes on.

    Parameters
    ----------
    plan : Plan
    sweep : Sweep
        The plan's, or with other workers.
    out : Path
        A new folder, or that of the same sweep.
    watcher : Watcher
        Told how it goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first run; and where a scheduler is gone.
    """
    checked = check_plan(plan)
    if checked < len(plan.rows):
        watcher.message(f"{checked:,} of the {len(plan.rows):,} configurations were read before the first run")
    check_model(plan, watcher)
    with SweepFolder(out).opened(plan) as folder:
        done = folder.done()
        missing = {row.name: row for row in plan.rows if row.name not in done}
        before = len(plan.rows) - len(missing)
        if before:
            watcher.message(f"{before} of {len(plan.rows)} runs are done already; {len(missing)} are to do")

        def make(name: str) -> Job:
            return Job(name, plan.config(missing[name]), folder.path, threads_of(sweep))

        ended = False
        try:
            if missing:
                asked = interruptible(orderly=True)
                with asked as interrupted, at_once(), opened_pool(sweep, folder.path) as pool, finishing() as begin:
                    pool.check(folder.path)
                    recycle = sweep.workers.recycle_after
                    longest = math.inf if sweep.max_hours is None else 3600 * sweep.max_hours
                    conductor = SweepScheduler(pool, folder, make, watcher, sweep.retries, recycle, longest)
                    begin()
                    conductor.run(missing, len(plan.rows), interrupted)
                    ended = interrupted()
        finally:
            counts = write_summary(folder, plan)
        over_seeds = write_over_seeds(folder, plan)
        report, reported = _reported(folder, plan, watcher)
    return SweepOutcome(
        out, before, **counts, interrupted=ended, report=report, reported=reported, over_seeds=over_seeds
    )


def _reported(folder: SweepFolder, plan: Plan, watcher: Watcher) -> tuple[Path | None, int]:
    """The comparison report of the first runs, written anew."""
    done = folder.done()
    shown = [row.name for row in plan.rows if row.name in done][:MAX_RUNS]
    if not shown:
        return None, 0
    places = [Place(folder.run(name), name) for name in shown]
    try:
        whole = [Place(folder.path, folder.path.name)]
        return write_page(places, folder.path / "report.html", whole), len(shown)
    except UserError as error:
        watcher.message(f"there is no report: {error}")
        return None, 0
