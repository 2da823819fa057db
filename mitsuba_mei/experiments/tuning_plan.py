"""What a tuning renders: the scene that is varied, the grid, the neurons and the accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..config.fields import listed_neurons
from ..config.load import Config, load_config
from ..errors import UserError, about
from ..geometry.input_flaws import input_sentences
from ..optimize.evaluate import EVALUATION_SEEDS, Accuracy, Responses, respond
from ..pipeline import Pipeline, build_pipeline
from ..runs.read import read_run
from ..runs.results import Axis
from ..runs.tuning_grid import MAX_POINTS, axes_of, parse_over, points
from ..scene.parameters import get_parameters, set_parameters
from ..scene.scalar_parameters import ScalarParameters
from ..scene.state import check_before_camera
from .base import Progress
from .history import frame

__all__ = ["Plan", "Subject", "TuningRequest", "check_points", "check_request", "planned", "subject_of", "with_periods"]

TUNING_SEEDS = 2 * EVALUATION_SEEDS
"""Renders of a tuning share no seed with those of an optimization or of an evaluation."""

MAX_RENDERS = 4096
"""Renders of a point, at most."""

MAX_VALUES = 2**28
"""Numbers in the stimuli of a whole grid: a gigabyte."""

ALIKE = 0.95
"""Correlation of two stimuli from which on they count as one after half a turn."""


@dataclass(frozen=True)
class TuningRequest:
    """What of a tuning is asked for.

    Attributes
    ----------
    over : sequence of str
        One or two of ``path=first:last:points``.
    neurons : str or None
        A list as ``3,25-28``, or ``all``; the objective's own by default.
    relative : bool
        Whether the ranges are differences from the scene's own values.
    renders : int or None
        Over how many renders the samples are split.
    """

    over: Sequence[str]
    neurons: str | None = None
    relative: bool = False
    renders: int | None = None


@dataclass(frozen=True)
class Subject:
    """The scene that is varied.

    Attributes
    ----------
    source : Path
        A run's folder, or a scene file.
    config : Config
        Nothing is free in it, but what was said otherwise.
    pipeline : Pipeline
        Its scene stands as the run ended, or as the file says.
    is_run : bool
    """

    source: Path
    config: Config
    pipeline: Pipeline
    is_run: bool


@dataclass(frozen=True)
class Plan:
    """What is to be rendered.

    Attributes
    ----------
    subject : Subject
    values : ScalarParameters
        Of its scene.
    axes : tuple of Axis
    neurons : list of int
    module : nn.Module
        The model of these neurons alone, in their order.
    accuracy : Accuracy
    """

    subject: Subject
    values: ScalarParameters
    axes: tuple[Axis, ...]
    neurons: list[int]
    module: torch.nn.Module
    accuracy: Accuracy

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid's."""
        return tuple(len(axis.values) for axis in self.axes)

    def respond(self, point: dict[str, float], index: int) -> Responses:
        """At one point of the grid; ``index`` counts points, 0 is the scene's own."""
        self.values.set(point)
        first = TUNING_SEEDS + (self.subject.config.seed * (MAX_POINTS + 1) + index) * MAX_RENDERS
        return respond(self.subject.pipeline, self.module, self.accuracy, first)

    def stimulus(self, image: torch.Tensor) -> np.ndarray:
        """Grey levels as the neuron saw them."""
        return frame(self.subject.pipeline, image)[1].astype(np.float32)


def subject_of(
    source: Path, renderer: str | None, overrides: Sequence[str], progress: Progress, trust_code: bool = False
) -> Subject:
    """What a run ended with, under its own renderer or another; or a scene file's template, as the file says it.

    ``trust_code`` as for :func:`~mitsuba_mei.config.load.load_config`.

    Raises
    ------
    UserError
        If the source or something that it names cannot be used.
    """
    if source.is_dir() or not source.suffix:
        run = read_run(source, overrides, "tune", trust_code)
        config = run.config.with_renderer(renderer or run.result.renderer)
        with about(source / "config.yaml"):
            pipeline = build_pipeline(config.with_nothing_free(), progress.message)
        set_parameters(pipeline.scene, run.parameters(get_parameters(pipeline.scene))[1])
        return Subject(source, config, pipeline, True)
    config = load_config(source, overrides, rendered=False, trust_code=trust_code)
    config = config if renderer is None else config.with_renderer(renderer)
    with about(source):
        still = config.with_nothing_free().model_copy(update={"placement": config.placement})
        pipeline = build_pipeline(still, progress.message)
        for sentence in input_sentences(pipeline.scene.template):
            progress.message(f"mesh: {sentence}")
        return Subject(source, config, pipeline, False)


