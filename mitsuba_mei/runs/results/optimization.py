"""Results of one optimization: MEI, pixel MEI, diverse set, metamer, inverse rendering."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from .parts import Estimate, InitialFinal, MeshFlaws, PixelReference, Real, Record, Response, Spread, Start, Validation

__all__ = [
    "SCHEMA_VERSION",
    "DiverseResult",
    "DiverseScene",
    "DiverseSet",
    "ErrorRecord",
    "InverseResult",
    "MEIResult",
    "Maximum",
    "MetamerPair",
    "MetamerResult",
    "OptimizationResult",
    "ParameterError",
    "PixelResult",
    "Result",
    "SurfaceError",
    "SurfaceErrors",
    "Truth",
]

SCHEMA_VERSION = 1
"""Of all result files; folders without one are of version 0."""


class Result(Record):
    """What a result file says; keys that it adds by hand are kept as they are."""

    model_config = ConfigDict(extra="allow")

    file: ClassVar[str] = "result.json"

    schema_version: int = SCHEMA_VERSION
    versions: dict[str, str] = {}
    """Of mitsuba_mei, Python, and the packages that a result depends on."""


class PixelValidation(Record):
    """The response of a second model to the pixel MEI."""

    model: str = "a second model"
    activation: float | None = None


class PixelResult(Result):
    """The pixel MEI of a neuron."""

    activation: Real
    responses: tuple[float, ...] = ()
    """Of the objective's neurons."""
    restarts: tuple[Real, ...] = ()
    over_starts: Spread | None = None
    steps: int | None = None
    ended: str = "done"
    reason: str | None = None
    fraction_of_optimum: float | None = None
    validation: PixelValidation | None = None
    seconds: float | None = None
    seconds_per_step: float | None = None
    seed: int | None = None
    optimum: float | None = None
    """The neuron's largest possible activation under the constraint, where it is known."""
    objective: str = "activation"
    direction: str = "maximize"
    """``maximize``, or ``minimize`` for the least exciting stimulus."""
    neurons: tuple[int, ...] = ()
    outside_display: float | None = None
    """Fraction of the stimulus' pixels darker than black or brighter than white."""
    model: str | None = None
    not_written: tuple[str, ...] = ()
    """Pictures that could not be written, and why."""
    runs_code: bool = False


class OptimizationResult(Result):
    """What the result of every optimized scene says."""

    activation: InitialFinal
    """The maximised value of the initial and the final scene, converged."""
    seconds: float | None = None
    """Of the optimization; of a deterministic run it stands in ``timing.json``."""
    steps: int | None = None
    seconds_per_step: float | None = None
    peak_memory_mb: float | None = None
    skipped_steps: int | None = None
    shortened_gradients: int | None = None
    mesh: MeshFlaws
    renderer: str | None = None
    """``path`` or ``raster``."""
    variant: str | None = None
    """Mitsuba's variant, or PyTorch's device."""
    seed: int | None = None
    objective: str = "activation"
    """The type of the objective."""
    model: str | None = None
    runs_code: bool = False
    """Whether the model is the user's own code."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""
    reason: str | None = None
    """Why it failed."""
    restarts: tuple[Start, ...] = ()
    """One record a start."""
    restart: int = 0
    """The start that was kept."""
    initial_scene: str | None = None
    over_starts: Spread | None = None
    neurons: tuple[int, ...] | None = None
    """The neurons that the objective names; None where it takes all."""
    scene: dict[str, Any] = {}
    """The final scene's parameters, as a scene file says them."""
    exposure: float = 1.0
    """The factor on radiance with which all renders are displayed."""
    not_written: tuple[str, ...] = ()
    """Pictures that could not be written, and why."""


class MEIResult(OptimizationResult):
    """The 3D maximally exciting input of a neuron, or of several; the least exciting where it is minimized."""

    direction: str = "maximize"
    """``maximize``, or ``minimize`` for the least exciting stimulus."""

    fraction_of_optimum: float | None = None
    ratio_to_pixel: Estimate | None = None
    """The final activation over that of the pixel MEI."""
    validation: Validation | None = None
    optimum: float | None = None
    """The neuron's largest possible activation under the constraint, where it is known."""
    responses: tuple[Response, ...] = ()
    against: tuple[Response, ...] = ()
    """Of the neurons that the objective tells them from."""
    outside_display: float | None = None
    """Fraction of the stimulus' pixels darker than black or brighter than white."""
    pixel: PixelReference | None = None


