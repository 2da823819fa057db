"""Whether there is memory for the path tracer, which ends the process where there is none."""

from __future__ import annotations

from ..errors import UserError
from ..io.memory import free_memory_mb

__all__ = ["MAX_PATHS", "check_memory", "memory_mb"]

MAX_PATHS = 2**22
"""Paths traced in one pass of an image."""

COMPILED, SEGMENT = 140, 10
"""MB that the compiled code of a step takes, and each further segment of the longest path adds."""

PIXEL, PATH = 40, 8
"""Bytes of a pixel, and of one channel of a path whose radiance is kept."""


def memory_mb(settings, channels: int) -> float:
    """About the most memory that a step of the path tracer takes on a processor, MB (2^20 bytes).

    Measured for one channel, resolutions from 128 to 2048, 1 to 80 samples per pixel of the gradient, and depths from 3
    to 12: a step keeps 4 bytes a path of the gradient and up to 55 a pixel, and maps nearly twice as much.

    Parameters
    ----------
    settings : schema.Render
    channels : int
        1 or 3.
    """
    pixels = settings.resolution**2
    paths = pixels * settings.gradient.interior + min(pixels * settings.spp, MAX_PATHS)
    return COMPILED + SEGMENT * settings.max_depth + (PIXEL * pixels + PATH * channels * paths) / 2**20


def check_memory(settings, channels: int) -> None:
    """Say before the first step that it would find no memory.

    Raises
    ------
    UserError
        If a step takes more than this process may still have.
    """
    needed, free = memory_mb(settings, channels), free_memory_mb()
    if needed > free:
        raise UserError(
            f"a step of {settings.resolution} x {settings.resolution} pixels with {settings.gradient.interior} samples "
            f"per pixel of the gradient takes about {needed:,.0f} MB, and {free:,.0f} MB are free for this process; "
            "lower render.resolution or render.gradient.interior, or allow it more memory"
        )
