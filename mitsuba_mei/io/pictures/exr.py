"""OpenEXR: one picture among a file's layers, placed where its windows say, in the colours that it names."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .bitmaps import file_threads
from .primaries import from_xyz, to_rec709

__all__ = ["read", "size"]

ATTRIBUTE = re.compile(rb"([^\0]{1,255})\0[^\0]{1,255}\0(.{4})", re.DOTALL)
"""Of a header: its name, its type, and how many bytes follow."""

HEADER = 2**20
"""Bytes at a file's beginning in which its header ends."""

COMPRESSIONS = "none RLE ZIPS ZIP PIZ PXR24 B44 B44A DWAA DWAB HTJ2K256 HTJ2K32 ZSTD".split()

DEEP, SEVERAL = 0x800, 0x1000
"""Flags beside the version."""

COLOURS = ("R", "G", "B")


def size(start: bytes) -> tuple[int, int] | None:
    """Width and height of the data or the display window, whichever is larger; many channels count as more pixels."""
    header = _attributes(start)
    windows = [header.get(name, b"") for name in (b"dataWindow", b"displayWindow")]
    channels = header.get(b"channels", b"")
    if len(windows[0]) != 16 or not channels:
        return None
    boxes = [_box(window) for window in windows if len(window) == 16]
    width, height = max(((right - left, bottom - top) for left, top, right, bottom in boxes), key=math.prod)
    if any(min(right - left, bottom - top) < 1 for left, top, right, bottom in boxes):
        return None
    # 18 bytes a channel, at least
    return width * math.ceil(len(channels) / (4 * 32)), height


def _box(window: bytes) -> tuple[int, int, int, int]:
    """Left, top, right and bottom; the latter two beyond it."""
    left, top, right, bottom = struct.unpack("<4i", window)
    return left, top, right + 1, bottom + 1


def _attributes(start: bytes) -> dict[bytes, bytes]:
    """Attributes of a file's first part; none where one claims more bytes than the file has."""
    return {name: start[place] for name, place in _places(start).items()}


def _places(start: bytes) -> dict[bytes, slice]:
    """Byte range of each attribute's value."""
    places: dict[bytes, slice] = {}
    place = 8
    while start[:4] == b"\x76\x2f\x31\x01" and (match := ATTRIBUTE.match(start, place)) is not None:
        place = match.end() + struct.unpack("<I", match[2])[0]
        if place > len(start):
            return {}
        places.setdefault(match[1], slice(match.end(), place))
    return places if start[place : place + 1] == b"\0" else {}


def read(path: Path, on_message: Callable[[str], None]) -> np.ndarray:
    """Linear radiance (H, W, 1 or 3) within the display window.

    Raises
    ------
    ValueError
        For what is no picture of a view or of all directions, or cannot be decoded.
    """
    with open(path, "rb") as file:
        start = file.read(HEADER)
    header = _attributes(start)
    flags = int.from_bytes(start[4:8], "little")
    if flags & DEEP or header.get(b"type", b"").startswith(b"deep"):
        raise ValueError("it is deep (many samples a pixel); flatten it")
    if header.get(b"envmap") == b"\1":
        raise ValueError("its envmap attribute says cube; convert it to a latitude-longitude map (exrenvmap -latlong)")
    if flags & SEVERAL:
        name = header.get(b"name", b"").decode(errors="replace")
        on_message(f"it has several parts, of which the first is read{f', {name}' if name else ''}")
    pixels, names = _decoded(path, start, header)
    image, colours = _chosen(pixels, names, on_message)
    if colours == "other" and len(header.get(b"chromaticities", b"")) == 32:
        # Of a file that has nothing but red, green, blue and alpha Mitsuba does it.
        image = to_rec709(image, struct.unpack("<8f", header[b"chromaticities"]))
    elif colours == "XYZ":
        image = from_xyz(image)
    aspect = header.get(b"pixelAspectRatio", b"")
    if len(aspect) == 4 and abs((ratio := struct.unpack("<f", aspect)[0]) - 1) > 0.01:
        on_message(f"its pixels are {ratio:g} times as wide as high, and are taken as square")
    return _placed(
        image, _box(header[b"dataWindow"]), _box(header.get(b"displayWindow", header[b"dataWindow"])), on_message
    )


