"""Image files."""

from __future__ import annotations

import imageio.v3 as iio
import mitsuba as mi
import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import read_image, to_srgb, write_exr, write_png
from mitsuba_mei.render.backend import prepare


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_exr_keeps_radiance(tmp_path, channels):
    radiance = np.random.default_rng(0).uniform(0, 20, (5, 7, channels)).astype(np.float32)
    write_exr(tmp_path / "a.exr", radiance)
    again = read_image(tmp_path / "a.exr")
    assert again.shape == (5, 7, 3) and again.dtype == np.float32
    np.testing.assert_array_equal(again, np.repeat(radiance, 3 // channels, axis=2))


def test_hdr_is_linear(tmp_path):
    radiance = np.full((4, 8, 3), 2.5, dtype=np.float32)
    mi.Bitmap(radiance).write(str(tmp_path / "a.hdr"))
    np.testing.assert_allclose(read_image(tmp_path / "a.hdr"), 2.5, rtol=0.01)


@pytest.mark.parametrize("bits", [8, 16])
def test_png_is_decoded_from_srgb(tmp_path, bits):
    top = 2**bits - 1
    pixels = np.array([[0, round(0.04 * top), round(0.5 * top), top]], dtype=f"uint{bits}")
    iio.imwrite(tmp_path / "a.png", pixels)
    expected = [0, 0.04 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4, 1]
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[0, :, 1], expected, rtol=0.03 if bits == 8 else 1e-3)


def test_alpha_is_left_out(tmp_path):
    pixels = np.full((2, 2, 4), 255, dtype=np.uint8)
    pixels[..., 3] = 7
    iio.imwrite(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.ones((2, 2, 3)))


@pytest.mark.parametrize("channels", [1, 3])
def test_srgb_is_undone_by_reading(tmp_path, channels):
    radiance = np.linspace(0, 1, 24 * channels, dtype=np.float32).reshape(4, 6, channels)
    pixels = to_srgb(radiance)
    assert pixels.dtype == np.uint8 and pixels.shape == ((4, 6) if channels == 1 else (4, 6, 3))
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), np.broadcast_to(radiance, (4, 6, 3)), atol=0.006)


def test_what_cannot_be_shown_is_clipped():
    assert to_srgb(np.array([[[-1.0], [0.0], [1.0], [9.0]]])).tolist() == [[0, 0, 255, 255]]


def test_mistakes_are_named(tmp_path):
    write_exr(tmp_path / "sky.exr", np.ones((2, 4, 3), dtype=np.float32))
    with pytest.raises(UserError, match="sky.exe does not exist.*sky.exr"):
        read_image(tmp_path / "sky.exe")
    with pytest.raises(UserError, match="does not exist"):
        read_image(tmp_path / "nowhere" / "sky.exr")
    (tmp_path / "sky.tif").write_bytes(b"II*")
    with pytest.raises(UserError, match="unknown format '.tif'; allowed: .exr, .hdr, .png"):
        read_image(tmp_path / "sky.tif")
    for suffix in ("png", "exr", "hdr"):
        (tmp_path / f"broken.{suffix}").write_bytes(b"this is no image")
        with pytest.raises(UserError, match=f"broken.{suffix} cannot be read"):
            read_image(tmp_path / f"broken.{suffix}")


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_impossible_radiance_is_refused(tmp_path, value):
    radiance = np.ones((2, 4, 3), dtype=np.float32)
    radiance[1, 2, 0] = value
    write_exr(tmp_path / "a.exr", radiance)
    with pytest.raises(UserError, match="negative or not finite"):
        read_image(tmp_path / "a.exr")
