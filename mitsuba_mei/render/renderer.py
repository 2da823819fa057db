"""Protocol of renderers, and the renderer of a scene file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import UserError
from ..io.pictures.bitmaps import prepare_files
from ..scene.state import SceneState
from .backend import prepare, use_threads

__all__ = ["Backend", "Renderer", "build_renderer", "prepare_backend"]


class Renderer(Protocol):
    """From a scene's state to its image."""

    resolution: int
    """Pixels along a side of the image."""

    spp: int
    """Samples per pixel, where none are said."""

    noisy: bool
    """Whether images of one scene differ by their seed."""

    own_threads: bool
    """Whether it keeps every core busy itself, so that torch should compute with one."""

    def render(self, state: SceneState, seed: int, spp: int | None = None) -> Tensor:
        """Linear radiance (H, W, C); gradients flow to the state's tensors that require one."""
        ...

    def render_batch(self, states: Sequence[SceneState], seed: int, spp: int | None = None) -> Tensor:
        """The images (B, H, W, C) of several scenes that differ in their numbers alone, each with noise of its own."""
        ...


@dataclass(frozen=True)
class Backend:
    """Variant and device of a renderer.

    Attributes
    ----------
    name : str
        Mitsuba's variant; ``torch_cpu_mono`` and the like for the rasterizer.
    device : str
        Of torch's tensors.
    channels : int
        1 (luminance) or 3 (RGB).
    """

    name: str
    device: str
    channels: int


def prepare_backend(settings, channels: int, deterministic: bool = False) -> Backend:
    """Choose what the renderer of a scene file's ``render`` computes with.

    Parameters
    ----------
    settings : schema.Render
    channels : int
        What the model takes.
    deterministic : bool
        Whether images of the same scene and seed are to be the same to the last bit.

    Raises
    ------
    UserError
        Where it is not to be had here.
    """
    backend = _prepared(settings, channels, deterministic)
    if deterministic and backend.device == "cuda":
        raise UserError(
            "deterministic: a GPU sums in an order of its own; set render.variant to llvm_ad_mono, or deterministic to "
            "false"
        )
    return backend


def _prepared(settings, channels: int, deterministic: bool) -> Backend:
    if settings.type == "raster":
        return _prepare_torch(settings.variant, channels)
    variant = prepare(settings.variant, channels)
    use_threads(deterministic)
    device = "cuda" if variant.startswith("cuda") and torch.cuda.is_available() else "cpu"
    return Backend(variant, device, 1 if variant.endswith("mono") else 3)


def _prepare_torch(variant: str, channels: int) -> Backend:
    prepare_files()
    has_cuda = torch.cuda.is_available()
    if variant.startswith("cuda") and not has_cuda:
        raise UserError(
            f"render.variant: '{variant}' needs a GPU, and torch finds none; use auto or llvm_ad_{variant[8:]}"
        )
    device = "cuda" if has_cuda and not variant.startswith("llvm") else "cpu"
    if variant != "auto":
        channels = 1 if variant.endswith("mono") else 3
    return Backend(f"torch_{device}_{'mono' if channels == 1 else 'rgb'}", device, channels)


def build_renderer(settings, state: SceneState) -> Renderer:
    """The renderer of a scene file's ``render``.

    Parameters
    ----------
    settings : schema.Render
        ``render`` in the scene file; the backend is prepared.
    state : SceneState
        A first state of the scene.
    """
    if settings.type == "raster":
        from .raster.renderer import RasterRenderer

        return RasterRenderer(state, settings.resolution, settings.cells)
    from .path.renderer import GradientBudget, PathRenderer

    budget = GradientBudget(**settings.gradient.model_dump())
    return PathRenderer(state, settings.resolution, settings.spp, settings.max_depth, budget)
