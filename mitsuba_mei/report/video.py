"""The video of how a scene came about."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import UserError

__all__ = ["STRIP", "write_video"]

MAX_WIDTH = 4096
"""Pixels across a video that any player takes."""

STRIP = 32
"""Pixels below the pictures for a line about each."""

QUALITY, PATIENCE = 10, 600
"""x264's quantizer, of which 0 loses nothing and 51 everything; seconds that ffmpeg may take."""

LETTERS = 11
"""Pixels; less where a line would not fit."""


def write_video(
    path: Path,
    frames: Sequence[tuple[np.ndarray, np.ndarray]],
    captions: tuple[str, str] = ("", ""),
    fps: int = 12,
    size: int = 320,
) -> None:
    """Write pairs of pictures, side by side, as a video.

    Parameters
    ----------
    frames : sequence of (ndarray, ndarray)
        8-bit pixels, (H, W) or (H, W, 3).
    captions : (str, str)
        What stands below each, throughout.
    size : int
        Pixels along a side of each, about; less where several views would make the video too wide for its format.

    Raises
    ------
    UserError
        If there is no ffmpeg, or it fails.
    """
    width = sum(picture.shape[1] / picture.shape[0] for picture in frames[0])
    size = min(size, 16 * max(1, int(MAX_WIDTH / width) // 16))
    pictures = [[_enlarge(each, size) for each in pair] for pair in frames]
    strip = np.concatenate([_strip(text, each.shape[1]) for text, each in zip(captions, pictures[0])], axis=1)
    whole = np.stack([np.concatenate([np.concatenate(pair, axis=1), strip]) for pair in pictures])
    _encode(path, whole, fps)


def _encode(path: Path, frames: np.ndarray, fps: int) -> None:
    """Write pixels (n, H, W, 3) as H.264, as every player takes it."""
    height, width = frames.shape[1:3]
    size = f"{width}x{height}"
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-"]
    arguments = ["-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-qp", str(QUALITY), str(path)]
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        subprocess.run([program, "-version"], capture_output=True, check=True, timeout=PATIENCE)
    except (OSError, RuntimeError, subprocess.SubprocessError):
        raise UserError(
            "ffmpeg, which writes videos, is missing or does not start; install imageio-ffmpeg anew, or name another "
            "in the environment variable IMAGEIO_FFMPEG_EXE"
        ) from None
    command = [program, "-y", "-v", "error", *given, *arguments]
    try:
        subprocess.run(command, input=frames.tobytes(), capture_output=True, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError):
        raise UserError("ffmpeg failed: it cannot write H.264, or the disk is full") from None


def _enlarge(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pixels (H, W) or (H, W, 3) as RGB about ``size`` high, both sides a multiple of 16, each repeated."""
    pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    height, width = pixels.shape[:2]
    index = [
        np.arange(n) * m // n for n, m in ((size, height), (max(1, round(size * width / height / 16)) * 16, width))
    ]
    return pixels[np.ix_(*index)]


def _strip(text: str, width: int) -> np.ndarray:
    """A line of text, black on white, (STRIP, width, 3)."""
    text = text.replace("−", "-")  # Pillow's own font has no minus
    strip = Image.new("RGB", (width, STRIP), "white")
    drawing = ImageDraw.Draw(strip)
    font = ImageFont.load_default(LETTERS)
    length = drawing.textlength(text, font=font)
    if length > width - 8:
        font = ImageFont.load_default(max(4, LETTERS * (width - 8) / length))
    drawing.text((width / 2, STRIP / 2), text, "black", font, anchor="mm")
    return np.asarray(strip)
