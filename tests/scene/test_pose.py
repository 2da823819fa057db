"""Rotation, translation and scale."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.scene.pose import Pose

POINTS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.3, -0.5, 0.8]])


def about(axis: int, degrees: float) -> torch.Tensor:
    """The right-handed rotation about an axis, (3, 3)."""
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = torch.eye(3)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


@pytest.mark.parametrize("free", [(), ("rotation", "translation", "scale")])
def test_turns_about_x_then_y_then_z(free):
    pose = Pose([30, -50, 110], [1, 2, 3], 0.5, free=free)
    expected = 0.5 * POINTS @ (about(2, 110) @ about(1, -50) @ about(0, 30)).T + torch.tensor([1.0, 2, 3])
    torch.testing.assert_close(pose(POINTS), expected, rtol=0.0, atol=1e-6)


def test_a_quarter_turn_about_z_takes_x_to_y():
    torch.testing.assert_close(Pose([0, 0, 90])(POINTS[:1]), POINTS[1:2], rtol=0.0, atol=1e-6)


ANGLE = st.floats(-179, 179)


@given(angles=st.tuples(ANGLE, st.floats(-89, 89), ANGLE), scale=st.floats(0.01, 50))
@settings(max_examples=50, deadline=None)
def test_file_units_come_back(angles, scale):
    pose = Pose(angles, [0.1, -0.2, 3.0], scale, free=["rotation", "scale"])
    with torch.no_grad():
        pose.rotation.add_(torch.tensor([0.3, -0.8, 0.2]))
        pose.scale.add_(0.1)
    again = Pose(**pose.to_settings())
    torch.testing.assert_close(again(POINTS), pose(POINTS), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pose.rotation_matrix() @ pose.rotation_matrix().T, torch.eye(3), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("rotation", [[0, 0, 0], [0, 90, 0], [20, -90, 40]])
def test_a_free_rotation_has_a_full_derivative_everywhere(rotation):
    pose = Pose(rotation, free=["rotation"])
    slopes = torch.autograd.functional.jacobian(
        lambda r: torch.func.functional_call(pose, {"rotation": r}, POINTS[3:]).ravel(), pose.rotation.detach()
    )
    # Turning about an axis moves a point across it.
    at = pose(POINTS[3:])[0].detach()
    expected = torch.linalg.cross(torch.eye(3), at.expand(3, 3)).T
    torch.testing.assert_close(slopes, expected, rtol=0.0, atol=1e-5)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="pose has no parameter 'rotate'"):
        Pose(free=["rotate"])
    with pytest.raises(UserError, match="pose: scale: must be above 0, not 0.0"):
        Pose(scale=0.0, free=["scale"])
