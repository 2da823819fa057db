"""Light from a place, or in a single direction; handed to the renderer as it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ..errors import UserError
from .camera import Camera
from .component import POSITIVE
from .emitter import LocalEmitter, unit
from .state import LightState

__all__ = ["Area", "Directional", "Point", "Spot"]


class Area(LocalEmitter):
    """A rectangle that shines from the side that faces ``target``; it is not seen by the camera and casts no shadow.

    Parameters
    ----------
    position, target : 3 float
        Its middle, and what it faces, scene units.
    size : 2 float
        Width and height, scene units. Fixed.
    radiance : float or 3 float
    free : iterable of str
        Of ``position``, ``target``, ``radiance``.
    """

    FREEABLE = ("position", "target", "radiance")

    def __init__(
        self,
        position: Sequence[float] = (2.0, 3.0, 4.0),
        target: Sequence[float] = (0.0, 0.0, 0.0),
        size: Sequence[float] = (1.0, 1.0),
        radiance: float | Sequence[float] = 10.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        unit([t - p for t, p in zip(target, position)], "area: from position to target")
        self.declare("position", list(position), free="position" in free)
        self.declare("target", list(target), free="target" in free)
        self.declare("radiance", radiance, POSITIVE, free="radiance" in free)
        self.size = tuple(size)

    def state(self, camera: Camera, channels: int) -> LightState:
        position = self.get("position")
        normal = nn.functional.normalize(self.get("target") - position, dim=0)
        # The rectangle's upper edge is level, unless it looks straight up or down.
        vertical = normal.new_tensor([0.0, 0.0, 1.0] if abs(normal[1].item()) > 0.999 else [0.0, 1.0, 0.0])
        across = nn.functional.normalize(torch.linalg.cross(vertical, normal), dim=0)
        up = torch.linalg.cross(normal, across)
        rotation = camera.rotation_matrix()
        values = {
            "centre": camera(position),
            "across": rotation @ across * self.size[0],
            "up": rotation @ up * self.size[1],
            "radiance": self.power("radiance", channels),
        }
        return LightState("area", values)


class Point(LocalEmitter):
    """A point that sends ``intensity`` (power per steradian) in all directions from ``position``."""

    FREEABLE = ("position", "intensity")

    def __init__(
        self,
        position: Sequence[float] = (2.0, 3.0, 4.0),
        intensity: float | Sequence[float] = 50.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("position", list(position), free="position" in free)
        self.declare("intensity", intensity, POSITIVE, free="intensity" in free)

    def state(self, camera: Camera, channels: int) -> LightState:
        values = {"position": camera(self.get("position")), "intensity": self.power("intensity", channels)}
        return LightState("point", values)


class Directional(LocalEmitter):
    """Parallel light that travels along ``direction``, ``irradiance`` on a plane across it. Its shadows are hard."""

    FREEABLE = ("direction", "irradiance")

    def __init__(
        self,
        direction: Sequence[float] = (-0.6, -0.5, -1.0),
        irradiance: float | Sequence[float] = 3.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("direction", unit(direction, "directional"), free="direction" in free)
        self.declare("irradiance", irradiance, POSITIVE, free="irradiance" in free)

    def state(self, camera: Camera, channels: int) -> LightState:
        direction = camera.rotation_matrix() @ nn.functional.normalize(self.get("direction"), dim=0)
        return LightState("directional", {"direction": direction, "irradiance": self.power("irradiance", channels)})


class Spot(LocalEmitter):
    """A point light with a cone about the line to ``target``: constant within ``beam``, nothing beyond ``cutoff``.

    Parameters
    ----------
    position, target : 3 float
        Scene units.
    intensity : float or 3 float
        Power per steradian within the beam.
    cutoff, beam : float
        Half angles, degrees, beam < cutoff < 90. Fixed.
    free : iterable of str
        Of ``position``, ``target``, ``intensity``.
    """

    FREEABLE = ("position", "target", "intensity")

    def __init__(
        self,
        position: Sequence[float] = (2.0, 3.0, 4.0),
        target: Sequence[float] = (0.0, 0.0, 0.0),
        intensity: float | Sequence[float] = 50.0,
        cutoff: float = 30.0,
        beam: float = 20.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        if not 0 <= beam < cutoff < 90:
            raise UserError(f"spot: beam {beam:g} and cutoff {cutoff:g} must satisfy 0 <= beam < cutoff < 90 degrees")
        unit([t - p for t, p in zip(target, position)], "spot: from position to target")
        self.declare("position", list(position), free="position" in free)
        self.declare("target", list(target), free="target" in free)
        self.declare("intensity", intensity, POSITIVE, free="intensity" in free)
        self.cutoff, self.beam = math.radians(cutoff), math.radians(beam)

    def state(self, camera: Camera, channels: int) -> LightState:
        values = {
            "position": camera(self.get("position")),
            "target": camera(self.get("target")),
            "intensity": self.power("intensity", channels),
        }
        return LightState("spot", values, self.cutoff, self.beam)
