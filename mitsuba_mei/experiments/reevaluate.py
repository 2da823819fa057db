"""A finished run's object evaluated again, under either renderer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..config.groups import SceneSettings
from ..config.sections import Evaluate
from ..errors import UserError, about
from ..io.files import json_text, make_writable, take_name, write_whole
from ..optimize.evaluate import SceneEstimate, evaluate
from ..pipeline import Pipeline, build_pipeline, build_scene
from ..report.figures.comparison import EvaluatedView, write_evaluation
from ..runs.folder import RunFolder
from ..runs.read import FinishedRun, read_run
from ..runs.results import EvaluationResult, InitialFinal, result_json
from ..runs.results.responses import Accuracy, EvaluationValidation, Reported
from ..scene.parameters import get_parameters, set_parameters
from .base import threads_beside, versions
from .history import frame
from .multistart import final_seed

__all__ = ["Evaluation", "FrozenEvaluator", "evaluate_run"]


class FrozenEvaluator:
    """Evaluates scenes that differ in their parameters alone.

    Parameters
    ----------
    pipeline : Pipeline
        Nothing of its scene is free.
    accuracy : Evaluate
        Samples and renders.
    """

    def __init__(self, pipeline: Pipeline, accuracy: Evaluate) -> None:
        self.pipeline = pipeline
        self._accuracy = accuracy.spp, accuracy.repeats

    @classmethod
    def of(cls, pipeline: Pipeline, scene: SceneSettings, accuracy: Evaluate) -> FrozenEvaluator:
        """One with the renderer and the neurons of an experiment, and a scene of its own, of which nothing is free."""
        own = build_scene(scene, pipeline.scene.channels).to(pipeline.scene.background.device)
        return cls(replace(pipeline, scene=own), accuracy)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.pipeline.scene.background.device

    def __call__(self, parameters: Mapping[str, np.ndarray], seed: int) -> SceneEstimate:
        """The converged activation of the scene with these parameters."""
        set_parameters(self.pipeline.scene, parameters)
        with threads_beside(self.pipeline.renderer):
            return evaluate(self.pipeline, *self._accuracy, seed)


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its file, and its result."""

    path: Path
    result: EvaluationResult


def evaluate_run(
    folder: Path,
    renderer: str | None = None,
    overrides: Sequence[str] = (),
    out: Path | None = None,
    on_message: Callable[[str], None] = lambda text: None,
    trust_code: bool = False,
) -> Evaluation:
    """Evaluate a run's initial and final scene, and write ``evaluation-<renderer>.json`` and a picture.

    Under the run's own renderer, with its own settings, the figures are those that it reported.

    Parameters
    ----------
    folder : Path
        Of the run.
    renderer : str, optional
        ``path`` or ``raster``; the run's own by default.
    overrides : sequence of str
        Changes of its configuration, as ``evaluate.spp=2048``.
    out : Path, optional
        A folder, or the name of a ``.json`` file; the run's folder by default.
    on_message : callable
        Told of downloads.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load.load_config`.

    Raises
    ------
    UserError
        For anything that the user can mend; nothing is written then.
    """
    run = read_run(folder, overrides, trust_code=trust_code)
    shown = renderer or run.result.renderer
    if out is not None and out.suffix.lower() == ".json":
        _check_free(out)
    seeds = {"initial": run.config.seed, "final": final_seed(run.config.seed, len(run.result.restarts) or 1)}
    by_renderer: dict[str, dict[str, SceneEstimate]] = {}
    for name in dict.fromkeys((run.result.renderer, shown)):
        with about(folder / "config.yaml"):
            pipeline = build_pipeline(run.config.with_renderer(name).with_nothing_free(), on_message)
            evaluator = FrozenEvaluator(pipeline, run.config.evaluate)
        ends = dict(zip(seeds, run.parameters(get_parameters(evaluator.pipeline.scene))))
        by_renderer[name] = {when: _checked(evaluator, ends[when], seed, folder) for when, seed in seeds.items()}
    result = _result(run, shown, evaluator, by_renderer[shown])
    evaluator.pipeline.observer.check_unaltered(by_renderer[shown]["final"].image.to(evaluator.device))
    views = {
        when: {
            name: EvaluatedView(*frame(evaluator.pipeline, each[when].image.to(evaluator.device)))
            for name, each in by_renderer.items()
        }
        for when in seeds
    }
    title = f"{result.model}, {folder.name}: evaluated under {shown}"
    target = _target(run, shown, out)
    write_whole(target, lambda path: path.write_text(json_text(result_json(result)), encoding="utf-8"))
    beside = RunFolder(target.parent, resumed=True)
    beside.adorn(f"{target.stem}.png", lambda path: write_evaluation(path, title, views, result))
    beside.tell_missing(on_message)
    return Evaluation(target, result)


def _checked(evaluator: FrozenEvaluator, parameters: dict[str, np.ndarray], seed: int, folder: Path) -> SceneEstimate:
    """What a scene is worth, if it is one."""
    estimate = evaluator(parameters, seed)
    with torch.no_grad():
        vertices = evaluator.pipeline.scene().vertices
    if not (torch.isfinite(vertices).all() and math.isfinite(estimate.mean)):
        raise UserError(f"{folder}: its parameters make no object with a finite activation; they may be damaged")
    return estimate


def _check_free(out: Path) -> None:
    """Raise UserError where a file, or the picture of its name, is there already."""
    make_writable(out.parent)
    taken = [path for path in (out, out.with_suffix(".png")) if path.exists()]
    if taken:
        raise UserError(f"--out {out}: {taken[0]} exists already, and is not overwritten; choose another name")


def _target(run: FinishedRun, shown: str, out: Path | None) -> Path:
    """The file to write; neither it nor the picture of that name existed."""
    if out is not None and out.suffix.lower() == ".json":
        _check_free(out)
        return out
    folder = run.folder if out is None else out
    names = (folder / f"evaluation-{shown}{f'-{number}' if number > 1 else ''}.json" for number in itertools.count(1))
    return take_name(name for name in names if not name.with_suffix(".png").exists())


def _result(
    run: FinishedRun, shown: str, evaluator: FrozenEvaluator, estimates: dict[str, SceneEstimate]
) -> EvaluationResult:
    observer, accuracy = evaluator.pipeline.observer, run.config.evaluate
    validation = None
    if observer.validator is not None:
        activation = InitialFinal(**{when: estimate.validation for when, estimate in estimates.items()})
        validation = EvaluationValidation(model=observer.validator.model.name, activation=activation)
    return EvaluationResult(
        run=str(run.folder),
        renderer=shown,
        variant=evaluator.pipeline.variant,
        activation=InitialFinal(**estimates),
        validation=validation,
        reported=Reported(renderer=run.result.renderer, activation=run.result.activation),
        objective=run.config.objective.type,
        neurons=run.config.neurons,
        model=observer.model.name,
        evaluate=Accuracy(spp=accuracy.spp, repeats=accuracy.repeats),
        seed=run.config.seed,
        versions=versions(),
    )
