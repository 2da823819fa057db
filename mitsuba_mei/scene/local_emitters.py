"""Light from a place, or in a single direction; handed to the renderer as it is."""

from __future__ import annotations

import torch
from torch import nn

from ..config import scene as schema
from .camera import Camera
from .component import by_kind
from .emitter_base import LocalEmitter
from .state import LightState

__all__ = ["Area", "Directional", "LOCAL_EMITTERS", "Point", "Spot"]


class Area(LocalEmitter):
    """A rectangle that shines from the side that faces ``target``; it is not seen by the camera and casts no shadow."""

    SETTINGS = schema.Area

    def state(self, camera: Camera, channels: int) -> LightState:
        position = self.get("position")
        normal = nn.functional.normalize(self.get("target") - position, dim=0)
        # The rectangle's upper edge is level, unless it looks straight up or down.
        vertical = normal.new_tensor([0.0, 0.0, 1.0] if abs(normal[1].item()) > 0.999 else [0.0, 1.0, 0.0])
        across = nn.functional.normalize(torch.linalg.cross(vertical, normal), dim=0)
        up = torch.linalg.cross(normal, across)
        rotation, (width, height) = camera.rotation_matrix(), self.constants["size"]
        values = {
            "centre": camera(position),
            "across": rotation @ across * width,
            "up": rotation @ up * height,
            "radiance": self.power("radiance", channels),
        }
        return LightState(self.KIND, values)


class Point(LocalEmitter):
    """A point that sends ``intensity`` (power per steradian) in all directions from ``position``."""

    SETTINGS = schema.Point

    def state(self, camera: Camera, channels: int) -> LightState:
        values = {"position": camera(self.get("position")), "intensity": self.power("intensity", channels)}
        return LightState(self.KIND, values)


class Directional(LocalEmitter):
    """Parallel light that travels along ``direction``, ``irradiance`` on a plane across it. Its shadows are hard."""

    SETTINGS = schema.Directional

    def state(self, camera: Camera, channels: int) -> LightState:
        direction = camera.rotation_matrix() @ nn.functional.normalize(self.get("direction"), dim=0)
        return LightState(self.KIND, {"direction": direction, "irradiance": self.power("irradiance", channels)})


class Spot(LocalEmitter):
    """A point light with a cone about the line to ``target``: constant within ``beam``, nothing beyond ``cutoff``."""

    SETTINGS = schema.Spot

    def state(self, camera: Camera, channels: int) -> LightState:
        values = {
            "position": camera(self.get("position")),
            "target": camera(self.get("target")),
            "intensity": self.power("intensity", channels),
        }
        return LightState(self.KIND, values, self.constants)


LOCAL_EMITTERS = by_kind(Area, Point, Directional, Spot)
