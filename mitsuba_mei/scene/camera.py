"""From where the object is seen."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from .component import POSITIVE, Component, interval

__all__ = ["Camera"]


class Camera(Component):
    """A pinhole camera that looks at the origin, y up.

    Parameters
    ----------
    fov : float
        Full field of view across the square image, degrees, in (0, 170).
    distance : float
        From the origin, scene units.
    azimuth, elevation : float
        Where it stands, degrees: azimuth from +z towards +x, elevation above the horizon, in (-89, 89).
    free : iterable of str
        Of ``fov``, ``distance``, ``azimuth``, ``elevation``.
    """

    FREEABLE = ("fov", "distance", "azimuth", "elevation")
    ANGLES = ("fov", "azimuth", "elevation")

    def __init__(
        self,
        fov: float = 35.0,
        distance: float = 5.0,
        azimuth: float = 0.0,
        elevation: float = 0.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        steep = math.radians(89)
        self.declare("fov", math.radians(fov), interval(0, math.radians(170)), free="fov" in free)
        self.declare("distance", distance, POSITIVE, free="distance" in free)
        self.declare("azimuth", math.radians(azimuth), free="azimuth" in free)
        self.declare("elevation", math.radians(elevation), interval(-steep, steep), free="elevation" in free)

    def rotation_matrix(self) -> Tensor:
        """From world to camera axes, (3, 3): its rows are the camera's right, up and back."""
        azimuth, elevation = self.get("azimuth"), self.get("elevation")
        sin_a, cos_a, sin_e, cos_e = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
        right = torch.stack([cos_a, torch.zeros_like(cos_a), -sin_a])
        up = torch.stack([-sin_a * sin_e, cos_e, -cos_a * sin_e])
        back = torch.stack([sin_a * cos_e, sin_e, cos_a * cos_e])
        return torch.stack([right, up, back])

    def forward(self, points: Tensor) -> Tensor:
        """World points (..., 3) in the camera's frame: the camera at the origin, looking along -z."""
        away = torch.stack([points.new_zeros(()), points.new_zeros(()), self.get("distance")])
        return points @ self.rotation_matrix().T - away

    def tan_half_fov(self) -> Tensor:
        """Tangent of half the field of view."""
        return torch.tan(0.5 * self.get("fov"))

    def to_settings(self) -> dict[str, float]:
        """The camera as a scene file says it."""
        values = {name: self.get(name).item() for name in self.FREEABLE}
        return {name: math.degrees(v) if name in self.ANGLES else v for name, v in values.items()}
