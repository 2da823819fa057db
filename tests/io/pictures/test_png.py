"""PNG files of every depth and kind of colour, as light."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import read_image
from mitsuba_mei.render.backend import prepare
from tests.io.pictures.test_exr import WIDE, WIDE_TO_709
from tests.io.pictures.written import add_chunk

LEVELS = np.linspace(0.05, 0.9, 24).reshape(4, 6)


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


def read(path) -> tuple[np.ndarray, str]:
    told: list[str] = []
    return read_image(path, on_message=told.append), " | ".join(told)


def linear(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


GREY = (LEVELS * 255).round().astype(np.uint8)


def test_grey_with_alpha_is_grey(tmp_path):
    alpha = np.full((4, 6), 255, np.uint8)
    Image.fromarray(np.stack([GREY, alpha], 2), "LA").save(tmp_path / "a.png")
    image, told = read(tmp_path / "a.png")
    np.testing.assert_allclose(image, np.repeat(linear(GREY / 255)[..., None], 3, 2), rtol=1e-5)
    assert told == ""
    alpha[1, :3] = 0
    Image.fromarray(np.stack([GREY, alpha], 2), "LA").save(tmp_path / "b.png")
    again, told = read(tmp_path / "b.png")
    np.testing.assert_array_equal(again, image)
    assert "its transparency, of 3 pixels, is left out" in told


def test_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(GREY > 128).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0][..., 1], (GREY > 128).astype(np.float32))


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette(tmp_path, transparent):
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) % 3, "P")
    colours = np.uint8([[255, 0, 0], [0, 128, 0], [10, 20, 200]])
    picture.putpalette(colours.ravel().tolist())
    picture.save(tmp_path / "a.png", **({"transparency": 1} if transparent else {}))
    image, told = read(tmp_path / "a.png")
    expected = linear(colours[np.arange(24).reshape(4, 6) % 3] / 255)
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=1e-7)
    assert ("transparency, of 8 pixels" in told) == transparent


def test_sixteen_bits_of_colour_are_kept(tmp_path):
    import mitsuba as mi

    from mitsuba_mei.io.pictures.bitmaps import file_threads

    values = np.arange(24 * 3, dtype=np.uint16).reshape(4, 6, 3) * 3 + 20_000
    with file_threads():
        mi.Bitmap(values).write(str(tmp_path / "a.png"))
    np.testing.assert_allclose(read(tmp_path / "a.png")[0], linear(values / 65535), rtol=1e-5)


def saved(path, **options):
    Image.fromarray(np.repeat(GREY[..., None], 3, 2) // np.uint8([1, 2, 3])).save(path, **options)
    return path


def test_gamma_is_that_of_the_file(tmp_path):
    path = saved(tmp_path / "a.png")
    encoded = np.asarray(Image.open(path)) / 255
    image, told = read(add_chunk(path, b"gAMA", struct.pack(">I", 100_000)))
    np.testing.assert_allclose(image, encoded, rtol=1e-5)
    assert "exponent 1 that its gAMA chunk says" in told
    usual, told = read(add_chunk(saved(tmp_path / "b.png"), b"gAMA", struct.pack(">I", 45_455)))
    np.testing.assert_allclose(usual, linear(encoded), rtol=1e-5)
    assert told == ""
    path = add_chunk(add_chunk(saved(tmp_path / "c.png"), b"gAMA", struct.pack(">I", 100_000)), b"sRGB", b"\0")
    np.testing.assert_array_equal(read(path)[0], usual)


def test_primaries_are_those_of_the_file(tmp_path):
    path = saved(tmp_path / "a.png")
    expected = linear(np.asarray(Image.open(path)) / 255) @ WIDE_TO_709.T
    white_first = (*WIDE[6:], *WIDE[:6])
    path = add_chunk(path, b"cHRM", struct.pack(">8I", *(round(1e5 * value) for value in white_first)))
    image, told = read(path)
    np.testing.assert_allclose(image, expected, atol=1e-3)
    assert "cHRM" in told
    code = add_chunk(saved(tmp_path / "b.png"), b"cICP", bytes([9, 16, 0, 1]))
    with pytest.raises(UserError, match="cICP 9, 16, 0, 1, not known here; save it as sRGB"):
        read(code)


def test_a_profile_of_other_colours_is_converted(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    plain = read(saved(tmp_path / "a.png"))[0]
    image, told = read(saved(tmp_path / "b.png", icc_profile=srgb.tobytes()))
    np.testing.assert_array_equal(image, plain)
    assert told == ""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(UserError, match="cannot be converted from the profile"):
        read(saved(tmp_path / "c.png", icc_profile=lab))
    with pytest.raises(UserError, match="profile is damaged"):
        read(saved(tmp_path / "d.png", icc_profile=b"nonsense"))


def swapped_profile() -> bytes:
    """sRGB, but that red and blue change places."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", content[128:132])
    places = {bytes(content[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    content[red : red + 4], content[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(content).replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be")).replace(b"sRGB", b"Mine")


def test_another_profile_means_other_colours(tmp_path):
    plain = read(saved(tmp_path / "a.png"))[0]
    image, told = read(saved(tmp_path / "b.png", icc_profile=swapped_profile()))
    assert "converted from the profile Mine" in told
    np.testing.assert_allclose(image, plain[..., ::-1], atol=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_orientation_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", exif=exif)
    from PIL import ImageOps

    with Image.open(path) as file:
        expected = linear(np.asarray(ImageOps.exif_transpose(file)) / 255)
    image, told = read(path)
    np.testing.assert_allclose(image, expected, rtol=1e-5)
    assert ("EXIF orientation" in told) == (orientation > 1)


def test_of_an_animated_one_the_first_is_read_and_it_is_said(tmp_path):
    first, *others = (Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (255, 0))
    first.save(tmp_path / "a.png", save_all=True, append_images=others)
    image, told = read(tmp_path / "a.png")
    assert (image == 1).all() and "it has 2 pictures, of which the first is read" in told


def test_a_jpeg_by_another_name_is_none(tmp_path):
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 4)).save(buffer, "JPEG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="it is no PNG image"):
        read(tmp_path / "a.png")


def test_sixteen_bits_of_grey_with_a_transparent_level(tmp_path):
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000
    Image.fromarray(values).save(tmp_path / "a.png", transparency=4000)
    image, _ = read(tmp_path / "a.png")
    np.testing.assert_allclose(image, np.repeat(linear(values / 65535)[..., None], 3, 2), rtol=1e-5, atol=1e-7)


def test_a_library_s_warning_is_none_of_ours(tmp_path):
    path = add_chunk(saved(tmp_path / "a.png"), b"acTL", struct.pack(">II", 0, 0))
    assert read(path)[0].shape == (4, 6, 3)
