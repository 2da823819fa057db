"""Where the object is: rotation, translation and uniform scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import roma
import torch
from torch import Tensor

from .component import POSITIVE, Component

__all__ = ["Pose"]


class Pose(Component):
    """A similarity transform, applied to the object about its own origin: scaled, rotated, then moved.

    Parameters
    ----------
    rotation : sequence of 3 float
        Angles about the fixed x, y and z axes, applied in this order, degrees.
    translation : sequence of 3 float
        Scene units.
    scale : float
        Positive.
    free : iterable of str
        Of ``rotation``, ``translation``, ``scale``. A free rotation is learned as a rotation vector on top of the given
        one, so that it has no gimbal lock.
    """

    FREEABLE = ("rotation", "translation", "scale")

    def __init__(
        self,
        rotation: Sequence[float] = (0, 0, 0),
        translation: Sequence[float] = (0, 0, 0),
        scale: float = 1.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        start = roma.euler_to_rotmat("xyz", torch.tensor(list(rotation), dtype=torch.float64), degrees=True)
        self.register_buffer("start", start.float())
        self.declare("rotation", torch.zeros(3), free="rotation" in free)
        self.declare("translation", list(translation), free="translation" in free)
        self.declare("scale", scale, POSITIVE, free="scale" in free)

    def rotation_matrix(self) -> Tensor:
        """The rotation, (3, 3)."""
        return roma.rotvec_to_rotmat(self.get("rotation")) @ self.start

    def forward(self, vertices: Tensor) -> Tensor:
        """Vertices (V, 3) in the object's frame, moved into the scene."""
        return self.get("scale") * vertices @ self.rotation_matrix().T + self.get("translation")

    def to_settings(self) -> dict[str, list[float] | float]:
        """The pose as a scene file says it."""
        angles = roma.rotmat_to_euler("xyz", self.rotation_matrix().detach().double(), degrees=True)
        return {
            "rotation": [float(a) for a in angles],
            "translation": self.get("translation").tolist(),
            "scale": self.get("scale").item(),
        }
