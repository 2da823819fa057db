"""Pictures of all directions: what Mitsuba's envmap shows, and no power lost."""

from __future__ import annotations

import math

import mitsuba as mi
import numpy as np
import pytest
import torch

from mitsuba_mei.io.images import write_exr
from mitsuba_mei.render.backend import prepare
from mitsuba_mei.scene.distant_emitters import Environment
from mitsuba_mei.scene.panorama import spread


@pytest.fixture(scope="module", autouse=True)
def rgb():
    prepare("llvm_ad_rgb", 3)
    yield
    prepare("llvm_ad_mono", 1)


def directions(count: int = 2000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)


@pytest.mark.parametrize("size", [(8, 16), (3, 5), (16, 32)])
def test_a_picture_means_what_it_means_to_mitsuba(tmp_path, size):
    """Between pixels, at the poles and across the seam."""
    write_exr(tmp_path / "a.exr", np.random.default_rng(0).random((*size, 3)).astype(np.float32))
    turned = mi.ScalarTransform4f().rotate([0, 1, 0], 37 - 180)
    theirs = mi.load_dict({"type": "envmap", "filename": str(tmp_path / "a.exr"), "to_world": turned})
    light, towards = Environment(tmp_path / "a.exr", rotation=37), directions()
    seam = torch.tensor([[1e-3, 1, 0], [0, -1, 1e-3], [1e-7, 0, 1], [-1e-7, 0, 1], [0, 0.5, -1]])
    towards = torch.cat([towards, torch.nn.functional.normalize(seam, dim=1)])
    si = mi.SurfaceInteraction3f()
    si.wi = mi.Vector3f(-towards.numpy().T)
    np.testing.assert_allclose(light.incident(towards, 3).numpy(), np.array(theirs.eval(si)).T, atol=2e-5)


def integral(image: np.ndarray) -> np.ndarray:
    """Of what is interpolated between pixels, (C,)."""
    height, width = image.shape[:2]
    step = math.pi / (height - 1)
    rows = np.sin(np.linspace(0, math.pi, height)) * 2 * (1 - math.cos(step)) / step
    rows[[0, -1]] = 1 - math.sin(step) / step
    return (image * rows[:, None, None]).mean(1).sum(0) * 2 * math.pi


@pytest.mark.slow
@pytest.mark.parametrize("size", [(256, 512), (100, 300), (700, 1400), (1500, 800), (20, 1000)])
def test_spreading_keeps_power(size):
    generator = np.random.default_rng(1)
    image = generator.random((*size, 2)).astype(np.float32)
    for row in (0, 1, size[0] // 3, size[0] - 2):
        image[row, generator.integers(size[1])] += 1e5
    found = spread(image)
    assert found.dtype == np.float32 and found.min() >= 0
    np.testing.assert_allclose(integral(found), integral(image), rtol=5e-4)


def test_spreading_keeps_a_sun_round_and_in_its_place():
    image = np.zeros((400, 800, 1), np.float32)
    row, column = 90, 333
    image[row, column] = 1
    found = spread(image)[..., 0].astype(np.float64)
    height, width = found.shape
    theta = np.linspace(0, math.pi, height)[:, None]
    phi = 2 * math.pi * (np.arange(width) + 0.5) / width
    weight = found * np.sin(theta)
    d = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi])
    centre = (d * weight).sum((1, 2)) / weight.sum()
    angles = math.pi * row / 399, 2 * math.pi * (column + 0.5) / 800
    across = math.sin(angles[0])
    sun = np.array([across * math.cos(angles[1]), across * math.sin(angles[1]), math.cos(angles[0])])
    assert math.degrees(math.acos(centre @ sun / np.linalg.norm(centre))) < 0.02
    spreads = np.linalg.eigvalsh(np.einsum("ihw,jhw,hw->ij", d, d, weight) / weight.sum())[:2]
    assert np.degrees(np.sqrt(spreads)) == pytest.approx(np.array([0.70, 0.70]), abs=0.04)


@pytest.mark.slow
def test_another_shape_is_told_of(tmp_path):
    write_exr(tmp_path / "square.exr", np.ones((64, 64, 3), np.float32))
    write_exr(tmp_path / "usual.exr", np.ones((32, 64, 3), np.float32))
    (note,) = Environment(tmp_path / "square.exr").notes
    assert "64 x 64 pixels" in note and "twice as wide as high" in note
    assert Environment(tmp_path / "usual.exr").notes == ()
