"""From a scene file to the object that a neuron likes best: the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..config.load import Config
from ..pipeline import build_pipeline, each_start
from ..runs.checkpoint import FOLDER
from ..scene.initial import CONTINUED
from ..scene.parameters import get_parameters, read_parameters, start_from, write_parameters
from .base import LOADING, WRITING, Progress, RunResult, open_run
from .multistart import optimize_from_starts
from .outputs import write_run
from .pixel import find_for_reference

__all__ = ["run_mei"]

START = f"{FOLDER}/start.npz"
"""Parameters that the first start goes on from, for a resumption."""


def run_mei(
    config: Config,
    out: Path,
    progress: Progress,
    resumed: bool = False,
    start: Mapping[str, np.ndarray] | None = None,
) -> RunResult:
    """Optimize a scene for its neuron and write a run folder.

    Of several starts the one with the highest converged activation is kept, and all are recorded; what is reported of
    it comes from renders of its own, since the highest of several noisy figures flatters. Ctrl-C ends the optimization
    after the step under way; everything is evaluated and written all the same.

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
    start : mapping, optional
        Parameters of the final scene of an earlier run, from which the first start goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step.
    """
    progress.doing(LOADING)
    pipeline = build_pipeline(config, progress.message)
    if resumed and (out / START).is_file():
        start = read_parameters(out / START, get_parameters(pipeline.scene))
    if start is not None:
        start_from(pipeline.scene, start)
        pipeline.begins = CONTINUED
    with open_run(pipeline, config, out, progress, resumed) as (folder, interrupted):
        if start is not None:
            folder.write(START, lambda path: write_parameters(path, start))
        starts = each_start(pipeline, config.scene, config.optimizer.restarts)
        done = optimize_from_starts(starts, config.run, folder, progress, interrupted)
        pixel = None
        if config.compare_to == "pixel":
            pixel = find_for_reference(
                pipeline.observer, config.pixel, config.seed, config.objective.type, progress, interrupted
            )
        progress.doing(WRITING)
        result = write_run(folder, config.run, done, pixel)
    return RunResult(folder.path, result)
