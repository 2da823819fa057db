"""The output files of an optimization."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..config.groups import RunSettings
from ..config.objective_names import maximised_value
from ..config.trust import runs_code
from ..errors import UserError
from ..geometry.input_flaws import mesh_facts
from ..io.memory import peak_memory_mb
from ..optimize.evaluate import SceneEstimate
from ..optimize.pixel import PixelMEI
from ..pipeline import Pipeline
from ..render.preview import object_of, previews
from ..render.renderer import Renderer
from ..report.figures.run import Summary, write_summary
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.results import InitialFinal, MEIResult, OptimizationResult, Response, Spread, Validation
from ..runs.spread import ends_of, named_value, spread
from ..scene.parameters import get_parameters, write_parameters
from .base import WRITING, Progress, threads_beside, versions
from .frames import RenderSequence, write_final
from .history import frame, posed_mesh
from .multistart import MultistartResult, StartResult, optimize_from_starts
from .pixel import pixel_reference, write_pixel_stimulus

__all__ = [
    "finish",
    "optimize_and_write",
    "over_starts",
    "run_facts",
    "write_object",
    "write_result",
    "write_run",
]

AnyResult = TypeVar("AnyResult", bound=OptimizationResult)

TIMES = ("seconds", "seconds_per_step", "peak_memory_mb")
"""What differs from run to run whatever is done."""


def write_run(
    folder: RunFolder,
    settings: RunSettings,
    done: MultistartResult,
    pixel: PixelMEI | None,
    over: bool = True,
) -> MEIResult:
    """Write the output files of a finished optimization; gives its result.

    ``over``: as for :func:`finish`.
    """
    pipeline, images = done.best.pipeline, (done.best.before.image, done.final.image)
    sequence = RenderSequence.of(pipeline, done.best.record, images)
    result = _result(settings, done, pixel, sequence.exposure)
    write_object(folder, done.best)
    write_final(folder, pipeline, done.final.image, sequence.exposure)
    if pixel is not None:
        write_pixel_stimulus(folder, pixel, pipeline.observer.stimulus, "pixel_stimulus")
    write_result(folder, result, settings.deterministic)
    sequence.write(folder)
    folder.adorn("summary.png", lambda path: write_summary(path, _summary(settings, done, pixel, result)))
    return finish(folder, result, settings.deterministic, over)


def write_result(folder: RunFolder, result: OptimizationResult, deterministic: bool) -> None:
    """Write ``result.json``; what follows it is nothing that a run could not do without.

    Of a deterministic run the file is the same whenever it is repeated: times and memory are in ``timing.json`` then.
    """
    if deterministic:
        timing = {name: getattr(result, name) for name in TIMES}
        folder.write_json("timing.json", timing | {"starts": [each.seconds for each in result.restarts]})
        starts = tuple(each.model_copy(update={"seconds": None}) for each in result.restarts)
        result = result.model_copy(update=dict.fromkeys(TIMES) | {"restarts": starts})
    folder.write_result(result)


def write_object(folder: RunFolder, trial: StartResult, prefix: str = "") -> None:
    """Write the object that a start ended with, and all parameters of its first and last scene."""
    scene, mesh = trial.pipeline.scene, posed_mesh(trial.pipeline.scene)
    folder.write(f"{prefix}mesh.ply", lambda path: mesh.export(path, file_type="ply"))
    folder.adorn(f"{prefix}mesh.glb", lambda path: mesh.export(path, file_type="glb"))
    folder.write(f"{prefix}parameters.npz", lambda path: write_parameters(path, get_parameters(scene)))
    folder.write(f"{prefix}initial_parameters.npz", lambda path: write_parameters(path, trial.start))


def finish(folder: RunFolder, result: AnyResult, deterministic: bool, over: bool = True) -> AnyResult:
    """Add to ``result.json`` which pictures could not be made, and remove the checkpoints; gives the whole result.

    Where a picture is missing the checkpoints stay, and the run can be resumed, which makes its pictures.

    Parameters
    ----------
    result : OptimizationResult
    deterministic : bool
        As for :func:`write_result`.
    over : bool
        Whether its checkpoints may go; an experiment of which the run is a part may need them once more.
    """
    missing = folder.missing()
    if missing:
        result = result.model_copy(update={"not_written": tuple(missing)})
        with contextlib.suppress(UserError):  # the disk may be full, and what is there says all but this
            write_result(folder, result, deterministic)
    elif over and result.ended != "interrupted":
        Checkpoints(folder).remove()
    folder.release()
    return result


def optimize_and_write(
    folder: RunFolder,
    settings: RunSettings,
    starts: Iterable[Pipeline],
    renderer: Renderer,
    progress: Progress,
    interrupted: Callable[[], bool],
    pixel: PixelMEI | None,
) -> MultistartResult:
    """Optimize from every start, each to its end, and write an ordinary run folder, but for its ``config.yaml``.

    Its checkpoints stay in it, so that the experiment of which it is a part can go on.

    Parameters
    ----------
    starts : iterable of Pipeline
        As many as ``optimizer.restarts`` says.
    renderer : Renderer
        Theirs.
    interrupted : callable
        Asked after every start whether to end.
    """
    with threads_beside(renderer):
        try:
            done = optimize_from_starts(starts, settings, folder, progress, interrupted, to_the_end=True)
        finally:
            progress.stop()
            folder.close()
        progress.doing(WRITING)
        for missing in write_run(folder, settings, done, pixel, over=False).not_written:
            progress.message(f"not written: {missing}")
        progress.stop()
    return done


def _result(settings: RunSettings, done: MultistartResult, pixel: PixelMEI | None, exposure: float) -> MEIResult:
    pipeline, before, after = done.best.pipeline, done.best.before, done.final
    observer = pipeline.observer
    optimum = observer.optimum()
    activation = InitialFinal(initial=before, final=after)
    responses = [
        Response(neuron=neuron, initial=first, final=last)
        for neuron, first, last in zip(observer.objective.neurons, before.responses, after.responses)
    ]
    return MEIResult(
        activation=activation,
        **run_facts(settings, pipeline, done.trials, done.ended, done.reason),
        direction=settings.objective.direction_name,
        fraction_of_optimum=None if optimum is None else after.mean / optimum,
        ratio_to_pixel=None if pixel is None else activation.final.over(pixel.activation),
        validation=_validation(pipeline, before, after, pixel),
        initial_scene=pipeline.begins,
        over_starts=over_starts(done, settings.objective.type),
        optimum=optimum,
        neurons=settings.neurons,
        responses=tuple(each for each in responses if each.neuron in settings.neurons),
        against=tuple(each for each in responses if each.neuron not in settings.neurons),
        outside_display=observer.stimulus.outside_display(observer.stimulus(after.image)),
        restart=done.best.index,
        pixel=None if pixel is None else pixel_reference(pixel),
        exposure=exposure,
    )


def over_starts(done: MultistartResult, objective: str) -> Spread | None:
    """Mean and standard deviation of what the starts ended with; of a single one None."""
    name, sign = named_value(objective)
    return spread(ends_of([trial.as_record() for trial in done.trials], sign), name)


def run_facts(
    settings: RunSettings, pipeline: Pipeline, trials: Sequence[StartResult], ended: str, reason: str
) -> Mapping[str, Any]:
    """The fields that every :class:`OptimizationResult` has: time, mesh, renderer, versions, and every start.

    Parameters
    ----------
    pipeline : Pipeline
        With the scene that is kept.
    ended, reason : str
        How the optimization ended, and why where it failed.
    """
    scene = pipeline.scene
    last = next(trial.after.image for trial in trials if trial.pipeline is pipeline)
    altered = pipeline.observer.altered(last)
    if altered:
        ended, reason = "failed", f"{altered}, so that the figures of this run mean nothing"
    starts = tuple(trial.as_record() for trial in trials)
    seconds, steps = sum(each.seconds for each in starts), sum(each.steps for each in starts)
    return {
        "seconds": seconds,
        "steps": steps,
        "seconds_per_step": seconds / max(1, steps),
        "peak_memory_mb": round(peak_memory_mb()),
        "skipped_steps": sum(each.skipped_steps for each in starts),
        "shortened_gradients": sum(each.shortened_gradients for each in starts),
        "mesh": mesh_facts(scene.shape(), scene.template),
        "renderer": settings.render.type,
        "variant": pipeline.variant,
        "seed": settings.seed,
        "objective": settings.objective.type,
        "model": pipeline.observer.model.name,
        "runs_code": any(map(runs_code, (settings.model.card, settings.model.validate))),
        "ended": ended,
        "reason": reason or None,
        "restarts": starts,
        "scene": scene.to_settings(),
        "versions": versions(),
    }


def _validation(
    pipeline: Pipeline, before: SceneEstimate, after: SceneEstimate, pixel: PixelMEI | None
) -> Validation | None:
    validator = pipeline.observer.validator
    if validator is None:
        return None
    activation = InitialFinal(initial=before.validation, final=after.validation)
    reached = None if pixel is None else pixel.validation
    ratio = activation.final.over(reached)
    return Validation(model=validator.model.name, activation=activation, pixel=reached, ratio_to_pixel=ratio)


def _summary(settings: RunSettings, done: MultistartResult, pixel: PixelMEI | None, result: MEIResult) -> Summary:
    pipeline, before, after = done.best.pipeline, done.best.before, done.final
    frames = {when: frame(pipeline, each.image) for when, each in (("initial", before), ("final", after))}
    stimuli = {when: grey for when, (_, grey) in frames.items()}
    if pixel is not None:
        stimuli["pixel MEI"] = pixel.grey(pipeline.observer.stimulus)
    return Summary(
        title=_title(settings, pipeline, result),
        renders={when: render for when, (render, _) in frames.items()},
        stimuli=stimuli,
        previews=previews(pipeline.renderer, [object_of(pipeline.scene)])[0],
        history=done.best.record.history,
        what=maximised_value(result.objective),
        initial=(before.mean, before.sem),
        final=(after.mean, after.sem),
        optimum=result.optimum,
        pixel=None if pixel is None else pixel.activation,
    )


def _title(settings: RunSettings, pipeline: Pipeline, result: MEIResult) -> str:
    final = result.activation.final
    neurons = ", ".join(map(str, settings.neurons))
    kind = "" if result.objective == "activation" else f"{result.objective}, "
    kind += "minimized, " if result.direction == "minimize" else ""
    title = f"{result.model}, neuron {neurons}: {kind}{final.mean:.4g}"
    title += f" (render s.e. {final.sem:.2g})" if pipeline.renderer.noisy else " (rasterized)"
    if result.fraction_of_optimum is not None:
        title += f", {result.fraction_of_optimum:.3f} of the optimum"
    if result.ratio_to_pixel is not None:
        title += f", {result.ratio_to_pixel.mean:.3f} of the pixel MEI"
    if result.over_starts is not None:
        over = result.over_starts
        title += f"; mean over {over.n} starts {over.mean:.4g} (s.d. {over.sd:.2g})"
    if result.validation is not None:
        second = result.validation
        title += f"; on {second.model} {second.activation.final.mean:.4g}"
        if second.ratio_to_pixel is not None:
            title += f", {second.ratio_to_pixel.mean:.3f} of it"
    if result.ended != "done":
        title += f" ({result.ended})"
    return title
