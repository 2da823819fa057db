"""The schema of a whole experiment: the scene, how it is rendered, who looks, what is maximised, and how."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag, model_validator

from .parts import LOOKED_UP, FilePath, Fraction, Index, NeuronList, NonNegative, Part, Positive
from .scene import Camera, Constant, Diffuse, Emitter, Material, Placement, Pose, Shape, Sun

__all__ = ["DIFFERENCES", "DRIVES", "MOST_RESTARTS", "RENDERERS", "Activation", "Compare", "Config", "Pixel"]

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


class Mask(Part):
    """A gaussian window on the receptive field, outside of which the stimulus is grey."""

    sigma: float = Field(0.4, gt=0, le=10, description="Standard deviation, half image widths.")
    center: Annotated[tuple[float, float], Field(strict=False)] = Field(
        (0.0, 0.0), description="x to the right, y up, half image widths."
    )


DEFAULT_NORM = 25.0
MOST_RESTARTS = 1000


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


# ------------------------------------------------------------------------------------------------ model, objective


def _path_or_inline(value: Any) -> str:
    return "inline" if isinstance(value, dict) else "none" if value is None else "path"


_Path, _Inline = Annotated[FilePath, Tag("path")], Annotated[dict[str, Any], Tag("inline")]
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


def _scalar_or_list(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "number"


Neurons = Annotated[
    Union[
        Annotated[Index, Tag("number")],
        Annotated[tuple[Index, ...], Field(strict=False, min_length=1), Tag("list")],
    ],
    Discriminator(_scalar_or_list),
]


class Activation(Part):
    """The neurons' response."""

    type: Literal["activation"] = Field("activation", description="The neurons' weighted mean response.")
    neurons: Neurons | None = Field(None, description="One or several, counted from 0; null takes the model's.")
    weights: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="One for each neuron; null weighs them alike."
    )


class Discriminate(Part):
    """The most discriminating stimulus: it drives some neurons and not the others."""

    type: Literal["discriminate"] = "discriminate"
    neurons: Neurons | None = Field(None, description="Those to drive, counted from 0; null takes the model's.")
    against: Annotated[tuple[Index, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="The others, counted from 0; null takes all the rest of the model."
    )
    temperature: float = Field(
        1.0,
        ge=1e-3,
        le=1e6,
        description="In units of a response: small counts the strongest of the others alone, large their mean.",
    )


class TargetResponse(Part):
    """Brings the neurons to given responses."""

    type: Literal["target"] = "target"
    neurons: Neurons | None = Field(None, description="One or several, counted from 0; null takes the model's.")
    responses: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] = Field(
        description="The response wanted of each neuron."
    )


DRIVES = ("activation", "discriminate", "target")
"""The types of ``objective`` that one look at one image answers."""

DIFFERENCES = ("image", "shape", "pose", "light")
"""In what two scenes can differ."""

Apart = Annotated[
    Positive | None,
    Field(
        description="How far is far enough, in the mean. image: 1 minus the correlation of what the neurons see (0.5); "
        "shape: mean distance of the surfaces over the object's radius (0.25); pose, light: degrees (30)."
    ),
]
Differ = Literal["image", "shape", "pose", "light"]


class Diverse(Part):
    """Several scenes that all drive the neurons and differ as much as they can."""

    type: Literal["diverse"] = "diverse"
    neurons: Neurons | None = Field(None, description="One or several, counted from 0; null takes the model's.")
    count: int = Field(4, ge=2, le=16, description="How many scenes.")
    level: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="What each must reach, of the known optimum, or else of what one scene alone reaches."
    )
    differ: Differ = Field("image", description="In what they are to differ.")
    apart: Apart = None


class Metamer(Part):
    """Another scene with the same responses."""

    type: Literal["metamer"] = "metamer"
    neurons: Neurons | None = Field(None, description="Whose responses, counted from 0; null takes all of the model.")
    layer: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="A layer of the model, by its name in it, whose values are to be the same, for the neurons'."
    )
    reference: FilePath = Field(description=f"A scene file, or an image (EXR, HDR, PNG), {LOOKED_UP}.")
    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.02, description="Largest distance of the responses over the length of the reference's."
    )
    differ: Differ = Field("shape", description="In what it is to differ from the reference.")
    apart: Apart = None


class View(Part):
    """From where the scene is seen as well; what is left out is as the camera's."""

    azimuth: float | None = Field(None, description="About the y axis, degrees.")
    elevation: Annotated[float, Field(gt=-89, lt=89)] | None = Field(None, description="Degrees.")
    distance: Positive | None = Field(None, description="From the origin, scene units.")
    fov: Annotated[float, Field(gt=0, lt=170)] | None = Field(None, description="Full field of view, degrees.")
    target: FilePath | None = Field(None, description="An image (EXR, HDR, PNG) of what is seen from there.")


