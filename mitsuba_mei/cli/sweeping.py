"""The command that does many runs: sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import UserError
from ..schema import Address, Sweep
from ..sentences_sweep import describe_sweep
from ..validation import validate
from ..yaml_lines import Place, locate
from .common import Quiet, Set, Trust, app
from .mishaps import interrupted, keeping
from .sweep_progress import SweepProgress

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
    with keeping(out), SweepProgress(Console(stderr=True), quiet) as watcher:
        watcher.doing("loading the libraries")
        from ..sweep.plan import read_plan
        from ..sweep.runs import every_neuron, run_sweep
        from ..sweep.trust import check_cluster

        plan = read_plan(file, overrides, every_neuron, trust)
        if scheduler is None:
            check_cluster(plan)
        wanted = _with_workers(plan.sweep, scheduler, workers)
        watcher.doing("checking the runs, and starting the workers")
        outcome = run_sweep(plan, wanted, out, watcher)
    print("\n".join(describe_sweep(outcome, len(plan.rows))), flush=True)
    if outcome.interrupted:
        raise interrupted(out)
    if outcome.failed or outcome.missing:
        raise typer.Exit(1)


def _with_workers(asked: Sweep, scheduler: str | None, count: int | None) -> Sweep:
    """What the file says, with the options' workers."""
    update = {}
    if scheduler is not None:
        update["cluster"] = validate(Address, locate({"address": scheduler}, Place("--scheduler", Path())))
    if count is not None:
        gpus = asked.workers.gpus
        if gpus is not None and count > len(gpus) * asked.workers.jobs_per_gpu:
            raise UserError(
                f"--workers {count}: {len(gpus)} GPUs with jobs_per_gpu {asked.workers.jobs_per_gpu} do "
                f"{len(gpus) * asked.workers.jobs_per_gpu} runs at a time; ask for fewer"
            )
        update["workers"] = asked.workers.model_copy(update={"count": count})
    return asked.model_copy(update=update)
