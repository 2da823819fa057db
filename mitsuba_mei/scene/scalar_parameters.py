"""Single numbers of a scene by their path in the scene file: what they are, where they may go, and setting them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor

from ..config.quantities import DEGREES, range_of
from ..errors import UserError, nearest
from .component import SceneComponent
from .parameters import get_parameters, set_parameters
from .scene import Scene

__all__ = ["ParameterInfo", "ScalarParameters"]

XYZ = "xyz"

Writer = Callable[[Mapping[str, float]], None]
"""Writes a number, and those that it is one with, of the values of all."""


@dataclass(frozen=True)
class ParameterInfo:
    """Unit, bounds and difference of a scalar parameter.

    Attributes
    ----------
    path : str
        As in a scene file, with components of vectors and the derived ``lighting.N.azimuth``, ``lighting.N.elevation``
        and ``shape.amount``.
    unit : str
        ``deg``, ``scene units``, or nothing.
    low, high : float
        Ends of the range that makes sense.
    low_open, high_open : bool
        Whether that end itself is outside.
    period : float or None
        By how much an angle grows until it is the same again.
    """

    path: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = True
    high_open: bool = True
    period: float | None = None

    def allows(self, value: float) -> bool:
        """Whether the value lies in the range."""
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    @property
    def allowed(self) -> str:
        """The range in words."""
        ends = []
        if self.low > -math.inf:
            ends.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high < math.inf:
            ends.append(f"{'below' if self.high_open else 'at most'} {self.high:g}")
        return " and ".join(ends) or "any number"


_AZIMUTH = ParameterInfo("", DEGREES, period=360.0)
_ELEVATION = ParameterInfo("", DEGREES, -90, 90, False, False)
"""Of the direction that a light comes from, which a scene file says as a vector."""

_ROTATION, _AMOUNT = "pose.rotation", "shape.amount"


def _info(component: SceneComponent, name: str, path: str) -> ParameterInfo:
    """Read the info of a parameter, or of each of its components, off the schema's field."""
    quantity = component.quantity(name)
    return ParameterInfo(path, quantity.unit, *range_of(component.SETTINGS, name), quantity.period)


