"""Renderer's input: a scene as tensors in the camera's frame; and whether the camera sees the object."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import UserError

__all__ = ["LightState", "Lobe", "MaterialState", "SceneState", "check_before_camera", "check_in_frustum"]


@dataclass(frozen=True)
class Lobe:
    """Distant light about one direction: radiance ``peak * exp(sharpness * (d . axis - 1))`` from direction d.

    Attributes
    ----------
    axis : Tensor
        (3,), the unit vector towards the light.
    peak : Tensor
        (C,), radiance from there.
    sharpness : float
        Concentration of the von Mises-Fisher lobe; it is about 1 / sqrt(sharpness) radians wide.
    """

    axis: Tensor
    peak: Tensor
    sharpness: float

    def __call__(self, directions: Tensor) -> Tensor:
        """Radiance (N, C) that arrives from unit ``directions`` (N, 3)."""
        return torch.exp(self.sharpness * (directions @ self.axis - 1))[:, None] * self.peak

    @property
    def detail(self) -> int:
        """Texels along the edge of a square table of all directions that resolve it; a power of two."""
        # Twelve texels to the radian over the lobe's width leave nothing of the table to be seen.
        return min(512, max(64, 2 ** math.ceil(math.log2(12 * math.sqrt(self.sharpness)))))


@dataclass(frozen=True)
class LightState:
    """A light at a place or in a single direction.

    Attributes
    ----------
    kind : str
        Its ``type`` in the scene file.
    values : dict of str to Tensor
        By kind: area ``centre``, ``across``, ``up`` (3,), ``radiance`` (C,); point ``position`` (3,), ``intensity``
        (C,); spot also ``target`` (3,); directional ``direction`` (3,), ``irradiance`` (C,).
    constants : dict of str to float
        What has no derivative: of a spot the half angles of its cone, ``cutoff`` and ``beam``, radians.
    """

    kind: str
    values: dict[str, Tensor]
    constants: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class MaterialState:
    """A material: its ``kind``, its tensors by name (``reflectance`` is (C,), the rest are scalars), and what has no
    derivative, as the refractive index ``ior`` of a coat.
    """

    kind: str
    values: dict[str, Tensor]
    constants: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneState:
    """One scene. Lengths in scene units, in the camera's frame: the camera is at the origin and looks along -z, y is
    up.

    Attributes
    ----------
    vertices : Tensor
        (V, 3).
    faces : Tensor
        (F, 3), int64.
    tan_half_fov : Tensor
        Tangent of half the field of view, scalar.
    environment : callable or None
        From unit directions (N, 3) to the radiance (N, C) that arrives from there, the lobes' apart; None where it is
        dark.
    detail : int
        Texels along the edge of a square table of all directions that resolve the environment.
    lobes : tuple of Lobe
        Distant light of which more is known.
    lights : tuple of LightState
        All other lights.
    material : MaterialState
        What the surface is made of.
    background : Tensor
        Radiance (C,) where the camera sees no surface.
    """

    vertices: Tensor
    faces: Tensor
    tan_half_fov: Tensor
    environment: Callable[[Tensor], Tensor] | None
    detail: int
    lights: tuple[LightState, ...]
    material: MaterialState
    background: Tensor
    lobes: tuple[Lobe, ...] = ()

    @property
    def distant(self) -> Callable[[Tensor], Tensor] | None:
        """All distant light, the environment and the lobes, as one function of direction."""
        parts = [part for part in (self.environment, *self.lobes) if part is not None]
        return (lambda directions: sum(part(directions) for part in parts)) if parts else None

    @property
    def distant_detail(self) -> int:
        """Texels along the edge of a table that resolves all distant light."""
        return max(self.detail, *(lobe.detail for lobe in self.lobes), 0)


def check_in_frustum(state: SceneState) -> None:
    """Raise UserError where the camera cannot see the object, or stands in it."""
    depth = -state.vertices[:, 2].detach()
    place = state.vertices[:, :2].detach() / (depth * state.tan_half_fov.detach())[:, None]
    if not ((depth > 0) & (place.abs() < 1).all(dim=1)).any():
        raise UserError(
            "the object is outside the camera's view: none of its vertices falls on the image; "
            "change pose.translation (or placement), camera.distance or camera.fov"
        )
    check_before_camera(state)


def check_before_camera(state: SceneState) -> None:
    """Raise UserError where the camera stands in the object, or beyond a part of it."""
    if not (state.vertices[:, 2] < 0).all():
        raise UserError(
            "the camera stands inside or behind the object; increase camera.distance, or reduce pose.scale or "
            "placement.size"
        )
