"""Schema of model cards."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
)

from .fields import NeuronRange, Part
from .registry import Registry

__all__ = ["CARDS", "CURVATURES", "Card", "CardInPlace", "Input", "ModuleCard", "PublishedCard"]

CURVATURES = (-4.0, 2.0, 4.0, 10.0)


def _one_or_list(one: Any, many: Any) -> Any:
    """A value, or a list of them."""
    tags = Discriminator(lambda value: "list" if isinstance(value, (list, tuple)) else "one")
    return Annotated[Union[Annotated[one, Tag("one")], Annotated[many, Tag("list")]], tags]


def _listed(item: Any) -> Any:
    return Annotated[list[item], Field(min_length=1)]


Numbers = _one_or_list(float, _listed(float))
Point = Annotated[tuple[float, float], Field(strict=False)]
Points = Annotated[
    Union[Annotated[Point, Tag("one")], Annotated[_listed(Point), Tag("list")]],
    Discriminator(lambda value: "list" if value and isinstance(value, list) and isinstance(value[0], list) else "one"),
]
Pixels = Annotated[int, Field(ge=1, le=2048)]
Grey = Annotated[float, Field(ge=0, le=255)]
Spread = Annotated[float, Field(gt=0)]


def _known_range(ends: tuple[float, float]) -> tuple[float, float]:
    if ends not in ((0, 1), (0, 255)):
        raise ValueError("must be [0, 1] or [0, 255]")
    return ends


def _alone(value: Any) -> Any:
    """The only one of a list of one, as of a single channel."""
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _each_channel(kind: Any) -> Any:
    """A number, or a list of one a channel."""
    return Annotated[
        _one_or_list(kind, Annotated[tuple[kind, kind, kind], Field(strict=False)]), BeforeValidator(_alone)
    ]


class Input(Part):
    """What image the model takes."""

    size: _one_or_list(Pixels, Annotated[tuple[Pixels, Pixels], Field(strict=False)]) = Field(
        100, description="Pixels: the side of a square, or [height, width]."
    )
    channels: Literal[1, 3] = Field(1, description="1 takes luminance, 3 takes red, green, blue.")
    mean: _each_channel(Grey) = Field(
        description="What the model subtracts, in the units of range; one number, or one a channel."
    )
    std: _each_channel(Spread) = Field(
        description="What it then divides by, in the units of range; one number, or one a channel."
    )
    range: Annotated[tuple[float, float], Field(strict=False), AfterValidator(_known_range)] | None = Field(
        None,
        description="Black and white in the images that the model was trained on: [0, 1] or [0, 255], in whose units "
        "mean and std are; null is [0, 255].",
    )


class Card(Part):
    """What every card says.

    Attributes
    ----------
    BUILDER : str
        What builds the model in the room ``neurons``, as ``module:callable``; of a card of another package its entry
        point says it. A name, since settings load no torch.
    CHANNELS : tuple of int
        What ``input.channels`` may be.
    GUARDED : bool
        Whether the model is code of others, which is watched while it is called and tried for being a function.
    """

    BUILDER: ClassVar[str] = ""
    CHANNELS: ClassVar[tuple[int, ...]] = (1, 3)
    GUARDED: ClassVar[bool] = True

    type: str
    name: str = Field("", description="Shown in reports; the card's file name where empty.")
    description: str = Field("", description="What the model is, for people.")
    citation: str = Field("", description="What to cite when it is used.")
    licence: str = Field("", description="Under which terms it may be used.")
    neurons: Annotated[list[NeuronRange], Field(min_length=1)] | None = Field(
        None, description="Which make sense to ask for: indices and ranges, as [0-99, 120]; null is all."
    )
    input: Input

    def sources(self) -> tuple[str, ...]:
        """Sources of published weights."""
        return ()


class LuminanceCard(Card):
    """What the card of a model of this package says; it takes luminance."""

    CHANNELS = (1,)
    GUARDED = False


class ComplexCellParameters(Part):
    """Each a number for all cells, or a list with one a cell."""

    frequency: Numbers = Field(2.0, description="Cycles per half image width.")
    orientation: Numbers = Field(0.0, description="Direction of the bars, degrees counter-clockwise from horizontal.")
    sigma: Numbers = Field(0.3, description="Standard deviation of the gaussian envelope, half image widths.")
    center: Points = Field((0.0, 0.0), description="[x, y], half image widths, x right, y up; or a list of those.")


class SimpleCellParameters(ComplexCellParameters):
    """Each a number for all cells, or a list with one a cell."""

    phase: Numbers = Field(0.0, description="Degrees: 0 even and bright in the middle, 90 odd and bright above.")


class CurvatureParameters(Part):
    """Which contours the units prefer: every curvature at every position."""

    curvatures: _listed(float) = Field(
        list(CURVATURES), description="1 / half image width; negative is concave, positive convex."
    )
    positions: int = Field(8, ge=1, le=64, description="Angular positions, from the right counter-clockwise.")
    eccentricity: float = Field(0.5, description="Distance of the contour from the centre, half image widths.")
    length: float = Field(0.8, description="Length of the contour fragment, half image widths.")
    tolerance: float = Field(0.07, description="Standard deviation of its place, half image widths.")


class WeightsFile(Part):
    """A file of weights."""

    source: str = Field(min_length=1, description="Path relative to the card, hf://owner/repo/file[@revision], https.")
    sha256: str | None = Field(None, description="Its hash; https needs one.")


_SOURCE = {"type": "string", "minLength": 1}
_FILE = {
    "anyOf": [
        _SOURCE,
        {"type": "object", "properties": {"source": _SOURCE, "sha256": {"type": "string"}}, "required": ["source"]},
    ]
}
_WEIGHTS = {"anyOf": [*_FILE["anyOf"], {"type": "array", "minItems": 1, "items": _FILE}]}


def _weights_file(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


class PublishedParameters(Part):
    """What a checkpoint does not say itself."""

    dilation: int = Field(1, ge=1, le=64, description="Of the later layers' spatial convolutions.")


class PublishedCard(LuminanceCard):
    """A checkpoint of nnvision's macaque models; of several the mean response, an ensemble."""

    BUILDER = "nnvision:build_published"

    type: Literal["nnvision"] = "nnvision"
    weights: Annotated[
        list[Annotated[WeightsFile, BeforeValidator(_weights_file)]],
        BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        Field(min_length=1),
        WithJsonSchema(_WEIGHTS),
    ] = Field(description="A file or a list of them; each its source, or {source: ..., sha256: ...}.")
    parameters: PublishedParameters = PublishedParameters()

    def sources(self) -> tuple[str, ...]:
        """The files' places, as the card names them."""
        return tuple(file.source for file in self.weights)


