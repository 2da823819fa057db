"""Tuning curves and maps: responses over a grid of one or two numbers of a scene, and their files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config.load import dump
from ..interrupts import interruptible
from ..optimize.evaluate import Responses
from ..report.figures.tuning import TuningFigure, write_tuning
from ..runs.folder import RunFolder
from ..runs.results import Estimate, TunedNeuron, TuningResult, TuningSummary
from ..runs.results.responses import Accuracy, Source
from ..runs.tuning_grid import points
from ..runs.tuning_summary import summarize
from .base import LOADING, WRITING, Progress, RunResult, threads_beside, versions
from .tuning_plan import Plan, Subject, TuningRequest, check_points, check_request, planned, subject_of, with_periods

__all__ = ["ResponseGrid", "TuningRequest", "result_of", "run_subject", "run_tuning", "write_grid"]


@dataclass
class ResponseGrid:
    """What there is of the responses so far: (k, grid...) each, NaN where nothing is known."""

    mean: np.ndarray
    sem: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stimuli: np.ndarray

    @classmethod
    def nothing(cls, plan: Plan, stimulus: np.ndarray) -> ResponseGrid:
        """Before the first point; ``stimulus`` is one of them."""
        numbers = [np.full((len(plan.neurons), *plan.shape), np.nan) for _ in range(4)]
        return cls(*numbers, np.full((*plan.shape, *stimulus.shape), np.nan, np.float32))

    def add(self, index: tuple[int, ...], responses: Responses, stimulus: np.ndarray) -> None:
        """One point more."""
        for name in ("mean", "sem", "low", "high"):
            getattr(self, name)[(slice(None), *index)] = getattr(responses, name)
        self.stimuli[index] = stimulus


def result_of(plan: Plan, own: Responses, responses_so_far: ResponseGrid, whole: bool) -> TuningResult:
    """The result of a grid, whole or interrupted."""
    subject = plan.subject
    config, pipeline = subject.config, subject.pipeline
    return TuningResult(
        source=Source(**{"run" if subject.is_run else "scene": str(subject.source)}),
        model=pipeline.observer.model.name,
        renderer=config.render.type,
        variant=pipeline.variant,
        seed=config.seed,
        evaluate=Accuracy(spp=plan.accuracy.spp, repeats=plan.accuracy.repeats),
        over=plan.axes,
        neurons=tuple(
            TunedNeuron(
                neuron=neuron,
                mean=responses_so_far.mean[i],
                sem=responses_so_far.sem[i],
                low=responses_so_far.low[i],
                high=responses_so_far.high[i],
                at_scene=Estimate(mean=float(own.mean[i]), sem=float(own.sem[i])),
                summary=_summary(plan, responses_so_far, i),
            )
            for i, neuron in enumerate(plan.neurons)
        ),
        ended="done" if whole else "interrupted",
        versions=versions(),
    )


def _summary(plan: Plan, responses_so_far: ResponseGrid, i: int) -> TuningSummary | None:
    """Of a neuron whose responses are all known and finite; else None."""
    if not np.isfinite(responses_so_far.mean[i]).all():
        return None
    return summarize(plan.axes, responses_so_far.mean[i], responses_so_far.sem[i], plan.subject.config.seed)


def write_grid(folder: RunFolder, plan: Plan, responses_so_far: ResponseGrid, result: TuningResult) -> None:
    """Write the stimuli, the table, the result and the figure."""
    folder.write("stimuli.npy", lambda path: np.save(path, responses_so_far.stimuli))
    folder.write("tuning.csv", lambda path: _write_rows(path, plan, responses_so_far))
    folder.write_result(result)
    title = f"{result.model}, around {plan.subject.source.name}"
    title += " (path traced)" if result.renderer == "path" else " (rasterized)"
    if result.ended != "done":
        title += ", interrupted"
    figure = TuningFigure(title, plan.axes, result.neurons, responses_so_far.stimuli)
    folder.adorn("tuning.png", lambda path: write_tuning(path, figure))


def _write_rows(path: Path, plan: Plan, responses_so_far: ResponseGrid) -> None:
    """A row for each neuron and point of which something is known."""
    names = ("mean", "sem", "low", "high")
    known = [each for each in points(plan.axes) if not np.isnan(responses_so_far.stimuli[each[0]]).all()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["neuron", *(axis.path for axis in plan.axes), *names])
        for i, neuron in enumerate(plan.neurons):
            for index, point in known:
                writer.writerow(
                    [neuron, *point.values(), *(getattr(responses_so_far, name)[(i, *index)] for name in names)]
                )


def run_tuning(
    source: Path,
    renderer: str | None,
    overrides: Sequence[str],
    request: TuningRequest,
    out: Path,
    progress: Progress,
    trust_code: bool = False,
) -> RunResult:
    """Responses of neurons over a grid, around what a run ended with or around a scene file.

    See :func:`run_subject`, and :func:`subject_of`.
    """
    check_request(request)
    progress.doing(LOADING)
    return run_subject(subject_of(source, renderer, overrides, progress, trust_code), request, out, progress)


def run_subject(subject: Subject, request: TuningRequest, out: Path, progress: Progress) -> RunResult:
    """Render every point of the grid, show it to the neurons, and write a folder of it all.

    Every point is rendered with seeds of its own, so that the errors of points are independent of each other: a curve's
    noise can then be seen in it, and the error of what is read off it follows from the errors of its points. (Seeds
    shared by all points would make neighbours wrong together, and differences between them too good.)

    Ctrl-C ends the tuning after the point under way, and what there is is written.

    Parameters
    ----------
    subject : Subject
    request : TuningRequest
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
    plan = planned(subject, request)
    with threads_beside(subject.pipeline.renderer), torch.no_grad():
        check_points(plan)
        folder = RunFolder(out)
        plan = with_periods(plan)
        own = plan.respond({}, 0)
        responses_so_far = ResponseGrid.nothing(plan, plan.stimulus(own.image))
        grid = points(plan.axes)
        done = 0
        with interruptible() as interrupted:
            try:
                progress.start(len(grid))
                for index, point in grid:
                    responses = plan.respond(point, done + 1)
                    responses_so_far.add(index, responses, plan.stimulus(responses.image))
                    done += 1
                    progress.step({"response": float(responses.mean[0])})
                    if interrupted():
                        break
            finally:
                progress.stop()
        plan.values.set({})
    result = result_of(plan, own, responses_so_far, done == len(grid))
    progress.doing(WRITING)
    write_grid(folder, plan, responses_so_far, result)
    # Only now: with it, a folder whose process died would look like that of a run that can go on.
    folder.write_text("config.yaml", dump(subject.config, folder.path))
    folder.tell_missing(progress.message)
    subject.pipeline.observer.check_unaltered(own.image)
    return RunResult(folder.path, result)
