"""Pictures of the object by itself, from other sides and in a neutral light."""

from __future__ import annotations

import math

import numpy as np
import torch

from .render.renderer import Renderer
from .scene.state import MaterialState, SceneState

__all__ = ["portrait"]

FIELD = math.radians(30)


@torch.no_grad()
def portrait(
    renderer: Renderer, vertices: torch.Tensor, state: SceneState, azimuth: float, spp: int = 256
) -> np.ndarray:
    """The object, filling the picture, lit from the upper left and from all around.

    Parameters
    ----------
    renderer : Renderer
        Any renderer of this mesh.
    vertices : Tensor
        (V, 3), world frame, y up.
    state : SceneState
        The scene that the renderer renders; its material is kept, with a middle reflectance.
    azimuth : float
        From +z towards +x, degrees.

    Returns
    -------
    ndarray
        (H, W, C) linear radiance on a white ground.
    """
    centre = 0.5 * (vertices.amax(0) + vertices.amin(0))
    around = vertices - centre
    a = math.radians(azimuth)
    turn = vertices.new_tensor([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
    around = around @ turn.T
    half_extent = around[:, :2].abs().amax(dim=1)
    distance = (around[:, 2] + half_extent / (0.95 * math.tan(FIELD / 2))).max()
    channels = len(state.background)
    key = torch.nn.functional.normalize(vertices.new_tensor([-0.5, 0.8, 0.8]), dim=0)

    def environment(directions: torch.Tensor) -> torch.Tensor:
        radiance = 0.45 + 5.0 * torch.exp(8 * (directions @ key - 1))
        return radiance[:, None].expand(-1, channels)

    values = {**state.material.values, "reflectance": torch.full((channels,), 0.6, device=vertices.device)}
    shown = SceneState(
        vertices=around - vertices.new_tensor([0.0, 0.0, 1.0]) * distance,
        faces=state.faces,
        tan_half_fov=vertices.new_tensor(math.tan(FIELD / 2)),
        environment=environment,
        detail=64,
        lights=(),
        material=MaterialState(state.material.kind, values, state.material.ior),
        background=torch.ones_like(state.background),
    )
    return renderer.render(shown, seed=0, spp=spp).cpu().numpy()
