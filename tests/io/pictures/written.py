"""Picture files written byte by byte, with whatever a header may say."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

Box = tuple[int, int, int, int]


def attribute(name: str, kind: str, data: bytes) -> bytes:
    return f"{name}\0{kind}\0".encode() + struct.pack("<I", len(data)) + data


def write_exr(
    path: Path,
    channels: dict[str, np.ndarray],
    data: Box | None = None,
    display: Box | None = None,
    extra: Sequence[tuple[str, str, bytes]] = (),
    compression: int = 0,
    flags: int = 0,
) -> Path:
    """An OpenEXR file of float channels (H, W) without compression; boxes are left, top, right, bottom, inclusive."""
    names = sorted(channels)
    height, width = channels[names[0]].shape
    data = data or (0, 0, width - 1, height - 1)
    listed = b"".join(f"{name}\0".encode() + struct.pack("<4I", 2, 0, 1, 1) for name in names) + b"\0"
    header = struct.pack("<2I", 20000630, 2 | flags) + b"".join(
        [
            attribute("channels", "chlist", listed),
            attribute("compression", "compression", bytes([compression])),
            attribute("dataWindow", "box2i", struct.pack("<4i", *data)),
            attribute("displayWindow", "box2i", struct.pack("<4i", *(display or data))),
            attribute("lineOrder", "lineOrder", b"\0"),
            attribute("pixelAspectRatio", "float", struct.pack("<f", 1)),
            attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
            attribute("screenWindowWidth", "float", struct.pack("<f", 1)),
            *(attribute(*each) for each in extra),
        ]
    )
    header += b"\0"
    lines = [b"".join(np.float32(channels[name][row]).tobytes() for name in names) for row in range(height)]
    first = len(header) + 8 * height
    offsets = b"".join(struct.pack("<Q", first + row * (8 + len(lines[0]))) for row in range(height))
    body = b"".join(struct.pack("<iI", data[1] + row, len(line)) + line for row, line in enumerate(lines))
    path.write_bytes(header + offsets + body)
    return path


def write_hdr(path: Path, pixels: np.ndarray, lines: str = "FORMAT=32-bit_rle_rgbe\n", size: str = "") -> Path:
    """A Radiance file of scanlines (N, M, 4) uint8, one pixel after the other."""
    size = size or f"-Y {pixels.shape[0]} +X {pixels.shape[1]}"
    path.write_bytes(f"#?RADIANCE\n{lines}\n{size}\n".encode() + np.uint8(pixels).tobytes())
    return path


def add_chunk(path: Path, kind: bytes, data: bytes) -> Path:
    """A PNG file with one more chunk, after its header."""
    content = path.read_bytes()
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content[:33] + chunk + content[33:])
    return path