class ImageTarget(Part):
    """Inverse rendering: the scene whose images are the given ones."""

    type: Literal["image"] = "image"
    target: FilePath | None = Field(
        None, description=f"A scene file, or an image (EXR, HDR, PNG) of the only view, {LOOKED_UP}."
    )
    views: Annotated[tuple[View, ...], Field(strict=False, min_length=1, max_length=64)] = Field(
        (View(),), description="The cameras, or the images, it is compared by."
    )
    error: Literal["l2", "l1", "responses"] = Field(
        "l2",
        description="l2: root mean square of the difference over the target's contrast. l1: mean absolute. "
        "responses: distance of the model's responses over the length of the target's.",
    )
    neurons: Neurons | None = Field(None, description="For responses: whose, counted from 0; null takes all.")

    @model_validator(mode="after")
    def _said_once(self) -> ImageTarget:
        own = [view.target is not None for view in self.views]
        if self.target is not None and any(own):
            raise ValueError("target and the views' own targets exclude each other; keep one of them")
        if self.target is None and not all(own):
            raise ValueError("needs a target: a scene file or an image, or an image for each of its views")
        return self


def _objective_type(value: Any) -> Any:
    return value.get("type", "activation") if isinstance(value, dict) else getattr(value, "type", "activation")


Objective = Annotated[
    Union[
        Annotated[Activation, Tag("activation")],
        Annotated[Discriminate, Tag("discriminate")],
        Annotated[TargetResponse, Tag("target")],
        Annotated[Diverse, Tag("diverse")],
        Annotated[Metamer, Tag("metamer")],
        Annotated[ImageTarget, Tag("image")],
    ],
    Discriminator(_objective_type),
]


class Regularizers(Part):
    """What keeps the mesh an object; each 1.0 means about the same on any mesh resolution, 0 leaves it out."""

    smoothness: NonNegative = Field(1.0, description="Laplacian of the displacement.")
    area: NonNegative = Field(0.1, description="Uniform face areas.")
    edge_length: NonNegative = Field(0.1, description="Edge lengths as in the template.")
    rigidity: NonNegative = Field(0.1, description="Locally as rigid as possible.")


class Optimizer(Part):
    """Adam; one learning rate for each group of free parameters."""

    steps: int = Field(200, ge=0, le=1_000_000, description="Iterations.")
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
        "before the first step; the optimisation starts from the best.",
    )
    restarts: int = Field(1, ge=1, le=MOST_RESTARTS, description="Starts; the best by converged activation is kept.")


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
    repeats: int = Field(4, ge=2, le=1024, description="Independent renders; their spread gives the standard error.")


class Compare(Part):
    """What the commands compare and factors go through, one after the other."""

    neurons: NeuronList | None = Field(
        None, description="One result for each: indices and ranges, as [3, 25-28]; null takes the objective's own."
    )


def _lit(value: tuple[Emitter, ...]) -> tuple[Emitter, ...]:
    if not value:
        raise ValueError("needs at least one light")
    return value


