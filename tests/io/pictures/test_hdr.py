"""What a Radiance header says of its pixels is obeyed, told or refused."""

from __future__ import annotations

import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import read_image
from mitsuba_mei.render.backend import prepare
from tests.io.pictures.test_exr import WIDE, WIDE_TO_709, XYZ_TO_709
from tests.io.pictures.written import write_hdr

RGBE = "FORMAT=32-bit_rle_rgbe\n"


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


def pixels(height: int = 3, width: int = 5) -> np.ndarray:
    """Scanlines of red, green, blue and an exponent of 1, all different."""
    found = np.full((height, width, 4), 128)
    found[..., 0] = 130 + np.arange(height * width).reshape(height, width)
    found[..., 1], found[..., 2] = 140, 200
    return found


def radiance(stored: np.ndarray) -> np.ndarray:
    return stored[..., :3] / 256


def read(path) -> tuple[np.ndarray, str]:
    told: list[str] = []
    return read_image(path, on_message=told.append), " | ".join(told)


def test_pixels_one_by_one(tmp_path):
    image, told = read(write_hdr(tmp_path / "a.hdr", pixels()))
    np.testing.assert_allclose(image, radiance(pixels()), rtol=1e-6)
    assert told == ""


@pytest.mark.parametrize(
    ("lines", "factor"),
    [
        ("EXPOSURE=2\n", [2, 2, 2]),
        ("EXPOSURE=2\nEXPOSURE= 0.25\n", [0.5, 0.5, 0.5]),
        ("COLORCORR=1 2 4\nEXPOSURE=2\n", [2, 4, 8]),
        ("\tEXPOSURE=7\n#EXPOSURE=7\n", [1, 1, 1]),
    ],
)
def test_what_pixels_were_multiplied_by_is_divided_out(tmp_path, lines, factor):
    image, told = read(write_hdr(tmp_path / "a.hdr", pixels(), RGBE + lines))
    np.testing.assert_allclose(image, radiance(pixels()) / factor, rtol=1e-6)
    assert ("divided out" in told) == (factor != [1, 1, 1])


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ("-Y 3 +X 5", lambda a: a),
        ("+Y 3 +X 5", lambda a: a[::-1]),
        ("-Y 3 -X 5", lambda a: a[:, ::-1]),
        ("+Y 3 -X 5", lambda a: a[::-1, ::-1]),
        ("+X 3 -Y 5", lambda a: a.swapaxes(0, 1)),
        ("-X 3 +Y 5", lambda a: a[::-1, ::-1].swapaxes(0, 1)),
    ],
)
def test_scanlines_run_as_the_header_says(tmp_path, size, seen):
    image, _ = read(write_hdr(tmp_path / "a.hdr", pixels(), RGBE, size))
    np.testing.assert_allclose(image, seen(radiance(pixels())), rtol=1e-6)


def test_run_lengths_new_and_old(tmp_path):
    stored = np.full((2, 9, 4), 128)
    stored[0, :, 0], stored[1, 4:, 0] = 200, 250
    new = b""
    for row in stored:
        new += b"\2\2\0\x09"
        for channel in row.T:
            new += b"".join(bytes([129, value]) for value in channel)  # runs of one
    begin = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 9\n"
    (tmp_path / "new.hdr").write_bytes(begin + new)
    old = [[200, 128, 128, 128], [1, 1, 1, 8], [128] * 4, [1, 1, 1, 3], [250, 128, 128, 128], [1, 1, 1, 4]]
    (tmp_path / "old.hdr").write_bytes(begin + np.uint8(old).tobytes())
    for name in ("new", "old"):
        np.testing.assert_allclose(read(tmp_path / f"{name}.hdr")[0], radiance(stored), rtol=1e-6)
    (tmp_path / "cut.hdr").write_bytes(begin + np.uint8(old[:4]).tobytes())
    with pytest.raises(UserError, match="cut.hdr cannot be read: .*pixels are missing"):
        read(tmp_path / "cut.hdr")


def test_colours_are_those_that_are_said(tmp_path):
    image, _ = read(write_hdr(tmp_path / "a.hdr", pixels(), "FORMAT=32-bit_rle_xyze\n"))
    np.testing.assert_allclose(image, np.maximum(radiance(pixels()) @ XYZ_TO_709.T, 0), atol=2e-3)
    said = f"PRIMARIES= {' '.join(map(str, WIDE))}\n"
    image, _ = read(write_hdr(tmp_path / "b.hdr", pixels(), RGBE + said))
    np.testing.assert_allclose(image, radiance(pixels()) @ WIDE_TO_709.T, atol=1e-3)
    image, _ = read(write_hdr(tmp_path / "c.hdr", pixels(), RGBE + "GAMMA=1\nPRIMARIES=0 0 0 0 0 0 0 0\n"))
    np.testing.assert_allclose(image, radiance(pixels()), rtol=1e-6)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ("FORMAT=32-bit_other\n", "FORMAT=32-bit_other; known are"),
        (RGBE + "GAMMA=2.2\n", "GAMMA=2.2; radiance is linear"),
        (RGBE + "EXPOSURE=bright\n", "EXPOSURE=bright, which makes no sense"),
        (RGBE + "EXPOSURE=0\n", "EXPOSURE=0, which makes no sense"),
        (RGBE + "PRIMARIES=1 2 3\n", "PRIMARIES=1 2 3, which makes no sense"),
        (RGBE + "PRIMARIES=1 0 1 0 1 0 1 0\n", "are no colours"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(tmp_path, lines, match):
    with pytest.raises(UserError, match=match):
        read(write_hdr(tmp_path / "a.hdr", pixels(), lines))
