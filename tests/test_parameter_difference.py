from __future__ import annotations

import pytest

from mitsuba_mei.scene.parameters import parameter_at, parameter_difference


@pytest.mark.parametrize(
    ("path", "first", "second", "unit", "value"),
    [
        ("lighting.0.direction", [0, 0, -2], [0, -5, 0], "degrees", 90),
        ("lighting.0.direction", [1, 2, 3], [2, 4, 6], "degrees", 0),
        ("lighting.0.direction", [0, 0, 1], [0, 0, -1], "degrees", 180),
        ("pose.rotation", [0, 0, 0], [0, 0, 350], "degrees", 10),
        ("pose.rotation", [90, 0, 0], [0, 90, 0], "degrees", 120),
        ("lighting.1.rotation", -170.0, 170.0, "degrees", 20),
        ("camera.elevation", 30.0, 10.0, "degrees", 20),
        ("pose.translation", [1, 2, 2], [0, 0, 0], "scene units", 3),
        ("lighting.2.position", [0, 0, 1], [0, 0, 0], "scene units", 1),
        ("lighting.0.irradiance", 4.0, 3.0, "relative", 0.25),
        ("lighting.0.radiance", [3.0, 1.0, 2.0], [1.0, 1.0, 1.0], "relative", 0.5),
        ("pose.scale", 1.0, 1.5, "relative", -0.5),
        ("material.reflectance", 0.7, 0.5, "absolute", 0.2),
        ("lighting.0.coefficients", [1.0, 0, 0, 1.0], [0.0, 0, 0, 0], "absolute", 0.5**0.5),
    ],
)
def test_each_parameter_has_a_measure_that_suits_it(path, first, second, unit, value):
    difference = parameter_difference(path, first, second)
    assert difference.unit == unit
    assert difference.value == pytest.approx(value, abs=1e-9)


def test_a_parameter_is_found_by_its_path():
    scene = {"pose": {"scale": 2.0}, "lighting": [{}, {"direction": [0, 0, 1]}]}
    assert parameter_at(scene, "pose.scale") == 2.0
    assert parameter_at(scene, "lighting.1.direction") == [0, 0, 1]
