"""From where the object is seen."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.scene.camera import Camera

ORIGIN = torch.zeros(1, 3)


@given(azimuth=st.floats(-360, 360), elevation=st.floats(-88, 88), distance=st.floats(0.1, 100))
@settings(max_examples=50, deadline=None)
def test_what_lies_on_its_line_of_sight_is_in_the_centre(azimuth, elevation, distance):
    camera = Camera(distance=distance, azimuth=azimuth, elevation=elevation)
    a, e = math.radians(azimuth), math.radians(elevation)
    place = torch.tensor([[math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)]])
    seen = camera(torch.cat([ORIGIN, 0.5 * place, place * distance]))
    expected = torch.tensor([[0, 0, -distance], [0, 0, 0.5 - distance], [0, 0, 0]])
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5 * max(1, distance))
    up = camera(torch.tensor([[0.0, 1.0, 0.0]]))[0]
    assert abs(up[0]) < 1e-5 and up[1] > 0  # y is up, and never tilted
    rotation = camera.rotation_matrix()
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), rtol=0.0, atol=1e-5)
    assert torch.linalg.det(rotation) > 0


def test_from_the_front_the_axes_are_the_worlds():
    torch.testing.assert_close(Camera(distance=5.0)(torch.eye(3)), torch.eye(3) - torch.tensor([0.0, 0, 5]))


def test_from_the_right_z_points_left():
    seen = Camera(distance=5.0, azimuth=90)(torch.eye(3))
    torch.testing.assert_close(seen, torch.tensor([[0.0, 0, -4], [0, 1, -5], [-1, 0, -5]]), rtol=0.0, atol=1e-6)


def test_the_field_of_view_is_the_full_width():
    assert Camera(fov=90).tan_half_fov().item() == pytest.approx(1)


def test_file_units_come_back():
    camera = Camera(40, 4, 20, -30, free=Camera.FREEABLE)
    with torch.no_grad():
        for parameter in camera.parameters():
            parameter += 0.2
    again = Camera(**camera.to_settings())
    points = torch.randn(5, 3)
    torch.testing.assert_close(again(points), camera(points), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(again.tan_half_fov(), camera.tan_half_fov(), rtol=1e-5, atol=1e-6)


def test_whatever_the_optimizer_does_it_stays_a_camera():
    camera = Camera(free=Camera.FREEABLE)
    for push in (50.0, -100.0):
        with torch.no_grad():
            for parameter in camera.parameters():
                parameter += push
        values = camera.to_settings()
        assert 0 <= values["fov"] <= 170.001 and values["distance"] >= 0 and abs(values["elevation"]) <= 89.001
        assert torch.isfinite(camera(torch.eye(3))).all()
