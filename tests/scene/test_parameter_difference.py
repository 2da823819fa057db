from __future__ import annotations

import typing

import pytest

from mitsuba_mei.config import scene
from mitsuba_mei.config.quantities import Quantity, quantity_of
from mitsuba_mei.scene.parameters import DIFFERENCES, parameter_at, parameter_difference


@pytest.mark.parametrize(
    ("part", "name", "first", "second", "unit", "value"),
    [
        (scene.Sun, "direction", [0, 0, -2], [0, -5, 0], "degrees", 90),
        (scene.Sun, "direction", [1, 2, 3], [2, 4, 6], "degrees", 0),
        (scene.Sun, "direction", [0, 0, 1], [0, 0, -1], "degrees", 180),
        (scene.Pose, "rotation", [0, 0, 0], [0, 0, 350], "degrees", 10),
        (scene.Pose, "rotation", [90, 0, 0], [0, 90, 0], "degrees", 120),
        (scene.Environment, "rotation", -170.0, 170.0, "degrees", 20),
        (scene.Camera, "elevation", 30.0, 10.0, "degrees", 20),
        (scene.Pose, "translation", [1, 2, 2], [0, 0, 0], "scene units", 3),
        (scene.Spot, "position", [0, 0, 1], [0, 0, 0], "scene units", 1),
        (scene.Sun, "irradiance", 4.0, 3.0, "relative", 0.25),
        (scene.Area, "radiance", [3.0, 1.0, 2.0], [1.0, 1.0, 1.0], "relative", 0.5),
        (scene.Pose, "scale", 1.0, 1.5, "relative", -0.5),
        (scene.Diffuse, "reflectance", 0.7, 0.5, "absolute", 0.2),
        (scene.SphericalHarmonics, "coefficients", [1.0, 0, 0, 1.0], [0.0, 0, 0, 0], "absolute", 0.5**0.5),
    ],
)
def test_each_parameter_has_a_measure_that_suits_it(part, name, first, second, unit, value):
    difference = parameter_difference(quantity_of(part, name), first, second)
    assert difference.unit == unit
    assert difference.value == pytest.approx(value, abs=1e-9)


def test_every_way_to_differ_has_a_measure():
    ways = typing.get_args(typing.get_type_hints(Quantity)["difference"])
    assert set(ways) == set(DIFFERENCES)


def test_a_parameter_is_found_by_its_path():
    scene = {"pose": {"scale": 2.0}, "lighting": [{}, {"direction": [0, 0, 1]}]}
    assert parameter_at(scene, "pose.scale") == 2.0
    assert parameter_at(scene, "lighting.1.direction") == [0, 0, 1]
