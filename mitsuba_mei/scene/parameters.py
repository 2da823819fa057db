"""A scene's parameters as arrays: read, set, written to a file, and how far two differ."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from ..config.quantities import Quantity
from ..errors import UserError
from .scene import Scene

__all__ = [
    "ParameterDifference",
    "parameter_at",
    "parameter_difference",
    "get_parameters",
    "read_parameters",
    "set_parameters",
    "start_from",
    "write_parameters",
]

DTYPE = np.dtype("<f4")
START, CONTROL = "pose.start", "shape.control_points"

MAX_HEADER = 1024
"""Bytes of a member of the file that are not its array."""

MAX_BESIDE = 2**20
"""Bytes of a file that are not what is expected of it."""


def get_parameters(scene: Scene) -> dict[str, np.ndarray]:
    """All of a scene's parameters, free or frozen, by their path in the scene file.

    Lengths are in scene units and angles in radians. ``shape.offsets`` (K, 3) and ``shape.scales`` (K,) are those of
    the ``shape.control_points`` (K, 3) on the template; ``pose.rotation`` is a rotation vector (3,) on top of the
    rotation matrix ``pose.start`` (3, 3); everything else is as a scene file says it.
    """
    values = {path: component.get(name) for path, component, name in scene.named()}
    values |= {START: scene.pose.start, CONTROL: scene.shape.vertices[scene.shape.control_indices]}
    return {path: value.detach().cpu().numpy().astype(DTYPE) for path, value in values.items()}


@torch.no_grad()
def set_parameters(scene: Scene, values: Mapping[str, np.ndarray]) -> None:
    """Give a scene in which nothing is free the parameters of another, to the last bit."""
    stored = {path: getattr(component, name) for path, component, name in scene.named()} | {START: scene.pose.start}
    for path, tensor in stored.items():
        tensor.copy_(torch.from_numpy(values[path]))


@torch.no_grad()
def start_from(scene: Scene, values: Mapping[str, np.ndarray]) -> None:
    """Let a scene with free parameters begin where another ended, without a displacement beside it."""
    for path, component, name in scene.named():
        component.set(name, torch.from_numpy(values[path]))
    scene.pose.start.copy_(torch.from_numpy(values[START]))
    scene.shape.own_offsets = None


def write_parameters(path: Path, values: Mapping[str, np.ndarray]) -> None:
    """Write them as NumPy's ``.npz``, which ``numpy.load`` reads."""
    np.savez(path, **values)


def read_parameters(path: Path, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read what :func:`write_parameters` wrote, without executing anything and without reading more than is expected.

    Parameters
    ----------
    path : Path
    like : mapping of str to ndarray
        Arrays of the names and shapes that are expected; its control points themselves are.

    Raises
    ------
    UserError
        If the file cannot be read, holds anything but finite numbers under these names and in these shapes, or is about
        other control points.
    """
    most = MAX_BESIDE + 2 * sum(value.nbytes for value in like.values())
    try:
        if (size := path.stat().st_size) > most:
            raise UserError(f"{path} is no file of this scene's parameters: {size} bytes are too many")
        with zipfile.ZipFile(path) as archive:
            _check_names(path, archive.namelist(), like)
            values = {name: _read(path, archive, name, value) for name, value in like.items()}
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except UserError:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError, NotImplementedError):
        raise UserError(f"{path} is damaged, or no file of parameters") from None
    if not np.allclose(values[CONTROL], like[CONTROL], rtol=0, atol=1e-5):
        raise UserError(f"{path} does not fit the scene: it is about control points on another template mesh")
    return values


def _check_names(path: Path, members: list[str], like: Mapping[str, np.ndarray]) -> None:
    names = [name.removesuffix(".npy") for name in members]
    lacking, unknown = [name for name in like if name not in names], [name for name in names if name not in like]
    if lacking or unknown or len(names) != len(like):
        what = [f"{verb} {ascii(some[0])[:80]}" for verb, some in (("lacks", lacking), ("has", unknown)) if some]
        raise UserError(f"{path} does not fit the scene: it {' and '.join(what) or 'names something twice'}")


def _read(path: Path, archive: zipfile.ZipFile, name: str, like: np.ndarray) -> np.ndarray:
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > like.nbytes + MAX_HEADER:
        raise UserError(f"{path} does not fit the scene: {name} is larger than {_shape(like.shape)}")
    with archive.open(member) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of NumPy's format")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if shape != like.shape or dtype != DTYPE or fortran:
            raise UserError(
                f"{path} does not fit the scene: {name} is {_shape(shape)} of {dtype}, and {_shape(like.shape)} of "
                f"{DTYPE} here"
            )
        data = file.read()
    if len(data) != DTYPE.itemsize * math.prod(shape):
        raise ValueError("cut off")
    values = np.frombuffer(data, DTYPE).reshape(shape).copy()
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds a {name} that is not finite")
    return values


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


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
    entry: Any = parameters
    for step in path.split("."):
        entry = entry[int(step)] if isinstance(entry, (list, tuple)) else entry[step]
    return entry


def parameter_difference(quantity: Quantity, first: Any, second: Any) -> ParameterDifference:
    """Difference of ``first`` from ``second``.

    Parameters
    ----------
    quantity : Quantity
        What the parameter is (:meth:`~mitsuba_mei.scene.scene.Scene.quantity`), which says how two values differ.
    first, second : float or list of float
        As a scene file says them.
    """
    a, b = (np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (first, second))
    unit, measure = DIFFERENCES[quantity.difference]
    return ParameterDifference(unit, measure(a, b))


def _between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle between two vectors, degrees."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


def _rotation_angle(a: np.ndarray, b: np.ndarray) -> float:
    """The angle of the rotation from one pose to another, Euler angles about x, y and z; degrees."""
    first, second = (roma.euler_to_rotmat("xyz", torch.from_numpy(angles), degrees=True) for angles in (a, b))
    return float(torch.rad2deg(roma.rotmat_geodesic_distance(first, second)))


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float((a[0] - b[0] + 180) % 360 - 180)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - b.mean() / a.mean()) if a.mean() else math.nan


def _absolute(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] - b[0]) if len(a) == 1 else float(np.sqrt(np.square(a - b).mean()))


DIFFERENCES: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "direction": ("degrees", _between),
    "rotation": ("degrees", _rotation_angle),
    "angle": ("degrees", _angle),
    "distance": ("scene units", _distance),
    "relative": ("relative", _relative),
    "absolute": ("absolute", _absolute),
}
"""The unit and the measure of every way in which values differ (:class:`~mitsuba_mei.config.quantities.Quantity`)."""
