"""Distant light integrated against what surfaces reflect: tables over all normals, and closed lobes.

What a normal receives from all sides is tabulated over a cube (:mod:`~mitsuba_mei.render.raster.cubemap`). Its first
part, the plain cosine's, is smooth but for the horizon; what a coat takes off is small and smoother still, and has a
coarser table. A lobe about one direction has a function of one angle instead, however sharp it is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...scene.state import Lobe, SceneState
from .bsdf import interpolate
from .cubemap import cells, narrowing, nodes
from .microfacets import KNOTS

__all__ = ["BROAD", "Moments", "Sky", "lobe_moments", "lobe_points", "powers"]

BROAD = 16.0
"""Lobes less sharp than this are smooth enough for a table."""

BLOCKS = 16
"""Blocks of distant light along an edge of the cube; a block's light comes from its centroid."""

COARSE = 8
"""Squares along an edge of the table of what a coat takes off."""

ANGLES = 512
"""Steps of the cosine between normal and lobe."""


@dataclass(frozen=True)
class Moments:
    """Irradiance of normals, and its moments in the light's direction.

    Attributes
    ----------
    plain, profiled : Tensor
        Tables (B, K * C, nodes) for K = 1 (light), 4 (and its direction) or 10 (and the six products of two of
        its coordinates); ``profiled`` with the material's profile as a further factor, and empty without one.
    """

    plain: Tensor
    profiled: Tensor | None


class Sky:
    """The smooth distant light of some scenes.

    Parameters
    ----------
    states : sequence of SceneState
        B scenes. Their environment and their broad lobes.
    """

    def __init__(self, states: Sequence[SceneState]) -> None:
        self.parts = [_parts(state) for state in states]
        self.detail = max(state.detail for state in states)
        self.channels = len(states[0].background)
        self.device = states[0].vertices.device

    def __bool__(self) -> bool:
        return any(self.parts)

    def _radiance(self, parts: Sequence[Callable[[Tensor], Tensor]], directions: Tensor) -> Tensor:
        flat = directions.reshape(-1, 3)
        total = sum((part(flat) for part in parts), flat.new_zeros(len(flat), self.channels))
        return total.reshape(*directions.shape[:-1], self.channels)

    @property
    def smooth(self) -> bool:
        """Whether it varies little over a block, so that its light may come from the block's centre."""
        return self.detail <= 64

    def light(self) -> tuple[Tensor, Tensor]:
        """Power (B, blocks, C) that arrives from every block of directions, and where it comes from, the mean
        direction, within the unit sphere: (B, blocks, 3), or (1, blocks, 3) where it is that of the block itself.
        """
        directions, solid = _cells(self.detail, self.device)
        power = torch.stack([self._radiance(parts, directions) for parts in self.parts]) * solid[..., None]
        if self.smooth:
            return power.sum(2), _centres(self.detail, self.device)[None]
        weight = power.sum(-1, keepdim=True) + 1e-12 * solid[..., None]
        return power.sum(2), (weight * directions).sum(2) / weight.sum(2)

    def blurred(self, width: float) -> Tensor:
        """Radiance as a table (B, C, nodes), each a mean over about ``width`` radians."""
        squares = BLOCKS if self.smooth else min(64, max(8, math.ceil(2 / width)))
        finer = 1 if self.smooth else math.ceil(self.detail / (2 * squares))
        directions = _nodes(squares, finer, self.device).reshape(-1, finer * finer, 3)
        share = narrowing(directions)[..., None]
        share = share / share.sum(1, keepdim=True)  # so that no power is lost towards a face's edges
        return torch.stack([(self._radiance(parts, directions) * share).sum(1).T for parts in self.parts])

    def moments(self, light: tuple[Tensor, Tensor], plain: int, profiled: int, profile: Tensor | None) -> Moments:
        """Tables for a material.

        Parameters
        ----------
        light : tuple of Tensor
            Of :meth:`light`.
        plain, profiled : int
            Highest powers of the direction.
        profile : Tensor or None
            (B or 1, J), as of :class:`~mitsuba_mei.render.raster.bsdf.Material`.
        """
        power, centre = light
        fine, coarse = (BLOCKS if self.smooth else 2 * BLOCKS), COARSE
        rows = None if profile is None else profile.expand(len(power), -1)
        first, second = [], []
        for i, each in enumerate(power):
            at = centre[min(i, len(centre) - 1)]
            cosine = self._cosines(fine, at)
            first.append(_received(cosine, each, at, plain))
            if rows is not None:
                cosine = self._cosines(coarse, at)
                second.append(_received(cosine * interpolate(rows[i : i + 1], cosine), each, at, profiled))
        return Moments(torch.stack(first), torch.stack(second) if second else None)

    def _cosines(self, squares: int, centre: Tensor) -> Tensor:
        """Cosines of a table's normals with the light's directions (nodes, blocks), 0 below the horizon."""
        if self.smooth:
            return _block_cosines(squares, self.detail, self.device)
        return (_nodes(squares, 1, self.device) @ centre.T).clamp_min(0)


