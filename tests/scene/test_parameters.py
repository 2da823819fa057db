"""A scene's parameters in a file: exactly what they were, and nothing that a file may do in their place."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.pipeline import build_scene
from mitsuba_mei.scene.parameters import get_parameters, read_parameters, set_parameters, write_parameters

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 12}}
pose: {rotation: [20, 30, 40], free: [rotation, translation, scale]}
camera: {azimuth: 12, free: [fov, distance, elevation]}
lighting:
  - {type: sun, irradiance: [3, 2, 1], free: [direction, irradiance]}
  - {type: spherical_harmonics, free: [coefficients]}
material: {type: plastic, free: [reflectance, roughness]}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    return load_config(tmp_path / "scene.yaml")


@pytest.fixture
def scene(config):
    """One that an optimizer has moved, from a start of its own."""
    scene = build_scene(config, 1, restart=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in scene.free_parameters().values():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return scene


def test_every_parameter_comes_back_to_the_last_bit(config, scene, tmp_path):
    values = get_parameters(scene)
    write_parameters(tmp_path / "parameters.npz", values)
    other = build_scene(config.with_nothing_free(), 1)
    read = read_parameters(tmp_path / "parameters.npz", get_parameters(other))
    set_parameters(other, read)
    first, second = scene(), other()
    assert torch.equal(first.vertices, second.vertices) and torch.equal(first.tan_half_fov, second.tan_half_fov)
    assert torch.equal(first.lobes[0].axis, second.lobes[0].axis) and torch.equal(
        first.lobes[0].peak, second.lobes[0].peak
    )
    for name, value in first.material.values.items():
        assert torch.equal(value, second.material.values[name])
    assert scene.to_settings() == other.to_settings()
    again = get_parameters(other)
    assert values.keys() == again.keys()
    assert all(np.array_equal(values[name], again[name]) for name in values)


def test_numpy_reads_it_under_the_names_of_the_scene_file(scene, tmp_path):
    write_parameters(tmp_path / "parameters.npz", get_parameters(scene))
    found = np.load(tmp_path / "parameters.npz", allow_pickle=False)
    assert {name for name in scene.free_parameters()} <= set(found)
    assert set(found) - set(scene.free_parameters()) == {"camera.azimuth", "pose.start", "shape.control_points"}
    assert found["shape.offsets"].shape == (12, 3) and found["lighting.0.irradiance"].shape == (3,)
    assert found["material.roughness"] == pytest.approx(scene.material.get("roughness").item())


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def member(array, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=allow_pickle)
    return file.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    """What announces an array that does not follow."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.fixture
def refused(config, tmp_path):
    """Write a file of parameters, members of it changed (None leaves one out); the sentence that it is refused with."""
    like = get_parameters(build_scene(config.with_nothing_free(), 1))
    path = tmp_path / "parameters.npz"

    def attempt(changed: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> str:
        members = {f"{name}.npy": member(value) for name, value in like.items()} | changed
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members.items():
                if data is not None:
                    archive.writestr(name, data)
        with pytest.raises(UserError) as error:
            read_parameters(path, like)
        assert str(path) in str(error.value)
        return str(error.value)

    return attempt


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shape.offsets.npy": None}, "lacks 'shape.offsets'"),
        ({"shape.offset.npy": member(np.ones(3))}, "has 'shape.offset'"),
        ({"../../evil\x1b.npy": member(np.ones(3))}, r"has '../../evil\x1b'"),
        ({"shape.offsets.npy": member(np.ones((13, 3), np.float32))}, "shape.offsets is 13 x 3 of float32, and 12 x 3"),
        ({"pose.scale.npy": member(np.array(1.0))}, "pose.scale is one number of float64"),
        ({"shape.offsets.npy": member(np.ones((12, 3), np.float32, order="F"))}, "shape.offsets is 12 x 3"),
        ({"shape.offsets.npy": member(np.full((12, 3), np.nan, np.float32))}, "shape.offsets that is not finite"),
        ({"shape.control_points.npy": member(np.ones((12, 3), np.float32))}, "another template mesh"),
        ({"shape.offsets.npy": header((2**40, 2**20))}, "shape.offsets is 1099511627776 x 1048576"),
        ({"shape.offsets.npy": header((12, 3))}, "damaged"),
        ({"shape.offsets.npy": b"anything"}, "damaged"),
        ({"shape.offsets.npy": b""}, "damaged"),
    ],
)
def test_what_does_not_fit_is_refused(refused, changed, expected):
    assert expected in refused(changed)


def test_nothing_is_executed(refused, tmp_path):
    trap = member(np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    assert "shape.offsets is 1 of object" in refused({"shape.offsets.npy": trap})
    assert not (tmp_path / "sprung").exists()


def test_no_more_is_unpacked_than_is_expected(refused):
    bomb = header((12, 3)) + bytes(2**28)
    assert "shape.offsets is larger than 12 x 3" in refused({"shape.offsets.npy": bomb}, zipfile.ZIP_DEFLATED)


def test_files_that_are_none(config, tmp_path):
    like = get_parameters(build_scene(config.with_nothing_free(), 1))
    path = tmp_path / "parameters.npz"
    with pytest.raises(UserError, match="there is no file"):
        read_parameters(path, like)
    path.mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_parameters(path, like)
    path.rmdir()
    write_parameters(path, like)
    whole = path.read_bytes()
    for data in (b"", whole[:100], whole[: len(whole) // 2], bytes(range(256)) * 20, whole.replace(b"NUMPY", b"NUMBY")):
        path.write_bytes(data)
        with pytest.raises(UserError, match="is damaged"):
            read_parameters(path, like)
    with open(path, "wb") as file:
        file.truncate(2**32)
    with pytest.raises(UserError, match="too many"):
        read_parameters(path, like)


def test_a_name_that_is_there_twice(config, tmp_path):
    like = get_parameters(build_scene(config.with_nothing_free(), 1))
    path = tmp_path / "parameters.npz"
    write_parameters(path, like)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("pose.scale.npy", member(like["pose.scale"]))
    with pytest.raises(UserError, match="twice"):
        read_parameters(path, like)
