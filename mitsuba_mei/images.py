"""Image files: environments in, renders and stimuli out."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from .errors import UserError, nearest
from .render.backend import file_threads

__all__ = ["common_exposure", "exposure", "read_image", "to_srgb", "write_exr", "write_png"]

SUFFIXES = (".exr", ".hdr", ".png")

MOST_PIXELS = 2**25
"""Of an image that is read: 8192 x 4096."""

ATTRIBUTE = re.compile(rb"([^\0]{1,255})\0[^\0]{1,255}\0(.{4})", re.DOTALL)
"""Of an EXR header: its name, its type, and how many bytes follow."""

DENSEST = 8 * 1032
"""Pixels that a byte can stand for: of one bit each, under the best that deflate can do."""

HEADER = 2**16
"""Bytes at a file's beginning in which its size is said."""


def read_image(path: Path, what: str = "environment") -> np.ndarray:
    """An image as linear radiance.

    Parameters
    ----------
    path : Path
        EXR or HDR (linear), or PNG (8 or 16 bit sRGB).
    what : str
        What it is, for the sentence about a mistake.

    Returns
    -------
    ndarray
        (H, W, 3) float32.

    Raises
    ------
    UserError
        Where the file is missing, of another kind, unreadable, announces more than :data:`MOST_PIXELS` pixels, or holds
        values that are negative or not finite.
    """
    path = Path(path)
    if not path.is_file():
        siblings = (
            [p.name for p in path.parent.glob("*") if p.suffix.lower() in SUFFIXES] if path.parent.is_dir() else []
        )
        raise UserError(f"{what} image {path} does not exist; {nearest(path.name, siblings)}")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{what} image {path}: unknown format '{path.suffix}'; allowed: {', '.join(SUFFIXES)}")
    try:
        width, height = _announced_size(path)
        if width * height > MOST_PIXELS:
            raise UserError(
                f"{what} image {path} has {width:,} x {height:,} pixels, more than the {MOST_PIXELS:,} allowed; scale "
                "it down"
            )
        if width * height > DENSEST * path.stat().st_size:
            raise ValueError(_no_image(path))
        image = _read_png(path) if path.suffix.lower() == ".png" else _read_bitmap(path)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise UserError(f"{what} image {path} cannot be read: {str(error).splitlines()[0]}") from error
    if image.ndim == 2:
        image = image[..., None]
    image = np.repeat(image, 3, axis=2) if image.shape[2] < 3 else image[..., :3]
    if not (np.isfinite(image).all() and (image >= 0).all()):
        raise UserError(f"{what} image {path} holds radiance that is negative or not finite")
    return np.ascontiguousarray(image, dtype=np.float32)


def _announced_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header says them: before anything is decoded, and whatever the file is called."""
    with open(path, "rb") as file:
        start = file.read(HEADER)
    size = {".png": _png_size, ".exr": _exr_size, ".hdr": _hdr_size}[path.suffix.lower()](start)
    if size is None or min(size) < 1:
        raise ValueError(_no_image(path))
    return size


def _no_image(path: Path) -> str:
    return f"it is no {path.suffix[1:].upper()} image, or a damaged one"


def _png_size(start: bytes) -> tuple[int, int] | None:
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[12:16] != b"IHDR" or len(start) < 24:
        return None
    return struct.unpack(">II", start[16:24])


def _exr_size(start: bytes) -> tuple[int, int] | None:
    """Of the data window; many channels count as more pixels."""
    header = _exr_header(start)
    window, channels = header.get(b"dataWindow", b""), header.get(b"channels", b"")
    if len(window) != 16 or not channels:
        return None
    left, top, right, bottom = struct.unpack("<4i", window)
    # 18 bytes a channel, at least
    return (right - left + 1) * math.ceil(len(channels) / (4 * 32)), bottom - top + 1


def _exr_header(start: bytes) -> dict[bytes, bytes]:
    """The attributes of an EXR file; none where one claims more bytes than there are, which would all be allocated."""
    found: dict[bytes, bytes] = {}
    place = 8
    while start[:4] == b"\x76\x2f\x31\x01" and (said := ATTRIBUTE.match(start, place)) is not None:
        place = said.end() + struct.unpack("<I", said[2])[0]
        if place > len(start):
            return {}
        found.setdefault(said[1], start[said.end() : place])
    return found if start[place : place + 1] == b"\0" else {}


def _hdr_size(start: bytes) -> tuple[int, int] | None:
    said = re.search(rb"\n\n([+-][XY]) (\d{1,9}) ([+-][XY]) (\d{1,9})\n", start.replace(b"\r\n", b"\n"))
    if not start.startswith(b"#?") or said is None:
        return None
    first, second = int(said[2]), int(said[4])
    return (second, first) if said[1].endswith(b"Y") else (first, second)


def _read_png(path: Path) -> np.ndarray:
    try:
        pixels = iio.imread(path, plugin="pillow", index=0)  # of an animated one the first
    except (OSError, SyntaxError):  # the latter is Pillow's word for broken chunks
        raise ValueError(_no_image(path)) from None
    encoded = pixels.astype(np.float64) / np.iinfo(pixels.dtype).max
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _read_bitmap(path: Path) -> np.ndarray:
    import mitsuba as mi

    with file_threads():
        bitmap = mi.Bitmap(str(path)).convert(component_format=mi.Struct.Type.Float32, srgb_gamma=False)
        return np.array(bitmap)


def write_exr(path: Path, radiance: np.ndarray) -> None:
    """Write linear radiance (H, W, C), C 1 or 3, without loss."""
    import mitsuba as mi

    with file_threads():
        mi.Bitmap(np.ascontiguousarray(radiance, dtype=np.float32)).write(str(path))


def exposure(radiance: np.ndarray) -> float:
    """The factor, at most 1, under which all but the brightest half percent of an image (H, W, C) can be displayed."""
    return 1 / max(1.0, float(np.percentile(radiance, 99.5)))


def common_exposure(images: Iterable[np.ndarray]) -> float:
    """The exposure under which all of these images, which are to be compared, can be displayed."""
    return min(map(exposure, images), default=1.0)


def to_srgb(radiance: np.ndarray) -> np.ndarray:
    """Linear radiance (H, W, C), clipped to [0, 1], as 8-bit sRGB (H, W) or (H, W, 3); what is no number is black."""
    x = np.nan_to_num(np.clip(radiance, 0, 1))
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4) - 0.055)
    pixels = np.round(255 * encoded).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write 8-bit pixels, (H, W) or (H, W, 3)."""
    iio.imwrite(path, pixels, extension=".png")
