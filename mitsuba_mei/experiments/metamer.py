"""Metamers: another scene with the same responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..config.groups import RunSettings
from ..config.load import Config
from ..config.objective import Metamer
from ..errors import UserError
from ..io.images import to_srgb, write_exr, write_png
from ..neurons.custom_module import GuardedModule
from ..neurons.image_error import ImageError
from ..neurons.model import FeatureExtractor
from ..neurons.repeatable import Memory
from ..optimize.dissimilarity import DEFAULT_THRESHOLD, UNITS, SceneFeatures, comparable, exact_distance, scene_features
from ..optimize.loss import DiversityLoss
from ..pipeline import Pipeline, build_pipeline, each_start
from ..render.preview import previews
from ..report.figures.diversity import MetamerPicture, write_metamer
from ..report.grey_scale import DISPLAY
from ..report.statements import describe_pair, describe_starts
from ..runs.folder import RunFolder
from ..runs.results import InitialFinal, MetamerPair, MetamerResult
from ..runs.results.diverse import Dissimilarity, NeuronAnswers, ResponseDistance, SceneDistance
from .base import LOADING, WRITING, Progress, RunResult, open_run, threads_beside
from .frames import RenderSequence, write_final
from .history import frame, posed_mesh
from .multistart import MultistartResult, StartResult, optimize_from_starts
from .outputs import finish, over_starts, run_facts, write_object, write_result
from .targets import TargetImages, target_images

__all__ = ["build_metamer", "run_metamer"]

MARGIN = 1.2
"""How far beyond what is asked scenes are driven apart: the optimizer measures it less exactly than the result does."""

FIRM = 1.0
"""What is lost where the scenes do not differ at all, in parts of what is lost by responses with nothing in common."""


@dataclass(frozen=True)
class Reference:
    """What a metamer has the responses of, and has to differ from.

    Attributes
    ----------
    targets : TargetImages
    aspects : SceneFeatures
    """

    targets: TargetImages
    aspects: SceneFeatures


def build_metamer(config: Config, on_message: Callable[[str], None] = lambda text: None) -> tuple[Pipeline, Reference]:
    """The chain from a scene to the distance of its responses from the reference's.

    Raises
    ------
    UserError
        For anything in the scene file or its files that cannot be used.
    """
    sought, pipeline = config.objective, build_pipeline(config, on_message)
    observer, device = pipeline.observer, pipeline.scene.background.device
    neurons, memory = observer.neurons, observer.memory
    if sought.layer is not None:
        neurons = GuardedModule(FeatureExtractor(observer.model.module, sought.layer), observer.model.name).to(device)
        memory = Memory(neurons, (observer.stimulus.channels, *observer.stimulus.image_size))
    with threads_beside(pipeline.renderer):
        targets = target_images(
            sought.reference, (), config.render, pipeline.scene.channels, (), on_message, config.trusts_code
        )
    target = targets.images.to(device)
    parts = (observer.stimulus, observer.model, neurons, observer.objective)
    likeness = ImageError(*parts, memory=memory, target=target, error="responses")
    with torch.no_grad():
        model_input = observer.stimulus(target)
        truth = None if targets.truth is None else targets.truth.to(device)
        aspects = (
            SceneFeatures(model_input)
            if truth is None
            else scene_features(truth, truth.shape(), model_input).detached()
        )
    if not comparable(sought.differ, aspects, _aspects(pipeline, model_input)):
        why = "is an image alone" if truth is None else "has other lights"
        raise UserError(
            f"objective.differ is {sought.differ}, but the reference {why}, so that there is nothing to differ from; "
            "let it be image, or name another reference"
        )
    return replace(pipeline, observer=likeness), Reference(targets, aspects)


def run_metamer(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Find a scene that differs from a reference and has its responses, and write a run folder.

    The question of Beilharz & Wallis 2025 (MRD: Using Physically Based Differentiable Rendering to Probe Vision
    Models). Of several starts that one is kept which is far enough from the reference and has the nearest responses.

    Parameters
    ----------
    config : Config
        A scene file with ``objective.type: metamer``.
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
    sought = config.objective
    apart = DEFAULT_THRESHOLD[sought.differ] if sought.apart is None else sought.apart
    progress.doing(LOADING)
    pipeline, reference = build_metamer(config, progress.message)

    def goal(start: Pipeline) -> DiversityLoss:
        return DiversityLoss(
            [start], lambda look: -look.activation, sought.differ, apart / FIRM, reference.aspects, FIRM * MARGIN
        )

    def score(trial: StartResult) -> float:
        far = exact_distance(sought.differ, _final(trial), reference.aspects)
        return trial.after.mean - max(0.0, 1 - far / apart)

    with open_run(pipeline, config, out, progress, resumed) as (folder, interrupted):
        starts = each_start(pipeline, config.scene, config.optimizer.restarts)
        done = optimize_from_starts(starts, config.run, folder, progress, interrupted, goal=goal, score=score)
        progress.doing(WRITING)
        result = _write_run(folder, config.run, done, reference, apart)
    return RunResult(folder.path, result)


@torch.no_grad()
def _aspects(pipeline: Pipeline, model_input: torch.Tensor) -> SceneFeatures:
    return scene_features(pipeline.scene, pipeline.scene.shape(), model_input).detached()


def _final(trial: StartResult) -> SceneFeatures:
    with torch.no_grad():
        return _aspects(trial.pipeline, trial.pipeline.observer.stimulus(trial.after.image))


def _write_run(
    folder: RunFolder, settings: RunSettings, done: MultistartResult, reference: Reference, apart: float
) -> MetamerResult:
    best = done.best
    pipeline = best.pipeline
    target = pipeline.observer.target.cpu().numpy()
    sequence = RenderSequence.of(pipeline, best.record, (best.before.image, done.final.image), others=[target])
    result = MetamerResult(
        activation=InitialFinal(initial=best.before, final=done.final),
        metamer=_pair(done, settings.objective, reference, apart),
        **run_facts(settings, pipeline, done.trials, done.ended, done.reason),
        initial_scene=pipeline.begins,
        over_starts=over_starts(done, settings.objective.type),
        neurons=settings.named_neurons,
        restart=best.index,
        exposure=sequence.exposure,
    )
    write_object(folder, best)
    write_final(folder, pipeline, done.final.image, sequence.exposure)
    folder.write("reference.exr", lambda path: write_exr(path, target))
    truth = reference.targets.truth
    if truth is not None:
        folder.write("reference_mesh.ply", lambda path: posed_mesh(truth).export(path, file_type="ply"))
    write_result(folder, result, settings.deterministic)
    sequence.write(folder)
    _write_pictures(folder, done, reference, result)
    return finish(folder, result, settings.deterministic)


def _pair(done: MultistartResult, settings: Metamer, reference: Reference, apart: float) -> MetamerPair:
    scene = _final(done.best)
    differences = {kind: exact_distance(kind, scene, reference.aspects) for kind in DEFAULT_THRESHOLD}
    distance = -InitialFinal(initial=done.best.before, final=done.final)
    near, far = distance.final.mean <= settings.tolerance, differences[settings.differ] >= apart
    responses = ResponseDistance(
        distance=distance,
        tolerance=settings.tolerance,
        near=near,
        layer=settings.layer,
        neurons=None if settings.layer is not None else _answers(done),
    )
    return MetamerPair(
        found=near and far,
        responses=responses,
        scene=SceneDistance(differ=settings.differ, difference=differences[settings.differ], apart=apart, far=far),
        differences={kind: Dissimilarity(value=value, unit=UNITS[kind]) for kind, value in differences.items()},
    )


@torch.no_grad()
def _answers(done: MultistartResult) -> tuple[NeuronAnswers, ...]:
    """Each neuron's responses to the reference and to the final scene."""
    observer = done.best.pipeline.observer
    images = (observer.target, done.final.image.to(observer.target))
    reference, final = (observer.neurons(observer.stimulus(image))[0].tolist() for image in images)
    return tuple(
        NeuronAnswers(neuron=neuron, reference=first, final=last)
        for neuron, first, last in zip(observer.objective.neurons, reference, final, strict=True)
    )


