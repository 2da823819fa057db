"""Inverse rendering: the scene whose images are the given ones, its files, and its distance to the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from ..config.groups import RunSettings, SceneSettings
from ..config.load import Config, free_parameters
from ..config.objective import ImageTarget
from ..config.quantities import Quantity
from ..config.scene import Camera as CameraSettings
from ..config.sections import Render
from ..geometry.registration import surface_distance
from ..io.images import to_srgb, write_exr, write_png
from ..neurons.image_error import ImageError
from ..pipeline import Pipeline, build_pipeline, build_scene, each_start
from ..render.preview import object_of, previews
from ..report.figures.recovery import MIN_DIFFERENCE, Recovery, signed_difference, write_recovery
from ..report.grey_scale import DISPLAY
from ..report.statements import describe_parameters, describe_starts, describe_truth
from ..runs.folder import RunFolder
from ..runs.results import Estimate, InitialFinal, InverseResult, ParameterError, Truth
from ..runs.results.inverse import DifferenceScale, ErrorRecord, SurfaceError, SurfaceErrors
from ..scene.parameters import get_parameters, parameter_at, parameter_difference, set_parameters
from ..scene.scene import Scene
from .base import LOADING, WRITING, Progress, RunResult, open_run, threads_beside
from .frames import Companion, RenderSequence, write_render
from .history import posed_mesh
from .multistart import MultistartResult, optimize_from_starts
from .outputs import finish, over_starts, run_facts, write_object, write_result
from .targets import cameras_of, target_images

__all__ = ["distance_to_truth", "run_inverse", "towards_target", "write_recovered"]


def write_recovered(
    folder: RunFolder, settings: RunSettings, scene: SceneSettings, done: MultistartResult, truth: Scene | None
) -> InverseResult:
    """Write the output files; gives the result."""
    best = done.best
    pipeline = best.pipeline
    target = pipeline.observer.target.cpu().numpy()
    images = best.before.image, done.final.image
    sequence = RenderSequence.of(pipeline, best.record, images, _difference_from(target), [target])
    activation = InitialFinal(initial=best.before, final=done.final)
    error = -activation
    result = InverseResult(
        activation=activation,
        error=ErrorRecord(kind=settings.objective.error, initial=error.initial, final=error.final),
        difference=DifferenceScale(reach=_largest_difference(pipeline, done)),
        truth=None if truth is None else distance_to_truth(scene, pipeline.scene, best.start, truth),
        **run_facts(settings, pipeline, done.trials, done.ended, done.reason),
        initial_scene=pipeline.begins,
        over_starts=over_starts(done, settings.objective.type),
        neurons=settings.named_neurons,
        restart=best.index,
        views=pipeline.observer.views,
        exposure=sequence.exposure,
    )
    write_object(folder, best)
    folder.write("target.exr", lambda path: write_exr(path, target))
    write_render(folder, sequence.last, sequence.exposure)
    if truth is not None:
        folder.write("true_mesh.ply", lambda path: posed_mesh(truth).export(path, file_type="ply"))
    write_result(folder, result, settings.deterministic)
    _write_pictures(folder, free_parameters(scene), done, result, sequence)
    return finish(folder, result, settings.deterministic)


def _difference_from(target: np.ndarray) -> Companion:
    """What is shown beside renders: by how much they are brighter than the target, the mean over channels."""

    def together(differences: Sequence[np.ndarray]) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
        reach = max(float(max(np.abs(each).max() for each in differences)), MIN_DIFFERENCE)
        caption = f"render − target: blue −{reach:.2g}, white 0, orange {reach:.2g}"
        return lambda difference: signed_difference(difference, reach), caption

    return Companion(
        "difference", lambda render: (render - target).mean(-1), lambda each: DISPLAY(127.5 * (1 + each)), together
    )


def _largest_difference(pipeline: Pipeline, done: MultistartResult) -> float:
    """The largest difference of a pixel from the target's, radiance: the ends of ``difference.png``'s colours."""
    left = done.final.image.to(pipeline.observer.target) - pipeline.observer.target
    return max(left.mean(dim=-1).abs().max().item(), MIN_DIFFERENCE)


@torch.no_grad()
def distance_to_truth(settings: SceneSettings, scene: Scene, start: Mapping[str, np.ndarray], truth: Scene) -> Truth:
    """How far a recovered scene, and the one that it started from, lie from the truth.

    Distances of the surfaces are those as they stand in the scene, and the final one also after alignment
    (:class:`~mitsuba_mei.geometry.registration.SurfaceDistance`). Parameters are those that are free and that the true
    scene has, as a scene file says them.

    Parameters
    ----------
    settings : SceneSettings
    scene : Scene
        As it ended.
    start : mapping of str to ndarray
        Its parameters at first.
    truth : Scene
    """
    copy = build_scene(settings, scene.channels)
    copy.freeze_except(())
    stages = {}
    for when, values in {"initial": start, "final": get_parameters(scene)}.items():
        set_parameters(copy, values)
        stages[when] = posed_mesh(copy), copy.to_settings()
    free = list(scene.free_parameters())
    meshes = {when: mesh for when, (mesh, _) in stages.items()}
    surface = _surface(meshes, posed_mesh(truth)) if any(name.startswith("shape.") for name in free) else None
    settings = {when: values for when, (_, values) in stages.items()} | {"true": truth.to_settings()}
    others = [name for name in free if not name.startswith("shape.")]
    errors = {
        name: _off({when: _at(values, name) for when, values in settings.items()}, scene.quantity(name))
        for name in others
    }
    return Truth(surface=surface, parameters={name: each for name, each in errors.items() if each is not None})


def _surface(meshes: Mapping[str, trimesh.Trimesh], true: trimesh.Trimesh) -> SurfaceErrors:
    diameter = float(pdist(true.vertices[ConvexHull(true.vertices).vertices]).max())
    distances = {when: surface_distance(mesh, true, aligned=False) for when, mesh in meshes.items()}
    distances["alignment"] = surface_distance(meshes["final"], true)
    errors = {when: SurfaceError(**asdict(each), of_diameter=each.mean / diameter) for when, each in distances.items()}
    return SurfaceErrors(diameter=diameter, **errors)


def _at(values: dict[str, Any], name: str) -> Any:
    try:
        return parameter_at(values, name)
    except (KeyError, IndexError):
        return None


def _off(values: dict[str, Any], quantity: Quantity) -> ParameterError | None:
    """How far a parameter was and is from the truth; None where the true scene has no such parameter."""
    if values["true"] is None or np.shape(values["true"]) != np.shape(values["final"]):
        return None
    off = {when: parameter_difference(quantity, values["true"], values[when]) for when in ("initial", "final")}
    return ParameterError(**values, off={when: each.value for when, each in off.items()}, unit=off["final"].unit)


def _write_pictures(
    folder: RunFolder, free: Sequence[str], done: MultistartResult, result: InverseResult, sequence: RenderSequence
) -> None:
    difference, (target,) = sequence.companion.of(sequence.last), sequence.others
    folder.adorn("target.png", lambda path: write_png(path, to_srgb(sequence.exposure * target)))
    left = signed_difference(difference, result.difference.reach)
    folder.adorn("difference.png", lambda path: write_png(path, left))
    folder.adorn("frames/final-difference.png", lambda path: write_png(path, sequence.companion.still(difference)))
    sequence.write(folder)
    folder.adorn("summary.png", lambda path: write_recovery(path, _recovery(free, done, result, sequence)))


def _recovery(free: Sequence[str], done: MultistartResult, result: InverseResult, sequence: RenderSequence) -> Recovery:
    pipeline = done.best.pipeline
    images = {"target": sequence.others[0], "initial": sequence.first, "final": sequence.last}
    what = ", ".join(free) or "nothing free"
    return Recovery(
        title=f"{what}: {result.error.kind} error {_text(result.error.final)}",
        views={name: np.split(image, pipeline.observer.views, axis=1) for name, image in images.items()},
        previews=previews(pipeline.renderer, [object_of(pipeline.scene)])[0],
        errors=[-value for value in done.best.record.history["activation"]],
        initial=(-done.best.before.mean, done.best.before.sem),
        final=(-done.final.mean, done.final.sem),
        truth=[*describe_starts(result), *describe_truth(result.truth), *describe_parameters(result.truth)],
        of="responses" if result.error.kind == "responses" else "contrast",
    )


def _text(error: Estimate) -> str:
    return f"{error.mean:.3g}" + (f" (render s.e. {error.sem:.1g})" if error.sem else "")


def towards_target(
    pipeline: Pipeline,
    objective: ImageTarget,
    camera: CameraSettings,
    render: Render,
    trust_code: bool = False,
    on_message: Callable[[str], None] = lambda text: None,
) -> tuple[Pipeline, Scene | None]:
    """The chain from a scene to the error of its images, and the scene behind the target where it is known.

    Parameters
    ----------
    pipeline : Pipeline
        From the scene to the neurons.
    objective : ImageTarget
    camera, render
        The sections of the scene file, by which the target is seen.

    Raises
    ------
    UserError
        For files of the objective that cannot be used.
    """
    device = pipeline.scene.background.device
    cameras = tuple(each.to(device) for each in cameras_of(objective.views, camera))
    observer = pipeline.observer
    own = [view.target for view in objective.views]
    with threads_beside(pipeline.renderer):
        channels = pipeline.scene.channels
        targets = target_images(objective.target, own, render, channels, cameras, on_message, trust_code)
    likeness = ImageError(
        observer.stimulus,
        observer.model,
        observer.neurons,
        observer.objective,
        memory=observer.memory if objective.error == "responses" else None,
        target=targets.images.to(device),
        views=max(1, len(cameras)),
        error=objective.error,
    )
    return replace(pipeline, observer=likeness, cameras=cameras), targets.truth


def run_inverse(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Recover shape, pose, light or material from images, and write a run folder.

    Parameters
    ----------
    config : Config
        A scene file with ``objective.type: image``.
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
    pipeline, truth = towards_target(
        build_pipeline(config, progress.message),
        config.objective,
        config.camera,
        config.render,
        config.trusts_code,
        progress.message,
    )
    with open_run(pipeline, config, out, progress, resumed) as (folder, interrupted):
        starts = each_start(pipeline, config.scene, config.optimizer.restarts)
        done = optimize_from_starts(starts, config.run, folder, progress, interrupted)
        progress.doing(WRITING)
        result = write_recovered(folder, config.run, config.scene, done, truth)
    return RunResult(folder.path, result)
