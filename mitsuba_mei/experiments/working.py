"""What every optimisation is done within: its threads, its folder, and what a signal asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..config import Config, dump
from ..experiment import Experiment
from ..input_mesh import input_sentences
from ..interrupts import at_once, interruptible
from ..run_folder import RunFolder
from ..start_checks import check_start
from .resume import BEGUN_WITH
from .session import Progress, threads_beside

__all__ = ["working"]


@contextmanager
def working(
    experiment: Experiment,
    config: Config,
    out: Path,
    progress: Progress,
    resumed: bool,
    alone: bool | None = None,
    searched: bool | None = None,
) -> Iterator[tuple[RunFolder, Callable[[], bool]]]:
    """Check the start and open the folder; gives the folder, and what says whether to end.

    A Ctrl-C ends it at once, but where the optimisation is :func:`~mitsuba_mei.interrupts.finishing` a step.

    ``alone`` and ``searched`` are those of :func:`~mitsuba_mei.start_checks.check_start`; None as the optimizer says.

    Raises
    ------
    UserError
        If the start would be in vain, or the folder cannot be had; nothing is written then.
    """
    with threads_beside(experiment.renderer):
        progress.doing("rendering the start")
        alone = config.optimizer.restarts == 1 if alone is None else alone
        searched = config.optimizer.search > 0 if searched is None else searched
        check_start(experiment, config.seed, alone, searched)
        folder = RunFolder(out, resumed, locked=True)
        if not resumed:
            folder.write_text("config.yaml", dump(config, folder.path))
            folder.write_text(BEGUN_WITH, dump(config, (folder.path / BEGUN_WITH).parent))
        for sentence in input_sentences(experiment.scene.template):
            progress.message(f"mesh: {sentence}")
        with interruptible() as interrupted, at_once():
            try:
                yield folder, interrupted
            finally:
                progress.stop()
                folder.close()
                folder.release()
