"""From a scene file to the object that a neuron likes best: the whole run, and everything that it leaves."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from ..config import Config, dump
from ..evaluate import Estimate, evaluate
from ..experiment import Experiment, build_experiment, check_start, restarted
from ..images import write_exr, write_png
from ..memory import peak_memory_mb
from ..mesh_quality import assess
from ..optimize import Outcome, Settings, Step, optimize
from ..report import Summary, displayed, exposed, write_animation, write_summary
from ..run_folder import RunFolder
from ..views import portrait
from .pixel_mei import PixelMEI, find_pixel_mei
from .session import Progress, RunResult, every_core, interruptible, ratio, versions

__all__ = ["run_mei"]

FRAMES = 60
"""About how many pictures the animation has."""

AFRESH = 2**33
"""Added to a seed for renders that no choice was made by."""


@dataclass
class Trial:
    """What became of one start."""

    index: int
    experiment: Experiment
    record: _Record
    before: Estimate
    after: Estimate
    outcome: Outcome
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Its line of ``result.json``."""
        return {
            "restart": self.index,
            "activation": {"initial": self.before.as_dict(), "final": self.after.as_dict()},
            "steps": self.outcome.steps,
            "seconds": self.seconds,
            "skipped_steps": self.outcome.skipped,
            "shortened_gradients": self.outcome.shortened,
            "ended": self.outcome.ended,
        }


def run_mei(config: Config, out: Path, progress: Progress) -> RunResult:
    """Optimise a scene for its neuron and write a run folder.

    Of several starts the one with the highest converged activation is kept, and all are recorded; what is reported of
    it comes from renders of its own, since the highest of several noisy figures flatters. Ctrl-C ends the optimisation
    after the step under way; everything is evaluated and written all the same.

    Parameters
    ----------
    config : Config
        A scene file.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step.
    """
    experiment = build_experiment(config, progress.message)
    check_start(experiment, config.seed, alone=config.optimizer.restarts == 1)
    folder = RunFolder(out)
    folder.write_text("config.yaml", dump(config, folder.path))
    for repair in experiment.scene.template.repairs:
        progress.message(f"mesh: {repair}")
    restarts: list[dict[str, Any]] = []
    best = pixel = None
    with interruptible() as interrupted:
        try:
            for index in range(config.optimizer.restarts):
                start = experiment if index == 0 else restarted(experiment, config, index)
                trial = _trial(start, config, index, folder, progress, interrupted)
                restarts.append(trial.as_dict())
                if best is None or trial.after.mean > best.after.mean or math.isnan(best.after.mean):
                    best = trial
                if interrupted():
                    break
            if len(restarts) > 1:
                again = (config.evaluate.spp, config.evaluate.repeats, config.seed + AFRESH)
                best.after = evaluate(best.experiment, *again)
            if config.compare_to == "pixel":
                pixel = _pixel(experiment, config, progress, interrupted)
        finally:
            progress.stop()
            folder.close()
        result = _result(config, best, restarts, pixel)
        _write_pictures(folder, config, best, pixel, result)
        _write_mesh(folder, best.experiment)
        folder.write_json("result.json", result)
    return RunResult(folder.path, result)


