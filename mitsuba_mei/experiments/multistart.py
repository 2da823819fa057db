"""An optimization from every start that a scene file asks for, and the best of what they end with."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..config.groups import RunSettings
from ..interrupts import finishing
from ..io.images import write_png
from ..optimize.evaluate import SceneEstimate, evaluate
from ..optimize.loop import optimize
from ..optimize.loss import ActivationLoss, Loss
from ..optimize.optimizer import OptimizerSettings, Outcome, Step
from ..optimize.start_search import find_start
from ..optimize.state import Snapshot, checked_array
from ..pipeline import Pipeline
from ..report.grey_scale import DISPLAY
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.results import InitialFinal, Start
from ..runs.spread import named_value
from ..scene.initial import SEARCH
from ..scene.parameters import get_parameters, write_parameters
from .base import LabelledProgress, Progress
from .history import FRAMES, History, frame, kept_record, posed_mesh

__all__ = ["MultistartResult", "StartResult", "final_seed", "optimize_from_starts"]

SILENT = (
    "is silent from the start to the end: the objective has no gradient there; start elsewhere (placement.on: "
    "receptive_field, pose, lighting, seed, optimizer.restarts), or ask for another neuron"
)

NOT_FINITE = "what the optimization ended with is rendered, or answered to, without a finite value"

REEVALUATION_SEED = 2**33
"""Added to a seed for renders that no choice was made by."""


@dataclass(frozen=True)
class StartResult:
    """What became of one start.

    Attributes
    ----------
    index : int
        Counted from 0.
    pipeline : Pipeline
        Its scene is what the start ended with.
    record : History
        Of every step.
    start : dict of str to ndarray
        The parameters of the initial scene, by name.
    before, after : SceneEstimate
        Converged, of the initial scene and of the final one. The initial scene is without the small displacement that
        the optimization of a file's own scene begins with.
    outcome : Outcome
    seconds : float
        Of the optimization alone.
    """

    index: int
    pipeline: Pipeline
    record: History
    start: dict[str, np.ndarray]
    before: SceneEstimate
    after: SceneEstimate
    outcome: Outcome
    seconds: float

    @property
    def silent(self) -> bool:
        """Whether the neurons answered nothing from the start to the end."""
        return self.outcome.reason.endswith(SILENT)

    def as_record(self) -> Start:
        """Its record in the result."""
        return Start(
            restart=self.index,
            initial_scene=self.pipeline.begins,
            activation=InitialFinal(initial=self.before, final=self.after),
            steps=self.outcome.steps,
            seconds=self.seconds,
            skipped_steps=self.outcome.skipped,
            shortened_gradients=self.outcome.shortened,
            ended=self.outcome.ended,
            setbacks=self.outcome.setbacks,
            reason=self.outcome.reason or None,
            renders_left_out=self.after.left_out,
        )


@dataclass(frozen=True)
class MultistartResult:
    """What became of all starts.

    Attributes
    ----------
    trials : list of StartResult
        One a start, less than were asked for where the user did not want to wait.
    best : StartResult
        That with the highest converged activation.
    final : SceneEstimate
        Of what the best ended with; of several starts by renders of their own, since the highest of several noisy
        figures flatters.
    asked : int
        Starts that were asked for.
    """

    trials: list[StartResult]
    best: StartResult
    final: SceneEstimate
    asked: int

    @property
    def ended(self) -> str:
        """``interrupted``, or how the best start ended: ``done``, ``no better`` or ``failed``."""
        broken = len(self.trials) < self.asked or self.trials[-1].outcome.ended == "interrupted"
        return "interrupted" if broken else self.best.outcome.ended

    @property
    def reason(self) -> str:
        """Why that failed."""
        return self.best.outcome.reason if self.ended == "failed" else ""


def final_seed(seed: int, starts: int) -> int:
    """The seed of the renders by which what is kept of so many starts is reported."""
    return seed if starts == 1 else seed + REEVALUATION_SEED


def optimize_from_starts(
    starts: Iterable[Pipeline],
    settings: RunSettings,
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    to_the_end: bool = False,
    goal: Callable[[Pipeline], Loss] = ActivationLoss,
    score: Callable[[StartResult], float] = lambda trial: trial.pipeline.observer.objective.sign * trial.after.mean,
) -> MultistartResult:
    """Optimize from one start after the other.

    Parameters
    ----------
    starts : iterable of Pipeline
        One at each start, as many as ``optimizer.restarts`` says; their scenes are moved.
    settings : RunSettings
    folder : RunFolder
        Gets every step's metrics, and of several starts what each ended with.
    progress : Progress
        Told of every step.
    interrupted : callable
        Asked whether to end: after every step, or, ``to_the_end``, after every start.
    goal : callable
        What an experiment is optimized for.
    score : callable
        The best start is the one whose end scores highest.
    """
    trials: list[StartResult] = []
    asked = settings.optimizer.restarts
    checkpoints = Checkpoints(folder)
    kept = [checkpoints.read(_loop(index)) for index in range(asked)]
    folder.continue_metrics(max((kept_record(snapshot).metrics for snapshot in kept if snapshot), default=0))
    for index, start in enumerate(starts):
        ending = (lambda: False) if to_the_end else interrupted
        trials.append(_trial(start, settings, index, folder, progress, ending, goal, checkpoints, kept[index]))
        if interrupted():
            break
    # A start from which the neurons never answered says nothing: any that they answered from goes before it.
    best = trials[0] if len(trials) == 1 else max(trials, key=lambda each: (not each.silent, _or_least(score(each))))
    final = best.after
    if len(trials) > 1:
        progress.doing("evaluating the best start's")
        accuracy = settings.evaluate
        final = evaluate(best.pipeline, accuracy.spp, accuracy.repeats, final_seed(settings.seed, len(trials)))
    return MultistartResult(trials, best, final, asked)


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _trial(
    pipeline: Pipeline,
    settings: RunSettings,
    index: int,
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    goal: Callable[[Pipeline], Loss],
    checkpoints: Checkpoints,
    since: Snapshot | None,
) -> StartResult:
    """Optimize from one start, or go on with it."""
    accuracy = (settings.evaluate.spp, settings.evaluate.repeats, settings.seed)
    several = settings.optimizer.restarts > 1
    if several:
        label = f"start {index + 1} of {settings.optimizer.restarts}"
        progress.message(label)
        progress = LabelledProgress(progress, label)
    if settings.optimizer.search:
        _find(pipeline, settings, index, progress, checkpoints)
        pipeline = replace(pipeline, begins=SEARCH)
    every = max(1, settings.optimizer.steps // FRAMES)
    record = History(folder, pipeline, progress, settings.objective.type, index, every)
    if since is not None:
        record.restore(since, checkpoints)
    progress.doing("evaluating the start")
    with pipeline.scene.shape.undisplaced():
        start, before = get_parameters(pipeline.scene), evaluate(pipeline, *accuracy)
    if not settings.optimizer.steps:
        pipeline.scene.shape.put_back()
    steps_done = min(len(record.history["activation"]), settings.optimizer.steps)
    if steps_done:
        progress.message(f"going on after {steps_done} of {settings.optimizer.steps} steps")
    progress.start(settings.optimizer.steps, done=steps_done)
    started = time.perf_counter()
    seed = settings.seed * settings.optimizer.restarts + index
    seconds = 0.0 if since is None else kept_record(since).seconds

    def keep(snapshot: Snapshot) -> None:
        spent = seconds + time.perf_counter() - started
        checkpoints.write(_loop(index), record.kept(snapshot, spent))

    schedule = OptimizerSettings.of(settings.optimizer)
    with finishing() as begin:

        def add(step: Step) -> None:
            begin()  # before the first step, whose kernels are compiled, there is nothing to finish
            record.add(step)

        outcome = optimize(goal(pipeline), schedule, seed, add, interrupted, keep, since)
    seconds += time.perf_counter() - started
    progress.stop()
    if outcome.ended != "done":
        why = f" ({outcome.reason})" if outcome.reason else ""
        again = "; Ctrl-C again ends at once" if outcome.ended == "interrupted" else ""
        progress.message(
            f"ended after {outcome.steps} steps: {outcome.ended}{why}; evaluating and writing what was reached{again}"
        )
    progress.doing("evaluating what was reached")
    after = evaluate(pipeline, *accuracy)
    progress.stop()
    if not math.isfinite(after.mean):
        outcome.ended, outcome.reason = "failed", NOT_FINITE
    elif outcome.steps and outcome.ended != "interrupted" and _stayed_silent(pipeline, record, before, after):
        outcome.ended, outcome.reason = "failed", f"model '{pipeline.observer.model.name}' {SILENT}"
    trial = StartResult(index, pipeline, record, start, before, after, outcome, seconds)
    if several:
        _write_trial(folder, trial)
        error = f"render s.e. {trial.after.sem:.2g}" if pipeline.renderer.noisy else "without render noise"
        name, sign = named_value(settings.objective.type)
        progress.message(f"converged {name} {sign * trial.after.mean:.4g} ({error})")
    return trial


def _stayed_silent(pipeline: Pipeline, record: History, before: SceneEstimate, after: SceneEstimate) -> bool:
    """Whether the neurons never answered: no step changed the objective, and nothing in first or last image would."""
    if np.ptp(record.history["activation"]) > 0:
        return False
    return all(pipeline.observer.is_silent_at(estimate.image) for estimate in (before, after))


def _loop(index: int) -> str:
    """The name of a start's checkpoint."""
    return f"start-{index}"


