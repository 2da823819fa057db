"""Results over several neurons: path tracer against rasterizer, and factors."""

from __future__ import annotations

from typing import Any, ClassVar

from .optimization import Result
from .parts import Estimate, Real, Record

__all__ = [
    "ComparedNeuron",
    "ComparisonResult",
    "ComparisonStatistics",
    "FactorsNeuron",
    "FactorsResult",
    "LeftOut",
    "MeanOverStarts",
    "MedianGain",
    "PopulationResult",
    "Ratio",
    "Trial",
]

ByRenderer = dict[str, Estimate]
Table = dict[str, dict[str, Estimate]]
"""By the renderer that an object was optimized under, then by the one that it is shown under."""


class Request(Result):
    """What was asked of an experiment on several neurons, which can go on with it."""

    file: ClassVar[str] = "asked/asked.json"

    command: str
    """``compare`` or ``factors``."""
    scenes: tuple[str, ...]
    """Scene files, by their names; the files themselves are kept beside."""
    starts: int | None = None


class LeftOut(Record):
    """A neuron that could not be optimized."""

    scene: str = ""
    label: str
    reason: str


class Neuron(Result):
    """What is reported of one of several neurons."""

    scene: str = ""
    """The scene file."""
    folder: str = ""
    label: str = ""
    model: str
    neurons: tuple[int, ...]
    objective: str = "activation"
    ended: str = "done"
    failed: dict[str, str] = {}
    """Reasons by the optimization that failed."""
    seed: int | None = None
    pixel: float | None = None
    """Activation of the pixel MEI."""


class PopulationResult(Result):
    """An experiment on several neurons, one after the other."""

    ended: str = "done"
    asked: int = 1
    """Neurons that were asked for."""
    neurons: tuple[Neuron, ...]
    left_out: tuple[LeftOut, ...] = ()


class StartByStart(Record):
    """Path-traced less rasterized MEIs, paired by their starts."""

    mean: float | None = None
    sem: float | None = None
    n: int = 0
    path: tuple[Real, ...] = ()
    raster: tuple[Real, ...] = ()


class StimulusSimilarity(Record):
    """How alike the stimuli of the two MEIs are, both path traced."""

    correlation: Real
    rms_difference: Real
    """Grey levels."""


class SurfaceGap(Record):
    """How far the surfaces of the two MEIs lie apart after alignment; scene units, degrees."""

    mean: Real
    rms: Real
    greatest: Real
    relative: Real
    rotation: Real
    translation: Real


class Difference(Record):
    """A difference between two parameter values, and its unit."""

    unit: str
    value: Real


class ComparedParameter(Record):
    """A free parameter: where it started, and where it ended under each renderer."""

    initial: Any
    path: Any
    raster: Any
    difference: Difference


class ComparedValidation(Record):
    """The responses of a second model to both MEIs."""

    model: str
    pixel: float | None = None
    activation: Table
    ratio_to_pixel: dict[str, dict[str, Estimate | None]]


class ComparedNeuron(Neuron):
    """One neuron's MEI path traced and rasterized, each evaluated under both renderers."""

    file: ClassVar[str] = "comparison.json"

    initial: ByRenderer = {}
    activation: Table
    ratio_to_pixel: dict[str, dict[str, Estimate | None]] = {}
    gain: dict[str, Estimate | None] | None = None
    """By how much the MEI of a renderer exceeds the other's under it, relative; None where there are not both."""
    starts: dict[str, StartByStart] | None = None
    stimuli: StimulusSimilarity | None = None
    transport: dict[str, float | None] | None = None
    """What simulated light adds to each object's render, relative to its contrast."""
    shape: SurfaceGap | None = None
    parameters: dict[str, ComparedParameter] | None = None
    validation: ComparedValidation | None = None
    kept_start: dict[str, int] = {}
    seconds: dict[str, float] = {}


class MedianGain(Record):
    """A median over neurons and its bootstrap interval."""

    median: Real
    low: float | None = None
    high: float | None = None
    n: int


class Counted(Record):
    """How many of the neurons differ by more than three standard errors."""

    neurons: int
    of: int


class Significant(Record):
    """Neurons whose two MEIs differ by more than three standard errors."""

    of_renders: Counted | None = None
    of_starts: Counted | None = None


class ComparisonStatistics(Record):
    """Paired statistics over the neurons that are done."""

    neurons: int
    gain: dict[str, MedianGain | None]
    ratio_to_pixel: dict[str, dict[str, MedianGain | None]] = {}
    apart: dict[str, Significant] = {}


class ComparisonResult(PopulationResult):
    """Path-traced and rasterized MEIs of several neurons."""

    file: ClassVar[str] = "comparison.json"

    renderers: tuple[str, ...] = ("path", "raster")
    statistics: ComparisonStatistics
    neurons: tuple[ComparedNeuron, ...]


class MeanOverStarts(Record):
    """A mean over starts with Student's 95 % interval; without errors of a single start."""

    mean: Real
    sem: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 1


class Ratio(Record):
    """A ratio of means over starts and its standard error."""

    mean: Real
    sem: float | None = None


class LessWithMore(MeanOverStarts):
    """Two subsets of which the larger reached less."""

    more: str
    less: str


class Trial(Record):
    """One start, optimized with one subset of the factors free."""

    start: int
    activation: Estimate
    steps: int = 0
    seconds: float | None = None
    ended: str = "done"


class KeptStart(Record):
    """The best start of a subset, by renders of its own."""

    start: int
    activation: Estimate


class FactorsNeuron(Neuron):
    """One neuron's MEI with every subset of shape, pose and light free, from common starts."""

    file: ClassVar[str] = "factors.json"

    renderer: str = "path"
    asked_starts: int | None = None
    parameters: dict[str, tuple[str, ...]] = {}
    """The parameters that each factor frees."""
    optimum: float | None = None
    starts: int = 0
    """Starts that every subset is done with."""
    activation: dict[str, MeanOverStarts | None]
    gain: dict[str, MeanOverStarts | None]
    """Over the start."""
    fraction_of_all: dict[str, Ratio | None]
    fraction_of_gain: dict[str, Ratio | None]
    alone: dict[str, MeanOverStarts | None]
    last: dict[str, MeanOverStarts | None]
    shapley: dict[str, MeanOverStarts | None]
    share: dict[str, Ratio | None]
    interaction: dict[str, MeanOverStarts | None]
    less_with_more: tuple[LessWithMore, ...] = ()
    best: dict[str, KeptStart] = {}
    shown_start: int | None = None
    trials: dict[str, tuple[Trial, ...]] = {}


class FactorsResult(PopulationResult):
    """What shape, pose and light are worth to several neurons."""

    file: ClassVar[str] = "factors.json"

    factors: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    neurons: tuple[FactorsNeuron, ...]
