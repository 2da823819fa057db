"""The schema of what is sought: the types of ``objective``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import Discriminator, Field, Tag, model_validator

from .fields import LOOKED_UP, FilePath, Index, Part, Positive
from .registry import OneOf, Registry

__all__ = [
    "ACTIVATION_OBJECTIVES",
    "DIFFERENCES",
    "EXPERIMENTS",
    "ExperimentSettings",
    "Activation",
    "ActivationObjective",
    "Discriminate",
    "Objective",
    "TargetResponse",
]


def _scalar_or_list(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "number"


Direction = Annotated[
    Literal["maximize", "minimize"],
    Field(description="minimize finds the least exciting stimulus, and reports its activation as it is."),
]
Neurons = Annotated[
    Union[
        Annotated[Index, Tag("number")],
        Annotated[tuple[Index, ...], Field(strict=False, min_length=1), Tag("list")],
    ],
    Discriminator(_scalar_or_list),
]


class ExperimentSettings(Part):
    """What is sought, and where the experiment that seeks it is found: names of the package, as ``module:name``.

    Attributes
    ----------
    RUN : str
        What does it, as :func:`~mitsuba_mei.experiments.mei.run_mei` does.
    RESULT : str
        The type of its result.
    DESCRIBE : str
        What says on the terminal how a run went.
    VALUE : {'activation', 'objective', 'error'}
        What is maximised, or, of an error, minimized.
    ALL_NEURONS : bool
        Whether it is about all of the model's neurons where a scene file names none; else about neuron 0.
    """

    RUN: ClassVar[str]
    RESULT: ClassVar[str]
    DESCRIBE: ClassVar[str] = "report.sentences:describe_run"
    VALUE: ClassVar[str] = "objective"
    ALL_NEURONS: ClassVar[bool] = False

    type: str

    @property
    def sign(self) -> float:
        """1 where a larger value is better, -1 where it is minimized."""
        return -1.0 if self.direction_name == "minimize" else 1.0

    @property
    def direction_name(self) -> str:
        """``maximize`` or ``minimize``; an error, which is minimized, is maximised with a minus."""
        return getattr(self, "direction", "maximize")

    def summary(self, neurons: Sequence[int]) -> str:
        """The objective of these neurons in a few words, for ``check``."""
        return self.type


class ActivationObjective(ExperimentSettings):
    """A scalar of the neurons' responses to one image.

    Attributes
    ----------
    MEANING : str
        What it does, after "The objective is <type>: "; a report says it.
    PER_NEURON : tuple of str
        Fields with one number for each neuron.
    """

    RUN = "experiments.mei:run_mei"
    RESULT = "runs.results.optimization:MEIResult"

    MEANING: ClassVar[str] = ""
    PER_NEURON: ClassVar[tuple[str, ...]] = ()

    neurons: Neurons | None = Field(None, description="One or several, counted from 0; null takes the model's.")


class Activation(ActivationObjective):
    """The neurons' response."""

    VALUE = "activation"
    PER_NEURON = ("weights",)

    type: Literal["activation"] = Field("activation", description="The neurons' weighted mean response.")
    weights: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="One for each neuron; null weighs them alike."
    )
    direction: Direction = "maximize"

    def summary(self, neurons: Sequence[int]) -> str:
        """Say where the least response is sought."""
        return "the least activation" if self.sign < 0 else self.type


class Function(ActivationObjective):
    """A function of Python: of the responses, or of the stimulus and the responses."""

    MEANING = "it is a function of Python that this run was given"

    type: Literal["function"] = "function"
    function: str = Field(description="Its name; only a Python program that holds it can run such a file.")
    direction: Direction = "maximize"


class Discriminate(ActivationObjective):
    """The most discriminating stimulus: it drives some neurons and not the others."""

    MEANING = "it drives some neurons and not others"

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

    def summary(self, neurons: Sequence[int]) -> str:
        """Name the preferred neurons and those they are discriminated from."""
        others = "all others" if self.against is None else f"neuron {', '.join(map(str, self.against))}"
        return f"drives neuron {', '.join(map(str, neurons))} and not {others}"


class TargetResponse(ActivationObjective):
    """Brings the neurons to given responses."""

    MEANING = "it is highest, 0, where the neurons give the responses that were asked for"
    PER_NEURON = ("responses",)

    type: Literal["target"] = "target"
    responses: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] = Field(
        description="The response wanted of each neuron."
    )


