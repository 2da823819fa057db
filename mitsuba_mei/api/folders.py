"""Folders of experiments in Python: temporary or named ones, and those that are read."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..experiments.base import Progress, RunResult
from ..neurons.in_memory import check_held, hold
from ..runs.results import read_result, read_run_result
from .results import RESULTS, Run

__all__ = ["in_folder", "read_run"]


class _Temporary:
    """A folder that lasts as long as this object."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mitsuba_mei-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def in_folder(
    experiment: Callable[[Path, Progress], RunResult],
    progress: Progress,
    out: Path | str | None,
    held: Any = None,
    trust_code: bool = False,
) -> Run:
    """Do an experiment in a folder, or in a temporary one."""
    temporary = None if out is not None else _Temporary()
    folder = Path(out) if temporary is None else temporary.path / "run"
    try:
        done = experiment(folder, progress)
    finally:
        progress.stop()
    return Run(done.folder, done.result, held, temporary, trust_code)


def read_run(folder: Path | str, model: Any = None, *, trust_code: bool = False) -> Run:
    """Read a run folder, of the command line or saved.

    Parameters
    ----------
    folder : Path or str
        Of a run, a comparison, factors or a tuning.
    model : nn.Module or callable, optional
        The network of a run whose model lived in memory, for what needs it again, such as :func:`tune`.
    trust_code : bool
        Whether code that its model card names may be run.

    Returns
    -------
    Run
        With the typed result of its kind.

    Raises
    ------
    UserError
        If it is none, is damaged, was written by a newer version, or its model was another one.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.read_run("nowhere")
    Traceback (most recent call last):
    mitsuba_mei.errors.UserError: there is no folder 'nowhere'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'")
    if (folder / "result.json").is_file():
        run = Run(folder, read_run_result(folder), trust_code=trust_code)
        if model is not None:
            card = run.config.model.card
            if not isinstance(card, Mapping) or card.get("type") != "memory":
                raise UserError(f"{folder}: its model is on file, as its model card says; leave model out")
            run._held = hold(model, run._model_input()[0], card.get("output"))
            check_held(run._held, card, str(folder / "config.yaml"))
            run._held = run._held.named_as(card)
        return run
    for kind in RESULTS:
        if (folder / kind.file).is_file():
            return Run(folder, read_result(folder / kind.file, kind), trust_code=trust_code)
    raise UserError(f"{folder} holds no finished run: there is no result.json in it")
