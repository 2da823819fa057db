"""Result of factors: activations of all subsets, and their Shapley split."""

from __future__ import annotations

from typing import ClassVar

from .parts import Estimate, Real, Record
from .populations import Neuron, PopulationResult

__all__ = [
    "FactorsNeuron",
    "FactorsResult",
    "KeptStart",
    "LessWithMore",
    "MeanOverStarts",
    "Ratio",
    "Trial",
]


class MeanOverStarts(Record):
    """A mean over starts with Student's 95 % interval; without errors of a single start."""

    mean: Real
    """The mean."""
    sem: float | None = None
    """Standard error of the mean."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: int = 1
    """How many values it is over."""


class Ratio(Record):
    """A ratio of means over starts and its standard error."""

    mean: Real
    """The mean."""
    sem: float | None = None
    """Standard error of the mean."""


class LessWithMore(MeanOverStarts):
    """Two subsets of which the larger reached less."""

    more: str
    """The larger subset."""
    less: str
    """The smaller subset."""


class Trial(Record):
    """One start, optimized with one subset of the factors free."""

    start: int
    """The start, counted from 0."""
    activation: Estimate
    """The converged value that is maximised."""
    steps: int = 0
    """Steps that were done."""
    seconds: float | None = None
    """Time of the optimization."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""


class KeptStart(Record):
    """The best start of a subset, by renders of its own."""

    start: int
    """The start, counted from 0."""
    activation: Estimate
    """The converged value that is maximised."""


class FactorsNeuron(Neuron):
    """One neuron's MEI with every subset of shape, pose and light free, from common starts."""

    file: ClassVar[str] = "factors.json"

    renderer: str = "path"
    """``path`` or ``raster``."""
    asked_starts: int | None = None
    """The starts that were asked for."""
    parameters: dict[str, tuple[str, ...]] = {}
    """The parameters that each factor frees."""
    optimum: float | None = None
    """The largest possible activation under the constraint, where it is known."""
    starts: int = 0
    """Starts that every subset is done with."""
    activation: dict[str, MeanOverStarts | None]
    """The converged value that is maximised."""
    gain: dict[str, MeanOverStarts | None]
    """Over the start."""
    fraction_of_all: dict[str, Ratio | None]
    """By subset: its mean activation over that with all three free."""
    fraction_of_gain: dict[str, Ratio | None]
    """By subset: its gain over that of all three."""
    alone: dict[str, MeanOverStarts | None]
    """By factor: its gain over the start with this factor alone free."""
    last: dict[str, MeanOverStarts | None]
    """By factor: what it adds when the two others are free already."""
    shapley: dict[str, MeanOverStarts | None]
    """By factor: its Shapley value, in units of the activation."""
    share: dict[str, Ratio | None]
    """By factor: its Shapley value over the gain of all three."""
    interaction: dict[str, MeanOverStarts | None]
    """By pair of factors: what the two gain together beyond what each gains alone."""
    less_with_more: tuple[LessWithMore, ...] = ()
    """Pairs of subsets of which the larger reached less, which a true optimum cannot."""
    best: dict[str, KeptStart] = {}
    """By subset: the start that reached most."""
    shown_start: int | None = None
    """The start that the figure shows."""
    trials: dict[str, tuple[Trial, ...]] = {}
    """By subset: one record a start."""


class FactorsResult(PopulationResult):
    """What shape, pose and light are worth to several neurons."""

    file: ClassVar[str] = "factors.json"

    factors: tuple[str, ...] = ()
    """Names of the factors."""
    subsets: tuple[str, ...] = ()
    """Names of the subsets of factors, as ``shape+pose``."""
    neurons: tuple[FactorsNeuron, ...]
    """One record a neuron."""