DIFFERENCES = ("image", "shape", "pose", "light")
"""In what two scenes can differ."""

MinDifference = Annotated[
    Positive | None,
    Field(
        description="How far is far enough, in the mean. image: 1 minus the correlation of what the neurons see (0.5); "
        "shape: mean distance of the surfaces over the object's radius (0.25); pose, light: degrees (30)."
    ),
]
Respect = Literal["image", "shape", "pose", "light"]


class Diverse(ExperimentSettings):
    """Several scenes that all drive the neurons and differ as much as they can."""

    RUN = "experiments.diverse:run_diverse"
    RESULT = "runs.results.diverse:DiverseResult"

    type: Literal["diverse"] = "diverse"
    neurons: Neurons | None = Field(None, description="One or several, counted from 0; null takes the model's.")
    count: int = Field(4, ge=2, le=16, description="How many scenes.")
    level: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="What each must reach, of the known optimum, or else of what one scene alone reaches."
    )
    differ: Respect = Field("image", description="In what they are to differ.")
    apart: MinDifference = None

    def summary(self, neurons: Sequence[int]) -> str:
        """Name the number of diverse scenes, and the space in which they differ."""
        return f"{self.count} scenes at {self.level:g} of the maximum, unlike in {self.differ}"


class Metamer(ExperimentSettings):
    """Another scene with the same responses."""

    RUN = "experiments.metamer:run_metamer"
    RESULT = "runs.results.diverse:MetamerResult"
    VALUE = "error"
    ALL_NEURONS = True

    type: Literal["metamer"] = "metamer"
    neurons: Neurons | None = Field(None, description="Whose responses, counted from 0; null takes all of the model.")
    layer: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="A layer of the model, by its name in it, whose values are to be the same, for the neurons'."
    )
    reference: FilePath = Field(description=f"A scene file, or an image (EXR, HDR, PNG), {LOOKED_UP}.")
    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.02, description="Largest distance of the responses over the length of the reference's."
    )
    differ: Respect = Field("shape", description="In what it is to differ from the reference.")
    apart: MinDifference = None

    def summary(self, neurons: Sequence[int]) -> str:
        """Name the reference of the metamer."""
        return f"a metamer of {self.reference}, other in {self.differ}"


class View(Part):
    """From where the scene is seen as well; what is left out is as the camera's."""

    azimuth: float | None = Field(None, description="About the y axis, degrees.")
    elevation: Annotated[float, Field(gt=-89, lt=89)] | None = Field(None, description="Degrees.")
    distance: Positive | None = Field(None, description="From the origin, scene units.")
    fov: Annotated[float, Field(gt=0, lt=170)] | None = Field(None, description="Full field of view, degrees.")
    target: FilePath | None = Field(None, description="An image (EXR, HDR, PNG) of what is seen from there.")


class ImageTarget(ExperimentSettings):
    """Inverse rendering: the scene whose images are the given ones."""

    RUN = "experiments.inverse:run_inverse"
    RESULT = "runs.results.inverse:InverseResult"
    VALUE = "error"
    ALL_NEURONS = True

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

    def summary(self, neurons: Sequence[int]) -> str:
        """Name the images that the renders are compared with."""
        target = self.target or f"{len(self.views)} images"
        return f"{target} from {len(self.views)} view{'s' * (len(self.views) > 1)}, {self.error}"

    @model_validator(mode="after")
    def _said_once(self) -> ImageTarget:
        own = [view.target is not None for view in self.views]
        if self.target is not None and any(own):
            raise ValueError("target and the views' own targets exclude each other; keep one of them")
        if self.target is None and not all(own):
            raise ValueError("needs a target: a scene file or an image, or an image for each of its views")
        return self


EXPERIMENTS: dict[str, type[ExperimentSettings]] = {"diverse": Diverse, "metamer": Metamer, "image": ImageTarget}
"""The types of ``objective`` that are experiments of their own."""

ACTIVATION_OBJECTIVES: Registry[type[ActivationObjective]] = Registry(
    {
        "activation": Activation,
        "discriminate": Discriminate,
        "target": TargetResponse,
        "function": Function,
    },
    "mitsuba_mei.objectives",
    ActivationObjective,
    taken=EXPERIMENTS,
)
"""The types of ``objective`` that one look at one image answers."""

Objective = OneOf(ACTIVATION_OBJECTIVES, EXPERIMENTS, default="activation").annotation()
