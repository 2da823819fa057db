"""The scene as glTF, read back and compared with closed forms."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.pipeline import build_scene
from mitsuba_mei.report.export.gltf import gltf_of, left_out, write_glb
from mitsuba_mei.scene.scene import Scene

SCENE = """
shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 8}}
pose: {rotation: [10, 20, 30], translation: [0.1, 0.2, 0.3], scale: 1.5}
camera: {fov: 40, distance: 6, azimuth: 30, elevation: 20}
background: 0.25
lighting:
  - {type: directional, direction: [-1, -2, -2], irradiance: [1, 2, 4]}
  - {type: constant, radiance: 0.3}
  - {type: spot, position: [1, 2, 3], target: [0.5, 0, -1], intensity: 20, cutoff: 30, beam: 12}
  - {type: point, position: [-1, 0.5, 2], intensity: 7}
  - {type: area, position: [0, 4, 0], size: [2, 1], radiance: 5}
  - {type: sun, direction: [0, -1, 0], irradiance: 3, sharpness: 80}
"""


def scene_of(folder: Path, text: str = SCENE, *overrides: str) -> tuple[Scene, list[dict]]:
    """A scene, and what its file says of the lights."""
    (folder / "scene.yaml").write_text(text)
    config = load_config(folder / "scene.yaml", overrides, rendered=False)
    return build_scene(config.with_nothing_free(), 3), [light.model_dump(exclude={"free"}) for light in config.lighting]


def read_back(path: Path, scene: Scene, said: list[dict]) -> tuple[dict, bytes]:
    write_glb(path, scene, said)
    data = path.read_bytes()
    magic, version, length = struct.unpack("<4sII", data[:12])
    size, kind = struct.unpack("<I4s", data[12:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON") and size % 4 == 0
    binary = data[20 + size :]
    size_of_binary, kind = struct.unpack("<I4s", binary[:8])
    assert kind == b"BIN\0" and size_of_binary == len(binary) - 8
    return json.loads(data[20 : 20 + size]), binary[8:]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Scene, dict, Path]:
    folder = tmp_path_factory.mktemp("gltf")
    scene, said = scene_of(folder)
    return scene, read_back(folder / "scene.glb", scene, said)[0], folder / "scene.glb"


def matrix(node: dict) -> np.ndarray:
    whole = np.array(node["matrix"]).reshape(4, 4).T
    np.testing.assert_allclose(whole[:3, :3] @ whole[:3, :3].T, np.eye(3), atol=1e-6)
    assert np.linalg.det(whole[:3, :3]) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(whole[3], [0, 0, 0, 1])
    return whole


def light(gltf: dict, name: str) -> tuple[dict, np.ndarray]:
    (node,) = [node for node in gltf["nodes"] if node["name"] == name]
    lights = gltf["extensions"]["KHR_lights_punctual"]["lights"]
    return lights[node["extensions"]["KHR_lights_punctual"]["light"]], matrix(node)


def unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def test_the_mesh_is_the_posed_object(made):
    scene, _, path = made
    (mesh,) = trimesh.load(path).geometry.values()
    with torch.no_grad():
        expected = scene.pose(scene.shape()).numpy()
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, scene.faces.numpy())
    outwards = expected - [0.1, 0.2, 0.3]
    assert (np.einsum("ij,ij->i", mesh.vertex_normals, outwards) > 1).all()


def test_the_camera_stands_where_it_says_and_looks_at_the_origin(made):
    _, gltf, _ = made
    (node,) = [node for node in gltf["nodes"] if "camera" in node]
    pose = matrix(node)
    azimuth, elevation = math.radians(30), math.radians(20)
    towards = np.array(
        [math.cos(elevation) * math.sin(azimuth), math.sin(elevation), math.cos(elevation) * math.cos(azimuth)]
    )
    np.testing.assert_allclose(pose[:3, 3], 6 * towards, atol=1e-5)
    np.testing.assert_allclose(-pose[:3, 2], -towards, atol=1e-6)  # glTF's camera looks along its own -z
    assert pose[1, 0] == pytest.approx(0, abs=1e-6) and pose[1, 1] > 0  # level, and the right way up
    camera = gltf["cameras"][node["camera"]]
    assert camera["type"] == "perspective"
    assert camera["perspective"]["yfov"] == pytest.approx(math.radians(40), rel=1e-6)
    assert camera["perspective"]["aspectRatio"] == 1 and "zfar" not in camera["perspective"]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.floats(-170, 170), st.floats(-85, 85), st.tuples(*[st.floats(-1, 1)] * 3))
def test_points_fall_where_our_camera_sees_them(tmp_path_factory, azimuth, elevation, point):
    folder = tmp_path_factory.mktemp("camera")
    scene, said = scene_of(folder, SCENE, f"camera.azimuth={azimuth:.6f}", f"camera.elevation={elevation:.6f}")
    gltf = gltf_of(scene, said)
    (node,) = [node for node in gltf["nodes"] if "camera" in node]
    seen = np.linalg.inv(matrix(node)) @ [*point, 1]
    with torch.no_grad():
        np.testing.assert_allclose(seen[:3], scene.camera(torch.tensor([point]))[0].numpy(), atol=1e-5)


def test_directional_lights(made):
    _, gltf, _ = made
    found, pose = light(gltf, "lighting.0")
    assert found["type"] == "directional"
    np.testing.assert_allclose(-pose[:3, 2], unit(-1, -2, -2), atol=1e-6)
    np.testing.assert_allclose(np.array(found["color"]) * found["intensity"], 683 * np.array([1, 2, 4]), rtol=1e-6)
    assert max(found["color"]) == 1
    sun, pose = light(gltf, "lighting.5")
    assert (sun["type"], sun["intensity"]) == ("directional", pytest.approx(683 * 3))
    np.testing.assert_allclose(-pose[:3, 2], [0, -1, 0], atol=1e-6)
    assert sun["extras"]["sharpness"] == 80 and sun["extras"]["irradiance"] == pytest.approx(3)


def test_lights_at_a_place(made):
    _, gltf, _ = made
    spot, pose = light(gltf, "lighting.2")
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(-pose[:3, 2], unit(-0.5, -2, -4), atol=1e-6)
    assert spot["spot"] == {
        "innerConeAngle": pytest.approx(math.radians(12)),
        "outerConeAngle": pytest.approx(math.radians(30)),
    }
    assert spot["intensity"] == pytest.approx(683 * 20)
    point, pose = light(gltf, "lighting.3")
    assert (point["type"], point["intensity"]) == ("point", pytest.approx(683 * 7))
    np.testing.assert_allclose(pose[:3, 3], [-1, 0.5, 2], atol=1e-6)
    assert "spot" not in point


def test_what_gltf_cannot_hold_is_in_the_extras(made):
    scene, gltf, _ = made
    extras = gltf["scenes"][0]["extras"]
    assert left_out(scene) == ["lighting.1 (constant)", "lighting.4 (area)"]
    assert set(extras["lights_without_gltf"]) == {"lighting.1", "lighting.4"}
    area = extras["lights_without_gltf"]["lighting.4"]
    assert (area["type"], area["size"], area["position"]) == ("area", [2.0, 1.0], [0, 4, 0])
    assert extras["background"] == [0.25] * 3 and "683" in extras["units"]


@pytest.mark.parametrize(
    ("material", "colour", "metallic", "roughness", "extension"),
    [
        ("{type: diffuse, reflectance: [0.1, 0.2, 0.4]}", [0.1, 0.2, 0.4], 0, 1, ("specular", "specularFactor", 0)),
        ("{type: plastic, reflectance: 0.6, roughness: 0.09, ior: 1.7}", [0.6] * 3, 0, 0.3, ("ior", "ior", 1.7)),
        # The reflection at normal incidence of 0.08 * 0.5 = 0.04 is that of an index of 1.5.
        ("{type: principled, roughness: 0.4, metallic: 0.2, specular: 0.5}", [0.7] * 3, 0.2, 0.4, ("ior", "ior", 1.5)),
    ],
)
def test_materials(tmp_path, material, colour, metallic, roughness, extension):
    gltf, _ = read_back(tmp_path / "scene.glb", *scene_of(tmp_path, SCENE, f"material={material}"))
    (found,) = gltf["materials"]
    pbr = found["pbrMetallicRoughness"]
    assert pbr["baseColorFactor"] == pytest.approx([*colour, 1])
    assert (pbr["metallicFactor"], pbr["roughnessFactor"]) == pytest.approx((metallic, roughness))
    name, key, value = extension
    assert found["extensions"][f"KHR_materials_{name}"][key] == pytest.approx(value, rel=1e-6)
    assert set(gltf["extensionsUsed"]) == {f"KHR_materials_{name}", "KHR_lights_punctual"}


def test_without_lights_that_gltf_knows_there_are_none(tmp_path):
    gltf = gltf_of(*scene_of(tmp_path, SCENE, "lighting=[{type: constant}]"))
    assert "extensions" not in gltf and "KHR_lights_punctual" not in gltf["extensionsUsed"]
