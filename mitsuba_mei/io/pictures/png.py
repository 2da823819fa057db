"""PNG: any depth, palettes and grey, decoded as its colour chunks say, sRGB without them."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from .bitmaps import file_threads, prepare_files
from .primaries import REC709, to_rec709

__all__ = ["read", "size"]

HEADER = 2**16
"""Bytes at a file's beginning in which its size is said."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"

USUAL_GAMMA = 45455
"""Of a hundred thousand: what stands for sRGB."""

DAMAGES = OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error
"""What Pillow raises for broken files."""


def size(start: bytes) -> tuple[int, int] | None:
    """Width and height."""
    if start[:8] != SIGNATURE or start[12:16] != b"IHDR" or len(start) < 26:
        return None
    return struct.unpack(">II", start[16:24])


def _chunks(path: Path) -> dict[bytes, bytes]:
    """The first chunk of each small kind before the pixels."""
    chunks: dict[bytes, bytes] = {}
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
            length = int.from_bytes(head[:4], "big")
            chunks.setdefault(head[4:], file.read(min(length, 64)))
            file.seek(max(0, length - 64) + 4, io.SEEK_CUR)
    return chunks


def read(path: Path, on_message: Callable[[str], None]) -> np.ndarray:
    """Linear radiance (H, W, 1 or 3), white 1; of an animated picture the first.

    Raises
    ------
    ValueError
        For what cannot be decoded, and colours that are not known here.
    """
    chunks = _chunks(path)
    code = chunks.get(b"cICP")
    if code is not None and code[:2] != b"\1\x0d":
        values = ", ".join(map(str, code[:4]))
        raise ValueError(f"its colours are those of cICP {values}, not known here; save it as sRGB")
    pixels, converted = _pixels(path, chunks, on_message)
    top = np.iinfo(pixels.dtype).max
    encoded = np.arange(top + 1) / top
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big")
    plain = converted or code is not None or b"sRGB" in chunks
    if not plain and gamma and abs(gamma - USUAL_GAMMA) > 500:
        linear = encoded ** (1e5 / gamma)
        on_message(f"it is decoded with the exponent {1e5 / gamma:.3g} that its gAMA chunk says, not as sRGB")
    else:
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    image = linear.astype(np.float32)[pixels]
    if not plain and len(chunks.get(b"cHRM", b"")) == 32:
        white, red, green, blue = np.array(struct.unpack(">8I", chunks[b"cHRM"])).reshape(4, 2) / 1e5
        primaries = np.concatenate([red, green, blue, white])
        if image.shape[2] == 3 and not np.allclose(primaries, REC709, rtol=0, atol=2e-3):
            image = to_rec709(image, primaries)
            on_message("its colours are converted from the primaries that its cHRM chunk says")
    return image


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pixels(path: Path, chunks: dict[bytes, bytes], on_message: Callable[[str], None]) -> tuple[np.ndarray, bool]:
    """Encoded pixels (H, W, 1 or 3), 8 or 16 bit, and whether they are sRGB by a profile of their own."""
    try:
        with _quiet(), Image.open(path, formats=["PNG"]) as file:
            if getattr(file, "n_frames", 1) > 1:
                on_message(f"it has {file.n_frames} pictures, of which the first is read")
            profile, turned = file.info.get("icc_profile"), file.getexif().get(0x0112, 1)
            deep = chunks[b"IHDR"][8] == 16
            if deep:  # of colours Pillow reads 8 bits
                image = None
            else:
                file.load()
                transparent = file.mode in ("LA", "PA", "RGBA") or "transparency" in file.info
                image = file.convert("RGBA") if transparent else _shown(file)
    except DAMAGES:
        raise ValueError("it is no PNG image, or a damaged one") from None
    if image is None:
        pixels = _sixteen(path)
        if profile and not _is_srgb(profile):
            raise ValueError(f"it has 16 bits and the colour profile {_name(profile)}; save it as sRGB")
    else:
        if profile and not _is_srgb(profile):
            image = _converted(image, profile, on_message)
        pixels = np.asarray(image)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] in (2, 4):
        if (clear := int((pixels[..., -1] < np.iinfo(pixels.dtype).max).sum())) > 0:
            on_message(f"its transparency, of {clear:,} pixels, is left out: their colours count in full")
        pixels = pixels[..., :-1]
    if turned in range(2, 9):
        pixels = _turned(pixels, turned)
        on_message("it is turned as its EXIF orientation says")
    return pixels, bool(profile)


def _shown(file: Image.Image) -> Image.Image:
    """Convert images of one bit or with a palette to 8 bits."""
    return file.convert({"1": "L", "P": "RGB"}.get(file.mode, file.mode))


def _sixteen(path: Path) -> np.ndarray:
    import mitsuba as mi

    try:
        with file_threads():
            prepare_files()
            pixels = np.array(mi.Bitmap(str(path)))
    except RuntimeError:
        raise ValueError("it is no PNG image, or a damaged one") from None
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _profile(content: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(content))
    except (*DAMAGES, ImageCms.PyCMSError):
        raise ValueError("its colour profile is damaged; save it as sRGB") from None


def _name(content: bytes) -> str:
    return (_profile(content).profile.profile_description or "without a name").strip()[:60]


def _is_srgb(content: bytes) -> bool:
    return "srgb" in _name(content).lower()


def _converted(image: Image.Image, content: bytes, on_message: Callable[[str], None]) -> Image.Image:
    """8 bit pixels from their profile's colours to sRGB."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    profile = _profile(content)
    colours = image if alpha is None else image.convert("RGB")
    if profile.profile.xcolor_space.strip() == "GRAY":
        colours = colours.convert("L")
    try:
        converted = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (*DAMAGES, ImageCms.PyCMSError):
        raise ValueError(
            f"its colours cannot be converted from the profile {_name(content)}; save it as sRGB"
        ) from None
    on_message(f"its colours are converted from the profile {_name(content)} to sRGB")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as EXIF says that they are to be seen; 5 to 8 exchange rows and columns."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    return pixels[:: flips[0], :: flips[1]]
