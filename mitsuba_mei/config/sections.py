"""The smaller sections of a scene file: model, render, optimizer, evaluation and stimulus."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, model_validator

from .card import CardInPlace
from .fields import LOOKED_UP, FilePath, Fraction, Index, NeuronList, NonNegative, Part, Positive

__all__ = [
    "DEFAULT_NORM",
    "MAX_RESTARTS",
    "RENDERERS",
    "Compare",
    "Evaluate",
    "Model",
    "Optimizer",
    "Pixel",
    "Regularizers",
    "Render",
    "Stimulus",
]


def _path_or_inline(value: Any) -> str:
    return "inline" if isinstance(value, dict) else "none" if value is None else "path"


_Path, _Inline = Annotated[FilePath, Tag("path")], Annotated[CardInPlace, Tag("inline")]
Card = Annotated[Union[_Path, _Inline], Discriminator(_path_or_inline)]
OptionalCard = Annotated[Union[_Path, _Inline, Annotated[None, Tag("none")]], Discriminator(_path_or_inline)]


with warnings.catch_warnings():
    # pydantic still carries a method of that name, deprecated since its version 2.
    warnings.filterwarnings("ignore", 'Field name "validate"')

    class Model(Part):
        """Who looks."""

        card: Card = Field(
            "models/v4_curvature.yaml",
            description=f"The model's card: a YAML file, {LOOKED_UP}; or what such a file says, written in place.",
        )
        neuron: Index | None = Field(None, description="Whose activation is maximised, counted from 0; default 0.")
        neurons: Annotated[tuple[Index, ...], Field(strict=False, min_length=1)] | None = Field(
            None, description="The same for several, whose mean is maximised."
        )
        validate: OptionalCard = Field(
            None, description="Card of a second model of the same neurons, which judges the finished stimulus."
        )


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
        description="Renderer: path is Mitsuba's path tracer; raster a rasterizer, with direct light, without cast shadows or noise.",
    )
    variant: Literal["auto", "llvm_ad_mono", "llvm_ad_rgb", "cuda_ad_mono", "cuda_ad_rgb"] = Field(
        "auto",
        description="Of Mitsuba; auto is CUDA where a GPU works, else LLVM (the rasterizer: the processor), and mono where "
        "the model takes one channel.",
    )
    resolution: int = Field(100, ge=16, le=4096, description="Width and height, pixels.")
    spp: int = Field(16, ge=1, le=65_536, description="Samples per pixel of the image (path).")
    max_depth: int = Field(3, ge=2, le=64, description="Longest light path, segments; 2 is direct light only (path).")
    gradient: GradientSamples = Field(GradientSamples(), description="Samples of the gradient (path).")
    cells: int = Field(2, ge=1, le=8, description="Cells along a side of a pixel that an outline passes (raster).")


MAX_RESTARTS = 1000


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
        "before the first step; the optimization starts from the best, and initial figures and pictures are of that.",
    )
    restarts: int = Field(
        1,
        ge=1,
        le=MAX_RESTARTS,
        description="Starts; the best by converged activation is kept. The first is the scene as the file says it, the "
        "others are random; initial figures and pictures are of the start that is kept.",
    )


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


DEFAULT_NORM = 25.0


class Mask(Part):
    """A gaussian window on the receptive field, outside of which the stimulus is grey."""

    sigma: float = Field(0.4, gt=0, le=10, description="Standard deviation, half image widths.")
    center: Annotated[tuple[float, float], Field(strict=False)] = Field(
        (0.0, 0.0), description="x to the right, y up, half image widths."
    )


class Stimulus(Part):
    """From the render to what the neuron sees; exactly one of norm, contrast and clip (norm 25 where none is said)."""

    size: Annotated[int, Field(ge=8, le=4096)] | None = Field(
        None, description="Width and height, pixels; null takes the model's."
    )
    norm: Positive | None = Field(None, description="Euclidean norm of the standardised image.")
    mean: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Mean luminance, 0 black to 1 white; goes with contrast, default 0.5."
    )
    contrast: Positive | None = Field(
        None, description="RMS contrast: standard deviation of luminance, in fractions of the display's range."
    )
    clip: bool = Field(False, description="Clip the luminance to 0..1, the displayable range.")
    mask: Mask | None = Field(None, description="A window on the receptive field; null shows the whole image.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if all(data.get(name) is None for name in ("norm", "contrast", "mean")) and not data.get("clip"):
            data = {**data, "norm": DEFAULT_NORM}
        if data.get("contrast") is not None and data.get("mean") is None:
            data = {**data, "mean": 0.5}
        return data

    @model_validator(mode="after")
    def _one_constraint(self) -> Stimulus:
        given = [name for name in ("norm", "contrast", "clip") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} exclude each other; keep one of norm, contrast and clip, "
                "and set the others to null"
            )
        if self.mean is not None and self.contrast is None:
            raise ValueError("mean goes with contrast; give both, or neither")
        return self
