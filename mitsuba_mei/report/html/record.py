"""Everything that a report shows of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runs.results import (
    DiverseResult,
    Estimate,
    EvaluationResult,
    InverseResult,
    MeshFlaws,
    MetamerResult,
    OptimizationResult,
    PixelResult,
    Response,
    TuningResult,
    Validation,
)
from .mesh import PackedMesh, Viewpoint
from .pictures import Picture
from .places import Place

__all__ = ["Evaluated", "Frame", "Mesh", "RunRecord", "ScenePictures", "StartRow"]


@dataclass(frozen=True)
class StartRow:
    """What one of several starts ended with."""

    number: int
    initial: Estimate | None
    final: Estimate
    steps: int | None
    ended: str
    kept: bool


@dataclass(frozen=True)
class Evaluated:
    """An evaluation of its own (``run.py evaluate``), and its file's name."""

    file: str
    result: EvaluationResult


@dataclass(frozen=True)
class Frame:
    """One moment of the optimization; of inverse rendering the second picture is the difference from the target."""

    label: str
    render: Picture
    stimulus: Picture


@dataclass(frozen=True)
class ScenePictures:
    """Render and stimulus of one of several scenes."""

    render: Picture | None
    stimulus: Picture | None


@dataclass(frozen=True)
class Mesh:
    """An object, and what it is called beside others."""

    name: str
    mesh: PackedMesh


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows of a run.

    Attributes
    ----------
    place : Place
    result : OptimizationResult or PixelResult
    pictures : dict of str to Picture
        ``stimulus``, and where there are such ``initial_stimulus``, ``pixel_stimulus``, ``render``,
        ``initial_render``, ``target``, ``difference``, ``reference``, ``reference_stimulus``, ``stimulus_thumbnail``,
        ``render_thumbnail``.
    scenes : tuple of ScenePictures
        Of diverse scenes.
    solids : tuple of Mesh
        What is to be turned; none of a pixel MEI.
    metrics : dict of str to ndarray
        The columns of ``metrics.csv``; ``activation`` has the sign of the figures.
    grey_scale : str
        Which grey levels its stimuli are shown with as black and white, in words.
    beside_is_difference : bool
        Whether the second pictures of ``frames`` are differences of renders: from the target, or of a metamer of an
        earlier version from the reference.
    runs_code : bool
        Whether the model is the user's own code, which is run where the user says so.
    """

    place: Place
    result: OptimizationResult | PixelResult
    evaluations: tuple[Evaluated, ...]
    solids: tuple[Mesh, ...]
    view: Viewpoint | None
    pictures: Mapping[str, Picture]
    scenes: tuple[ScenePictures, ...]
    frames: tuple[Frame, ...]
    grey_scale: str
    beside_is_difference: bool
    metrics: Mapping[str, np.ndarray]
    tunings: tuple[tuple[str, TuningResult], ...]
    scene_file: str
    runs_code: bool = False

    @property
    def is_pixel(self) -> bool:
        """Whether it is of a pixel MEI, which has no object."""
        return isinstance(self.result, PixelResult)

    @property
    def other(self) -> InverseResult | MetamerResult | DiverseResult | None:
        """The result of a run that does not maximise responses alone; None of other runs."""
        return self.result if isinstance(self.result, (InverseResult, MetamerResult, DiverseResult)) else None

    @property
    def is_error(self) -> bool:
        """Whether the figures are of an error, the less the better."""
        return isinstance(self.result, (InverseResult, MetamerResult))

    @property
    def initial(self) -> Estimate | None:
        """Converged, of the initial scene: the error where what was maximised is minus an error."""
        if isinstance(self.result, PixelResult):
            return None
        return -self.result.activation.initial if self.is_error else self.result.activation.initial

    @property
    def final(self) -> Estimate:
        """Converged, of the final scene; of several scenes their mean."""
        if isinstance(self.result, PixelResult):
            return Estimate(mean=self.result.activation)
        return -self.result.activation.final if self.is_error else self.result.activation.final

    @property
    def starts(self) -> tuple[StartRow, ...]:
        """What the starts ended with; none of diverse scenes, which are optimized together."""
        if isinstance(self.result, DiverseResult):
            return ()
        if isinstance(self.result, PixelResult):
            ends = self.result.restarts
            sign = -1.0 if self.result.direction == "minimize" else 1.0
            best = max(
                range(len(ends)), key=lambda i: sign * ends[i] if math.isfinite(ends[i]) else -math.inf, default=0
            )
            return tuple(
                StartRow(i + 1, None, Estimate(mean=end), None, "done", i == best) for i, end in enumerate(ends)
            )
        rows = []
        for each in self.result.restarts:
            ends = -each.activation if self.is_error else each.activation
            kept = each.restart == self.result.restart
            rows.append(StartRow(each.restart + 1, ends.initial, ends.final, each.steps, each.ended, kept))
        return tuple(rows)

    @property
    def model(self) -> str:
        return self.result.model or "a model without a name"

    @property
    def neurons(self) -> tuple[int, ...]:
        return self.result.neurons or ()

    @property
    def direction(self) -> str:
        """``maximize`` or ``minimize``."""
        return getattr(self.result, "direction", "maximize")

    @property
    def objective(self) -> str:
        return self.result.objective

    @property
    def optimum(self) -> float | None:
        return getattr(self.result, "optimum", None)

    @property
    def fraction(self) -> float | None:
        return getattr(self.result, "fraction_of_optimum", None)

    @property
    def pixel(self) -> float | None:
        """Activation of the pixel MEI that the run is compared with."""
        reference = getattr(self.result, "pixel", None)
        return None if reference is None else reference.activation

    @property
    def ratio(self) -> Estimate | None:
        return getattr(self.result, "ratio_to_pixel", None)

    @property
    def validation(self) -> Validation | None:
        return getattr(self.result, "validation", None)

    @property
    def responses(self) -> tuple[Response, ...]:
        return () if self.is_pixel else getattr(self.result, "responses", ())

    @property
    def against(self) -> tuple[Response, ...]:
        return getattr(self.result, "against", ())

    @property
    def outside_display(self) -> float | None:
        return getattr(self.result, "outside_display", None)

    @property
    def renderer(self) -> str | None:
        return getattr(self.result, "renderer", None)

    @property
    def mesh(self) -> MeshFlaws | None:
        return getattr(self.result, "mesh", None)

    @property
    def exposure(self) -> float:
        return getattr(self.result, "exposure", 1.0)

    @property
    def further(self) -> Mapping[str, Any]:
        """What else ``result.json`` says."""
        lacking = {"not_written": list(self.result.not_written)} if self.result.not_written else {}
        return {key: value for key, value in (self.result.model_extra or {}).items() if value is not None} | lacking
