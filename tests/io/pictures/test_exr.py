"""What an OpenEXR header says of its pixels is obeyed, told or refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import read_image
from mitsuba_mei.render.backend import prepare
from tests.io.pictures.written import write_exr

WIDE = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
"""Primaries of Rec. 2020."""

WIDE_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
"""ITU-R BT.2087."""

XYZ_TO_709 = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
"""IEC 61966-2-1."""


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


def plane(value: float, height: int = 4, width: int = 8) -> np.ndarray:
    return np.full((height, width), value, np.float32)


RGB = {"R": plane(0.3), "G": plane(0.4), "B": plane(0.2)}
COLOUR = (0.3, 0.4, 0.2)


def read(path) -> tuple[np.ndarray, str]:
    told: list[str] = []
    return read_image(path, on_message=told.append), " | ".join(told)


def refused(path, match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        read_image(path)
    assert "cannot be read: " in str(caught.value) and "[" not in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "expected", "said"),
    [
        (RGB, COLOUR, ""),
        (RGB | {"Z": plane(9)}, COLOUR, "its channels Z are left out"),
        (RGB | {"albedo.R": plane(1), "albedo.G": plane(1), "albedo.B": plane(1)}, COLOUR, "albedo.R, albedo.G"),
        (
            {f"ViewLayer.Combined.{name}": values for name, values in RGB.items()} | {"ViewLayer.Depth.V": plane(9)},
            COLOUR,
            "of its layers ViewLayer.Combined is read",
        ),
        (
            {f"A.Combined.{name}": values for name, values in RGB.items()}
            | {f"A.DiffCol.{name}": plane(1) for name in "RGB"},
            COLOUR,
            "of its layers A.Combined is read",
        ),
        ({"Y": plane(0.7), "A": plane(0.5)}, (0.7, 0.7, 0.7), "its alpha is below 1 in 32 pixels"),
        ({"Y": plane(0.7), "A": plane(1)}, (0.7, 0.7, 0.7), ""),
        (RGB | {"A": plane(1)}, COLOUR, ""),
        ({"X": plane(0.3), "Y": plane(0.4), "Z": plane(0.2)}, XYZ_TO_709 @ COLOUR, ""),
    ],
)
def test_one_picture_is_read_of_a_file_s_channels(tmp_path, channels, expected, said):
    image, told = read(write_exr(tmp_path / "a.exr", channels))
    np.testing.assert_allclose(image, np.broadcast_to(expected, (4, 8, 3)), atol=2e-3)
    assert said in told and bool(said) == bool(told)


def test_channels_without_colours_are_named(tmp_path):
    refused(write_exr(tmp_path / "a.exr", {"G": plane(1)}), "no R, G and B, and no Y; its channels are G")
    two = {f"{layer}.{name}": plane(1) for layer in ("one", "two") for name in "RGB"}
    refused(write_exr(tmp_path / "b.exr", two), "several layers with colours.*one.R, one.G, one.B, two.R")


@pytest.mark.parametrize("more", [{}, {"A": plane(1)}, {"Z": plane(3)}])
def test_colours_are_converted_from_the_primaries_that_are_said(tmp_path, more):
    """Whether Mitsuba does it, or we."""
    said = [("chromaticities", "chromaticities", struct.pack("<8f", *WIDE))]
    image, _ = read(write_exr(tmp_path / "a.exr", RGB | more, extra=said))
    np.testing.assert_allclose(image[0, 0], WIDE_TO_709 @ COLOUR, rtol=2e-3)


def test_data_are_placed_in_the_display_window(tmp_path):
    path = write_exr(tmp_path / "a.exr", RGB, data=(5, 1, 12, 4), display=(-3, 0, 16, 9))
    image, told = read(path)
    expected = np.zeros((10, 20, 3), np.float32)
    expected[1:5, 8:16] = COLOUR
    np.testing.assert_allclose(image, expected)
    assert "data window of 8 x 4 pixels is placed in the display window of 20 x 10" in told


def test_data_beyond_the_display_window_are_cut(tmp_path):
    rows = plane(1) * np.arange(4, dtype=np.float32)[:, None]
    image, _ = read(write_exr(tmp_path / "a.exr", {"Y": rows}, data=(-2, -1, 5, 2), display=(0, 0, 3, 1)))
    np.testing.assert_array_equal(image[..., 0], [[1] * 4, [2] * 4])
    refused(write_exr(tmp_path / "b.exr", RGB, data=(50, 1, 57, 4), display=(0, 0, 9, 9)), "outside its display window")


def test_a_display_window_of_too_many_pixels_is_not_made(tmp_path):
    path = write_exr(tmp_path / "a.exr", RGB, display=(0, 0, 99_999, 99_999))
    with pytest.raises(UserError, match="100,000 x 100,000 pixels, more than"):
        read_image(path)


def test_a_cube_map_is_refused(tmp_path):
    cube = write_exr(tmp_path / "a.exr", RGB, extra=[("envmap", "envmap", b"\1")])
    refused(cube, "envmap attribute says cube; convert it to a latitude-longitude map")
    assert read(write_exr(tmp_path / "b.exr", RGB, extra=[("envmap", "envmap", b"\0")]))[1] == ""


def test_deep_files_and_unknown_compressions_are_named(tmp_path):
    refused(write_exr(tmp_path / "a.exr", RGB, flags=0x800), "it is deep")
    refused(write_exr(tmp_path / "b.exr", RGB, compression=10), "its compression, HTJ2K256, is not known here")
    refused(write_exr(tmp_path / "c.exr", RGB, compression=99), "its compression, number 99, is not known here")


def test_specks_below_zero_are_counted_and_dark(tmp_path):
    values = plane(0.5)
    values[1, 2] = values[2, 5] = -1e-6
    image, told = read(write_exr(tmp_path / "a.exr", {"Y": values}))
    assert image.min() == 0 and "2 of 32 pixels are below 0, the least -1e-06; they are taken as 0" in told
    values[1, 2] = -0.1
    refused(write_exr(tmp_path / "b.exr", {"Y": values}), "2 of 32 pixels are below 0, the least -0.1")
    values[1, 2] = np.nan
    refused(write_exr(tmp_path / "c.exr", {"Y": values}), "1 pixels are infinite or no number")


def test_pixels_that_are_not_square_are_told_of(tmp_path):
    path = write_exr(tmp_path / "a.exr", RGB)
    usual, other = (b"pixelAspectRatio\0float\0\4\0\0\0" + struct.pack("<f", ratio) for ratio in (1, 2))
    assert usual in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(usual, other))
    assert "its pixels are 2 times as wide as high" in read(path)[1]
