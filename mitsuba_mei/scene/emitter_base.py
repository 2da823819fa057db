"""Base classes of emitters."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from .camera import Camera
from .color import to_channels
from .component import SceneComponent
from .state import LightState, Lobe

__all__ = ["Emitter", "EnvironmentEmitter", "LobeEmitter", "LocalEmitter"]


class Emitter(SceneComponent):
    """A light."""

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
