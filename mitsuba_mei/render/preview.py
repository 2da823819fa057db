"""Pictures of the object by itself, from other sides and in a neutral light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..scene.scene import Scene
from ..scene.state import SceneState
from .renderer import Renderer

__all__ = ["object_of", "previews"]

FIELD = math.radians(30)


@torch.no_grad()
def previews(
    renderer: Renderer,
    objects: Sequence[tuple[torch.Tensor, SceneState]],
    azimuths: Sequence[float] = (-60, 0, 60),
    spp: int = 256,
) -> list[list[np.ndarray]]:
    """Objects, lit from the upper left and from all around, all at one scale, at which the largest fills a picture.

    Parameters
    ----------
    renderer : Renderer
        Any renderer of these meshes.
    objects : sequence of (Tensor, SceneState)
        Vertices (V, 3), world frame, y up; and a scene that the renderer renders, whose material is kept, with a middle
        reflectance.
    azimuths : sequence of float
        From +z towards +x, degrees; by default from the left, the front and the right.

    Returns
    -------
    list of list of ndarray
        For each object, and from each side, (H, W, C) linear radiance on a white ground.
    """
    turned = [[_turned(vertices, azimuth) for azimuth in azimuths] for vertices, _ in objects]
    distance = max(_distance(around) for sides in turned for around in sides)
    return [
        [renderer.render(_shown(around, distance, state), seed=0, spp=spp).cpu().numpy() for around in sides]
        for sides, (_, state) in zip(turned, objects)
    ]


@torch.no_grad()
def object_of(scene: Scene) -> tuple[torch.Tensor, SceneState]:
    """A scene's object as :func:`previews` takes it, whatever becomes of the scene."""
    state = scene()
    values = {name: value.clone() for name, value in state.material.values.items()}
    return scene.pose(scene.shape()), replace(state, material=replace(state.material, values=values))


def _turned(vertices: torch.Tensor, azimuth: float) -> torch.Tensor:
    """An object about its middle, seen from a side."""
    a = math.radians(azimuth)
    rotation = vertices.new_tensor([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
    return (vertices - 0.5 * (vertices.amax(0) + vertices.amin(0))) @ rotation.T


def _distance(around: torch.Tensor) -> float:
    """From where an object fills the picture."""
    half_extent = around[:, :2].abs().amax(dim=1)
    return float((around[:, 2] + half_extent / (0.95 * math.tan(FIELD / 2))).max())


def _shown(around: torch.Tensor, distance: float, state: SceneState) -> SceneState:
    channels = len(state.background)
    key = torch.nn.functional.normalize(around.new_tensor([-0.5, 0.8, 0.8]), dim=0)

    def environment(directions: torch.Tensor) -> torch.Tensor:
        radiance = 0.45 + 5.0 * torch.exp(8 * (directions @ key - 1))
        return radiance[:, None].expand(-1, channels)

    values = {**state.material.values, "reflectance": torch.full((channels,), 0.6, device=around.device)}
    return SceneState(
        vertices=around - around.new_tensor([0.0, 0.0, 1.0]) * distance,
        faces=state.faces,
        tan_half_fov=around.new_tensor(math.tan(FIELD / 2)),
        environment=environment,
        detail=64,
        lights=(),
        material=replace(state.material, values=values),
        background=torch.ones_like(state.background),
    )
