"""The schema of how a scene is improved."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .parts import Fraction, NonNegative, Part

__all__ = ["MOST_RESTARTS", "Optimizer", "Regularizers"]

MOST_RESTARTS = 1000


class Regularizers(Part):
    """What keeps the mesh an object; each 1.0 means about the same on any mesh resolution, 0 leaves it out."""

    smoothness: NonNegative = Field(1.0, description="Laplacian of the displacement.")
    area: NonNegative = Field(0.1, description="Uniform face areas.")
    edge_length: NonNegative = Field(0.1, description="Edge lengths as in the template.")
    rigidity: NonNegative = Field(0.1, description="Locally as rigid as possible.")


class Optimizer(Part):
    """Adam; one learning rate for each group of free parameters."""

    steps: int = Field(200, ge=0, le=1_000_000, description="Iterations; 0 evaluates the scene as it is.")
    lr: NonNegative = Field(0.02, description="Learning rate of the shape, scene units a step.")
    lr_pose: NonNegative = Field(0.02, description="Of the pose.")
    lr_lighting: NonNegative = Field(0.02, description="Of the lighting.")
    lr_camera: NonNegative = Field(0.02, description="Of the camera.")
    lr_material: NonNegative = Field(0.02, description="Of the material.")
    warmup: int = Field(10, ge=0, description="Steps over which the learning rates rise from 0.")
    decay: Fraction = Field(0.1, description="Final learning rate over the highest, reached along a cosine.")
    patience: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Stop after so many steps without a better smoothed activation; null never."
    )
    search: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Random turns of the object and directions of lights, of what of these is free, that are looked at "
        "before the first step; the optimisation starts from the best, and initial figures and pictures are of that.",
    )
    restarts: int = Field(
        1,
        ge=1,
        le=MOST_RESTARTS,
        description="Starts; the best by converged activation is kept. The first is the scene as the file says it, the "
        "others are random; initial figures and pictures are of the start that is kept.",
    )
