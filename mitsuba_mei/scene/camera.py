"""From where the object is seen."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import scene as schema
from .component import SceneComponent

__all__ = ["Camera"]


class Camera(SceneComponent):
    """A pinhole camera that looks at the origin, y up.

    It stands at ``azimuth`` from +z towards +x and ``elevation`` above the horizon; ``fov`` is across the square image.
    """

    SETTINGS = schema.Camera

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
