"""Local and directional lights as seen from points: :mod:`~mitsuba_mei.render.path.lights` in plain torch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...scene.state import LightState

__all__ = ["LIGHTS", "Rays", "Vector", "rays"]

MIN_POINTS, MAX_POINTS = 4, 16
"""Places along a side of a rectangle from which its light is taken to come."""

Vector = tuple[Tensor, Tensor, Tensor]
Rays = tuple[Vector, Tensor]
"""Unit vectors (N, L) from points to a light, by coordinate, and what arrives along each (N, L) for a colour of 1."""

Values = Mapping[str, Tensor]
"""A light's values and constants, (K, N) or (K, 1)."""


def rays(lights: Sequence[LightState], position: Vector, take: Callable[[Tensor], Tensor], finest: float) -> Rays:
    """Unshadowed light that arrives at points.

    Parameters
    ----------
    lights : sequence of LightState
        The light in each of B scenes; of one kind.
    position : tuple of Tensor
        (N,) each.
    take : callable
        From values (B, K) of the scenes to those of the points, (K, N) or (K, 1).
    finest : float
        Radians over which the material's reflection changes; rectangles are resolved as finely.
    """
    first = lights[0]
    values = {name: take(torch.stack([light.values[name] for light in lights])) for name in first.values}
    for name in first.constants:
        values[name] = take(position[0].new_tensor([[light.constants[name]] for light in lights]))
    return LIGHTS[first.kind].rays(values, position, finest)


def _from_direction(values: Values, position: Vector, finest: float) -> Rays:
    x, y, z = (-part[:, None] for part in values["direction"])
    return (x, y, z), torch.ones_like(x)


def _from_point(values: Values, position: Vector, finest: float) -> Rays:
    way, square = _way(values["position"], position)
    # E = I / r^2.
    return way, 1 / square


def _from_spot(values: Values, position: Vector, finest: float) -> Rays:
    way, square = _way(values["position"], position)
    axis = [target - place for target, place in zip(values["target"], values["position"])]
    length = sum(part * part for part in axis).sqrt()
    aligned = -sum((part / length)[:, None] * d for part, d in zip(axis, way))
    # Within the beam and beyond the cutoff nothing changes; on the axis itself the angle has no derivative.
    angle = torch.acos(aligned.clamp(-1 + 1e-6, 1 - 1e-6))
    cutoff, beam = (values[name][0][:, None] for name in ("cutoff", "beam"))
    return way, ((cutoff - angle) / (cutoff - beam)).clamp(0, 1) / square


def _way(places: Sequence[Tensor], position: Vector) -> tuple[Vector, Tensor]:
    """Unit vectors (N, L) from points (N,) to places (N or 1, L) or (N or 1,), and squared distances."""
    x, y, z = ((to if to.ndim == 2 else to[:, None]) - at[:, None] for to, at in zip(places, position))
    square = (x * x + y * y + z * z).clamp_min(1e-12)
    inverse = square.rsqrt()
    return (x * inverse, y * inverse, z * inverse), square


def _from_rectangle(values: Values, position: Vector, finest: float) -> Rays:
    centre, across, up = values["centre"], values["across"], values["up"]
    with torch.no_grad():
        nearest = (centre - torch.stack(position)).norm(dim=0).amin() if len(position[0]) else centre.new_ones(())
        extent = max(across.norm(dim=0).max().item(), up.norm(dim=0).max().item()) / max(nearest.item(), 1e-3)
    count = min(MAX_POINTS, max(MIN_POINTS, math.ceil(1.5 * extent / finest)))
    right, above, weight = (centre.new_tensor(part) for part in _square(count))
    places = [c[:, None] + right * a[:, None] + above * b[:, None] for c, a, b in zip(centre, across, up)]
    way, square = _way(places, position)
    normal = torch.linalg.cross(across, up, dim=0)
    facing = -sum(part[:, None] * d for part, d in zip(normal, way))
    # L cos(theta') A / r^2 by Gauss-Legendre quadrature over the rectangle; |across x up| = A.
    return way, weight * facing.clamp_min(0) / square


@functools.lru_cache(maxsize=None)
def _square(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and weights for the mean over the square from -1/2 to 1/2 (Gauss-Legendre)."""
    at, weight = np.polynomial.legendre.leggauss(count)
    right, above = np.meshgrid(0.5 * at, 0.5 * at)
    return right.ravel(), above.ravel(), np.outer(0.5 * weight, 0.5 * weight).ravel()


@dataclass(frozen=True)
class Light:
    """Name of a light's power, and the function that gives its rays to points (N,)."""

    power: str
    rays: Callable[[Values, Vector, float], Rays]


LIGHTS = {
    "area": Light("radiance", _from_rectangle),
    "point": Light("intensity", _from_point),
    "spot": Light("intensity", _from_spot),
    "directional": Light("irradiance", _from_direction),
}
"""Every light by its ``type`` in the scene file."""