def _write_pictures(folder: RunFolder, done: MultistartResult, reference: Reference, result: MetamerResult) -> None:
    pipeline = done.best.pipeline
    target, model_input = frame(pipeline, pipeline.observer.target)
    folder.adorn("reference.png", lambda path: write_png(path, to_srgb(result.exposure * target)))
    folder.adorn("reference_stimulus.png", lambda path: write_png(path, DISPLAY(model_input)))
    folder.adorn("summary.png", lambda path: write_metamer(path, _picture(done, reference, result)))


@torch.no_grad()
def _picture(done: MultistartResult, reference: Reference, result: MetamerResult) -> MetamerPicture:
    pipeline = done.best.pipeline
    observer = pipeline.observer
    name = "metamer" if result.metamer.found else "nearest scene"  # only what is one is called one
    images = {"reference": observer.target, name: done.final.image}
    frames = {name: frame(pipeline, image) for name, image in images.items()}
    scenes = {"reference": reference.targets.truth, name: pipeline.scene}
    faces = pipeline.scene.faces
    shown = {name: each for name, each in scenes.items() if each is not None and torch.equal(each.faces, faces)}
    # A renderer has one kind of material, and the reference's may be another: both are shown in the metamer's.
    state = pipeline.scene()
    objects = [(scene.pose(scene.shape()), state) for scene in shown.values()]
    return MetamerPicture(
        title=f"{observer.model.name}: {'a metamer' if result.metamer.found else 'no metamer found'}",
        renders={name: render for name, (render, _) in frames.items()},
        stimuli={name: grey for name, (_, grey) in frames.items()},
        previews=dict(zip(shown, previews(pipeline.renderer, objects, (0, 90)))),
        responses={name: observer.neurons(observer.stimulus(image))[0].cpu().numpy() for name, image in images.items()},
        statements=[*describe_pair(result.metamer), *describe_starts(result)],
    )
