"""Radiance's RGBE and XYZE pictures: orientation, exposure and primaries as the header says them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .bitmaps import file_threads
from .primaries import from_xyz, to_rec709

__all__ = ["read", "size"]

HEADER = 2**16
"""Bytes at a file's beginning in which its header ends."""

RESOLUTION = re.compile(rb"([+-][XY]) (\d{1,9}) ([+-][XY]) (\d{1,9})\r?\n")


@dataclass
class Header:
    """Header before the pixels.

    Attributes
    ----------
    axes : tuple of str
        Along scanlines from one to the next, and within them: ``-Y`` goes down, ``+X`` to the right.
    shape : tuple of int
        Scanlines, and pixels of each.
    begins : int
        Where the pixels begin.
    factor : ndarray
        (3,), what the radiance was multiplied by.
    """

    axes: tuple[str, str] = ("-Y", "+X")
    shape: tuple[int, int] = (0, 0)
    begins: int = 0
    factor: np.ndarray = field(default_factory=lambda: np.ones(3))
    variables: dict[str, str] = field(default_factory=dict)


def size(start: bytes) -> tuple[int, int] | None:
    """Width and height."""
    header = _header(start)
    if header is None or {axis[1] for axis in header.axes} != {"X", "Y"}:
        return None
    return header.shape[::-1] if header.axes[0].endswith("Y") else header.shape


def _header(start: bytes) -> Header | None:
    end = re.search(rb"\n\r?\n", start)
    match = None if end is None else RESOLUTION.match(start, end.end())
    if not start.startswith(b"#?") or match is None:
        return None
    header = Header((match[1].decode(), match[3].decode()), (int(match[2]), int(match[4])), match.end())
    for line in start[: end.start()].decode("latin-1").splitlines()[1:]:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or line.startswith(("#", " ", "\t")):  # an indented line tells of what it was made from
            continue
        if name in ("EXPOSURE", "COLORCORR"):  # each of several applies
            header.factor = header.factor * _numbers(name, value, (1, 3))
        header.variables[name] = value
    return header


def _numbers(name: str, value: str, counts: tuple[int, ...]) -> np.ndarray:
    try:
        numbers = np.array([float(part) for part in value.split()])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) not in counts or not np.isfinite(numbers).all() or (name != "PRIMARIES" and (numbers <= 0).any()):
        raise ValueError(f"its header says {name}={value[:60]}, which makes no sense")
    return numbers


def read(path: Path, on_message: Callable[[str], None]) -> np.ndarray:
    """Linear radiance (H, W, 3).

    Raises
    ------
    ValueError
        For headers that cannot be obeyed, and for pixels that cannot be decoded.
    """
    content = path.read_bytes()
    header = _header(content[:HEADER])
    if header is None:
        raise ValueError("it is no HDR image, or a damaged one")
    variables = header.variables
    encoding = variables.get("FORMAT", "32-bit_rle_rgbe")
    if encoding not in ("32-bit_rle_rgbe", "32-bit_rle_xyze"):
        raise ValueError(f"its header says FORMAT={encoding[:60]}; known are 32-bit_rle_rgbe and 32-bit_rle_xyze")
    if "GAMMA" in variables and abs(_numbers("GAMMA", variables["GAMMA"], (1,))[0] - 1) > 1e-3:
        raise ValueError(f"its header says GAMMA={variables['GAMMA'][:60]}; radiance is linear: save it with GAMMA=1")
    image = _decoded(content, header) / header.factor
    if (header.factor != 1).any():
        on_message(
            f"its pixels were multiplied by {_listed(header.factor)} (EXPOSURE, COLORCORR), which is divided out"
        )
    if encoding.endswith("xyze"):
        image = from_xyz(image)
    elif "PRIMARIES" in variables and (primaries := _numbers("PRIMARIES", variables["PRIMARIES"], (8,))).any():
        image = to_rec709(image, primaries)  # some programs write zeros
    if "PIXASPECT" in variables and abs(_numbers("PIXASPECT", variables["PIXASPECT"], (1,))[0] - 1) > 0.01:
        on_message(f"its pixels have an aspect of {variables['PIXASPECT'][:20]}, and are taken as square")
    # Scanlines go down, and their pixels to the right.
    first, second = header.axes
    image = image[:: 1 if first in ("-Y", "+X") else -1, :: 1 if second in ("-Y", "+X") else -1]
    return image if first.endswith("Y") else image.swapaxes(0, 1)


def _listed(factor: np.ndarray) -> str:
    return f"{factor[0]:g}" if (factor == factor[0]).all() else ", ".join(f"{value:g}" for value in factor)


def _decoded(content: bytes, header: Header) -> np.ndarray:
    """Scanlines (N, M, 3) as they follow each other."""
    lines, length = header.shape
    data = content[header.begins :]
    if data[:2] != b"\2\2" or data[2:4] != length.to_bytes(2, "big"):
        return _old(data, lines * length).reshape(lines, length, 3)
    import mitsuba as mi

    usual = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {lines} +X {length}\n".encode()
    stream = mi.MemoryStream()
    stream.write(usual + data)
    stream.seek(0)
    try:
        with file_threads():
            return np.array(mi.Bitmap(stream), dtype=np.float32)
    except RuntimeError as error:
        raise ValueError("it is no HDR image, or a damaged one") from error


def _old(data: bytes, count: int) -> np.ndarray:
    """Pixels (N, 3) one by one; 1, 1, 1, n repeats the one before, and again, times 256, right after itself."""
    pixels = np.frombuffer(data[: len(data) // 4 * 4], dtype=np.uint8).reshape(-1, 4)
    repeats = (pixels[:, :3] == 1).all(1)
    times = np.ones(len(pixels), dtype=np.int64)
    shift = np.zeros(len(pixels), dtype=np.int64)
    for place in np.flatnonzero(repeats):
        shift[place] = shift[place - 1] + 8 if place and repeats[place - 1] else 0
        times[place] = min(int(pixels[place, 3]) << min(int(shift[place]), 32), count)
    source = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(pixels))))
    ends = times.cumsum()
    whole = int(np.searchsorted(ends, count)) + 1
    if not len(pixels) or whole > len(pixels):
        raise ValueError("it is no HDR image, or a damaged one: pixels are missing")
    taken = pixels[np.repeat(source[:whole], times[:whole])[:count]]
    return np.ldexp(taken[:, :3].astype(np.float32), taken[:, 3:].astype(np.int32) - 136) * (taken[:, 3:] > 0)
