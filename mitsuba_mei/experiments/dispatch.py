"""From what a scene file asks for to the experiment that does it."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from .session import Progress, RunResult

__all__ = ["run_experiment"]


def run_experiment(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Do the experiment that ``objective.type`` names, and write a run folder.

    Parameters
    ----------
    config : Config
        A scene file.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    resumed : bool
        Whether the run in that folder goes on where it was ended.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step.
    """
    kind = config.objective.type
    if kind == "image":
        from .inverse import run_inverse as run
    elif kind == "metamer":
        from .metamer import run_metamer as run
    elif kind == "diverse":
        from .diverse import run_diverse as run
    else:
        from .mei import run_mei as run
    return run(config, out, progress, resumed)
