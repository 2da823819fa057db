"""Which parameters the factors are."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitsuba_mei.config.load import Config, free_parameters, load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.runs.factor_coalitions import SUBSETS, chosen_parameters, factor_parameters, named

LIGHTS = """
lighting:
  - {type: sun, irradiance: [1, 0, 1]}
  - {type: point, intensity: 0}
  - {type: constant, radiance: 0.5}
"""


def config(folder: Path, text: str) -> Config:
    (folder / "scene.yaml").write_text(text)
    return load_config(folder / "scene.yaml", rendered=False)


def test_what_the_file_does_not_say_is_everything_of_the_group(tmp_path):
    found = factor_parameters(config(tmp_path, "shape: {free: []}"))
    assert found == {
        "shape": ("shape.offsets", "shape.scales"),
        "pose": ("pose.rotation", "pose.translation", "pose.scale"),
        "light": ("lighting.0.direction", "lighting.0.irradiance", "lighting.1.radiance"),
    }


def test_what_the_file_lists_is_what_the_factor_means(tmp_path):
    text = "shape: {free: [offsets]}\npose: {free: [scale]}\nlighting: [{type: sun}, {type: spot, free: [target]}]"
    scene = config(tmp_path, text + "\ncamera: {free: [azimuth]}\nmaterial: {type: diffuse, free: [reflectance]}")
    found = factor_parameters(scene)
    assert found == {"shape": ("shape.offsets",), "pose": ("pose.scale",), "light": ("lighting.1.target",)}
    assert chosen_parameters(scene) == {path for paths in found.values() for path in paths}


def test_a_power_of_zero_is_not_freed_unasked(tmp_path):
    light = factor_parameters(config(tmp_path, LIGHTS))["light"]
    assert light == ("lighting.0.direction", "lighting.1.position", "lighting.2.radiance")


def test_a_scene_without_power_has_no_light_to_move(tmp_path):
    with pytest.raises(UserError, match="light has no parameter that can be free.*give one of them a power"):
        factor_parameters(config(tmp_path, "lighting: [{type: constant, radiance: 0}]"))


def test_exactly_what_is_named_is_free(tmp_path):
    scene = config(tmp_path, LIGHTS + "camera: {free: [azimuth]}")
    paths = ("pose.rotation", "lighting.2.radiance", "lighting.1.position")
    assert set(free_parameters(scene.with_free(paths))) == set(paths)
    assert scene.with_free(()).with_free(free_parameters(scene)) == scene


def test_subsets_have_names():
    names = ["nothing", "shape", "pose", "light", "shape + pose", "shape + light", "pose + light", "all"]
    assert [named(subset) for subset in SUBSETS] == names
