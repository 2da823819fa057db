"""Single numbers of a scene by their path in the scene file: what they are, where they may go, and setting them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor

from ..errors import UserError, nearest
from .component import Component
from .parameters import get_parameters, set_parameters
from .scene import Scene

__all__ = ["ParameterInfo", "ScalarParameters"]

DEGREES, LENGTH, PLAIN = "deg", "scene units", ""
TURN = 360.0
XYZ, RGB = "xyz", "rgb"


@dataclass(frozen=True)
class ParameterInfo:
    """What a number of a scene is.

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
    unit: str = PLAIN
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


_ANGLE = ParameterInfo("", DEGREES, period=TURN)
_PLACE = ParameterInfo("", LENGTH)
_FRACTION = ParameterInfo("", PLAIN, 0, 1, False, False)
_POWER = ParameterInfo("", PLAIN, 0, low_open=False)
_KINDS: dict[str, ParameterInfo] = {
    "pose.translation": _PLACE,
    "pose.scale": ParameterInfo("", PLAIN, 0),
    "camera.fov": ParameterInfo("", DEGREES, 0, 170),
    "camera.distance": ParameterInfo("", LENGTH, 0),
    "camera.azimuth": _ANGLE,
    "camera.elevation": ParameterInfo("", DEGREES, -89, 89),
    "material.reflectance": _FRACTION,
    "material.roughness": ParameterInfo("", PLAIN, 0, 1, True, False),
    "material.metallic": _FRACTION,
    "material.specular": _FRACTION,
    "lighting.irradiance": _POWER,
    "lighting.radiance": _POWER,
    "lighting.intensity": _POWER,
    "lighting.rotation": _ANGLE,
    "lighting.position": _PLACE,
    "lighting.target": _PLACE,
    "lighting.coefficients": ParameterInfo(""),
}
"""What a scene file's parameters are, or each of their components; a light's without its number."""

_ELEVATION = ParameterInfo("", DEGREES, -90, 90, False, False)
_ROTATION, _AMOUNT = "pose.rotation", "shape.amount"


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
        self._tensors = dict(_named(scene))
        self._own: dict[str, float] = {}
        self.quantities: dict[str, ParameterInfo] = {}
        """Every quantity by its path."""
        for axis, angle in zip(XYZ, _euler_angles(scene, rotation)):
            self._add(replace(_ANGLE, path=f"{_ROTATION}.{axis}"), angle)
        for path, tensor in self._tensors.items():
            self._add_parameter(path, tensor)
        if bool((scene.shape.get("offsets") != 0).any()):
            self._add(ParameterInfo(_AMOUNT), 1.0)

    def _add(self, quantity: ParameterInfo, own: float) -> None:
        self.quantities[quantity.path] = quantity
        self._own[quantity.path] = own

    def _add_parameter(self, path: str, tensor: Tensor) -> None:
        group, *_, name = path.split(".")
        values = tensor.detach().double().reshape(-1).tolist()
        if name == "direction":
            light = path.rpartition(".")[0]
            for angle, kind, own in zip(("azimuth", "elevation"), (_ANGLE, _ELEVATION), _angles_of(values)):
                self._add(replace(kind, path=f"{light}.{angle}"), own)
        elif (kind := _KINDS.get(f"{group}.{name}")) is not None:
            names = [path] if tensor.numel() == 1 else [f"{path}.{part}" for part in _components(name, len(values))]
            for each, value in zip(names, values):
                in_radians = kind.unit == DEGREES
                self._add(replace(kind, path=each), math.degrees(value) if in_radians else value)

    def quantity(self, path: str) -> ParameterInfo:
        """What a path stands for.

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
        said = self._own | dict(values)
        for path in values:
            self._set(path, said)

    def _set(self, path: str, said: Mapping[str, float]) -> None:
        """Write one number, and those that it is one with."""
        parent, _, name = path.rpartition(".")
        if parent == _ROTATION:
            angles = torch.tensor([said[f"{_ROTATION}.{axis}"] for axis in XYZ], dtype=torch.float64)
            self.scene.pose.start.copy_(roma.euler_to_rotmat("xyz", angles, degrees=True))
            self.scene.pose.rotation.zero_()
        elif path == _AMOUNT:
            self.scene.shape.offsets.mul_(said[path])
        elif f"{parent}.direction" in self._tensors:
            if name not in ("azimuth", "elevation"):
                self._tensors[path].fill_(said[path])
            else:
                towards = _direction_of(said[f"{parent}.azimuth"], said[f"{parent}.elevation"])
                self._tensors[f"{parent}.direction"].copy_(-torch.tensor(towards, dtype=torch.float64))
        elif path in self._tensors:
            in_radians = self.quantities[path].unit == DEGREES
            self._tensors[path].fill_(math.radians(said[path]) if in_radians else said[path])
        else:
            tensor = self._tensors[parent]
            tensor.view(-1)[list(_components(parent.rpartition(".")[2], tensor.numel())).index(name)] = said[path]


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def _components(name: str, count: int) -> Sequence[str]:
    """What the numbers of a parameter are called."""
    if name == "coefficients":
        return [str(index) for index in range(count)]
    return XYZ if name in ("translation", "position", "target") else RGB


def _named(scene: Scene) -> Iterator[tuple[str, Tensor]]:
    """Each parameter's path and tensor, but for the object's shape and rotation."""
    parts: list[tuple[str, Component]] = [(name, getattr(scene, name)) for name in ("pose", "camera", "material")]
    parts += [(f"lighting.{index}", emitter) for index, emitter in enumerate(scene.lighting.emitters)]
    for path, component in parts:
        for name in component.parameter_names:
            if (path, name) != ("pose", "rotation"):
                yield f"{path}.{name}", getattr(component, name).data


def _euler_angles(scene: Scene, rotation: Sequence[float] | None) -> list[float]:
    """The scene's rotation as angles about x, y and z; those that are said, if they are it."""
    if rotation is not None:
        said = roma.euler_to_rotmat("xyz", torch.tensor(list(rotation), dtype=torch.float64), degrees=True)
        if torch.allclose(said, scene.pose.rotation_matrix().detach().cpu().double(), atol=1e-5):
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
