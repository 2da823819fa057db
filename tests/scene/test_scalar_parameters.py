"""Numbers of a scene by their path: what they do to it, and where they may go."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.pipeline import build_scene
from mitsuba_mei.scene.parameters import get_parameters
from mitsuba_mei.scene.scalar_parameters import ScalarParameters
from mitsuba_mei.scene.scene import Scene

LIGHTS = """
lighting:
  - {type: directional, direction: [-1, -2, -2], irradiance: 3}
  - {type: spot, position: [1, 2, 3], target: [0.5, 0, 0], intensity: [1, 2, 3]}
  - {type: spherical_harmonics, coefficients: [1, 0.2, 0.3, 0.4]}
  - {type: constant, radiance: 0.25}
"""
SCENE = f"""
shape: {{template: {{type: icosphere, subdivisions: 1}}, rbf: {{control_points: 8}}}}
pose: {{rotation: [10, 120, 30], translation: [0.1, 0.2, 0.3], scale: 1.5}}
camera: {{fov: 40, distance: 6, azimuth: 20, elevation: 5}}
material: {{type: plastic, reflectance: 0.6, roughness: 0.4}}
{LIGHTS}
"""
ANGLE = st.floats(-180, 180)


def scene_of(text: str, folder: Path) -> tuple[Scene, ScalarParameters]:
    (folder / "scene.yaml").write_text(text)
    config = load_config(folder / "scene.yaml", rendered=False)
    scene = build_scene(config.with_nothing_free(), 1)
    return scene, ScalarParameters(scene, config.pose.rotation)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Scene, ScalarParameters]:
    return scene_of(SCENE, tmp_path_factory.mktemp("values"))


def about(axis: int, degrees: float) -> np.ndarray:
    """The matrix of a turn about x, y or z."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def test_the_own_values_are_those_of_the_file(made):
    _, values = made
    own = {path: values.own(path) for path in values.quantities}
    said = {
        "pose.rotation.x": 10,
        "pose.rotation.y": 120,  # said as it is in the file, not as (-170, 60, -150)
        "pose.rotation.z": 30,
        "pose.translation.y": 0.2,
        "pose.scale": 1.5,
        "camera.fov": 40,
        "camera.azimuth": 20,
        "material.roughness": 0.4,
        "lighting.0.irradiance": 3,
        "lighting.0.azimuth": math.degrees(math.atan2(1, 2)),
        "lighting.0.elevation": math.degrees(math.asin(2 / 3)),
        "lighting.1.position.z": 3,
        "lighting.1.target.x": 0.5,
        "lighting.1.intensity.g": 2,
        "lighting.2.coefficients.3": 0.4,
        "lighting.3.radiance": 0.25,
    }
    assert {path: own[path] for path in said} == pytest.approx(said, rel=1e-6)
    assert "shape.amount" not in own and not any("scales" in path for path in own)


