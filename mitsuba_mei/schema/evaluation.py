"""The schema of what a finished scene is measured by and held against."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .parts import NeuronList, Part, Positive

__all__ = ["Compare", "Evaluate", "Pixel"]


class Pixel(Part):
    """The pixel MEI: gradient ascent on pixels under the same constraint."""

    steps: int = Field(100, ge=1, le=100_000, description="Iterations.")
    step_size: Positive = Field(0.3, description="First step over the image's contrast; the last is 0.02 of it.")
    restarts: int = Field(4, ge=1, le=1000, description="Starts from different noise; the best is kept.")
    parameters: Literal["pixels", "fourier"] = Field(
        "pixels", description="What the steps are taken on: pixels, or Fourier coefficients over their frequency."
    )
    blur: Annotated[float, Field(ge=0, le=100)] = Field(
        4.0, description="First standard deviation of the gradient's blur, pixels; it falls to 0. For pixels only."
    )


class Evaluate(Part):
    """The converged activation of the initial and the final scene."""

    spp: int = Field(512, ge=1, le=65_536, description="Samples per pixel of a render.")
    repeats: int = Field(
        4,
        ge=2,
        le=1024,
        description="Independent renders; their spread gives the render s.e., which says nothing of other starts or "
        "seeds.",
    )


class Compare(Part):
    """What the commands compare and factors go through, one after the other."""

    neurons: NeuronList | None = Field(
        None, description="One result for each: indices and ranges, as [3, 25-28]; null takes the objective's own."
    )
