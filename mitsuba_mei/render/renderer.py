"""What every renderer does, and the renderer that a scene file asks for."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..scene.state import SceneState

__all__ = ["Renderer", "build_renderer"]


class Renderer(Protocol):
    """From a scene's state to its image."""

    spp: int
    """Samples per pixel, where none are said."""

    def render(self, state: SceneState, seed: int, spp: int | None = None) -> Tensor:
        """Linear radiance (H, W, C); gradients flow to the state's tensors that require one."""
        ...


def build_renderer(settings, state: SceneState) -> Renderer:
    """The renderer of a scene file's ``render``.

    Parameters
    ----------
    settings : schema.Render
        ``render`` in the scene file; the backend is prepared.
    state : SceneState
        A first state of the scene.
    """
    from .path import GradientBudget, PathRenderer

    budget = GradientBudget(**settings.gradient.model_dump())
    return PathRenderer(state, settings.resolution, settings.spp, settings.max_depth, budget)