def _find(pipeline: Pipeline, settings: RunSettings, index: int, progress: Progress, checkpoints: Checkpoints) -> None:
    """Turn object and lights to where the optimization should start, or take up what was found."""
    scene = pipeline.scene
    stored = dict(scene.named_parameters()) | {"pose.start": scene.pose.start}
    start_found = checkpoints.read(f"found-{index}")
    if start_found is not None:
        with torch.no_grad():
            for name, tensor in stored.items():
                tensor.copy_(torch.from_numpy(checked_array(start_found.arrays, name, tensor.shape)))
        return
    progress.start(settings.optimizer.search, "looking for a start")
    find_start(pipeline, settings.optimizer.search, settings.seed, index, lambda: progress.step({}))
    progress.stop()
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in stored.items()}
    checkpoints.write(f"found-{index}", Snapshot({}, arrays))


def _write_trial(folder: RunFolder, trial: StartResult) -> None:
    name, scene = f"restarts/{trial.index}", trial.pipeline.scene
    grey = frame(trial.pipeline, trial.after.image)[1]
    folder.adorn(f"{name}/stimulus.png", lambda path: write_png(path, DISPLAY(grey)))
    folder.write(f"{name}/mesh.ply", lambda path: posed_mesh(scene).export(path, file_type="ply"))
    folder.write(f"{name}/parameters.npz", lambda path: write_parameters(path, get_parameters(scene)))