class ErrorRecord(Record):
    """The error of recovered images."""

    kind: str | None = None
    """``l2``, ``l1`` or ``responses``."""
    initial: Estimate
    final: Estimate


class DifferenceScale(Record):
    """The ends of the colours of ``difference.png``."""

    reach: Real
    unit: str = "radiance"


class SurfaceError(Record):
    """How far a recovered surface lies from the true one."""

    mean: float | None = None
    """Symmetric mean surface distance, scene units."""
    rms: float | None = None
    greatest: float | None = None
    """Symmetric Hausdorff distance, scene units."""
    relative: float | None = None
    """The mean over the surfaces' mean radius."""
    rotation: float | None = None
    """Degrees, of the alignment."""
    translation: float | None = None
    of_diameter: Real
    """The mean over the true surface's diameter."""


class SurfaceErrors(Record):
    """Surface distances of the initial and the final object, and after alignment."""

    diameter: float | None = None
    """Of the true surface, scene units."""
    initial: SurfaceError
    final: SurfaceError
    alignment: SurfaceError


class OffInitialFinal(Record):
    """Distances of a parameter from its true value."""

    initial: Real
    final: Real


class ParameterError(Record):
    """A recovered parameter beside its true value."""

    initial: Any = None
    final: Any = None
    true: Any = None
    off: OffInitialFinal
    unit: str = ""


class Truth(Record):
    """How far a recovered scene lies from the true one."""

    surface: SurfaceErrors | None = None
    """None where the shape is frozen."""
    parameters: dict[str, ParameterError] = {}


class InverseResult(OptimizationResult):
    """A scene recovered from images; ``activation`` is minus the error."""

    error: ErrorRecord
    difference: DifferenceScale | None = None
    truth: Truth | None = None
    """None where only images of the target are known."""
    views: int = 1


class Dissimilarity(Record):
    """How far two scenes differ in one respect."""

    value: Real
    unit: str = ""


class NeuronAnswers(Record):
    """A neuron's responses to the reference and to the metamer."""

    neuron: int
    reference: Real
    final: Real


class ResponseDistance(Record):
    """The distance of the metamer's responses from the reference's, over the length of the latter."""

    distance: InitialFinal
    tolerance: float
    near: bool
    """Whether the final distance is within the tolerance."""
    layer: str | None = None
    """The layer whose values are compared; None where the neurons' responses are."""
    neurons: tuple[NeuronAnswers, ...] | None = None


class SceneDistance(Record):
    """The distance of the metamer's scene from the reference's, in the respect that was asked for."""

    differ: str
    difference: Real
    apart: float
    """The distance that was asked for."""
    far: bool


class MetamerPair(Record):
    """A metamer beside its reference."""

    found: bool
    responses: ResponseDistance
    scene: SceneDistance
    differences: dict[str, Dissimilarity] = {}


class MetamerResult(OptimizationResult):
    """Another scene with the same responses; ``activation`` is minus the responses' distance."""

    metamer: MetamerPair


class Maximum(Record):
    """The activation that the level of diverse scenes is a fraction of."""

    value: Real
    sem: Real = 0.0
    source: str = Field("optimum", alias="from")
    """``optimum``, or ``one scene alone``."""


class DiverseScene(Record):
    """One scene of a diverse set."""

    folder: str = ""
    activation: InitialFinal
    of_maximum: Real
    reached: bool
    """Whether it drives the neurons to the level that was asked for."""
    mesh: MeshFlaws | None = None


class MeanDissimilarity(Record):
    """How far scenes differ in one respect, the mean over pairs."""

    mean: Real
    unit: str = ""


class DiverseSet(Record):
    """Scenes that all drive the neurons and differ."""

    found: bool
    maximum: Maximum
    level: float
    differ: str
    difference: Real
    """In that respect, the mean over pairs."""
    unit: str = ""
    apart: float
    """The difference that was asked for."""
    far: bool
    scenes: tuple[DiverseScene, ...] = Field(min_length=1)
    differences: dict[str, MeanDissimilarity] = {}
    pairs: dict[str, tuple[tuple[Real, ...], ...]] = {}
    """Matrices of the pairs' differences, by respect."""


class DiverseResult(OptimizationResult):
    """Diverse scenes that all drive the neurons; ``activation`` is the mean over scenes."""

    diverse: DiverseSet
