"""Values that results share: estimates with their standard errors, spreads over starts, mesh quality."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

__all__ = [
    "Estimate",
    "Grid",
    "InitialFinal",
    "InputMesh",
    "MeshFlaws",
    "PixelReference",
    "Real",
    "Record",
    "Response",
    "Spread",
    "Start",
    "Validation",
]

Real = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number; null in a file is NaN, since JSON has no other way to say it."""


def _grid(value: Any) -> np.ndarray:
    try:
        return np.array(value, dtype=float)  # null becomes NaN
    except TypeError:
        raise ValueError("should be a list of numbers, or a list of such lists of one length") from None


Grid = Annotated[np.ndarray, BeforeValidator(_grid), PlainSerializer(lambda grid: grid.tolist())]
"""Numbers over one or two axes; nested lists in a file."""


class Record(BaseModel):
    """A part of a result: named values that never change."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )


class Estimate(Record):
    """A mean over independent renders, and its standard error (the render s.e.)."""

    mean: Real
    """Without render noise; NaN where it is unknown or was not finite."""
    sem: Real = math.nan
    """0 where the renderer has no noise, NaN where it is unknown."""

    def over(self, reference: float | None) -> Estimate | None:
        """The ratio to an exact reference; None where that is unknown or not above 0.

        Examples
        --------
        >>> Estimate(mean=9.0, sem=0.5).over(10.0).mean
        0.9
        """
        if reference is None or not reference > 0:
            return None
        return Estimate(mean=self.mean / reference, sem=self.sem / reference)

    def __neg__(self) -> Estimate:
        return Estimate(mean=0.0 - self.mean, sem=self.sem)


class InitialFinal(Record):
    """Converged values of the initial and the final scene."""

    initial: Estimate
    """Of the initial scene."""
    final: Estimate
    """Of the final scene."""

    def __neg__(self) -> InitialFinal:
        return InitialFinal(initial=-self.initial, final=-self.final)


class Spread(Record):
    """Mean and standard deviation over several starts or seeds."""

    of: str = "activation"
    """``activation``, ``objective`` or ``error``."""
    n: int
    """How many values it is over."""
    mean: Real
    """The mean."""
    sd: Real
    """Of the optimizations (n - 1 in the denominator)."""
    lowest: Real
    """The lowest of them."""
    highest: Real
    """The highest of them."""


class Response(Record):
    """Converged responses of one neuron."""

    neuron: int
    """The neuron's index."""
    initial: Estimate
    """Of the initial scene."""
    final: Estimate
    """Of the final scene."""


class InputMesh(Record):
    """Flaws of a mesh file before any step."""

    flipped_faces: int = 0
    """Faces turned against their neighbours in the file."""
    degenerate_faces: int = 0
    """Faces that are a line or a point in the file."""
    intersecting_faces: int = 0
    """Faces that pass through others in the file."""
    watertight: bool | None = None
    """Whether every edge of the file's mesh joins exactly two faces."""
    said: tuple[str, ...] = ()
    """Messages of the reader: what it repaired or left out."""


class MeshFlaws(Record):
    """Counts of a mesh, and of its faces that no object has."""

    vertices: int | None = None
    """Vertices."""
    faces: int | None = None
    """Triangles."""
    flipped_faces: int | None = None
    """Faces turned against their neighbours, beyond those of the template."""
    degenerate_faces: int | None = None
    """Faces squeezed to a line or a point, beyond those of the template."""
    intersecting_faces: int | None = None
    """Faces that pass through others."""
    smallest_angle: float | None = None
    """Degrees."""
    watertight: bool | None = None
    """Whether every edge joins exactly two faces."""
    new_intersecting_faces: int | None = None
    """Those that did not pass through others in the mesh file; None of a built-in template."""
    input: InputMesh | None = None
    """The mesh file; None of a built-in template."""

    @property
    def made(self) -> dict[str, int | None]:
        """Faces that the optimization spoiled, by their flaw; None where a count is unknown."""
        new = self.new_intersecting_faces
        crossing = self.intersecting_faces if new is None else new
        return {"flipped": self.flipped_faces, "degenerate": self.degenerate_faces, "intersecting": crossing}


class Start(Record):
    """The optimization from one start."""

    restart: int
    """Counted from 0."""
    initial_scene: str | None = None
    """As :mod:`mitsuba_mei.scene.initial` names it."""
    activation: InitialFinal
    """The converged value that is maximised."""
    steps: int | None = None
    """Steps that were done."""
    seconds: float | None = None
    """Time of the optimization."""
    skipped_steps: int = 0
    """Steps without a finite loss or gradient."""
    shortened_gradients: int = 0
    """Steps in which an outlying gradient was shortened."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""
    setbacks: int = 0
    """How often the scene was rolled back to the last good one."""
    reason: str | None = None
    """Why it failed."""
    renders_left_out: int = 0
    """Renders of the evaluation that were not finite."""


class Validation(Record):
    """The responses of a second model, which the optimization never saw, to the same stimuli."""

    model: str = "a second model"
    """Name of the model."""
    activation: InitialFinal
    """The converged value that is maximised."""
    pixel: float | None = None
    """Its response to the first model's pixel MEI."""
    ratio_to_pixel: Estimate | None = None
    """The activation over that of the pixel MEI; null without one."""


class PixelReference(Record):
    """The pixel MEI beside which a run is reported."""

    activation: float | None = None
    """The converged value that is maximised."""
    responses: tuple[float, ...] = ()
    """Responses of the neurons."""
    restarts: tuple[Real, ...] = ()
    """The objective that each start ended with."""
    over_starts: Spread | None = None
    """Mean and standard deviation over the starts, where there are several."""
    steps: int | None = None
    """Steps that were done."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""
    reason: str | None = None
    """Why it failed."""
