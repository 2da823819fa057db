"""Responses over a grid of one or two numbers of a scene: tuning curves and maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ..config import dump
from ..interrupts import interruptible
from ..run_folder import RunFolder
from ..tuning.grid import points
from .session import LOADING, WRITING, Progress, RunResult, threads_beside
from .tuning_leavings import Found, result_of, write_found
from .tuning_plan import Subject, Wanted, check_points, check_wanted, planned, subject_of, with_periods

__all__ = ["Wanted", "run_subject", "run_tuning"]


def run_tuning(
    source: Path,
    renderer: str | None,
    overrides: Sequence[str],
    wanted: Wanted,
    out: Path,
    progress: Progress,
    trust_code: bool = False,
) -> RunResult:
    """Responses of neurons over a grid, around what a run ended with or around a scene file.

    See :func:`run_subject`, and :func:`subject_of`.
    """
    check_wanted(wanted)
    progress.doing(LOADING)
    return run_subject(subject_of(source, renderer, overrides, progress, trust_code), wanted, out, progress)


def run_subject(subject: Subject, wanted: Wanted, out: Path, progress: Progress) -> RunResult:
    """Render every point of the grid, show it to the neurons, and write a folder of it all.

    Every point is rendered with seeds of its own, so that the errors of points are independent of each other: a curve's
    noise can then be seen in it, and the error of what is read off it follows from the errors of its points. (Seeds
    shared by all points would make neighbours wrong together, and differences between them too good.)

    Ctrl-C ends the tuning after the point under way, and what there is is written.

    Parameters
    ----------
    subject : Subject
    wanted : Wanted
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every point.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first render.
    """
    progress.doing("rendering the scene as it is")
    plan = planned(subject, wanted)
    with threads_beside(subject.experiment.renderer), torch.no_grad():
        check_points(plan)
        folder = RunFolder(out)
        plan = with_periods(plan)
        own = plan.respond({}, 0)
        found = Found.nothing(plan, plan.stimulus(own.image))
        grid = points(plan.axes)
        done = 0
        with interruptible() as interrupted:
            try:
                progress.start(len(grid))
                for index, point in grid:
                    responses = plan.respond(point, done + 1)
                    found.add(index, responses, plan.stimulus(responses.image))
                    done += 1
                    progress.step({"response": float(responses.mean[0])})
                    if interrupted():
                        break
            finally:
                progress.stop()
        plan.values.set({})
    result = result_of(plan, own, found, done == len(grid))
    progress.doing(WRITING)
    write_found(folder, plan, found, result)
    # Only now: with it, a folder whose process died would look like that of a run that can go on.
    folder.write_text("config.yaml", dump(subject.config, folder.path))
    folder.tell_missing(progress.message)
    subject.experiment.viewer.check_unaltered(own.image)
    return RunResult(folder.path, result)
