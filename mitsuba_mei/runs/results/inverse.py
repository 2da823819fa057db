"""Result of inverse rendering: errors of the images, and the distance to the truth."""

from __future__ import annotations

from typing import Any

from .optimization import OptimizationResult
from .parts import Estimate, Real, Record

__all__ = [
    "DifferenceScale",
    "ErrorRecord",
    "InverseResult",
    "OffInitialFinal",
    "ParameterError",
    "SurfaceError",
    "SurfaceErrors",
    "Truth",
]


class ErrorRecord(Record):
    """The error of recovered images."""

    kind: str | None = None
    """``l2``, ``l1`` or ``responses``."""
    initial: Estimate
    """Of the initial scene."""
    final: Estimate
    """Of the final scene."""


class DifferenceScale(Record):
    """The ends of the colours of ``difference.png``."""

    reach: Real
    """The difference that has the full colour."""
    unit: str = "radiance"
    """Its unit; empty for a plain number."""


class SurfaceError(Record):
    """How far a recovered surface lies from the true one."""

    mean: float | None = None
    """Symmetric mean surface distance, scene units."""
    rms: float | None = None
    """Root mean square surface distance, scene units."""
    greatest: float | None = None
    """Symmetric Hausdorff distance, scene units."""
    relative: float | None = None
    """The mean over the surfaces' mean radius."""
    rotation: float | None = None
    """Degrees, of the alignment."""
    translation: float | None = None
    """Scene units, of the rigid motion."""
    of_diameter: Real
    """The mean over the true surface's diameter."""


class SurfaceErrors(Record):
    """Surface distances of the initial and the final object, and after alignment."""

    diameter: float | None = None
    """Of the true surface, scene units."""
    initial: SurfaceError
    """Of the initial scene."""
    final: SurfaceError
    """Of the final scene."""
    alignment: SurfaceError
    """Of the final object after the rigid motion that fits it best to the true one."""


class OffInitialFinal(Record):
    """Distances of a parameter from its true value."""

    initial: Real
    """Of the initial scene."""
    final: Real
    """Of the final scene."""


class ParameterError(Record):
    """A recovered parameter beside its true value."""

    initial: Any = None
    """Of the initial scene."""
    final: Any = None
    """Of the final scene."""
    true: Any = None
    """The true value."""
    off: OffInitialFinal
    """Its distance from the true value."""
    unit: str = ""
    """Its unit; empty for a plain number."""


class Truth(Record):
    """How far a recovered scene lies from the true one."""

    surface: SurfaceErrors | None = None
    """None where the shape is frozen."""
    parameters: dict[str, ParameterError] = {}
    """By the parameter's name."""


class InverseResult(OptimizationResult):
    """A scene recovered from images; ``activation`` is minus the error."""

    error: ErrorRecord
    """The images' error, initial and final."""
    difference: DifferenceScale | None = None
    """Ends of the colours of ``difference.png``."""
    truth: Truth | None = None
    """None where only images of the target are known."""
    views: int = 1
    """How many cameras."""
