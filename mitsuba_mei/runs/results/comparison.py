"""Result of a comparison of path tracer and rasterizer."""

from __future__ import annotations

from typing import Any, ClassVar

from .parts import Estimate, Real, Record
from .populations import Neuron, PopulationResult

__all__ = [
    "ComparedNeuron",
    "ComparedParameter",
    "ComparedValidation",
    "ComparisonResult",
    "ComparisonStatistics",
    "Counted",
    "Difference",
    "MedianGain",
    "Significant",
    "StartByStart",
    "StimulusSimilarity",
    "SurfaceGap",
]


ByRenderer = dict[str, Estimate]
Table = dict[str, dict[str, Estimate]]
"""By the renderer that an object was optimized under, then by the one that it is shown under."""


class StartByStart(Record):
    """Path-traced less rasterized MEIs, paired by their starts."""

    mean: float | None = None
    """Mean difference over starts."""
    sem: float | None = None
    """Standard error of the mean."""
    n: int = 0
    """How many values it is over."""
    path: tuple[Real, ...] = ()
    """Path traced; start by start, or of the MEI."""
    raster: tuple[Real, ...] = ()
    """Rasterized; start by start, or of the MEI."""


class StimulusSimilarity(Record):
    """How alike the stimuli of the two MEIs are, both path traced."""

    correlation: Real
    """Pearson's, over pixels."""
    rms_difference: Real
    """Grey levels."""


class SurfaceGap(Record):
    """How far the surfaces of the two MEIs lie apart after alignment; scene units, degrees."""

    mean: Real
    """Symmetric mean surface distance, scene units."""
    rms: Real
    """Root mean square surface distance, scene units."""
    greatest: Real
    """Symmetric Hausdorff distance, scene units."""
    relative: Real
    """The mean distance over the mean radius of the surfaces."""
    rotation: Real
    """Degrees, of the rigid motion."""
    translation: Real
    """Scene units, of the rigid motion."""


class Difference(Record):
    """A difference between two parameter values, and its unit."""

    unit: str
    """Its unit; empty for a plain number."""
    value: Real
    """The value."""


class ComparedParameter(Record):
    """A free parameter: where it started, and where it ended under each renderer."""

    initial: Any
    """Of the initial scene."""
    path: Any
    """Path traced; start by start, or of the MEI."""
    raster: Any
    """Rasterized; start by start, or of the MEI."""
    difference: Difference
    """The difference in that respect, and its unit."""


class ComparedValidation(Record):
    """The responses of a second model to both MEIs."""

    model: str
    """Name of the model."""
    pixel: float | None = None
    """The response to the pixel MEI."""
    activation: Table
    """The converged value that is maximised."""
    ratio_to_pixel: dict[str, dict[str, Estimate | None]]
    """The activation over that of the pixel MEI; null without one."""


class ComparedNeuron(Neuron):
    """One neuron's MEI path traced and rasterized, each evaluated under both renderers."""

    file: ClassVar[str] = "comparison.json"

    initial: ByRenderer = {}
    """By renderer: the activation of the initial scene."""
    activation: Table
    """The converged value that is maximised."""
    ratio_to_pixel: dict[str, dict[str, Estimate | None]] = {}
    """The activation over that of the pixel MEI; null without one."""
    gain: dict[str, Estimate | None] | None = None
    """By how much the MEI of a renderer exceeds the other's under it, relative; None where there are not both."""
    starts: dict[str, StartByStart] | None = None
    """By the renderer they are shown under: differences start by start."""
    stimuli: StimulusSimilarity | None = None
    """How alike the two stimuli are."""
    transport: dict[str, float | None] | None = None
    """What simulated light adds to each object's render, relative to its contrast."""
    shape: SurfaceGap | None = None
    """How far apart the two surfaces are after alignment."""
    parameters: dict[str, ComparedParameter] | None = None
    """By the parameter's name."""
    validation: ComparedValidation | None = None
    """The judgement of a second model, with ``model.validate``; else null."""
    kept_start: dict[str, int] = {}
    """By renderer: the start that was kept, counted from 0."""
    seconds: dict[str, float] = {}
    """By renderer: time of the optimization."""


class MedianGain(Record):
    """A median over neurons and its bootstrap interval."""

    median: Real
    """The median over neurons."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: int
    """How many values it is over."""


class Counted(Record):
    """How many of the neurons differ by more than three standard errors."""

    neurons: int
    """How many differ."""
    of: int
    """Of how many."""


class Significant(Record):
    """Neurons whose two MEIs differ by more than three standard errors."""

    of_renders: Counted | None = None
    """By the render s.e."""
    of_starts: Counted | None = None
    """By the standard error over starts."""


class ComparisonStatistics(Record):
    """Paired statistics over the neurons that are done."""

    neurons: int
    """How many neurons are counted."""
    gain: dict[str, MedianGain | None]
    """By renderer: the median gain over neurons."""
    ratio_to_pixel: dict[str, dict[str, MedianGain | None]] = {}
    """The activation over that of the pixel MEI; null without one."""
    apart: dict[str, Significant] = {}
    """By the renderer they are shown under: neurons whose two MEIs differ."""


class ComparisonResult(PopulationResult):
    """Path-traced and rasterized MEIs of several neurons."""

    file: ClassVar[str] = "comparison.json"

    renderers: tuple[str, ...] = ("path", "raster")
    """Those that were compared."""
    statistics: ComparisonStatistics
    """Paired statistics over the neurons."""
    neurons: tuple[ComparedNeuron, ...]
    """One record a neuron."""
