"""What a scene hands to a renderer: tensors in the camera's frame, and nothing of how they came about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["LightState", "MaterialState", "SceneState"]


@dataclass(frozen=True)
class LightState:
    """A light at a place or in a single direction.

    Attributes
    ----------
    kind : str
        ``area``, ``point``, ``spot`` or ``directional``.
    values : dict of str to Tensor
        By kind: area ``centre``, ``across``, ``up`` (3,), ``radiance`` (C,); point ``position`` (3,), ``intensity``
        (C,); spot also ``target`` (3,); directional ``direction`` (3,), ``irradiance`` (C,).
    cutoff, beam : float
        Half angles of a spot's cone, radians.
    """

    kind: str
    values: dict[str, Tensor]
    cutoff: float = 0.0
    beam: float = 0.0


@dataclass(frozen=True)
class MaterialState:
    """A material: its ``kind``, its tensors by name (``reflectance`` is (C,), the rest are scalars), and what is
    constant.
    """

    kind: str
    values: dict[str, Tensor]
    ior: float = 1.5


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
        From unit directions (N, 3) to the radiance (N, C) that arrives from there; None where no light is distant.
    detail : int
        Texels along the edge of a square table of all directions that resolve the environment.
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
