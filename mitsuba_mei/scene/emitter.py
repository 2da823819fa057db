"""What every light is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import UserError
from .camera import Camera
from .color import to_channels
from .component import Component
from .state import LightState, Lobe

__all__ = ["Emitter", "EnvironmentEmitter", "LobeEmitter", "LocalEmitter", "unit"]


class Emitter(Component):
    """A light."""

    def to_settings(self) -> dict[str, float | list[float]]:
        """The light as a scene file says it."""
        return {name: self.get(name).tolist() for name in self.parameter_names}

    def power(self, name: str, channels: int) -> Tensor:
        """A radiometric parameter in the scene's channels, (channels,)."""
        return to_channels(self.get(name).reshape(-1), channels)


class EnvironmentEmitter(Emitter, ABC):
    """Light from infinitely far, any function of direction."""

    detail = 64
    """Texels along the edge of a square table of all directions that resolve this light; a power of two."""

    @abstractmethod
    def incident(self, directions: Tensor, channels: int) -> Tensor:
        """Radiance (N, channels) that arrives from unit ``directions`` (N, 3)."""


class LobeEmitter(Emitter, ABC):
    """Light from infinitely far about one direction."""

    @abstractmethod
    def state(self, camera: Camera, channels: int) -> Lobe:
        """The light in the camera's frame."""


class LocalEmitter(Emitter, ABC):
    """Light from a place, or in a single direction."""

    @abstractmethod
    def state(self, camera: Camera, channels: int) -> LightState:
        """The light in the camera's frame."""


def unit(vector: Sequence[float], what: str) -> Tensor:
    """A vector divided by its length; one without a length is the user's mistake."""
    vector = torch.tensor(list(vector), dtype=torch.float32)
    if not vector.norm() > 0:
        raise UserError(f"{what}: the direction has no length; give three numbers that are not all zero")
    return vector / vector.norm()