def _decoded(path: Path, start: bytes, header: dict[bytes, bytes]) -> tuple[np.ndarray, list[str]]:
    """All pixels (H, W, K) float32, and the names of their channels."""
    import mitsuba as mi

    left, top, right, _ = _box(header[b"dataWindow"])
    source = str(path)
    if left + top * (right - left) < 0:
        # Mitsuba crashes where the first pixel's place is negative. Pixels know their row alone: columns may be moved.
        source = mi.MemoryStream()
        source.write(_moved(path.read_bytes(), _places(start)[b"dataWindow"]))
        source.seek(0)
    try:
        with file_threads():
            bitmap = mi.Bitmap(source)
            pixels = np.array(bitmap)
    except (RuntimeError, MemoryError) as error:
        code = int.from_bytes(header.get(b"compression", b"\0"), "little")
        how = COMPRESSIONS[code] if code < len(COMPRESSIONS) else f"number {code}"
        if code > COMPRESSIONS.index("DWAB"):
            raise ValueError(f"its compression, {how}, is not known here; save it with ZIP") from error
        raise ValueError(f"it is no EXR image, or a damaged one (compression {how})") from error
    names = [field.name for field in bitmap.struct_()]
    if str(bitmap.pixel_format()).endswith("MultiChannel") and "Z" in names and {"X", "Y"} <= set(names):
        names = [name if name not in "XYZ" else f"XYZ.{name}" for name in names]
    return pixels.reshape(*pixels.shape[:2], -1).astype(np.float32, copy=False), names


def _moved(content: bytes, place: slice) -> bytes:
    """A file whose data window was moved to the right, until its left edge plus its top times its width is not below 0;
    by an even number, for the sake of colours at half resolution.
    """
    left, top, right, bottom = struct.unpack("<4i", content[place])
    by = -(left + top * (right - left + 1))
    by += by % 2
    if right + by >= 2**30:
        raise ValueError(f"its data window begins at {left}, {top}, too far from its display window")
    window = struct.pack("<4i", left + by, top, right + by, bottom)
    return content[: place.start] + window + content[place.stop :]


def _chosen(pixels: np.ndarray, names: list[str], on_message: Callable[[str], None]) -> tuple[np.ndarray, str]:
    """Select the channels of one picture, and name them: ``grey``, ``XYZ``, ``Rec. 709`` or ``other``."""
    layers: dict[str, dict[str, int]] = {}
    for place, name in enumerate(names):
        layer, _, channel = name.rpartition(".")
        layers.setdefault(layer, {}).setdefault(channel.upper(), place)
    coloured = [layer for layer, channels in layers.items() if set(COLOURS) <= set(channels)]
    plain = layers.get("", {})
    if "" in coloured:
        layer, selected = "", COLOURS
    elif {"X", "Y", "Z"} <= set(plain):
        layer, selected = "", ("X", "Y", "Z")
    elif "Y" in plain:
        layer, selected = "", ("Y",)
    else:
        combined = [layer for layer in coloured if layer.rpartition(".")[2].lower() in ("combined", "rgba", "beauty")]
        candidates = combined if len(combined) == 1 else coloured
        if len(candidates) != 1:
            listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            what = (
                "several layers with colours, none of them the combined one"
                if candidates
                else "no R, G and B, and no Y"
            )
            raise ValueError(f"it has {what}; its channels are {listed}")
        layer, selected = candidates[0], COLOURS
    used = {layers[layer][channel] for channel in selected}
    alpha = layers[layer].get("A")
    if alpha is not None:
        used.add(alpha)
        if (clear := int((pixels[..., alpha] < 1).sum())) > 0:
            on_message(f"its alpha is below 1 in {clear:,} pixels and is left out: what is behind them counts as black")
    if layer:
        on_message(f"of its layers {layer} is read")
    if others := [name for place, name in enumerate(names) if place not in used]:
        on_message(f"its channels {', '.join(others[:8])}{', ...' if len(others) > 8 else ''} are left out")
    image = pixels[..., [layers[layer][channel] for channel in selected]]
    if selected != COLOURS:
        return image, "XYZ" if len(selected) == 3 else "grey"
    return image, "other" if len(names) > 4 or layer or others else "Rec. 709"


def _placed(
    image: np.ndarray,
    data: tuple[int, int, int, int],
    display: tuple[int, int, int, int],
    on_message: Callable[[str], None],
) -> np.ndarray:
    """Crop or pad the data to the display window; black where there are none."""
    if data == display:
        return image
    left, top = (max(data[k], display[k]) for k in (0, 1))
    right, bottom = (min(data[k], display[k]) for k in (2, 3))
    if right <= left or bottom <= top:
        raise ValueError("its data window lies outside its display window: it shows nothing")
    canvas = np.zeros((display[3] - display[1], display[2] - display[0], image.shape[2]), dtype=image.dtype)
    canvas[top - display[1] : bottom - display[1], left - display[0] : right - display[0]] = image[
        top - data[1] : bottom - data[1], left - data[0] : right - data[0]
    ]
    on_message(
        f"its data window of {data[2] - data[0]} x {data[3] - data[1]} pixels is placed in the display window of "
        f"{canvas.shape[1]} x {canvas.shape[0]}, black beside it and cut to it"
    )
    return canvas
