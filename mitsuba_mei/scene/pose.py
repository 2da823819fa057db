"""Pose of the object: rotation, translation and uniform scale."""

from __future__ import annotations

from typing import Any

import roma
import torch
from torch import Tensor

from ..config import scene as schema
from .component import SceneComponent

__all__ = ["Pose"]


class Pose(SceneComponent):
    """A similarity transform, applied to the object about its own origin: scaled, rotated, then moved.

    A free rotation is learned as a rotation vector on top of the given one, so that it has no gimbal lock.
    """

    SETTINGS = schema.Pose

    def initial(self, name: str, value: Any) -> Any:
        if name != "rotation":
            return super().initial(name, value)
        start = roma.euler_to_rotmat("xyz", torch.tensor(value, dtype=torch.float64), degrees=True)
        self.register_buffer("start", start.float())
        return torch.zeros(3)

    def rotation_matrix(self) -> Tensor:
        """The rotation, (3, 3)."""
        return roma.rotvec_to_rotmat(self.get("rotation")) @ self.start

    def forward(self, vertices: Tensor) -> Tensor:
        """Vertices (V, 3) in the object's frame, moved into the scene."""
        return self.get("scale") * vertices @ self.rotation_matrix().T + self.get("translation")

    def to_settings(self) -> dict[str, list[float] | float]:
        """The pose as a scene file says it."""
        angles = roma.rotmat_to_euler("xyz", self.rotation_matrix().detach().double(), degrees=True)
        return super().to_settings() | {"rotation": [float(a) for a in angles]}
