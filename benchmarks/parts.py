"""What parts of the tool cost, over an iteration of the optimization: ratios, which no other process changes much."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
import trimesh

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.geometry.quality import assess
from mitsuba_mei.geometry.registration import surface_distance
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.regularizers import Regularizers

from .measure import seconds_each
from .report import Report, Target
from .setting import SCENES, experiment_of, make_bumpy

__all__ = ["run"]

ITERATION = "an iteration, rasterized"

MOST = {
    "regularizers, forward and backward": 0.25,
    "V4 model, forward and backward": 0.25,
    "assessment of the mesh": 4.0,
    "distance of two surfaces": 40.0,
}
"""Of an iteration's time: the first two are in each one; the others are done once in a run of hundreds."""


def run(report: Report, rounds: int = 10) -> None:
    """Medians over calls that take turns with iterations of the rasterized quickstart, 5,120 faces.

    Parameters
    ----------
    rounds : int
        Calls of each.
    """
    _, pipeline = experiment_of(SCENES / "quickstart.yaml", ["render.type=raster"])
    make_bumpy(pipeline.scene, 0.05)
    goal, observer = ActivationLoss(pipeline), pipeline.observer
    template = icosphere(4)
    energies = Regularizers(template, dict.fromkeys(("smoothness", "area", "edge_length", "rigidity"), 1.0))
    bumpy = pipeline.scene.shape().detach()
    image = pipeline.render(0).detach()
    first, second = (
        trimesh.Trimesh(vertices.numpy(), template.faces.numpy(), process=False)
        for vertices in (bumpy, bumpy + 0.05 * torch.sin(3 * bumpy.roll(1, dims=1)))
    )

    def regularize(_: int) -> None:
        energies.total(energies(bumpy.clone().requires_grad_())).backward()

    def see(_: int) -> None:
        observer.observe(image.clone().requires_grad_()).activation.backward()

    parts: dict[str, Callable[[int], object]] = {
        ITERATION: goal.attempt,
        "regularizers, forward and backward": regularize,
        "V4 model, forward and backward": see,
        "assessment of the mesh": lambda _: assess(bumpy, template.faces),
        "distance of two surfaces": lambda _: surface_distance(first, second),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for part in parts.values():
        part(0)
    for index in range(rounds):
        for name, part in parts.items():
            times[name] += seconds_each(part, 1, index)
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        {"part": name, "median ms": 1e3 * median, "of an iteration": median / medians[ITERATION]}
        for name, median in medians.items()
    ]
    report.table("Parts of a run over an iteration", rows, "quickstart.yaml, rasterized, one thread", "parts")
    found = {name: medians[name] / medians[ITERATION] for name in MOST}
    report.targets(*(Target(f"{name}, iterations", found[name], most=most) for name, most in MOST.items()))