@settings(max_examples=30, deadline=None)
@given(ANGLE, ANGLE, ANGLE)
def test_rotations_are_about_fixed_axes_x_first(made, x, y, z):
    scene, values = made
    values.set({"pose.rotation.x": x, "pose.rotation.z": z, "pose.rotation.y": y})
    expected = about(2, z) @ about(1, y) @ about(0, x)
    np.testing.assert_allclose(scene.pose.rotation_matrix().numpy(), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(ANGLE, st.floats(-90, 90))
def test_light_comes_from_its_azimuth_and_elevation(made, azimuth, elevation):
    scene, values = made
    values.set({"lighting.0.elevation": elevation, "lighting.0.azimuth": azimuth})
    towards = about(1, azimuth) @ about(0, -elevation) @ [0, 0, 1]  # up from +z, then from +z towards +x
    np.testing.assert_allclose(-scene.lighting.emitters[0].get("direction").numpy(), towards, atol=1e-6)
    with torch.no_grad():
        values.set({"camera.azimuth": azimuth, "camera.elevation": min(max(elevation, -88.9), 88.9)})
        back = scene.camera.rotation_matrix()[2].numpy()
    if abs(elevation) < 88.9:
        np.testing.assert_allclose(back, towards, atol=1e-6)  # by the camera's own convention


def test_every_number_is_set_alone_and_given_back(made):
    scene, values = made
    values.set({})
    before = get_parameters(scene)
    for path, quantity in values.quantities.items():
        step = 7.0 if quantity.unit == "deg" else 0.125
        values.set({path: values.own(path) + step})
        again = ScalarParameters(scene)
        if "rotation" not in path:
            assert again.own(path) == pytest.approx(values.own(path) + step, abs=1e-4), path
        changed = [name for name, value in get_parameters(scene).items() if not np.array_equal(value, before[name])]
        stored = "pose.start" if "pose.rotation" in path else path
        if path in ("lighting.0.azimuth", "lighting.0.elevation"):
            stored = "lighting.0.direction"
        assert len(changed) == 1 and stored.startswith(changed[0]), path
        others = {name: values.own(name) for name in again.quantities if not name.startswith(path.rpartition(".")[0])}
        assert {name: again.own(name) for name in others if "rotation" not in name} == pytest.approx(
            {name: own for name, own in others.items() if "rotation" not in name}, rel=1e-5, abs=1e-5
        )
    values.set({})
    assert all(np.array_equal(value, before[name]) for name, value in get_parameters(scene).items())


def test_the_amount_scales_the_offsets(tmp_path):
    scene, _ = scene_of(SCENE, tmp_path)
    with torch.no_grad():
        scene.shape.offsets.copy_(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    values = ScalarParameters(scene)
    whole = scene.shape() - scene.shape.vertices
    for amount in (0.0, 0.5, -2.0, 1.0):
        values.set({"shape.amount": amount})
        torch.testing.assert_close(scene.shape() - scene.shape.vertices, amount * whole, atol=1e-6, rtol=1e-5)


def test_a_rotation_that_the_scene_left_is_decomposed(tmp_path):
    scene, _ = scene_of(SCENE, tmp_path)
    scene.pose.start.copy_(torch.from_numpy(about(2, 20) @ about(1, -30) @ about(0, 40)))
    values = ScalarParameters(scene, (10, 120, 30))
    assert [values.own(f"pose.rotation.{axis}") for axis in "xyz"] == pytest.approx([40, -30, 20], abs=1e-3)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("pose.rotaton.y", 0, "there is no number 'pose.rotaton.y' in the scene; did you mean 'pose.rotation.y'?"),
        ("pose.rotation", 0, "no single number; name one of pose.rotation.x, pose.rotation.y, pose.rotation.z"),
        ("lighting.1.azimuth", 0, "did you mean 'lighting.0.azimuth'?"),
        ("lighting.1.intensity", 0, "no single number; name one of lighting.1.intensity.r"),
        ("shape.amount", 0, "without any offsets"),
        ("pose.scale", 0, "pose.scale cannot be 0; it must be above 0"),
        ("camera.fov", 170, "camera.fov cannot be 170 deg; it must be above 0 and below 170"),
        ("camera.elevation", -89, "above -89 and below 89"),
        ("lighting.0.elevation", 120, "at least -90 and at most 90"),
        ("lighting.0.irradiance", -1, "at least 0"),
        ("material.reflectance", 1.2, "at least 0 and at most 1"),
        ("material.roughness", 0, "above 0 and at most 1"),
    ],
)
def test_what_is_no_number_or_out_of_range_is_said(made, path, value, expected):
    scene, values = made
    values.set({})
    before = get_parameters(scene)
    with pytest.raises(UserError) as caught:
        values.set({path: value})
    assert expected in str(caught.value)
    assert all(np.array_equal(stood, before[name]) for name, stood in get_parameters(scene).items())
