"""Time to 0.9 of a simple cell's optimum, against the loop of Mitsuba's tutorials."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from mitsuba_mei.config.load import Config
from mitsuba_mei.optimize.evaluate import EVALUATION_SEEDS, evaluate
from mitsuba_mei.optimize.loop import optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings
from mitsuba_mei.pipeline import Pipeline

from .mitsuba_loops import TutorialLoop
from .report import Report, Target
from .setting import SIMPLE_CELL, experiment_of

__all__ = ["run"]

GOAL = 0.9
LOOK_EVERY = 5
SPP, REPEATS = 256, 2
"""Of the evaluation that tells how far a loop is."""


@dataclass
class Race:
    """A clock that stands still while progress is looked at.

    Attributes
    ----------
    cap : float
        Seconds after which a loop gives up.
    seconds : float
        What the optimization took so far.
    curve : list
        (steps, seconds, fraction of the optimum).
    """

    cap: float
    seconds: float = 0.0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    _since: float = 0.0

    def go(self) -> None:
        """Let the clock run."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Let it stand."""
        self.seconds += time.perf_counter() - self._since

    def note(self, steps: int, fraction: float) -> None:
        """Where the loop is."""
        self.curve.append((steps, self.seconds, fraction))

    @property
    def won(self) -> bool:
        """Whether the goal is reached."""
        return bool(self.curve) and self.curve[-1][2] >= GOAL

    @property
    def over(self) -> bool:
        """Whether it is reached or out of reach."""
        return self.won or self.seconds >= self.cap

    def row(self, name: str) -> dict:
        """Its line of the table."""
        steps, seconds, fraction = self.curve[-1]
        return {
            "loop": name,
            "seconds": seconds,
            "steps": steps,
            "s a step": seconds / steps,
            "fraction of the optimum": fraction,
            "reached": "yes" if self.won else "no",
        }


def run(report: Report, cap: float = 600.0) -> None:
    """Race both from the same start.

    Parameters
    ----------
    cap : float
        Seconds of optimization after which either gives up.
    """
    config, pipeline = experiment_of(SIMPLE_CELL)
    ours = _ours(config, pipeline, cap)
    config, pipeline = experiment_of(SIMPLE_CELL)
    tutorial = _tutorial(config, pipeline, cap)
    report.table(
        f"To {GOAL:g} of the optimum: {SIMPLE_CELL.stem}",
        [ours.row("ours"), tutorial.row("tutorial")],
        "tutorial: the same deformation and Adam at the same learning rate, no regularizers, plain direct_projective\n"
        f"converged evaluation every {LOOK_EVERY} steps of ours, every step of the tutorial; the clock stands still",
        "loops",
    )
    report.keep("curves", {"ours": ours.curve, "tutorial": tutorial.curve})
    report.targets(
        Target("fraction that ours reaches", ours.curve[-1][2], least=GOAL),
        Target(
            "times the tutorials' loop is longer", tutorial.seconds / ours.seconds, least=20, bound=not tutorial.won
        ),
    )


def _ours(config: Config, pipeline: Pipeline, cap: float) -> Race:
    optimum = pipeline.observer.optimum()
    # Compiled before the clock runs, as the tutorial's is.
    pipeline.observe(0).activation.backward()
    race = Race(cap)

    def observe(step) -> None:
        if step.step % LOOK_EVERY == 0 or step.step == config.optimizer.steps:
            race.stop()
            race.note(step.step, evaluate(pipeline, SPP, REPEATS, config.seed).mean / optimum)
            race.go()

    race.go()
    optimize(ActivationLoss(pipeline), OptimizerSettings.of(config.optimizer), config.seed, observe, lambda: race.over)
    return race


def _tutorial(config: Config, pipeline: Pipeline, cap: float) -> Race:
    optimum, scene = pipeline.observer.optimum(), pipeline.scene
    loop = TutorialLoop(config, scene, config.render.spp)
    parameters = [p for group in scene.parameter_groups().values() for p in group]
    adam = torch.optim.Adam(parameters, lr=config.optimizer.lr)

    def activation(image: torch.Tensor) -> torch.Tensor:
        return pipeline.observer.objective(pipeline.observer.neurons(pipeline.observer.stimulus(image)))[0]

    activation(loop.render(scene().vertices, 0)).backward()
    race, step = Race(cap), 0
    while not race.over:
        step += 1
        race.go()
        adam.zero_grad()
        (-activation(loop.render(scene().vertices, step))).backward()
        adam.step()
        race.stop()
        race.note(step, _converged(loop, scene, activation, step) / optimum)
    return race


@torch.no_grad()
def _converged(loop: TutorialLoop, scene, activation, step: int) -> float:
    vertices = scene().vertices
    values = [
        activation(loop.converged(vertices, SPP, (EVALUATION_SEEDS + step * REPEATS + i) % 2**32))
        for i in range(REPEATS)
    ]
    return sum(v.item() for v in values) / REPEATS
