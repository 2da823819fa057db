"""Results about finished scenes: tuning curves and maps, evaluations, times."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field, model_validator

from .optimization import Result
from .parts import Estimate, Grid, InitialFinal, Record

__all__ = [
    "Accuracy",
    "Axis",
    "EvaluationResult",
    "Preferred",
    "Selectivity",
    "TunedNeuron",
    "TuningResult",
    "TuningSummary",
]

OLD_BANDWIDTH = "half width at half of the peak above 0"
"""What the bandwidth of folders is that do not name it."""

HALF_TURN_SYMMETRIC = "pose.rotation."
"""Angles by which an object may look the same after half a turn."""


class Axis(Record):
    """One number of the scene that is varied."""

    path: str
    """The number, as the scene file names it."""
    unit: str = ""
    """Its unit; empty for a plain number."""
    period: float | None = None
    """By how much it grows until the scene looks the same again, where the values go all the way round: 360 degrees,
    or 180 for a rotation of an object that looks the same from behind (in-plane rotation of a grating)."""
    values: Grid
    """(n,), equally spaced, growing."""
    at: float | None = None
    """The scene's own value."""

    @property
    def step(self) -> float:
        """The distance between neighbours."""
        return float(self.values[1] - self.values[0])

    @property
    def label(self) -> str:
        """Path and unit, as a figure's axis is labelled."""
        return f"{self.path} ({self.unit})" if self.unit else self.path

    @property
    def closed(self) -> bool:
        """Whether the last value is the first one again, a period later."""
        return self.period is not None and math.isclose(self.values[-1] - self.values[0], self.period, rel_tol=1e-6)

    def goes_round(self, period: float) -> bool:
        """Whether the values cover exactly a period, with its end or up to the last step before it."""
        span = self.values[-1] - self.values[0]
        return any(math.isclose(covered, period, rel_tol=1e-6) for covered in (span, span + self.step))

    @property
    def half_turn_period(self) -> float | None:
        """The period if the object looked the same after half a turn; None where that is no matter."""
        if self.path.startswith(HALF_TURN_SYMMETRIC) and self.period is None and self.goes_round(180):
            return 180.0
        return None

    def with_period(self, period: float) -> Axis:
        """The same axis, known to come round."""
        return self.model_copy(update={"period": period})


class Preferred(Record):
    """Where a tuning curve or map peaks."""

    value: float | None = None
    """None where the neuron answers alike everywhere."""
    sem: float | None = None
    """Its standard error, from the render noise of the points."""


class Selectivity(Record):
    """An index of selectivity: 0 for a neuron that answers alike everywhere, 1 for one point."""

    index: str | None = None
    """Which index: 1 - circular variance, or sparseness."""
    reference: str | None = None
    """Where the index comes from."""
    value: float | None = None
    """The value."""


class TuningSummary(Record):
    """What a tuning curve or map comes to."""

    preferred: tuple[Preferred, ...] = ()
    """By axis: where the responses peak."""
    bandwidth: tuple[float | None, ...] = ()
    """By axis, in its unit."""
    bandwidth_is: str = OLD_BANDWIDTH
    """How the bandwidth is defined."""
    bandwidth_unknown: tuple[str | None, ...] = ()
    """Why there is no bandwidth, axis by axis."""
    modulation_depth: float | None = None
    """(max - min) / (max + min) of the responses; those below 0 count as 0."""
    selectivity: Selectivity = Selectivity()
    """An index of selectivity."""


class TunedNeuron(Record):
    """One neuron's responses over the grid; NaN where a point was not reached."""

    neuron: int
    """The neuron's index."""
    mean: Grid
    """Response at each point of the grid."""
    sem: Grid
    """Render s.e. at each point of the grid."""
    low: Grid | None = None
    """Lower end of the 95 % interval."""
    high: Grid | None = None
    """Upper end of the 95 % interval."""
    at_scene: Estimate | None = None
    """The response to the unvaried scene."""
    summary: TuningSummary | None = None
    """None where a response is unknown or not finite."""


class Source(Record):
    """What was varied: a run's final scene, or a scene file."""

    run: str | None = None
    """The run folder."""
    scene: str | None = None
    """The scene file."""


class Accuracy(Record):
    """Samples of an evaluation: samples per pixel of a render, and renders."""

    spp: int
    """Samples per pixel."""
    repeats: int
    """Independent renders."""


class TuningResult(Result):
    """Responses of neurons over one or two numbers of a scene."""

    file: ClassVar[str] = "tuning.json"

    source: Source = Source()
    """The run or scene file."""
    model: str | None = None
    """Name of the model."""
    renderer: str | None = None
    """``path`` or ``raster``."""
    variant: str | None = None
    """Mitsuba's variant, or PyTorch's device."""
    seed: int | None = None
    """The seed that was used."""
    evaluate: Accuracy | None = None
    """Samples of the evaluation."""
    over: tuple[Axis, ...] = Field(min_length=1, max_length=2)
    """The one or two numbers that are varied."""
    neurons: tuple[TunedNeuron, ...] = Field(min_length=1)
    """One record a neuron."""
    ended: str = "done"
    """``done`` or ``interrupted``."""

    @model_validator(mode="after")
    def _one_shape(self) -> TuningResult:
        shape = tuple(len(axis.values) for axis in self.over)
        for each in self.neurons:
            for name in ("mean", "sem", "low", "high"):
                grid = getattr(each, name)
                if grid is not None and grid.shape != shape:
                    raise ValueError(f"a neuron's {name} is no grid of {' x '.join(map(str, shape))} numbers")
        return self


class EvaluationValidation(Record):
    """The responses of a second model."""

    model: str
    """Name of the model."""
    activation: InitialFinal
    """The converged value that is maximised."""


class Reported(Record):
    """What the run reported itself."""

    renderer: str
    """``path`` or ``raster``."""
    activation: InitialFinal
    """The converged value that is maximised."""


class EvaluationResult(Result):
    """A finished run's initial and final scene, evaluated once more."""

    file: ClassVar[str] = "evaluation.json"

    run: str = ""
    """The run folder."""
    renderer: str = ""
    """``path`` or ``raster``."""
    variant: str | None = None
    """Mitsuba's variant, or PyTorch's device."""
    activation: InitialFinal
    """The converged value that is maximised."""
    validation: EvaluationValidation | None = None
    """The judgement of a second model, with ``model.validate``; else null."""
    reported: Reported | None = None
    """What the run itself said."""
    objective: str = "activation"
    """The type of the objective."""
    neurons: tuple[int, ...] = ()
    """Indices of the objective's neurons."""
    model: str | None = None
    """Name of the model."""
    evaluate: Accuracy | None = None
    """Samples of the evaluation."""
    seed: int | None = None
    """The seed that was used."""
