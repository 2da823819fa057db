"""Derivatives of a smooth functional of the image: by finite differences of renders, and by the renderer's gradient."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from mitsuba_mei.render.renderer import Renderer
from mitsuba_mei.scene.scene import Scene

from .measure import mean_and_error

__all__ = ["Probe", "along", "difference", "gradients", "gross", "weighting"]

DEFAULT_THRESHOLD = 0.01
"""A relative standard error at which no more samples are taken."""

FEWEST = 6
"""Independent estimates at least, so that their spread means something."""


@dataclass(frozen=True)
class Probe:
    """A direction in which to differentiate.

    Attributes
    ----------
    label : str
    parameter : str
        A free parameter, by its path in the scene file.
    direction : Tensor
        In the coordinates that the optimizer moves, as large as the parameter.
    step : float
        Of finite differences, along it.
    """

    label: str
    parameter: str
    direction: Tensor
    step: float


def weighting(resolution: int) -> Tensor:
    """A smooth weighting of pixels, (H, W): two broad spots of unlike sign, off the centre."""
    y, x = torch.meshgrid(torch.linspace(1, -1, resolution), torch.linspace(-1, 1, resolution), indexing="ij")
    spots = ((0.3, 0.25, 0.4, 1.0), (-0.35, -0.3, 0.35, -0.6))
    return sum(height * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s**2)) for cx, cy, s, height in spots)


@contextmanager
def _moved(scene: Scene, probe: Probe, amount: float) -> Iterator[None]:
    """Within it, the probe's parameter is moved along its direction."""
    parameter = scene.free_parameters()[probe.parameter]
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter.add_(amount * probe.direction.reshape(parameter.shape))
    try:
        yield
    finally:
        with torch.no_grad():
            parameter.copy_(before)


def difference(
    scene: Scene, renderer: Renderer, weight: Tensor, probe: Probe, spp: int, seconds: float, seed: int = 2**30
) -> tuple[float, float, float]:
    """Central differences with common random numbers, extrapolated from two steps (Richardson 1911).

    Parameters
    ----------
    spp : int
        Samples per pixel of each render.
    seconds : float
        More estimates are taken until their mean is known to a hundredth, or this time is over; one where the renderer
        has no noise.

    Returns
    -------
    mean, standard error, bias : float
        The extrapolated derivative, and what the extrapolation took off the plain difference at the smaller step.
    """

    @torch.no_grad()
    def slope(step: float, seed: int) -> float:
        values = []
        for sign in (1, -1):
            with _moved(scene, probe, sign * step):
                image = renderer.render(scene(), seed, spp)
            values.append((weight[..., None].double() * image).sum().item())
        return (values[0] - values[1]) / (2 * step)

    if not renderer.noisy:
        near, far = slope(probe.step, seed), slope(2 * probe.step, seed)
        (mean,) = _extrapolated([near], [far])
        return mean, 0.0, near - mean
    began, near, far = time.perf_counter(), [], []
    while not _known(_extrapolated(near, far), began, seconds):
        near.append(slope(probe.step, seed + len(near)))
        far.append(slope(2 * probe.step, seed + len(far)))
    mean, error = mean_and_error(_extrapolated(near, far))
    return mean, error, sum(near) / len(near) - mean


@torch.no_grad()
def gross(scene: Scene, renderer: Renderer, weight: Tensor, probe: Probe) -> float:
    """The sum over pixels of the absolute derivatives of what they contribute, by plain differences without noise.

    Where it is far above the functional's derivative, contributions of the pixels cancel.
    """
    images = []
    for sign in (1, -1):
        with _moved(scene, probe, sign * probe.step):
            images.append(renderer.render(scene()).double())
    return (weight[..., None] * (images[0] - images[1])).abs().sum().item() / (2 * probe.step)


def _extrapolated(near: Sequence[float], far: Sequence[float]) -> list[float]:
    return [(4 * a - b) / 3 for a, b in zip(near, far)]


def _known(values: Sequence[float], began: float, seconds: float) -> bool:
    if len(values) < FEWEST:
        return False
    mean, error = mean_and_error(values)
    return error <= DEFAULT_THRESHOLD * abs(mean) or time.perf_counter() - began > seconds


def gradients(
    scene: Scene, renderer: Renderer, weight: Tensor, seconds: float, seed: int = 0, fewest: int = 20
) -> dict[str, Tensor]:
    """The renderer's gradients of the functional, (seeds, size of the parameter), by parameter.

    Parameters
    ----------
    seconds : float
        How long to go on with new seeds, ``fewest`` aside.
    """
    free = scene.free_parameters()
    found: dict[str, list[Tensor]] = {name: [] for name in free}
    began, count = time.perf_counter(), 0
    while count < fewest or time.perf_counter() - began < seconds:
        image = renderer.render(scene(), seed + count)
        each = torch.autograd.grad((weight[..., None] * image).sum(), list(free.values()), allow_unused=True)
        for (name, parameter), gradient in zip(free.items(), each):
            found[name].append((torch.zeros_like(parameter) if gradient is None else gradient).double().flatten())
        count += 1
    return {name: torch.stack(values) for name, values in found.items()}


def along(found: dict[str, Tensor], probe: Probe) -> tuple[float, float]:
    """Mean and standard error over seeds of the gradient along a probe; of a single one, no error."""
    values = found[probe.parameter] @ probe.direction.double().flatten()
    error = (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else 0.0
    return values.mean().item(), error