def _trial(
    experiment: Experiment,
    config: Config,
    index: int,
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
) -> Trial:
    """Optimise from one start."""
    accuracy = (config.evaluate.spp, config.evaluate.repeats, config.seed)
    several = config.optimizer.restarts > 1
    if several:
        progress.message(f"start {index + 1} of {config.optimizer.restarts}")
    record = _Record(folder, experiment, progress, index, max(1, config.optimizer.steps // FRAMES))
    before = evaluate(experiment, *accuracy)
    progress.start(config.optimizer.steps)
    started = time.perf_counter()
    seed = config.seed * config.optimizer.restarts + index
    outcome = optimize(experiment, Settings.of(config.optimizer), seed, record.add, interrupted)
    seconds = time.perf_counter() - started
    progress.stop()
    if outcome.ended != "done":
        progress.message(f"ended after {outcome.steps} steps: {outcome.ended}; evaluating what was reached")
    trial = Trial(index, experiment, record, before, evaluate(experiment, *accuracy), outcome, seconds)
    if several:
        name = f"restarts/{index}"
        grey = frame(experiment, trial.after.image)[1]
        folder.write(f"{name}/stimulus.png", lambda path: write_png(path, displayed(grey)))
        folder.write(f"{name}/mesh.ply", lambda path: _posed_mesh(experiment).export(path, file_type="ply"))
        progress.message(f"converged activation {trial.after.mean:.4g} (standard error {trial.after.sem:.2g})")
    return trial


def _pixel(
    experiment: Experiment, config: Config, progress: Progress, interrupted: Callable[[], bool]
) -> PixelMEI | None:
    """The pixel MEI under the same constraint; None where the user wants to stop: half a pixel MEI would flatter."""
    progress.message(f"pixel MEI, {config.pixel.restarts} starts at once")
    progress.start(config.pixel.steps)
    pixel = None

    def told(step: int, activation: float) -> None:
        progress.step({"activation": activation})

    if not interrupted():
        with every_core(), contextlib.suppress(KeyboardInterrupt):
            pixel = find_pixel_mei(experiment.viewer, config.pixel, config.seed, told, interrupted)
    progress.stop()
    if pixel is None or pixel.ended != "done":
        progress.message("interrupted before the pixel MEI was found: there is no ratio")
        return None
    return pixel


def _result(config: Config, best: Trial, restarts: list[dict[str, Any]], pixel: PixelMEI | None) -> dict[str, Any]:
    """What ``result.json`` says."""
    experiment, before, after = best.experiment, best.before, best.after
    viewer = experiment.viewer
    optimum = viewer.optimum()
    shape = experiment.scene.shape().detach()
    together = {name: sum(each[name] for each in restarts) for name in ("seconds", "steps")}
    counted = {name: sum(each[name] for each in restarts) for name in ("skipped_steps", "shortened_gradients")}
    return {
        "activation": {"initial": before.as_dict(), "final": after.as_dict()},
        "fraction_of_optimum": None if optimum is None else after.mean / optimum,
        "ratio_to_pixel": None if pixel is None else ratio(after.as_dict(), pixel.activation),
        "validation": _validation(best, pixel),
        **together,
        "seconds_per_step": together["seconds"] / max(1, together["steps"]),
        "peak_memory_mb": round(peak_memory_mb()),
        **counted,
        "mesh": assess(shape, experiment.scene.faces, experiment.scene.template.vertices).as_dict(),
        "renderer": config.render.type,
        "variant": experiment.variant,
        "seed": config.seed,
        "optimum": optimum,
        "objective": config.objective.type,
        "neurons": list(config.neurons),
        "responses": [
            {"neuron": neuron, "initial": first.as_dict(), "final": last.as_dict()}
            for neuron, first, last in zip(viewer.objective.neurons, before.responses, after.responses)
            if neuron in config.neurons
        ],
        "outside_display": viewer.stimulus.outside_display(viewer.stimulus(after.image)),
        "model": viewer.model.name,
        "ended": restarts[-1]["ended"],
        "restart": best.index,
        "restarts": restarts,
        "pixel": None if pixel is None else pixel.as_dict(),
        "scene": experiment.scene.in_file_units(),
        "versions": versions(),
    }


def _validation(best: Trial, pixel: PixelMEI | None) -> dict[str, Any] | None:
    """What the second model makes of the same stimuli."""
    validator = best.experiment.viewer.validator
    if validator is None:
        return None
    final = best.after.validation.as_dict()
    reached = None if pixel is None else pixel.validation
    return {
        "model": validator.model.name,
        "activation": {"initial": best.before.validation.as_dict(), "final": final},
        "pixel": reached,
        "ratio_to_pixel": ratio(final, reached),
    }


class _Record:
    """What is kept of every step."""

    def __init__(self, folder: RunFolder, experiment: Experiment, progress: Progress, restart: int, every: int) -> None:
        self.folder, self.experiment, self.progress = folder, experiment, progress
        self.restart, self.every = restart, every
        self.history: dict[str, list[float]] = {"activation": []}
        self.frames: list[tuple[np.ndarray, np.ndarray]] = []
        self._started = time.perf_counter()

    def add(self, step: Step) -> None:
        row = {"restart": self.restart, "step": step.step, "activation": step.activation, "loss": step.loss}
        row |= step.terms
        row |= {f"gradient_{name}": norm for name, norm in step.gradient_norm.items()}
        row |= {"skipped": int(step.skipped), "seconds": round(time.perf_counter() - self._started, 4)}
        self.folder.add_metrics(row)
        for name, value in {"activation": step.activation, **step.terms}.items():
            self.history.setdefault(name, []).append(value)
        if (step.step - 1) % self.every == 0:
            self.frames.append(frame(self.experiment, step.image))
        self.progress.step({"activation": step.activation, **step.terms})


def frame(experiment: Experiment, image: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """A render (H, W, C), and the grey levels that the neuron saw of it, beyond black and white too."""
    stimulus = experiment.viewer.stimulus
    with torch.no_grad():
        grey = stimulus.to_grey(stimulus(image), clip=False)
    return image.cpu().numpy(), grey.cpu().numpy()


def _write_pictures(
    folder: RunFolder, config: Config, best: Trial, pixel: PixelMEI | None, result: dict[str, Any]
) -> None:
    experiment, before, after = best.experiment, best.before, best.after
    stimulus = experiment.viewer.stimulus
    first, last = frame(experiment, before.image), frame(experiment, after.image)
    with torch.no_grad():
        seen = stimulus(after.image).cpu().numpy()
        state = experiment.scene()
        vertices = experiment.scene.pose(experiment.scene.shape())
        portraits = [portrait(experiment.renderer, vertices, state, azimuth) for azimuth in (-60, 0, 60)]
    folder.write("stimulus.npy", lambda path: np.save(path, seen))
    folder.write("stimulus.png", lambda path: write_png(path, displayed(last[1])))
    folder.write("render.exr", lambda path: write_exr(path, last[0]))
    folder.write("render.png", lambda path: write_png(path, exposed(last[0])))
    stimuli = {"initial": first[1], "final": last[1]}
    if pixel is not None:
        stimuli["pixel MEI"] = pixel.write(folder, stimulus, "pixel_stimulus")
    summary = Summary(
        title=_title(config, experiment, result),
        renders={"initial": first[0], "final": last[0]},
        stimuli=stimuli,
        portraits=portraits,
        history=best.record.history,
        initial=(before.mean, before.sem),
        final=(after.mean, after.sem),
        optimum=result["optimum"],
        pixel=None if pixel is None else pixel.activation,
    )
    folder.write("summary.png", lambda path: write_summary(path, summary))
    if best.record.frames:
        folder.write("progress.mp4", lambda path: write_animation(path, [*best.record.frames, *[last] * 6]))


def _title(config: Config, experiment: Experiment, result: dict[str, Any]) -> str:
    final = result["activation"]["final"]
    neurons = ", ".join(map(str, config.neurons))
    kind = "" if result["objective"] == "activation" else f"{result['objective']}, "
    title = f"{experiment.viewer.model.name}, neuron {neurons}: {kind}{final['mean']:.4g} ± {final['sem']:.2g}"
    if result["fraction_of_optimum"] is not None:
        title += f", {result['fraction_of_optimum']:.3f} of the optimum"
    if result["ratio_to_pixel"] is not None:
        title += f", {result['ratio_to_pixel']['mean']:.3f} of the pixel MEI"
    if result["validation"] is not None:
        second = result["validation"]
        title += f"; on {second['model']} {second['activation']['final']['mean']:.4g}"
        if second["ratio_to_pixel"] is not None:
            title += f", {second['ratio_to_pixel']['mean']:.3f} of it"
    if result["ended"] != "done":
        title += f" ({result['ended']})"
    return title


def _posed_mesh(experiment: Experiment) -> trimesh.Trimesh:
    """The object as it stands in the scene."""
    with torch.no_grad():
        vertices = experiment.scene.pose(experiment.scene.shape()).cpu().numpy()
    return trimesh.Trimesh(vertices, experiment.scene.faces.cpu().numpy(), process=False)


def _write_mesh(folder: RunFolder, experiment: Experiment) -> None:
    mesh = _posed_mesh(experiment)
    folder.write("mesh.ply", lambda path: mesh.export(path, file_type="ply"))
    folder.write("mesh.glb", lambda path: mesh.export(path, file_type="glb"))
