"""What an optimization leaves in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..config.load import Config
from ..config.objective import maximised_value
from ..config.trust import runs_code
from ..errors import UserError
from ..geometry.input_flaws import mesh_facts
from ..io.memory import peak_memory_mb
from ..optimize.evaluate import Estimate
from ..pipeline import Pipeline
from ..render.preview import object_of, previews
from ..render.renderer import Renderer
from ..report.figures.run import Summary, write_summary
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.spread import ends_of, named_value, spread
from ..scene.parameters import get_parameters, write_parameters
from .base import WRITING, Progress, ratio, threads_beside, versions
from .frames import Course, write_final
from .history import frame, posed_mesh
from .multistart import MultistartResult, StartResult, optimize_from_starts
from .pixel import PixelMEI

__all__ = [
    "finish",
    "leave",
    "optimize_and_write",
    "over_starts",
    "run_facts",
    "write_object",
    "write_result",
]

TIMES = ("seconds", "seconds_per_step", "peak_memory_mb")
"""What differs from run to run whatever is done."""


def leave(
    folder: RunFolder,
    config: Config,
    done: MultistartResult,
    pixel: PixelMEI | None,
    over: bool = True,
) -> dict[str, Any]:
    """Write everything that a finished optimization leaves; gives what ``result.json`` says.

    ``over``: as for :func:`finish`.
    """
    pipeline, images = done.best.pipeline, (done.best.before.image, done.final.image)
    course = Course.of(pipeline, done.best.record, images)
    result = _result(config, done, pixel) | {"exposure": course.exposure}
    write_object(folder, done.best)
    write_final(folder, pipeline, done.final.image, course.exposure)
    if pixel is not None:
        pixel.write(folder, pipeline.observer.stimulus, "pixel_stimulus")
    write_result(folder, config, result)
    _write_pictures(folder, course, lambda: _summary(config, done, pixel, result))
    finish(folder, config, result, over)
    return result


def write_result(folder: RunFolder, config: Config, result: Mapping[str, Any]) -> None:
    """Write ``result.json``: what follows it is nothing that a run could not do without.

    Where the run is deterministic, so is the file: times and memory are in ``timing.json`` then.
    """
    if config.deterministic:
        restarts = [{**each, "seconds": None} for each in result["restarts"]]
        timing = {name: result[name] for name in TIMES} | {"starts": [each["seconds"] for each in result["restarts"]]}
        folder.write_json("timing.json", timing)
        result = {**result, **dict.fromkeys(TIMES), "restarts": restarts}
    folder.write_json("result.json", result)


def write_object(folder: RunFolder, trial: StartResult, prefix: str = "") -> None:
    """Write the object that a start ended with, and all parameters of its first and last scene."""
    scene, mesh = trial.pipeline.scene, posed_mesh(trial.pipeline.scene)
    folder.write(f"{prefix}mesh.ply", lambda path: mesh.export(path, file_type="ply"))
    folder.adorn(f"{prefix}mesh.glb", lambda path: mesh.export(path, file_type="glb"))
    folder.write(f"{prefix}parameters.npz", lambda path: write_parameters(path, get_parameters(scene)))
    folder.write(f"{prefix}initial_parameters.npz", lambda path: write_parameters(path, trial.start))


def finish(folder: RunFolder, config: Config, result: dict[str, Any], over: bool = True) -> None:
    """Add to ``result.json`` which pictures could not be made, and remove the states with which a run could go on.

    Where a picture is missing they stay, and with them the run can be gone on with, which makes its pictures.

    Parameters
    ----------
    result : dict
        Gets ``not_written``, if there is any.
    over : bool
        Whether its states may go; an experiment of which the run is a part may need them once more.
    """
    missing = folder.missing()
    if missing:
        result["not_written"] = missing
        with contextlib.suppress(UserError):  # the disk may be full, and what is there says all but this
            write_result(folder, config, result)
    elif over and result["ended"] != "interrupted":
        Checkpoints(folder).remove()
    folder.release()


def optimize_and_write(
    folder: RunFolder,
    config: Config,
    starts: Iterable[Pipeline],
    renderer: Renderer,
    progress: Progress,
    interrupted: Callable[[], bool],
    pixel: PixelMEI | None,
) -> MultistartResult:
    """Optimize from every start, each to its end, and leave an ordinary run folder, but for its ``config.yaml``.

    Its states stay in it, so that the experiment of which it is a part can go on.

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
            done = optimize_from_starts(starts, config, folder, progress, interrupted, to_the_end=True)
        finally:
            progress.stop()
            folder.close()
        progress.doing(WRITING)
        for missing in leave(folder, config, done, pixel, over=False).get("not_written", ()):
            progress.message(f"not written: {missing}")
        progress.stop()
    return done


def _result(config: Config, done: MultistartResult, pixel: PixelMEI | None) -> dict[str, Any]:
    """What ``result.json`` says."""
    pipeline, before, after = done.best.pipeline, done.best.before, done.final
    observer = pipeline.observer
    optimum = observer.optimum()
    return {
        "activation": {"initial": before.as_dict(), "final": after.as_dict()},
        "fraction_of_optimum": None if optimum is None else after.mean / optimum,
        "ratio_to_pixel": None if pixel is None else ratio(after.as_dict(), pixel.activation),
        "validation": _validation(pipeline, before, after, pixel),
        **run_facts(config, done.best.pipeline, done.trials, done.ended, done.reason),
        "initial_scene": done.best.pipeline.begins,
        "over_starts": over_starts(done, config),
        "optimum": optimum,
        "neurons": list(config.neurons),
        "responses": [
            {"neuron": neuron, "initial": first.as_dict(), "final": last.as_dict()}
            for neuron, first, last in zip(observer.objective.neurons, before.responses, after.responses)
            if neuron in config.neurons
        ],
        **_against(config, before, after, observer.objective.neurons),
        "outside_display": observer.stimulus.outside_display(observer.stimulus(after.image)),
        "restart": done.best.index,
        "pixel": None if pixel is None else pixel.as_dict(),
    }


