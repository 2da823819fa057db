"""From a scene file to the object that a neuron likes best: the whole run, and everything that it leaves."""

from __future__ import annotations

import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import trimesh

from .. import __version__
from ..config import Config, dump
from ..evaluate import Estimate, evaluate
from ..experiment import Experiment, build_experiment, check_start
from ..images import write_exr, write_png
from ..memory import peak_memory_mb
from ..mesh_quality import assess
from ..optimize import Settings, Step, optimize
from ..report import Summary, exposed, write_animation, write_summary
from ..run_folder import RunFolder
from ..views import portrait

__all__ = ["Progress", "RunResult", "run_mei"]

FRAMES = 60
"""About how many pictures the animation has."""

PACKAGES = ("mitsuba", "drjit", "torch", "numpy")


class Progress(Protocol):
    """Who is told how a run goes on."""

    def start(self, steps: int) -> None: ...

    def step(self, info: dict[str, Any]) -> None: ...

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, and what ``result.json`` says."""

    folder: Path
    result: dict[str, Any]


def run_mei(config: Config, out: Path, progress: Progress) -> RunResult:
    """Optimise a scene for its neuron and write a run folder.

    Ctrl-C ends the optimisation after the step under way; everything is evaluated and written all the same.

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
    experiment = build_experiment(config)
    check_start(experiment, config.seed)
    folder = RunFolder(out)
    folder.write_text("config.yaml", dump(config, folder.path))
    for repair in experiment.scene.template.repairs:
        progress.message(f"mesh: {repair}")

    record = _Record(folder, experiment, progress, max(1, config.optimizer.steps // FRAMES))
    before = evaluate(experiment, config.evaluate.spp, config.evaluate.repeats, config.seed)
    progress.start(config.optimizer.steps)
    started = time.perf_counter()
    try:
        with _interruptible() as interrupted:
            outcome = optimize(experiment, Settings.of(config.optimizer), config.seed, record.add, interrupted)
    finally:
        progress.stop()
        folder.close()
    seconds = time.perf_counter() - started
    if outcome.ended != "done":
        progress.message(f"ended after {outcome.steps} steps: {outcome.ended}; evaluating what was reached")
    after = evaluate(experiment, config.evaluate.spp, config.evaluate.repeats, config.seed)

    optimum = experiment.optimum()
    shape = experiment.scene.shape().detach()
    result = {
        "activation": {"initial": before.as_dict(), "final": after.as_dict()},
        "fraction_of_optimum": None if optimum is None else after.mean / optimum,
        "ratio_to_pixel": None,
        "validation": None,
        "steps": outcome.steps,
        "seconds": seconds,
        "seconds_per_step": seconds / max(1, outcome.steps),
        "peak_memory_mb": round(peak_memory_mb()),
        "skipped_steps": outcome.skipped,
        "mesh": assess(shape, experiment.scene.faces, experiment.scene.template.vertices).as_dict(),
        "renderer": config.render.type,
        "variant": experiment.variant,
        "seed": config.seed,
        "optimum": optimum,
        "neurons": list(config.neurons),
        "model": experiment.model.name,
        "ended": outcome.ended,
        "shortened_gradients": outcome.shortened,
        "scene": experiment.scene.in_file_units(),
        "versions": _versions(),
    }
    _write_pictures(folder, experiment, config, record, before, after, result)
    _write_mesh(folder, experiment)
    folder.write_json("result.json", result)
    return RunResult(folder.path, result)


class _Record:
    """What is kept of every step."""

    def __init__(self, folder: RunFolder, experiment: Experiment, progress: Progress, every: int) -> None:
        self.folder, self.experiment, self.progress, self.every = folder, experiment, progress, every
        self.history: dict[str, list[float]] = {"activation": []}
        self.frames: list[tuple[np.ndarray, np.ndarray]] = []
        self._started = time.perf_counter()

    def add(self, step: Step) -> None:
        row = {"step": step.step, "activation": step.activation, "loss": step.loss, **step.terms}
        row |= {f"gradient_{name}": norm for name, norm in step.gradient_norm.items()}
        row |= {"skipped": int(step.skipped), "seconds": round(time.perf_counter() - self._started, 4)}
        self.folder.add_metrics(row)
        for name, value in {"activation": step.activation, **step.terms}.items():
            self.history.setdefault(name, []).append(value)
        if (step.step - 1) % self.every == 0:
            self.frames.append(frame(self.experiment, step.image))
        self.progress.step({"activation": step.activation, **step.terms})


def frame(experiment: Experiment, image: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """A render (H, W, C), and the grey levels that the neuron saw of it."""
    with torch.no_grad():
        grey = experiment.stimulus.to_grey(experiment.stimulus(image))
    return image.cpu().numpy(), grey.cpu().numpy()


@contextmanager
def _interruptible() -> Iterator:
    """Within it, a first Ctrl-C is only remembered; a second one interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number, stack) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


def _write_pictures(
    folder: RunFolder,
    experiment: Experiment,
    config: Config,
    record: _Record,
    before: Estimate,
    after: Estimate,
    result: dict[str, Any],
) -> None:
    first, last = frame(experiment, before.image), frame(experiment, after.image)
    with torch.no_grad():
        seen = experiment.stimulus(after.image).cpu().numpy()
        state = experiment.scene()
        vertices = experiment.scene.pose(experiment.scene.shape())
        portraits = [portrait(experiment.renderer, vertices, state, azimuth) for azimuth in (-60, 0, 60)]
    folder.write("stimulus.npy", lambda path: np.save(path, seen))
    folder.write("stimulus.png", lambda path: write_png(path, np.round(last[1]).astype(np.uint8)))
    folder.write("render.exr", lambda path: write_exr(path, last[0]))
    folder.write("render.png", lambda path: write_png(path, exposed(last[0])))
    final = result["activation"]["final"]
    neurons = ", ".join(map(str, config.neurons))
    title = f"{experiment.model.name}, neuron {neurons}: {final['mean']:.4g} ± {final['sem']:.2g}"
    if result["fraction_of_optimum"] is not None:
        title += f", {result['fraction_of_optimum']:.3f} of the optimum"
    summary = Summary(
        title=title,
        renders={"initial": first[0], "final": last[0]},
        stimuli={"initial": first[1], "final": last[1]},
        portraits=portraits,
        history=record.history,
        initial=(before.mean, before.sem),
        final=(after.mean, after.sem),
        optimum=result["optimum"],
    )
    folder.write("summary.png", lambda path: write_summary(path, summary))
    if record.frames:
        folder.write("progress.mp4", lambda path: write_animation(path, [*record.frames, *[last] * 6]))


def _write_mesh(folder: RunFolder, experiment: Experiment) -> None:
    """The object as it stands in the scene."""
    with torch.no_grad():
        vertices = experiment.scene.pose(experiment.scene.shape()).cpu().numpy()
    mesh = trimesh.Trimesh(vertices, experiment.scene.faces.cpu().numpy(), process=False)
    folder.write("mesh.ply", lambda path: mesh.export(path, file_type="ply"))
    folder.write("mesh.glb", lambda path: mesh.export(path, file_type="glb"))


def _versions() -> dict[str, str]:
    return {
        "mitsuba_mei": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
