"""Many runs from Python: the command ``sweep``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config.sweep import with_workers
from ..sweep.plan import check_cluster, read_plan
from ..sweep.run import SweepOutcome, every_neuron
from ..sweep.run import run_sweep as do_sweep
from ..sweep.scheduler import SweepStatus

__all__ = ["run_sweep"]


def run_sweep(
    file: Path | str,
    *,
    out: Path | str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
    trust_code: bool = False,
) -> SweepOutcome:
    """Do many runs of a scene on worker processes; called again, do what is missing.

    Parameters
    ----------
    file : Path or str
        A sweep file.
    out : Path or str, optional
        Folder of the sweep; ``runs/<name>`` by default.
    workers : int, optional
        How many worker processes; the file's by default.
    scheduler : str, optional
        Address of a dask scheduler that is there already, as ``"tcp://host:8786"``.
    overrides : sequence of str
        Values of the scene file to change, as ``"render.spp=64"``.
    progress : bool
        Whether a bar is shown.
    trust_code : bool
        Whether code that a model card names may be run.

    Returns
    -------
    SweepOutcome
        How many runs are done, failed and missing, and where: ``outcome.folder`` holds ``summary.parquet``, the
        runs, which :func:`read_run` reads, and a report.

    Raises
    ------
    UserError
        For whatever the user can mend, before the first run.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.run_sweep("scenes/sweeps.yaml")
    Traceback (most recent call last):
    mitsuba_mei.errors.UserError: there is no file 'scenes/sweeps.yaml'; did you mean 'sweep.yaml'?
    """
    file = Path(file)
    plan = read_plan(file, overrides, every_neuron, trust_code)
    if scheduler is None:
        check_cluster(plan)
    folder = Path("runs") / file.stem if out is None else Path(out)
    watcher = _Watcher(progress)
    try:
        return do_sweep(plan, with_workers(plan.sweep, scheduler, workers), folder, watcher)
    finally:
        watcher.stop()


class _Watcher:
    """A bar with one step a run."""

    def __init__(self, shown: bool) -> None:
        self._shown, self._bar = shown, None

    def update(self, standing: SweepStatus) -> None:
        """Show how far it is."""
        if not self._shown:
            return
        from tqdm.auto import tqdm

        if self._bar is None:
            self._bar: Any = tqdm(total=standing.asked, initial=standing.before, desc="runs", file=sys.stderr)
        self._bar.n = standing.before + standing.done + standing.failed
        self._bar.set_postfix(running=standing.running, failed=standing.failed)

    def doing(self, text: str) -> None: ...

    def message(self, text: str) -> None:
        """A sentence worth knowing."""
        if self._shown:
            print(text, file=sys.stderr)

    def stop(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