def _against(config: Config, before: Estimate, after: Estimate, neurons: Sequence[int]) -> dict[str, Any]:
    """What the neurons answer that others are told from."""
    rows = [
        {"neuron": neuron, "initial": first.as_dict(), "final": last.as_dict()}
        for neuron, first, last in zip(neurons, before.responses, after.responses)
        if neuron not in config.neurons
    ]
    return {"against": rows} if rows else {}


def over_starts(done: MultistartResult, config: Config) -> dict[str, Any] | None:
    """Mean and standard deviation of what the starts ended with; of a single one None."""
    name, sign = named_value(config.objective.type)
    return spread(ends_of([trial.as_dict() for trial in done.trials], sign), name)


def run_facts(
    config: Config, pipeline: Pipeline, trials: Sequence[StartResult], ended: str, reason: str
) -> dict[str, Any]:
    """What ``result.json`` says of any optimization: time, mesh, renderer, versions, and every start.

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
    restarts = [trial.as_dict() for trial in trials]
    together = {name: sum(each[name] for each in restarts) for name in ("seconds", "steps")}
    counted = {name: sum(each[name] for each in restarts) for name in ("skipped_steps", "shortened_gradients")}
    return {
        **together,
        "seconds_per_step": together["seconds"] / max(1, together["steps"]),
        "peak_memory_mb": round(peak_memory_mb()),
        **counted,
        "mesh": mesh_facts(scene.shape(), scene.template),
        "renderer": config.render.type,
        "variant": pipeline.variant,
        "seed": config.seed,
        "objective": config.objective.type,
        "model": pipeline.observer.model.name,
        **({"runs_code": True} if any(map(runs_code, (config.model.card, config.model.validate))) else {}),
        "ended": ended,
        "reason": reason or None,
        "restarts": restarts,
        "scene": scene.to_settings(),
        "versions": versions(),
    }


def _validation(pipeline: Pipeline, before: Estimate, after: Estimate, pixel: PixelMEI | None) -> dict[str, Any] | None:
    """What the second model makes of the same stimuli."""
    validator = pipeline.observer.validator
    if validator is None:
        return None
    final = after.validation.as_dict()
    reached = None if pixel is None else pixel.validation
    return {
        "model": validator.model.name,
        "activation": {"initial": before.validation.as_dict(), "final": final},
        "pixel": reached,
        "ratio_to_pixel": ratio(final, reached),
    }


def _write_pictures(folder: RunFolder, course: Course, summary: Callable[[], Summary]) -> None:
    course.write(folder)
    folder.adorn("summary.png", lambda path: write_summary(path, summary()))


def _summary(config: Config, done: MultistartResult, pixel: PixelMEI | None, result: dict[str, Any]) -> Summary:
    pipeline, before, after = done.best.pipeline, done.best.before, done.final
    frames = {when: frame(pipeline, each.image) for when, each in (("initial", before), ("final", after))}
    stimuli = {when: grey for when, (_, grey) in frames.items()}
    if pixel is not None:
        stimuli["pixel MEI"] = pixel.grey(pipeline.observer.stimulus)
    return Summary(
        title=_title(config, pipeline, result),
        renders={when: render for when, (render, _) in frames.items()},
        stimuli=stimuli,
        previews=previews(pipeline.renderer, [object_of(pipeline.scene)])[0],
        history=done.best.record.history,
        what=maximised_value(result["objective"]),
        initial=(before.mean, before.sem),
        final=(after.mean, after.sem),
        optimum=result["optimum"],
        pixel=None if pixel is None else pixel.activation,
    )


def _title(config: Config, pipeline: Pipeline, result: dict[str, Any]) -> str:
    final = result["activation"]["final"]
    neurons = ", ".join(map(str, config.neurons))
    kind = "" if result["objective"] == "activation" else f"{result['objective']}, "
    title = f"{pipeline.observer.model.name}, neuron {neurons}: {kind}{final['mean']:.4g}"
    title += f" (render s.e. {final['sem']:.2g})" if pipeline.renderer.noisy else " (rasterized)"
    if result["fraction_of_optimum"] is not None:
        title += f", {result['fraction_of_optimum']:.3f} of the optimum"
    if result["ratio_to_pixel"] is not None:
        title += f", {result['ratio_to_pixel']['mean']:.3f} of the pixel MEI"
    if result["over_starts"] is not None:
        over = result["over_starts"]
        title += f"; mean over {over['n']} starts {over['mean']:.4g} (s.d. {over['sd']:.2g})"
    if result["validation"] is not None:
        second = result["validation"]
        title += f"; on {second['model']} {second['activation']['final']['mean']:.4g}"
        if second["ratio_to_pixel"] is not None:
            title += f", {second['ratio_to_pixel']['mean']:.3f} of it"
    if result["ended"] != "done":
        title += f" ({result['ended']})"
    return title