class Config(Part):
    """A scene file: what is shown, how, to whom, and how it is improved."""

    seed: int = Field(0, ge=0, lt=2**32, description="Of everything random.")
    deterministic: bool = Field(
        False, description="The same to the last bit every time: with a single thread, and so more slowly."
    )
    shape: Shape = Shape()
    pose: Pose = Pose()
    placement: Placement = Placement()
    camera: Camera = Camera()
    lighting: Annotated[tuple[Emitter, ...], AfterValidator(_lit), Field(strict=False)] = Field(
        (Sun(), Constant()), description="Any number of lights."
    )
    material: Material = Diffuse()
    background: NonNegative = Field(0.5, description="Radiance behind the object, which no light changes.")
    render: Render = Render()
    stimulus: Stimulus = Stimulus(norm=DEFAULT_NORM)
    model: Model = Model()
    objective: Objective = Activation()
    regularizers: Regularizers = Regularizers()
    optimizer: Optimizer = Optimizer()
    evaluate: Evaluate = Evaluate()
    pixel: Pixel = Pixel()
    compare_to: Literal["pixel"] | None = Field(
        None, description="pixel: find the pixel MEI too, and report the ratio of the activations."
    )
    compare: Compare = Compare()

    _trusts_code: bool = PrivateAttr(False)

    @property
    def trusts_code(self) -> bool:
        """Whether the user said that code which a model card names may be run. No file can say so."""
        return self._trusts_code

    def trusting_code(self, said: bool) -> Config:
        """The same with this said; it is not written into files."""
        config = self.model_copy()
        config._trusts_code = said
        return config

    @property
    def neurons(self) -> tuple[int, ...]:
        """Whose activation is maximised, wherever the file says it; neuron 0 where it does not."""
        return (0,) if self.named_neurons is None else self.named_neurons

    @property
    def named_neurons(self) -> tuple[int, ...] | None:
        """The neurons that the file names, if any."""
        said = (self.objective.neurons, self.model.neurons, self.model.neuron)
        chosen = next((neurons for neurons in said if neurons is not None), None)
        return chosen if chosen is None or isinstance(chosen, tuple) else (chosen,)

    @model_validator(mode="after")
    def _placed_once(self) -> Config:
        if self.placement.on is not None and (any(self.pose.translation) or self.pose.scale != 1):
            raise ValueError("placement.on sets pose.translation and pose.scale; leave these two out, or placement.on")
        return self

    @model_validator(mode="after")
    def _starts_differ(self) -> Config:
        moved = "offsets" in self.shape.free or self.pose.free or self.optimizer.search
        if self.optimizer.restarts > 1 and not moved:
            raise ValueError(
                f"optimizer.restarts is {self.optimizer.restarts}, but neither shape.offsets nor the pose is free, so "
                "that all starts would be the same; free one, search for starts (optimizer.search), or set it to 1"
            )
        return self

    @model_validator(mode="after")
    def _seen_by_views(self) -> Config:
        if self.objective.type == "image" and self.camera.free:
            views = self.objective.views
            if len(views) > 1 or any(getattr(views[0], name) is not None for name in self.camera.free):
                raise ValueError(
                    "camera.free moves the camera, but objective.views says where it stands; freeze it, or leave views "
                    "out"
                )
        return self

    @model_validator(mode="after")
    def _can_differ(self) -> Config:
        differ = getattr(self.objective, "differ", None)
        free = {
            "shape": self.shape.free,
            "pose": [name for name in self.pose.free if name == "rotation"],
            "light": [name for light in self.lighting for name in light.free if name in ("direction", "position")],
        }
        if differ in free and not free[differ]:
            needed = {"shape": "shape.offsets", "pose": "pose.rotation", "light": "a light's direction or position"}
            raise ValueError(f"objective.differ is {differ}, but {needed[differ]} is not free; free it")
        return self

    @model_validator(mode="after")
    def _many_already(self) -> Config:
        if self.objective.type != "diverse":
            return self
        if self.optimizer.restarts > 1:
            raise ValueError(
                f"objective.count says how many scenes there are, each from a start of its own; leave "
                f"optimizer.restarts at 1, not {self.optimizer.restarts}"
            )
        if self.optimizer.search:
            raise ValueError(
                "optimizer.search looks for one start, and objective.type diverse has objective.count of them; leave "
                "it at 0"
            )
        placed = [name for light in self.lighting for name in light.free if name in ("direction", "position")]
        if not ("offsets" in self.shape.free or self.pose.free or placed):
            raise ValueError(
                "objective.type is diverse, but neither shape.offsets, the pose nor a light's direction or position is "
                "free, so that all scenes would start the same; free one"
            )
        return self

    @model_validator(mode="after")
    def _compared(self) -> Config:
        kind = self.objective.type
        asked = {"compare_to": self.compare_to, "model.validate": self.model.validate}
        for name, value in asked.items():
            if value is not None and kind not in DRIVES:
                raise ValueError(
                    f"{name} goes with objective.type {', '.join(DRIVES[:-1])} or {DRIVES[-1]}, not '{kind}', whose "
                    "result is no activation; leave it out"
                )
        return self

    @model_validator(mode="after")
    def _searched(self) -> Config:
        turned = "rotation" in self.pose.free or any("direction" in light.free for light in self.lighting)
        if self.optimizer.search and not turned:
            raise ValueError(
                "optimizer.search tries turns of the object and directions of lights, but neither pose.rotation nor a "
                "light's direction is free; free one, or set it to 0"
            )
        return self

    @model_validator(mode="after")
    def _listed_for_activation(self) -> Config:
        if self.compare.neurons is not None and self.objective.type != "activation":
            raise ValueError(
                f"compare.neurons lists neurons whose activations are compared, but objective.type is "
                f"'{self.objective.type}', which has neurons of its own; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _neurons_agree(self) -> Config:
        said = {
            "model.neuron": self.model.neuron,
            "model.neurons": self.model.neurons,
            "objective.neurons": self.objective.neurons,
        }
        said = {
            name: value if isinstance(value, tuple) else (value,) for name, value in said.items() if value is not None
        }
        if len(set(said.values())) > 1:
            raise ValueError(
                f"{' and '.join(said)} name different neurons; keep one of them, and set the other to null"
            )
        for name in ("weights", "responses"):
            numbers = getattr(self.objective, name, None)
            if numbers is not None and len(numbers) != len(self.neurons):
                raise ValueError(
                    f"objective.{name} has {len(numbers)} numbers for {len(self.neurons)} neurons; give one for each"
                )
        return self
