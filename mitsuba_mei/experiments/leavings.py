"""What an optimisation leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..checkpoint import Checkpoints
from ..config import Config
from ..evaluate import Estimate
from ..experiment import Experiment
from ..images import write_exr, write_png
from ..memory import peak_memory_mb
from ..mesh_quality import MeshQuality, assess
from ..named_value import named_value
from ..over_starts import ends_of, spread
from ..parameters import parameters_of, write_parameters
from ..render.renderer import Renderer
from ..report import Summary, displayed, exposed, write_animation, write_summary
from ..run_folder import RunFolder
from ..scene.scene import Scene
from ..views import portrait
from .pixel_mei import PixelMEI
from .record import Record, frame, posed_mesh
from .session import Progress, ratio, threads_beside, versions
from .starts import Optimised, Trial, optimise_from_starts

__all__ = [
    "leave",
    "over_starts",
    "quality_of",
    "optimise_and_leave",
    "run_facts",
    "write_course",
    "write_end",
    "write_object",
    "write_render",
    "write_start",
    "write_result",
]

TIMES = ("seconds", "seconds_per_step", "peak_memory_mb")
"""What differs from run to run whatever is done."""

STILLS = 12
"""Moments of an optimisation of which pictures are kept, at most."""


def leave(
    folder: RunFolder, config: Config, done: Optimised, pixel: PixelMEI | None, over: bool = True
) -> dict[str, Any]:
    """Write everything that a finished optimisation leaves; gives what ``result.json`` says.

    ``over``: as for :func:`write_result`.
    """
    result = _result(config, done, pixel)
    _write_pictures(folder, config, done, pixel, result)
    write_object(folder, done.best)
    write_result(folder, config, result, over)
    return result


def write_result(folder: RunFolder, config: Config, result: Mapping[str, Any], over: bool = True) -> None:
    """Write ``result.json``, the last file of a run, after which there is nothing to go on with.

    Where the run is deterministic, so is the file: times and memory are in ``timing.json`` then.

    Parameters
    ----------
    over : bool
        Whether its states may go; an experiment of which the run is a part may need them once more.
    """
    if config.deterministic:
        restarts = [{**each, "seconds": None} for each in result["restarts"]]
        timing = {name: result[name] for name in TIMES} | {"starts": [each["seconds"] for each in result["restarts"]]}
        folder.write_json("timing.json", timing)
        result = {**result, **dict.fromkeys(TIMES), "restarts": restarts}
    folder.write_json("result.json", result)
    if over and result["ended"] != "interrupted":
        Checkpoints(folder).remove()
    folder.release()


def write_object(folder: RunFolder, trial: Trial, prefix: str = "") -> None:
    """Write the object that a start ended with, and all parameters of its first and last scene."""
    scene, mesh = trial.experiment.scene, posed_mesh(trial.experiment.scene)
    folder.write(f"{prefix}mesh.ply", lambda path: mesh.export(path, file_type="ply"))
    folder.write(f"{prefix}mesh.glb", lambda path: mesh.export(path, file_type="glb"))
    folder.write(f"{prefix}parameters.npz", lambda path: write_parameters(path, parameters_of(scene)))
    folder.write(f"{prefix}initial_parameters.npz", lambda path: write_parameters(path, trial.start))


def write_start(folder: RunFolder, render: np.ndarray, grey: np.ndarray) -> None:
    """Write the initial render (H, W, C) and what the neurons saw of it, grey levels."""
    folder.write("initial_stimulus.png", lambda path: write_png(path, displayed(grey)))
    folder.write("initial_render.png", lambda path: write_png(path, exposed(render)))


def write_end(folder: RunFolder, experiment: Experiment, image: torch.Tensor, prefix: str = "") -> None:
    """Write a finished scene's render (H, W, C) and the neurons' input of it."""
    render, grey = frame(experiment, image)
    with torch.no_grad():
        seen = experiment.viewer.stimulus(image).cpu().numpy()
    folder.write(f"{prefix}stimulus.npy", lambda path: np.save(path, seen))
    folder.write(f"{prefix}stimulus.png", lambda path: write_png(path, displayed(grey)))
    write_render(folder, render, prefix)


def write_render(folder: RunFolder, render: np.ndarray, prefix: str = "") -> None:
    """Write a finished scene's render (H, W, C)."""
    folder.write(f"{prefix}render.exr", lambda path: write_exr(path, render))
    folder.write(f"{prefix}render.png", lambda path: write_png(path, exposed(render)))


def write_course(
    folder: RunFolder, record: Record, last: tuple[np.ndarray, np.ndarray], beside: str = "stimulus"
) -> None:
    """Write how a scene came about: a video, and a few of its steps, evenly spread, under names that say the step.

    Parameters
    ----------
    record : Record
    last : (ndarray, ndarray)
        The finished scene's render, and what is shown beside it, as :func:`~mitsuba_mei.experiments.starts.frame` gives
        them.
    beside : str
        What is shown beside renders, in the files' names.
    """
    if not record.frames:
        return
    folder.write("progress.mp4", lambda path: write_animation(path, [*record.frames, *[last] * 6]))
    for index in sorted({round(i) for i in np.linspace(0, len(record.frames) - 1, STILLS)}):
        render, seen = record.frames[index]
        name = f"frames/step-{1 + index * record.every:05d}"
        folder.write(f"{name}-render.png", lambda path: write_png(path, exposed(render)))
        folder.write(f"{name}-{beside}.png", lambda path: write_png(path, displayed(seen)))


