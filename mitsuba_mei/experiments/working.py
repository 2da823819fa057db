"""What every optimisation is done within: its threads, its folder, and what a signal asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..config import Config, dump
from ..experiment import Experiment, check_start
from ..run_folder import RunFolder
from .session import Progress, interruptible, threads_beside

__all__ = ["working"]


@contextmanager
def working(
    experiment: Experiment, config: Config, out: Path, progress: Progress, resumed: bool
) -> Iterator[tuple[RunFolder, Callable[[], bool]]]:
    """Check the start, open the folder, and remember signals within it; gives the folder, and what says whether to end.

    Raises
    ------
    UserError
        If the start would be in vain, or the folder cannot be had; nothing is written then.
    """
    with threads_beside(experiment.renderer):
        check_start(experiment, config.seed, config.optimizer.restarts == 1, config.optimizer.search > 0)
        folder = RunFolder(out, resumed, locked=True)
        if not resumed:
            folder.write_text("config.yaml", dump(config, folder.path))
        with interruptible() as interrupted:
            try:
                yield folder, interrupted
            finally:
                progress.stop()
                folder.close()
                folder.release()
