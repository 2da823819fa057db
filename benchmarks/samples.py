"""How the gradient's samples are best split between shading, silhouettes, shadows and directions of light."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mitsuba_mei.render.renderer import Renderer
from mitsuba_mei.scene.scene import Scene

from .finite_differences import weighting
from .measure import best_split
from .report import Report
from .setting import BUMPY, SIMPLE_CELL, experiment_of, make_bumpy, scene_of

__all__ = ["run"]

INTERIOR, SILHOUETTE, SHADOW, DIRECTIONS = "interior", "silhouette", "shadow", "directions"
HEIGHT = 0.1
NOTHING = {INTERIOR: 0, SILHOUETTE: 0, SHADOW: 0, DIRECTIONS: 64}
GRID = (
    [{INTERIOR: n} for n in (4, 16, 64)]
    + [{SILHOUETTE: n} for n in (1, 2, 8, 32)]
    + [
        {SHADOW: n, DIRECTIONS: d}
        for n, d in ((1, 64), (2, 16), (2, 64), (2, 256), (8, 16), (8, 64), (8, 256), (32, 64))
    ]
)


@dataclasses.dataclass(frozen=True)
class Spread:
    """What a budget costs and is worth.

    Attributes
    ----------
    variance : float
        Of the gradient with respect to the offsets, summed over them, over the squared norm of the whole gradient.
    seconds : float
        Median time of a backward pass.
    """

    variance: float
    seconds: float


def run(report: Report, seeds: int = 100) -> None:
    """On two bodies: one whose outline is in sight, and one that reaches beyond a neuron's receptive field.

    Parameters
    ----------
    seeds : int
        Gradients of each budget.
    """
    _, scene, renderer = scene_of(BUMPY, ["render.resolution=100"])
    make_bumpy(scene, HEIGHT)
    _study(report, "outline in sight", scene, renderer, weighting(renderer.resolution)[..., None], seeds)
    _, pipeline = experiment_of(SIMPLE_CELL)
    make_bumpy(pipeline.scene, HEIGHT)
    _study(report, "beyond the receptive field", pipeline.scene, pipeline.renderer, _adjoint(pipeline), seeds)


def _study(report: Report, where: str, scene: Scene, renderer: Renderer, adjoint: Tensor, seeds: int) -> None:
    """Each term of the gradient alone, over a grid of budgets; the best split; and what it gains."""
    default = dataclasses.asdict(renderer.gradient)
    whole, default_spread = _measured(scene, renderer, adjoint, default, seeds)
    size = whole.square().sum().item()
    spreads = [(budget, _measured(scene, renderer, adjoint, NOTHING | budget, seeds)[1]) for budget in GRID]
    report.table(
        f"Each term alone, {where}",
        [{**_plain(NOTHING | budget), **_row(spread, size)} for budget, spread in spreads],
        "error: root of the summed variance, over the norm of the whole gradient by the offsets",
        f"terms, {where}",
    )
    variances, costs = _model(spreads)
    spent = sum(costs[name] * default[name] for name in costs)
    best = best_split(variances, costs, spent)
    total = sum(variances[name] / default[name] for name in costs)
    rows = [
        {
            "samples": name,
            "variance of one": variances[name] / size,
            "us of one": 1e6 * costs[name],
            "variance %": 100 * variances[name] / default[name] / total,
            "time %": 100 * costs[name] * default[name] / spent,
            "default": default[name],
            "best": best[name],
        }
        for name in costs
    ]
    report.table(
        f"Best split of the default's {1e3 * spent:.0f} ms, {where}",
        rows,
        "beyond what every pass takes",
        f"split, {where}",
    )
    rounded = {name: max(1, round(value)) for name, value in best.items()}
    again = _measured(scene, renderer, adjoint, rounded, seeds)[1]
    budgets = (("default", default, default_spread), ("best, rounded", rounded, again))
    rows = [
        {
            "budget": label,
            **_plain(budget),
            **_row(spread, size),
            "variance x ms": spread.variance / size * 1e3 * spread.seconds,
        }
        for label, budget, spread in budgets
    ]
    report.table(f"Whole gradient, {where}", rows, key=f"whole, {where}")


def _adjoint(pipeline) -> Tensor:
    """The activation's derivative by the image, at a converged image: what the gradient is weighted with in use."""
    with torch.no_grad():
        image = pipeline.renderer.render(pipeline.scene(), 0, 512)
    image.requires_grad_()
    activation = pipeline.observer.objective(pipeline.observer.neurons(pipeline.observer.stimulus(image)))[0]
    return torch.autograd.grad(activation, image)[0]


def _measured(
    scene: Scene, renderer: Renderer, adjoint: Tensor, budget: Mapping[str, int], seeds: int
) -> tuple[Tensor, Spread]:
    """Mean gradient by the offsets, and its spread."""
    standing, renderer.gradient = renderer.gradient, dataclasses.replace(renderer.gradient, **budget)
    try:
        vertices, found, seconds = scene().vertices, [], []
        with torch.no_grad():
            state = scene()
        for seed in range(seeds + 2):
            held = vertices.detach().requires_grad_()
            image = renderer.render(dataclasses.replace(state, vertices=held), seed, 1)
            began = time.perf_counter()
            (gradient,) = torch.autograd.grad(image, held, adjoint)
            if seed >= 2:  # the first ones compile
                seconds.append(time.perf_counter() - began)
                (gradient,) = torch.autograd.grad(vertices, scene.shape.offsets, gradient, retain_graph=True)
                found.append(gradient.double())
    finally:
        renderer.gradient = standing
    gradients = torch.stack(found)
    return gradients.mean(0), Spread(gradients.var(0).sum().item(), statistics.median(seconds))


def _model(spreads: list[tuple[dict[str, int], Spread]]) -> tuple[dict[str, float], dict[str, float]]:
    """Variance and cost of one sample of each kind: variance a / n, time b + c n; a shadow's two kinds add up."""
    variances, costs = {}, {}
    for kinds in ((INTERIOR,), (SILHOUETTE,), (SHADOW, DIRECTIONS)):
        chosen = [(budget, spread) for budget, spread in spreads if kinds[0] in budget]
        counts = np.array([[budget[kind] for kind in kinds] for budget, _ in chosen], dtype=float)
        variance = np.array([spread.variance for _, spread in chosen])
        seconds = np.array([spread.seconds for _, spread in chosen])
        # Relative errors: every budget counts alike.
        a = _nonnegative(1 / counts / variance[:, None], np.ones(len(chosen)))
        b = _nonnegative(np.column_stack([counts, np.ones(len(chosen))]) / seconds[:, None], np.ones(len(chosen)))
        for i, kind in enumerate(kinds):
            variances[kind], costs[kind] = float(a[i]), max(float(b[i]), 1e-9)
    return variances, costs


def _nonnegative(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Least squares without negative coefficients, by leaving out the most negative one again and again."""
    kept, result = list(range(matrix.shape[1])), np.zeros(matrix.shape[1])
    while kept:
        found = np.linalg.lstsq(matrix[:, kept], right, rcond=None)[0]
        if (found >= 0).all():
            result[kept] = found
            break
        kept.pop(int(found.argmin()))
    return result


def _plain(budget: Mapping[str, int]) -> dict[str, int]:
    return {name: budget[name] for name in NOTHING}


def _row(spread: Spread, size: float) -> dict[str, float]:
    return {"error": (spread.variance / size) ** 0.5, "ms": 1e3 * spread.seconds}
