"""Results of one optimization: the MEI, the pixel MEI, and what every result says."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict

from .parts import Estimate, InitialFinal, MeshFlaws, PixelReference, Real, Record, Response, Spread, Start, Validation

__all__ = [
    "SCHEMA_VERSION",
    "MEIResult",
    "OptimizationResult",
    "PixelResult",
    "PixelValidation",
    "Result",
]

SCHEMA_VERSION = 1
"""Of all result files; folders without one are of version 0."""


class Result(Record):
    """What a result file says; keys that it adds by hand are kept as they are."""

    model_config = ConfigDict(extra="allow")

    file: ClassVar[str] = "result.json"

    schema_version: int = SCHEMA_VERSION
    """Version of the file's form; a reader refuses a newer one."""
    versions: dict[str, str] = {}
    """Of mitsuba_mei, Python, and the packages that a result depends on."""


class PixelValidation(Record):
    """The response of a second model to the pixel MEI."""

    model: str = "a second model"
    """Name of the model."""
    activation: float | None = None
    """The converged value that is maximised."""


class PixelResult(Result):
    """The pixel MEI of a neuron."""

    activation: Real
    """The converged value that is maximised."""
    responses: tuple[float, ...] = ()
    """Of the objective's neurons."""
    restarts: tuple[Real, ...] = ()
    """The activation that each start ended with."""
    over_starts: Spread | None = None
    """Mean and standard deviation over the starts, where there are several."""
    steps: int | None = None
    """Steps that were done."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""
    reason: str | None = None
    """Why it failed."""
    fraction_of_optimum: float | None = None
    """The activation over the largest possible one; null where that is not known."""
    validation: PixelValidation | None = None
    """The judgement of a second model, with ``model.validate``; else null."""
    seconds: float | None = None
    """Time of the optimization."""
    seconds_per_step: float | None = None
    """Time of the optimization over its steps."""
    seed: int | None = None
    """The seed that was used."""
    optimum: float | None = None
    """The neuron's largest possible activation under the constraint, where it is known."""
    objective: str = "activation"
    """The type of the objective."""
    direction: str = "maximize"
    """``maximize``, or ``minimize`` for the least exciting stimulus."""
    neurons: tuple[int, ...] = ()
    """Indices of the objective's neurons."""
    outside_display: float | None = None
    """Fraction of the stimulus' pixels darker than black or brighter than white."""
    model: str | None = None
    """Name of the model."""
    not_written: tuple[str, ...] = ()
    """Pictures that could not be written, and why."""
    runs_code: bool = False
    """Whether the model is the user's own code."""


class OptimizationResult(Result):
    """What the result of every optimized scene says."""

    activation: InitialFinal
    """The maximised value of the initial and the final scene, converged."""
    seconds: float | None = None
    """Of the optimization; of a deterministic run it stands in ``timing.json``."""
    steps: int | None = None
    """Steps that were done."""
    seconds_per_step: float | None = None
    """Time of the optimization over its steps."""
    peak_memory_mb: float | None = None
    """Largest resident memory of the process, MB."""
    skipped_steps: int | None = None
    """Steps without a finite loss or gradient, which were left out."""
    shortened_gradients: int | None = None
    """Steps in which an outlying gradient was shortened."""
    mesh: MeshFlaws
    """Counts and flaws of the final mesh."""
    renderer: str | None = None
    """``path`` or ``raster``."""
    variant: str | None = None
    """Mitsuba's variant, or PyTorch's device."""
    seed: int | None = None
    """The seed that was used."""
    objective: str = "activation"
    """The type of the objective."""
    model: str | None = None
    """Name of the model."""
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
    """Which scene the initial figures are of: ``scene file``, ``search``, ``random start``, ``drawn start`` or
    ``earlier run``.
    """
    over_starts: Spread | None = None
    """Mean and standard deviation over the starts, where there are several."""
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
    """The activation over the largest possible one; null where that is not known."""
    ratio_to_pixel: Estimate | None = None
    """The final activation over that of the pixel MEI."""
    validation: Validation | None = None
    """The judgement of a second model, with ``model.validate``; else null."""
    optimum: float | None = None
    """The neuron's largest possible activation under the constraint, where it is known."""
    responses: tuple[Response, ...] = ()
    """Of each of the objective's neurons."""
    against: tuple[Response, ...] = ()
    """Of the neurons that the objective tells them from."""
    outside_display: float | None = None
    """Fraction of the stimulus' pixels darker than black or brighter than white."""
    pixel: PixelReference | None = None
    """The pixel MEI, with ``compare_to: pixel``."""
