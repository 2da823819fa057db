"""Several scenes that all drive the neurons and differ as much as they can: what they are invariant to."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config.groups import RunSettings, SceneSettings
from ..config.load import Config
from ..config.objective import Diverse
from ..errors import UserError
from ..geometry.input_flaws import mesh_facts
from ..geometry.quality import together_of
from ..interrupts import finishing
from ..io.images import write_png
from ..neurons.observer import Observation
from ..optimize.dissimilarity import DEFAULT_THRESHOLD, UNITS, SceneFeatures, exact_distance, scene_features
from ..optimize.evaluate import Mean, SceneEstimate, evaluate
from ..optimize.loop import optimize
from ..optimize.loss import ActivationLoss, DiversityLoss
from ..optimize.optimizer import OptimizerSettings, Step
from ..optimize.state import HistoryState, Snapshot, checked_numbers
from ..pipeline import Pipeline, build_pipeline, restarted
from ..render.preview import object_of, previews
from ..report.figures.diversity import DiversePicture, write_diverse
from ..report.grey_scale import DISPLAY
from ..report.statements import describe_set
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.results import DiverseResult, DiverseScene, DiverseSet, InitialFinal, Maximum
from ..runs.results.diverse import MeanDissimilarity
from ..scene.parameters import get_parameters
from .base import LOADING, WRITING, Progress, RunResult, open_run
from .frames import RenderSequence, write_final, write_render
from .history import FRAMES, History, frame
from .multistart import StartResult
from .outputs import finish, run_facts, write_object, write_result

__all__ = ["run_diverse"]

MARGIN = 0.02
"""How far above the level scenes are driven, of the maximum: noise in a step hides that much."""

SCENES = "scenes"
"""The name of their checkpoint."""

STEEP = 20.0
"""What is lost by missing the whole maximum: so much that no difference is worth missing the level for."""

SPREAD = 0.7
"""How far the directions and places of lights are moved at random, over their length, where they are to differ."""


def run_diverse(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Find scenes that drive the neurons to a level of their maximum and differ, and write a run folder.

    As diverse exciting inputs do for images (Cadena, Weis, Gatys, Bethge & Ecker 2018, Diverse feature visualizations
    reveal invariances in early layers of deep neural networks, ECCV; Ding et al. 2023, Bipartite invariance in mouse
    primary visual cortex, bioRxiv). The maximum is the known optimum, or else what one scene alone reaches.

    Parameters
    ----------
    config : Config
        A scene file with ``objective.type: diverse``.
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
    progress.doing(LOADING)
    pipeline = build_pipeline(config, progress.message)
    with open_run(pipeline, config, out, progress, resumed, alone=True, searched=False) as (folder, interrupted):
        starts = _starts(pipeline, config.scene, config.objective)
        search = _Search(config.run, folder, progress, interrupted)
        maximum = search.maximum(restarted(pipeline, config.scene, 0))
        trials = search.optimized(starts, maximum.value)
        progress.doing(WRITING)
        result = _write_run(folder, config.run, trials, maximum)
    return RunResult(folder.path, result)


def _starts(pipeline: Pipeline, scene: SceneSettings, objective: Diverse) -> list[Pipeline]:
    """Starts that differ in what is to differ: scenes that are the same have no direction in which they differ."""
    starts = [pipeline, *(restarted(pipeline, scene, index) for index in range(1, objective.count))]
    elsewhere = "offsets" in scene.shape.free or scene.pose.free
    if objective.differ == "light" or not elsewhere:
        for index, start in enumerate(starts[1:]):
            seed = np.random.SeedSequence((scene.seed, index, 1)).generate_state(1)[0]
            _scatter(start, torch.Generator().manual_seed(int(seed)))
    return starts


@torch.no_grad()
def _scatter(start: Pipeline, generator: torch.Generator) -> None:
    for name, parameter in start.scene.free_parameters().items():
        if name.startswith("lighting.") and name.endswith((".direction", ".position")):
            parameter += SPREAD * parameter.norm() * torch.randn(3, generator=generator).to(parameter)


class _Search:
    """The optimizations, and what is told and kept of them."""

    def __init__(
        self, settings: RunSettings, folder: RunFolder, progress: Progress, interrupted: Callable[[], bool]
    ) -> None:
        self._run, self._folder, self._progress, self._interrupted = settings, folder, progress, interrupted
        self._checkpoints = Checkpoints(folder)
        self._settings = OptimizerSettings.of(settings.optimizer)
        self._accuracy = settings.evaluate.spp, settings.evaluate.repeats, settings.seed

    def maximum(self, alone: Pipeline) -> Maximum:
        """The most that the neurons answer."""
        known = alone.observer.optimum()
        if known is not None:
            return Maximum(value=known, source="optimum")
        self._progress.start(self._settings.steps, "one scene alone")
        settings = self._settings
        if not settings.steps:
            alone.scene.shape.put_back()
        optimize(
            ActivationLoss(alone), settings, self._run.seed, self._tell
        )  # nothing of it is kept: a Ctrl-C ends at once
        self._progress.stop()
        reached = evaluate(alone, *self._accuracy)
        if not reached.mean > 0:
            raise UserError(
                f"one scene alone drives the neurons to {reached.mean:.4g}, and there is no level of what is not above "
                "0; take more optimizer.steps, start elsewhere, or name other neurons"
            )
        return Maximum(value=reached.mean, sem=reached.sem, source="one scene alone")

    def _tell(self, step: Step) -> None:
        self._progress.step({"activation": step.activation})

    def optimized(self, starts: list[Pipeline], maximum: float) -> list[StartResult]:
        """All scenes together."""
        sought = self._run.objective
        apart = DEFAULT_THRESHOLD[sought.differ] if sought.apart is None else sought.apart
        level = min(1.0, sought.level + MARGIN)

        def want(look: Observation) -> Tensor:
            return STEEP * (level - look.activation / maximum).clamp_min(0)

        self._progress.doing("evaluating the starts")
        before, first = [], []
        for start in starts:
            with start.scene.shape.undisplaced():
                before.append(evaluate(start, *self._accuracy))
                first.append(get_parameters(start.scene))
            if not self._settings.steps:
                start.scene.shape.put_back()
        every = max(1, self._settings.steps // FRAMES)
        record = History(self._folder, starts[0], self._progress, sought.type, 0, every, len(starts))
        began = time.perf_counter()
        goal = DiversityLoss(starts, want, sought.differ, apart)
        since = self._checkpoints.read(SCENES)
        seconds = 0.0
        if since is not None:
            record.restore(since, self._checkpoints)
            kept = checked_numbers(HistoryState, since.numbers)
            self._folder.continue_metrics(kept.metrics)
            seconds = kept.seconds
        steps_done = min(len(record.history.get("activation", ())), self._settings.steps) if since is not None else 0
        self._progress.start(self._settings.steps, f"{len(starts)} scenes", steps_done)

        def keep(snapshot: Snapshot) -> None:
            self._checkpoints.write(SCENES, record.kept(snapshot, seconds + time.perf_counter() - began))

        seed, settings = self._run.seed, self._settings
        with finishing() as begin:

            def add(step: Step) -> None:
                begin()
                record.add(step)

            outcome = optimize(goal, settings, seed, add, self._interrupted, keep, since)
        seconds += time.perf_counter() - began
        self._progress.stop()
        self._progress.doing("evaluating what was reached")
        after = [evaluate(start, *self._accuracy) for start in starts]
        return [
            StartResult(index, start, record, first[index], before[index], after[index], outcome, seconds / len(starts))
            for index, start in enumerate(starts)
        ]


def _write_run(folder: RunFolder, settings: RunSettings, trials: list[StartResult], maximum: Maximum) -> DiverseResult:
    sequence, outcome = _sequence(trials), trials[0].outcome
    diverse = _set(settings.objective, trials, maximum)
    facts = dict(run_facts(settings, trials[0].pipeline, trials, outcome.ended, outcome.reason))
    facts |= {
        "mesh": together_of([scene.mesh for scene in diverse.scenes]),
        "steps": outcome.steps,
        "skipped_steps": outcome.skipped,
        "seconds_per_step": facts["seconds"] / max(1, outcome.steps),
    }
    result = DiverseResult(
        activation=InitialFinal(
            initial=_mean([trial.before for trial in trials]), final=_mean([trial.after for trial in trials])
        ),
        diverse=diverse,
        neurons=settings.neurons,
        exposure=sequence.exposure,
        **facts,
    )
    for trial, scene in zip(trials, diverse.scenes):
        write_final(folder, trial.pipeline, trial.after.image, sequence.exposure, f"{scene.folder}/")
        write_object(folder, trial, f"{scene.folder}/")
    write_render(folder, sequence.last, sequence.exposure)
    write_result(folder, result, settings.deterministic)
    folder.adorn("stimulus.png", lambda path: write_png(path, DISPLAY(sequence.companion.of(sequence.last))))
    sequence.write(folder)
    folder.adorn("summary.png", lambda path: write_diverse(path, _picture(trials, diverse)))
    return finish(folder, result, settings.deterministic)


def _set(settings: Diverse, trials: list[StartResult], maximum: Maximum) -> DiverseSet:
    count = len(trials)
    apart = DEFAULT_THRESHOLD[settings.differ] if settings.apart is None else settings.apart
    aspects = [_aspects(trial) for trial in trials]
    pairs = {kind: _pairs(kind, aspects) for kind in DEFAULT_THRESHOLD}
    means = {kind: float(values[np.triu_indices(count, 1)].mean()) for kind, values in pairs.items()}
    scenes = tuple(_scene(trial, maximum, settings.level) for trial in trials)
    far = means[settings.differ] >= apart
    return DiverseSet(
        found=far and all(scene.reached for scene in scenes),
        maximum=maximum,
        level=settings.level,
        differ=settings.differ,
        difference=means[settings.differ],
        unit=UNITS[settings.differ],
        apart=apart,
        far=far,
        scenes=scenes,
        differences={kind: MeanDissimilarity(mean=means[kind], unit=UNITS[kind]) for kind in DEFAULT_THRESHOLD},
        pairs={kind: values.tolist() for kind, values in pairs.items()},
    )


def _scene(trial: StartResult, maximum: Maximum, level: float) -> DiverseScene:
    of_maximum = trial.after.mean / maximum.value
    return DiverseScene(
        folder=f"scenes/{trial.index}",
        activation=InitialFinal(initial=trial.before, final=trial.after),
        of_maximum=of_maximum,
        reached=of_maximum >= level,
        mesh=mesh_facts(trial.pipeline.scene.shape(), trial.pipeline.scene.template),
    )


def _mean(estimates: list[SceneEstimate]) -> Mean:
    values, errors = (np.array([getattr(each, name) for each in estimates]) for name in ("mean", "sem"))
    return Mean(float(values.mean()), float(np.sqrt(np.square(errors).sum()) / len(values)))


@torch.no_grad()
def _aspects(trial: StartResult) -> SceneFeatures:
    scene = trial.pipeline.scene
    return scene_features(scene, scene.shape(), trial.pipeline.observer.stimulus(trial.after.image)).detached()


def _pairs(kind: str, aspects: list[SceneFeatures]) -> np.ndarray:
    values = np.zeros((len(aspects), len(aspects)))
    for i, j in combinations(range(len(aspects)), 2):
        values[i, j] = values[j, i] = exact_distance(kind, aspects[i], aspects[j])
    return values


def _sequence(trials: list[StartResult]) -> RenderSequence:
    """All scenes side by side, at first, on the way and at last."""
    images = ([trial.before.image for trial in trials], [trial.after.image for trial in trials])
    first, last = (torch.cat(tuple(each), dim=1) for each in images)
    return RenderSequence.of(trials[0].pipeline, trials[0].record, (first, last))


@torch.no_grad()
def _picture(trials: list[StartResult], diverse: DiverseSet) -> DiversePicture:
    frames = [frame(trial.pipeline, trial.after.image) for trial in trials]
    objects = [object_of(trial.pipeline.scene) for trial in trials]
    return DiversePicture(
        title=f"{trials[0].pipeline.observer.model.name}: "
        + ("diverse scenes" if diverse.found else "no diverse set found"),
        renders=[render for render, _ in frames],
        stimuli=[grey for _, grey in frames],
        previews=[front for (front,) in previews(trials[0].pipeline.renderer, objects, (0,))],
        labels=[f"{scene.of_maximum:.3f} of the maximum" for scene in diverse.scenes],
        pairs=np.array(diverse.pairs[diverse.differ]),
        unit=diverse.unit,
        statements=describe_set(diverse),
    )
