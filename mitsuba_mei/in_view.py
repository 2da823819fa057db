"""Whether a camera sees an object."""

from __future__ import annotations

from .errors import UserError
from .scene.state import SceneState

__all__ = ["check_before_camera", "check_view"]


def check_view(state: SceneState) -> None:
    """Raise UserError where the camera cannot see the object, or stands in it."""
    depth = -state.vertices[:, 2].detach()
    place = state.vertices[:, :2].detach() / (depth * state.tan_half_fov.detach())[:, None]
    if not ((depth > 0) & (place.abs() < 1).all(dim=1)).any():
        raise UserError(
            "the object is outside the camera's view: none of its vertices falls on the image; "
            "change pose.translation (or placement), camera.distance or camera.fov"
        )
    check_before_camera(state)


def check_before_camera(state: SceneState) -> None:
    """Raise UserError where the camera stands in the object, or beyond a part of it."""
    if not (state.vertices[:, 2] < 0).all():
        raise UserError(
            "the camera stands inside or behind the object; increase camera.distance, or reduce pose.scale or "
            "placement.size"
        )
