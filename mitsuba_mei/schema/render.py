"""The schema of how a scene is rendered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .parts import Part

__all__ = ["RENDERERS", "Render"]

RENDERERS = ("path", "raster")
"""The types of ``render``: how light is simulated, and how it is only shaded."""


class GradientSamples(Part):
    """Samples per pixel of the path tracer's gradient, apart from the image's."""

    interior: int = Field(20, ge=1, le=4096, description="Of shading.")
    silhouette: int = Field(2, ge=0, le=4096, description="Of outlines seen by the camera; 0 leaves them out.")
    shadow: int = Field(1, ge=0, le=4096, description="Of outlines seen by lights and bounces; 0 leaves them out.")


class Render(Part):
    """How the scene is shown. Samples and depth are the path tracer's, cells the rasterizer's."""

    type: Literal["path", "raster"] = Field(
        "path",
        description="path: Mitsuba's path tracer. raster: a rasterizer; direct light without cast shadows, no noise.",
    )
    variant: Literal["auto", "llvm_ad_mono", "llvm_ad_rgb", "cuda_ad_mono", "cuda_ad_rgb"] = Field(
        "auto",
        description="auto: CUDA where a GPU works, else LLVM (the rasterizer: the processor); mono where the model "
        "takes one channel.",
    )
    resolution: int = Field(100, ge=16, le=4096, description="Width and height, pixels.")
    spp: int = Field(16, ge=1, le=65_536, description="Samples per pixel of the image (path).")
    max_depth: int = Field(3, ge=2, le=64, description="Longest light path, segments; 2 is direct light only (path).")
    gradient: GradientSamples = GradientSamples()
    cells: int = Field(2, ge=1, le=8, description="Cells along a side of a pixel that an outline passes (raster).")