class SimpleCellCard(LuminanceCard):
    """Simulated simple cells."""

    BUILDER = "simulated:SimpleCell.from_card"

    type: Literal["simple_cell"] = "simple_cell"
    parameters: SimpleCellParameters = SimpleCellParameters()


class ComplexCellCard(LuminanceCard):
    """Simulated complex cells."""

    BUILDER = "simulated:ComplexCell.from_card"

    type: Literal["complex_cell"] = "complex_cell"
    parameters: ComplexCellParameters = ComplexCellParameters()


class CurvatureCard(LuminanceCard):
    """The analytic V4 model."""

    BUILDER = "v4_curvature:CurvatureV4.from_card"

    type: Literal["v4_curvature"] = "v4_curvature"
    parameters: CurvatureParameters = CurvatureParameters()


class ModuleCard(Card):
    """A model of the user's own."""

    BUILDER = "custom_module:build_module"

    type: Literal["module"] = "module"
    module: str = Field(
        description="file.py:callable, relative to the card, or package.module:callable; run only with --trust-code."
    )
    arguments: dict[str, Any] = Field({}, description="Keyword arguments of the callable.")


class MemoryCard(Card):
    """A model that lived in a Python process, by what identifies it."""

    BUILDER = "in_memory:held_model"

    type: Literal["memory"] = "memory"
    model: str = Field(description="Name of its class or function, with its module.")
    state: str = Field(description="SHA-256 of its parameters and buffers; of a function, of its responses to noise.")
    output: int | str | None = Field(None, description="Key of its responses, where it returns several tensors.")


CARDS: Registry[type[Card]] = Registry(
    {
        "simple_cell": SimpleCellCard,
        "complex_cell": ComplexCellCard,
        "v4_curvature": CurvatureCard,
        "nnvision": PublishedCard,
        "module": ModuleCard,
        "memory": MemoryCard,
    },
    "mitsuba_mei.formats",
    Card,
)
"""The formats of neuron models."""


class _OneOfCards:
    """In the JSON schema, one of the cards; the card itself is checked when its model is loaded."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [handler(card.__pydantic_core_schema__) for card in CARDS.importable().values()]}


CardInPlace = Annotated[dict[str, Any], _OneOfCards()]
"""A card within a scene file."""