def _parts(state: SceneState) -> list[Callable[[Tensor], Tensor]]:
    emitters = [] if state.environment is None else [state.environment]
    return [*emitters, *(lobe for lobe in state.lobes if lobe.sharpness < BROAD)]


def _received(weight: Tensor, power: Tensor, centre: Tensor, degree: int) -> Tensor:
    """The sum (K * C, nodes) of what blocks send, weighed (nodes, blocks), with moments of its direction."""
    features = [power]
    if degree >= 1:
        features += [power * centre[:, k : k + 1] for k in range(3)]
    if degree >= 2:
        features += [power * (centre[:, i] * centre[:, j])[:, None] for i, j in PAIRS]
    return torch.cat(features, dim=1).T @ weight.T


PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def powers(table: Tensor, viewer: tuple[Tensor, Tensor, Tensor], degree: int, channels: int) -> list[Tensor]:
    """From looked up moments (K * C, N) the light weighted by powers of its cosine to the viewer, (C, N) each."""
    moments = table.reshape(-1, channels, table.shape[-1])
    result = [moments[0]]
    if degree >= 1:
        result.append(sum(moments[1 + k] * viewer[k] for k in range(3)))
    if degree >= 2:
        twice = (1.0, 1.0, 1.0, 2.0, 2.0, 2.0)
        products = zip(PAIRS, twice, moments[4:])
        # (v.l)^2 = sum_ij v_i v_j l_i l_j, the mixed products twice.
        result.append(sum(factor * viewer[i] * viewer[j] * moment for (i, j), factor, moment in products))
    return result


@functools.lru_cache(maxsize=16)
def _nodes(squares: int, finer: int, device: torch.device) -> Tensor:
    return nodes(squares, finer, device)


@functools.lru_cache(maxsize=4)
def _centres(detail: int, device: torch.device) -> Tensor:
    """Mean directions (blocks, 3) of the blocks of :func:`_cells`."""
    directions, solid = _cells(detail, device)
    return (solid[..., None] * directions).sum(1) / solid.sum(1, keepdim=True)


@functools.lru_cache(maxsize=8)
def _block_cosines(squares: int, detail: int, device: torch.device) -> Tensor:
    """Mean cosines (nodes, blocks) over each block, 0 below the horizon."""
    directions, solid = _cells(detail, device)
    cosine = (_nodes(squares, 1, device) @ directions.reshape(-1, 3).T).clamp_min_(0)
    return (cosine.reshape(len(cosine), *solid.shape) * solid).sum(2) / solid.sum(1)


