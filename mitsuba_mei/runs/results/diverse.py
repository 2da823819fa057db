"""Results of diverse scenes and of metamers: how alike the responses are, and how far apart the scenes."""

from __future__ import annotations

from pydantic import Field

from .optimization import OptimizationResult
from .parts import InitialFinal, MeshFlaws, Real, Record

__all__ = [
    "Dissimilarity",
    "DiverseResult",
    "DiverseScene",
    "DiverseSet",
    "Maximum",
    "MeanDissimilarity",
    "MetamerPair",
    "MetamerResult",
    "NeuronAnswers",
    "ResponseDistance",
    "SceneDistance",
]


class Dissimilarity(Record):
    """How far two scenes differ in one respect."""

    value: Real
    """The value."""
    unit: str = ""
    """Its unit; empty for a plain number."""


class NeuronAnswers(Record):
    """A neuron's responses to the reference and to the metamer."""

    neuron: int
    """The neuron's index."""
    reference: Real
    """Of the reference."""
    final: Real
    """Of the final scene."""


class ResponseDistance(Record):
    """The distance of the metamer's responses from the reference's, over the length of the latter."""

    distance: InitialFinal
    """Of the initial and the final scene."""
    tolerance: float
    """The largest distance that was asked for."""
    near: bool
    """Whether the final distance is within the tolerance."""
    layer: str | None = None
    """The layer whose values are compared; None where the neurons' responses are."""
    neurons: tuple[NeuronAnswers, ...] | None = None
    """Responses of each neuron; null where a layer is compared."""


class SceneDistance(Record):
    """The distance of the metamer's scene from the reference's, in the respect that was asked for."""

    differ: str
    """In what the scenes are to differ: ``image``, ``shape``, ``pose`` or ``light``."""
    difference: Real
    """The difference that was reached."""
    apart: float
    """The distance that was asked for."""
    far: bool
    """Whether the difference is at least what was asked for."""


class MetamerPair(Record):
    """A metamer beside its reference."""

    found: bool
    """Whether the responses are near and the scenes far."""
    responses: ResponseDistance
    """Responses of the neurons."""
    scene: SceneDistance
    """How far the scene is from the reference's."""
    differences: dict[str, Dissimilarity] = {}
    """By respect (``image``, ``shape``, ``pose``, ``light``): how far apart the scenes are."""


class MetamerResult(OptimizationResult):
    """Another scene with the same responses; ``activation`` is minus the responses' distance."""

    metamer: MetamerPair
    """The metamer and its reference."""


class Maximum(Record):
    """The activation that the level of diverse scenes is a fraction of."""

    value: Real
    """Converged."""
    sem: Real = 0.0
    """Standard error of the mean."""
    source: str = Field("optimum", alias="from")
    """``optimum``, or ``one scene alone``."""


class DiverseScene(Record):
    """One scene of a diverse set."""

    folder: str = ""
    """Folder within the run's, relative to it."""
    activation: InitialFinal
    """The converged value that is maximised."""
    of_maximum: Real
    """Its activation over the maximum."""
    reached: bool
    """Whether it drives the neurons to the level that was asked for."""
    mesh: MeshFlaws | None = None
    """Counts and flaws of the final mesh."""


class MeanDissimilarity(Record):
    """How far scenes differ in one respect, the mean over pairs."""

    mean: Real
    """The mean."""
    unit: str = ""
    """Its unit; empty for a plain number."""


class DiverseSet(Record):
    """Scenes that all drive the neurons and differ."""

    found: bool
    """Whether all scenes reach the level and are far enough apart."""
    maximum: Maximum
    """The activation that the level is a fraction of."""
    level: float
    """The fraction of the maximum that each scene must reach."""
    differ: str
    """In what the scenes are to differ: ``image``, ``shape``, ``pose`` or ``light``."""
    difference: Real
    """In that respect, the mean over pairs."""
    unit: str = ""
    """Its unit; empty for a plain number."""
    apart: float
    """The difference that was asked for."""
    far: bool
    """Whether the difference is at least what was asked for."""
    scenes: tuple[DiverseScene, ...] = Field(min_length=1)
    """One record a scene."""
    differences: dict[str, MeanDissimilarity] = {}
    """By respect (``image``, ``shape``, ``pose``, ``light``): how far apart the scenes are."""
    pairs: dict[str, tuple[tuple[Real, ...], ...]] = {}
    """Matrices of the pairs' differences, by respect."""


class DiverseResult(OptimizationResult):
    """Diverse scenes that all drive the neurons; ``activation`` is the mean over scenes."""

    diverse: DiverseSet
    """The set of scenes."""