def check_request(request: TuningRequest) -> None:
    """Raise UserError for what is wrong with it by itself, before anything is read."""
    for text in request.over:
        parse_over(text)
    if request.neurons is not None:
        _listed(request.neurons)
    if request.renders is not None and not 2 <= request.renders <= MAX_RENDERS:
        raise UserError(f"--repeats {request.renders}: it must be 2 to {MAX_RENDERS} renders of each point")


def _listed(neurons: str) -> list[int] | None:
    """``3,25-28``; None for all."""
    if neurons.strip() == "all":
        return None
    try:
        return listed_neurons(neurons)
    except ValueError as error:
        raise UserError(f"--neurons {neurons}: {error}; or say all") from None


def planned(subject: Subject, request: TuningRequest) -> Plan:
    """What is to be rendered of a subject.

    Raises
    ------
    UserError
        If the scene has no such numbers or the model no such neurons, or something is out of its range.
    """
    check_request(request)
    pipeline = subject.pipeline
    values = ScalarParameters(pipeline.scene, subject.config.pose.rotation)
    axes = axes_of([parse_over(text) for text in request.over], values, request.relative)
    model = pipeline.observer.model
    if request.neurons is None:
        neurons = list(subject.config.neurons)
    elif (neurons := _listed(request.neurons)) is None:
        neurons = [n for first, last in model.sensible or ((0, model.n_neurons - 1),) for n in range(first, last + 1)]
    neurons = model.check_neurons(neurons)
    accuracy = Accuracy.split(subject.config.evaluate.spp, subject.config.evaluate.repeats, request.renders)
    size = math.prod(len(axis.values) for axis in axes) * model.channels * math.prod(model.image_size)
    if size > MAX_VALUES:
        raise UserError(
            f"--over: the stimuli of this grid have {size} values, and {MAX_VALUES} are the most; take fewer points"
        )
    module = model.select(neurons).to(pipeline.scene.background.device)
    return Plan(subject, values, axes, neurons, module, accuracy)


def check_points(plan: Plan) -> None:
    """Raise UserError where at a point the object cannot be shown."""
    for _, point in [((), {}), *points(plan.axes)]:
        plan.values.set(point)
        state = plan.subject.pipeline.scene()
        if not torch.isfinite(state.vertices).all():
            raise UserError(f"{plan.subject.source}: its parameters make no object; they may be damaged")
        try:
            check_before_camera(state)
        except UserError as error:
            where = ", ".join(f"{path} {value:g}" for path, value in point.items())
            raise UserError(f"at {where or 'its own values'} {error}") from None


def with_periods(plan: Plan) -> Plan:
    """The plan with half turns that bring the same stimulus again known as periods."""
    axes = []
    for axis in plan.axes:
        half = axis.half_turn_period
        if half is not None and _looks_alike(plan, axis.path, float(axis.values[0]), half):
            axis = axis.with_period(half)
        axes.append(axis)
    return replace(plan, axes=tuple(axes))


def _looks_alike(plan: Plan, path: str, value: float, later: float) -> bool:
    """Whether the stimulus is the same when a number has grown."""
    pipeline, stimuli = plan.subject.pipeline, []
    for number in (value, value + later):
        plan.values.set({path: number})
        image = pipeline.renderer.render(pipeline.scene(), TUNING_SEEDS, plan.accuracy.spp * plan.accuracy.repeats)
        grey = plan.stimulus(image).astype(np.float64)
        stimuli.append((grey - grey.mean()).ravel())
    size = np.linalg.norm(stimuli[0]) * np.linalg.norm(stimuli[1])
    return bool(size > 0 and stimuli[0] @ stimuli[1] > ALIKE * size)