def optimise_and_leave(
    folder: RunFolder,
    config: Config,
    starts: Iterable[Experiment],
    renderer: Renderer,
    progress: Progress,
    interrupted: Callable[[], bool],
    pixel: PixelMEI | None,
) -> Optimised:
    """Optimise from every start, each to its end, and leave an ordinary run folder, but for its ``config.yaml``.

    Its states stay in it, so that the experiment of which it is a part can go on.

    Parameters
    ----------
    starts : iterable of Experiment
        As many as ``optimizer.restarts`` says.
    renderer : Renderer
        Theirs.
    interrupted : callable
        Asked after every start whether to end.
    """
    with threads_beside(renderer):
        try:
            done = optimise_from_starts(starts, config, folder, progress, interrupted, to_the_end=True)
        finally:
            progress.stop()
            folder.close()
        leave(folder, config, done, pixel, over=False)
    return done


def _result(config: Config, done: Optimised, pixel: PixelMEI | None) -> dict[str, Any]:
    """What ``result.json`` says."""
    experiment, before, after = done.best.experiment, done.best.before, done.final
    viewer = experiment.viewer
    optimum = viewer.optimum()
    return {
        "activation": {"initial": before.as_dict(), "final": after.as_dict()},
        "fraction_of_optimum": None if optimum is None else after.mean / optimum,
        "ratio_to_pixel": None if pixel is None else ratio(after.as_dict(), pixel.activation),
        "validation": _validation(experiment, before, after, pixel),
        **run_facts(config, done.best.experiment, done.trials, done.ended, done.reason),
        "initial_scene": done.best.experiment.begins,
        "over_starts": over_starts(done, config),
        "optimum": optimum,
        "neurons": list(config.neurons),
        "responses": [
            {"neuron": neuron, "initial": first.as_dict(), "final": last.as_dict()}
            for neuron, first, last in zip(viewer.objective.neurons, before.responses, after.responses)
            if neuron in config.neurons
        ],
        "outside_display": viewer.stimulus.outside_display(viewer.stimulus(after.image)),
        "restart": done.best.index,
        "pixel": None if pixel is None else pixel.as_dict(),
    }


def over_starts(done: Optimised, config: Config) -> dict[str, Any] | None:
    """Mean and standard deviation of what the starts ended with; of a single one None."""
    name, sign = named_value(config.objective.type)
    return spread(ends_of([trial.as_dict() for trial in done.trials], sign), name)


def quality_of(scene: Scene) -> MeshQuality:
    """The faults of a scene's object."""
    return assess(scene.shape().detach(), scene.faces, scene.template.vertices)


def run_facts(
    config: Config, experiment: Experiment, trials: Sequence[Trial], ended: str, reason: str
) -> dict[str, Any]:
    """What ``result.json`` says of any optimisation: time, mesh, renderer, versions, and every start.

    Parameters
    ----------
    experiment : Experiment
        With the scene that is kept.
    ended, reason : str
        How the optimisation ended, and why where it failed.
    """
    scene = experiment.scene
    restarts = [trial.as_dict() for trial in trials]
    together = {name: sum(each[name] for each in restarts) for name in ("seconds", "steps")}
    counted = {name: sum(each[name] for each in restarts) for name in ("skipped_steps", "shortened_gradients")}
    return {
        **together,
        "seconds_per_step": together["seconds"] / max(1, together["steps"]),
        "peak_memory_mb": round(peak_memory_mb()),
        **counted,
        "mesh": quality_of(scene).as_dict(),
        "renderer": config.render.type,
        "variant": experiment.variant,
        "seed": config.seed,
        "objective": config.objective.type,
        "model": experiment.viewer.model.name,
        "ended": ended,
        "reason": reason or None,
        "restarts": restarts,
        "scene": scene.in_file_units(),
        "versions": versions(),
    }


def _validation(
    experiment: Experiment, before: Estimate, after: Estimate, pixel: PixelMEI | None
) -> dict[str, Any] | None:
    """What the second model makes of the same stimuli."""
    validator = experiment.viewer.validator
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


def _write_pictures(
    folder: RunFolder, config: Config, done: Optimised, pixel: PixelMEI | None, result: dict[str, Any]
) -> None:
    experiment, before, after = done.best.experiment, done.best.before, done.final
    stimulus = experiment.viewer.stimulus
    first, last = frame(experiment, before.image), frame(experiment, after.image)
    write_start(folder, *first)
    write_end(folder, experiment, after.image)
    with torch.no_grad():
        state = experiment.scene()
        vertices = experiment.scene.pose(experiment.scene.shape())
        portraits = [portrait(experiment.renderer, vertices, state, azimuth) for azimuth in (-60, 0, 60)]
    stimuli = {"initial": first[1], "final": last[1]}
    if pixel is not None:
        stimuli["pixel MEI"] = pixel.write(folder, stimulus, "pixel_stimulus")
    summary = Summary(
        title=_title(config, experiment, result),
        renders={"initial": first[0], "final": last[0]},
        stimuli=stimuli,
        portraits=portraits,
        history=done.best.record.history,
        initial=(before.mean, before.sem),
        final=(after.mean, after.sem),
        optimum=result["optimum"],
        pixel=None if pixel is None else pixel.activation,
    )
    folder.write("summary.png", lambda path: write_summary(path, summary))
    write_course(folder, done.best.record, last)


def _title(config: Config, experiment: Experiment, result: dict[str, Any]) -> str:
    final = result["activation"]["final"]
    neurons = ", ".join(map(str, config.neurons))
    kind = "" if result["objective"] == "activation" else f"{result['objective']}, "
    title = f"{experiment.viewer.model.name}, neuron {neurons}: {kind}{final['mean']:.4g}"
    title += f" (render s.e. {final['sem']:.2g})" if experiment.renderer.noisy else " (rasterized)"
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