@functools.lru_cache(maxsize=4)
def _cells(detail: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cells for light of so much detail, by blocks; a cube's edge has half as many texels as a table's."""
    return cells(BLOCKS, max(1, detail // (2 * BLOCKS)), device)


def lobe_moments(sharpness: float, profile: Tensor | None, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Irradiance by a lobe of peak 1, by the cosine c between the surface's normal and the lobe's axis.

    Parameters
    ----------
    sharpness : float
    profile : Tensor or None
        (B, J), a factor of the light's cosine.

    Returns
    -------
    plain : Tensor
        (1, J'), at ``0.5 * (1 + c)`` even from 0 to 1.
    profiled : Tensor or None
        (B, J'), with the profile as a factor.
    """
    smoothing = _smoothing(sharpness).to(device)
    cosine = torch.linspace(0, 1, smoothing.shape[1], device=device)
    plain = (smoothing @ cosine)[None]
    if profile is None:
        return plain, None
    at = interpolate(profile, cosine.expand(len(profile), -1), _rows(profile))
    return plain, (cosine * at) @ smoothing.T


def _rows(values: Tensor) -> Tensor:
    return torch.arange(len(values), device=values.device)[:, None]


@functools.lru_cache(maxsize=32)
def _smoothing(sharpness: float) -> Tensor:
    """The matrix (J', J) from a function of the light's cosine, at even values from 0 to 1, to its integral over a
    lobe.
    """
    knots = 4 * KNOTS + 1
    share, weight = np.polynomial.legendre.leggauss(48)
    # 1 - cosine to the axis falls off as exp(-sharpness * x), cut off at 2.
    # int_0^2 exp(-s x) dx = (1 - exp(-2 s)) / s, in its share u as variable: x = -log(1 - u (1 - exp(-2 s))) / s.
    full = -math.expm1(-2 * sharpness)
    away = -np.log1p(-0.5 * (share + 1) * full) / sharpness
    solid = weight * 0.5 * full / sharpness
    angle = (np.arange(64) + 0.5) * (math.pi / 64)
    axis = np.linspace(-1, 1, ANGLES + 1)
    matrix = np.zeros((ANGLES + 1, knots))
    rows = np.repeat(np.arange(ANGLES + 1), len(angle))
    across = np.sqrt(np.clip(1 - axis**2, 0, None))[:, None] * np.cos(angle)
    for x, w in zip(away, solid):
        cosine = ((1 - x) * axis[:, None] + math.sqrt(max(0.0, x * (2 - x))) * across).ravel()
        at = np.clip(cosine, 0, 1) * (knots - 1)
        low = np.minimum(at.astype(int), knots - 2)
        solid_angle = np.where(cosine > 0, w * 2 * math.pi / len(angle), 0.0)
        np.add.at(matrix, (rows, low), solid_angle * (1 - (at - low)))
        np.add.at(matrix, (rows, low + 1), solid_angle * (at - low))
    return torch.from_numpy(matrix).float()


@functools.lru_cache(maxsize=8)
def _lobe_rule(radii: int, angles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared radii, angles and weights for the mean over a normal distribution in the plane."""
    squared, weight = np.polynomial.laguerre.laggauss(radii)
    angle = 2 * np.pi * (np.arange(angles) + 0.5 * (np.arange(radii)[:, None] % 2)) / angles
    return np.repeat(squared, angles), angle.ravel(), np.repeat(weight / angles, angles)


def lobe_points(lobe: Lobe, radii: int, angles: int) -> tuple[Tensor, Tensor]:
    """Directions (L, 3) and solid angles (L,) that stand for a narrow lobe of peak 1; L = radii * angles."""
    squared, angle, weight = (lobe.axis.new_tensor(part) for part in _lobe_rule(radii, angles))
    axis = lobe.axis
    least = axis.detach().abs().argmin()
    aside = torch.nn.functional.normalize(torch.linalg.cross(torch.eye(3, device=axis.device)[least], axis), dim=0)
    ahead = (1 - squared / lobe.sharpness).clamp_min(-1)
    radius = (1 - ahead * ahead).sqrt()[:, None]
    beside = radius * (angle.cos()[:, None] * aside + angle.sin()[:, None] * torch.linalg.cross(axis, aside))
    return ahead[:, None] * axis + beside, weight * (2 * math.pi / lobe.sharpness)