class ScalarParameters:
    """The numbers of one scene in which nothing is free, in the scene file's units.

    Beside what a scene file says there are ``pose.rotation.x``, ``.y`` and ``.z``, the Euler angles about the fixed
    axes x, y and z, applied in this order; for lights with a direction ``lighting.N.azimuth`` and
    ``lighting.N.elevation``, where the light comes from as seen from the object, by the camera's convention: azimuth
    from +z towards +x, elevation above the horizon; and ``shape.amount``, a factor on the offsets: 0 is the template,
    1 the object as it is.

    Parameters
    ----------
    scene : Scene
        Its present values are its own ones.
    rotation : sequence of 3 float, optional
        Euler angles that a file says, degrees. Where they are the scene's present rotation, they are kept: an angle
        about y beyond 90 degrees can be said in two ways.
    """

    def __init__(self, scene: Scene, rotation: Sequence[float] | None = None) -> None:
        self.scene = scene
        self._base = get_parameters(scene)
        self._own: dict[str, float] = {}
        self._writers: dict[str, Writer] = {}
        self.quantities: dict[str, ParameterInfo] = {}
        """Every quantity by its path."""
        for axis, angle in zip(XYZ, _euler_angles(scene, rotation)):
            self._add(_info(scene.pose, "rotation", f"{_ROTATION}.{axis}"), angle, self._set_rotation)
        for path, component, name in scene.named():
            if path != _ROTATION and component is not scene.shape:
                self._add_parameter(path, component, name)
        if bool((scene.shape.get("offsets") != 0).any()):
            self._add(ParameterInfo(_AMOUNT), 1.0, lambda settings: scene.shape.offsets.mul_(settings[_AMOUNT]))

    def _add(self, quantity: ParameterInfo, own: float, writer: Writer) -> None:
        self.quantities[quantity.path] = quantity
        self._own[quantity.path] = own
        self._writers[quantity.path] = writer

    def _add_parameter(self, path: str, component: SceneComponent, name: str) -> None:
        numbers = getattr(component, name).data.view(-1)
        values, quantity = numbers.double().tolist(), component.quantity(name)
        if quantity.difference == "direction":
            light = path.rpartition(".")[0]
            writer = functools.partial(_aim, numbers, light)
            for angle, info, own in zip(("azimuth", "elevation"), (_AZIMUTH, _ELEVATION), _angles_of(values)):
                self._add(replace(info, path=f"{light}.{angle}"), own, writer)
            return
        parts = quantity.components or map(str, range(len(values)))
        paths = [path] if len(values) == 1 else [f"{path}.{part}" for part in parts]
        for index, (each, value) in enumerate(zip(paths, values)):
            writer = functools.partial(_fill, numbers[index], each, component.is_angle(name))
            own = math.degrees(value) if component.is_angle(name) else value
            self._add(_info(component, name, each), own, writer)

    def quantity(self, path: str) -> ParameterInfo:
        """Info of the parameter at a path.

        Raises
        ------
        UserError
            If the scene has no such number.
        """
        if path in self.quantities:
            return self.quantities[path]
        if path == _AMOUNT:
            raise UserError(f"{path}: the object is its template, without any offsets that an amount could scale")
        inside = [other for other in self.quantities if other.startswith(f"{path}.")]
        if inside:
            raise UserError(f"{path} is no single number; name one of {', '.join(inside)}")
        raise UserError(f"there is no number '{path}' in the scene; {nearest(path, self.quantities)}")

    def own(self, path: str) -> float:
        """The scene's own value of it."""
        return self._own[self.quantity(path).path]

    @torch.no_grad()
    def set(self, values: Mapping[str, float]) -> None:
        """Give the scene these values, and its own ones for everything else.

        Raises
        ------
        UserError
            If there is no such number, or a value is outside its range; the scene is then as it was.
        """
        for path, value in values.items():
            quantity = self.quantity(path)
            if not quantity.allows(value):
                raise UserError(f"{path} cannot be {value:g}{_after(quantity.unit)}; it must be {quantity.allowed}")
        set_parameters(self.scene, self._base)
        settings = self._own | dict(values)
        for path in values:
            self._writers[path](settings)

    def _set_rotation(self, settings: Mapping[str, float]) -> None:
        angles = torch.tensor([settings[f"{_ROTATION}.{axis}"] for axis in XYZ], dtype=torch.float64)
        self.scene.pose.start.copy_(roma.euler_to_rotmat("xyz", angles, degrees=True))
        self.scene.pose.rotation.zero_()


def _fill(number: Tensor, path: str, is_angle: bool, settings: Mapping[str, float]) -> None:
    number.fill_(math.radians(settings[path]) if is_angle else settings[path])


def _aim(direction: Tensor, light: str, settings: Mapping[str, float]) -> None:
    towards = _direction_of(settings[f"{light}.azimuth"], settings[f"{light}.elevation"])
    direction.copy_(-torch.tensor(towards, dtype=torch.float64))


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def _euler_angles(scene: Scene, rotation: Sequence[float] | None) -> list[float]:
    """The scene's rotation as angles about x, y and z; those that are said, if they are it."""
    if rotation is not None:
        matrix = roma.euler_to_rotmat("xyz", torch.tensor(list(rotation), dtype=torch.float64), degrees=True)
        if torch.allclose(matrix, scene.pose.rotation_matrix().detach().cpu().double(), atol=1e-5):
            return list(map(float, rotation))
    return scene.pose.to_settings()["rotation"]


def _angles_of(direction: Sequence[float]) -> tuple[float, float]:
    """Azimuth and elevation, degrees, of where light of a direction comes from."""
    x, y, z = (-component for component in direction)
    return math.degrees(math.atan2(x, z)) if x or z else 0.0, math.degrees(math.atan2(y, math.hypot(x, z)))


def _direction_of(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """The unit vector to an azimuth and elevation, degrees; inverse of :func:`_angles_of` of its opposite."""
    azimuth, elevation = math.radians(azimuth), math.radians(elevation)
    return math.cos(elevation) * math.sin(azimuth), math.sin(elevation), math.cos(elevation) * math.cos(azimuth)
