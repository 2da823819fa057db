"""One optimization iteration, against the loop of Mitsuba's tutorials and against a bare ``prb``."""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from mitsuba_mei.config.load import Config
from mitsuba_mei.io.memory import peak_memory_mb
from mitsuba_mei.optimize.loop import optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings
from mitsuba_mei.pipeline import Pipeline

from .measure import seconds_each
from .mitsuba_loops import ReplayLoop, TutorialLoop
from .report import Report, Target
from .setting import SIMPLE_CELL, experiment_of, make_bumpy

__all__ = ["run"]

SPP = 16
BUMPS = 0.1
WARMUP, ROUNDS = 10, 3

OURS, STEP, PRB, TUTORIAL, ROUND = "ours", "ours, whole step", "prb", "tutorial", "tutorial, round"
WHAT = {
    OURS: "render and gradient to the vertices: interior, silhouettes, shadows",
    STEP: "the same in the optimizer: deformation, stimulus, neuron, regularizers, Adam",
    PRB: "pure Dr.Jit, forward and backward to the vertices; knows no silhouettes, no shadow edges",
    TUTORIAL: "dr.wrap around mi.render, direct_projective as it comes; direct light only",
    ROUND: "the same on the undeformed sphere, which does not shadow itself: its octree of shadow edges is empty",
}
ALIKE = (OURS, STEP, PRB)


def run(report: Report, quick: int = 30, slow: int = 6) -> None:
    """Times in one process, memory in one process each.

    Parameters
    ----------
    quick, slow : int
        Iterations of each quick contender in each of three rounds, and of the tutorial's loop.
    """
    config, pipeline = _scene()
    contenders = {name: _contender(name, config, pipeline) for name in ALIKE}
    times: dict[str, list[float]] = {name: [] for name in ALIKE}
    for contender in contenders.values():
        contender(WARMUP)
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            times[name] += contender(quick)
    for name, bumps in ((TUTORIAL, BUMPS), (ROUND, 0.0)):
        config, pipeline = _scene(bumps)
        tutorial = _contender(TUTORIAL, config, pipeline)
        tutorial(2)
        times[name] = tutorial(slow)
    memory = {name: _memory_alone(name, quick if name in ALIKE else slow) for name in (*ALIKE, TUTORIAL)}
    ours = statistics.median(times[OURS])
    rows = [
        {
            "iteration": name,
            "median ms": 1e3 * statistics.median(values),
            "first ms": 1e3 * values[0],
            "last ms": 1e3 * values[-1],
            "times ours": statistics.median(values) / ours,
            "peak MB": memory.get(name),
            "iterations": len(values),
        }
        for name, values in times.items()
    ]
    r, faces = config.render, len(pipeline.scene.faces)
    note = [f"{name}: {what}" for name, what in WHAT.items()]
    report.table(
        f"One iteration: {r.resolution} x {r.resolution} pixels, {SPP} spp, max_depth {r.max_depth}, {faces} faces",
        rows,
        "\n".join(note),
        "iterations",
    )
    report.targets(
        Target("times the tutorials' iteration is longer", statistics.median(times[TUTORIAL]) / ours, least=20),
        Target("times ours is longer than prb", ours / statistics.median(times[PRB]), most=1.8),
        Target("peak memory of ours, GB", max(memory[OURS], memory[STEP]) / 1000, most=0.6),
    )


def _scene(bumps: float = BUMPS) -> tuple[Config, Pipeline]:
    config, pipeline = experiment_of(SIMPLE_CELL, [f"render.spp={SPP}"])
    make_bumpy(pipeline.scene, bumps)
    return config, pipeline


def _contender(name: str, config: Config, pipeline: Pipeline) -> Callable[[int], list[float]]:
    """What runs so many iterations and says how long each took."""
    resolution = config.render.resolution
    adjoint = torch.randn(resolution, resolution, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        state = pipeline.scene()
    if name == STEP:
        return lambda count: _steps(config, pipeline, count)
    if name == PRB:
        loop = ReplayLoop(config, pipeline.scene, SPP, adjoint)
        return lambda count: seconds_each(loop.iterate, count)
    if name == OURS:

        def render(vertices, seed):
            return pipeline.renderer.render(dataclasses.replace(state, vertices=vertices), seed)
    elif name == TUTORIAL:
        render = TutorialLoop(config, pipeline.scene, SPP).render
    else:
        raise ValueError(name)

    def iterate(seed: int) -> None:
        vertices = state.vertices.clone().requires_grad_()
        render(vertices, seed).backward(adjoint)

    return lambda count: seconds_each(iterate, count)


def _steps(config: Config, pipeline: Pipeline, count: int) -> list[float]:
    stamps = [time.perf_counter()]
    settings = dataclasses.replace(OptimizerSettings.of(config.optimizer), steps=count)
    optimize(ActivationLoss(pipeline), settings, config.seed, on_step=lambda step: stamps.append(time.perf_counter()))
    return [later - earlier for earlier, later in zip(stamps, stamps[1:])]


def _memory_alone(name: str, iterations: int) -> float:
    """Peak resident memory, MB, of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.iteration", name, str(iterations)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _alone(name: str, iterations: int) -> float:
    torch.set_num_threads(1)
    config, pipeline = _scene()
    _contender(name, config, pipeline)(iterations)
    return peak_memory_mb()


if __name__ == "__main__":
    print(json.dumps(_alone(sys.argv[1], int(sys.argv[2]))))
