"""All lights of a scene."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .camera import Camera
from .distant_emitters import DISTANT_EMITTERS
from .emitter_base import Emitter, EnvironmentEmitter, LobeEmitter, LocalEmitter
from .local_emitters import LOCAL_EMITTERS
from .state import LightState, Lobe

__all__ = ["EMITTERS", "Lighting"]

EMITTERS = DISTANT_EMITTERS | LOCAL_EMITTERS
"""Every light by its ``type`` in the scene file."""


class Lighting(nn.Module):
    """All lights of a scene.

    Parameters
    ----------
    emitters : sequence of Emitter
    """

    def __init__(self, emitters: Sequence[Emitter]) -> None:
        super().__init__()
        self.emitters = nn.ModuleList(emitters)

    @property
    def environment(self) -> list[EnvironmentEmitter]:
        """The lights that are any function of direction."""
        return [e for e in self.emitters if isinstance(e, EnvironmentEmitter)]

    @property
    def detail(self) -> int:
        """Texels along the edge of a table that resolves these."""
        return max((e.detail for e in self.environment), default=64)

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        """Their radiance (N, channels) from unit ``directions`` (N, 3), world frame."""
        return sum(e.incident(directions, channels) for e in self.environment)

    def lobes(self, camera: Camera, channels: int) -> tuple[Lobe, ...]:
        """Distant lights about one direction each, in the camera's frame."""
        return tuple(e.state(camera, channels) for e in self.emitters if isinstance(e, LobeEmitter))

    def local_states(self, camera: Camera, channels: int) -> tuple[LightState, ...]:
        """The other lights, in the camera's frame."""
        return tuple(e.state(camera, channels) for e in self.emitters if isinstance(e, LocalEmitter))
