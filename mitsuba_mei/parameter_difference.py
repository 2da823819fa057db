"""How far a parameter of a scene lies from the same parameter of another one, in the unit that suits it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch

__all__ = ["ParameterDifference", "parameter_at", "parameter_difference"]

DIRECTIONS = ("direction",)
ANGLES = ("azimuth", "elevation", "fov", "rotation")
PLACES = ("position", "target", "translation")
SIZES = ("irradiance", "radiance", "intensity", "scale", "distance")


@dataclass(frozen=True)
class ParameterDifference:
    """A difference and its unit.

    Attributes
    ----------
    unit : str
        ``degrees``; ``scene units``; ``relative``, the first minus the second over the first, colours by their mean;
        or ``absolute``, the first minus the second, of lists the root mean square.
    value : float
    """

    unit: str
    value: float


def parameter_at(parameters: Mapping[str, Any], path: str) -> Any:
    """A parameter by its path in the scene file, as ``lighting.0.direction``, of ``Scene.in_file_units()``."""
    found: Any = parameters
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, (list, tuple)) else found[step]
    return found


def parameter_difference(path: str, first: Any, second: Any) -> ParameterDifference:
    """How far ``first`` lies from ``second``.

    Parameters
    ----------
    path : str
        Of the parameter, whose last word says what it is: of directions and rotations the angle between them is given,
        of places their distance, of powers and sizes the relative difference.
    first, second : float or list of float
        As a scene file says them.
    """
    name = path.rpartition(".")[2]
    a, b = (np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (first, second))
    if name in DIRECTIONS:
        return ParameterDifference("degrees", _between(a, b))
    if path == "pose.rotation":
        return ParameterDifference("degrees", _turn(a, b))
    if name in ANGLES:
        return ParameterDifference("degrees", float((a[0] - b[0] + 180) % 360 - 180))
    if name in PLACES:
        return ParameterDifference("scene units", float(np.linalg.norm(a - b)))
    if name in SIZES:
        return ParameterDifference("relative", float(1 - b.mean() / a.mean()) if a.mean() else math.nan)
    if len(a) == 1:
        return ParameterDifference("absolute", float(a[0] - b[0]))
    return ParameterDifference("absolute", float(np.sqrt(np.square(a - b).mean())))


def _between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle between two vectors, degrees."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


def _turn(a: np.ndarray, b: np.ndarray) -> float:
    """The angle of the rotation from one pose to another, Euler angles about x, y and z; degrees."""
    first, second = (roma.euler_to_rotmat("xyz", torch.from_numpy(angles), degrees=True) for angles in (a, b))
    return float(torch.rad2deg(roma.rotmat_geodesic_distance(first, second)))
