"""Image files: environments in, renders and stimuli out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from ..errors import UserError, nearest
from .pictures import exr, hdr, png
from .pictures.bitmaps import file_threads

__all__ = ["common_exposure", "exposure", "read_image", "to_srgb", "write_exr", "write_png"]

READERS = {".exr": exr, ".hdr": hdr, ".png": png}

MAX_PIXELS = 2**25
"""Of an image that is read: 8192 x 4096."""

MAX_DENSITY = 8 * 1032
"""Pixels that a byte can stand for: of one bit each, under the best that deflate can do."""

SPECKS = 1e-4
"""What negative values may amount to, of all values, to be taken as the rounding of a compression or a conversion."""


def read_image(
    path: Path, what: str = "environment", on_message: Callable[[str], None] = lambda text: None
) -> np.ndarray:
    """An image as linear radiance, in Rec. 709 colours.

    Parameters
    ----------
    path : Path
        EXR or HDR (linear), or PNG (sRGB if it does not say otherwise).
    what : str
        What it is, for the sentence about a mistake.
    on_message : callable
        Given a sentence about whatever of the file is left out or changed.

    Returns
    -------
    ndarray
        (H, W, 3) float32.

    Raises
    ------
    UserError
        Where the file is missing, of another kind, unreadable, announces more than :data:`MAX_PIXELS` pixels, says of
        itself what is not known here, or holds values that are negative or not finite.
    """
    path = Path(path)
    if not path.is_file():
        siblings = (
            [p.name for p in path.parent.glob("*") if p.suffix.lower() in READERS] if path.parent.is_dir() else []
        )
        raise UserError(f"{what} image {path} does not exist; {nearest(path.name, siblings)}")
    if path.suffix.lower() not in READERS:
        raise UserError(f"{what} image {path}: unknown format '{path.suffix}'; allowed: {', '.join(READERS)}")

    def of_it(text: str) -> None:
        on_message(f"{what} image {path}: {text}")

    try:
        width, height = _announced_size(path)
        if width * height > MAX_PIXELS:
            raise UserError(
                f"{what} image {path} has {width:,} x {height:,} pixels, more than the {MAX_PIXELS:,} allowed; scale "
                "it down"
            )
        if width * height > MAX_DENSITY * path.stat().st_size:
            raise ValueError(_no_image(path))
        image = _possible(READERS[path.suffix.lower()].read(path, of_it), of_it)
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise UserError(f"{what} image {path} cannot be read: {str(error).splitlines()[0]}") from error
    return np.array(np.broadcast_to(image, (*image.shape[:2], 3)), dtype=np.float32, order="C")


def _possible(image: np.ndarray, on_message: Callable[[str], None]) -> np.ndarray:
    """Radiance that is finite and at least 0; specks below 0 are taken as 0, and told of."""
    lost = int((~np.isfinite(image)).any(axis=2).sum())
    if lost:
        raise ValueError(f"it holds radiance that is negative or not finite: {lost:,} pixels are infinite or no number")
    below = image < 0
    if not below.any():
        return image
    count, least = int(below.any(axis=2).sum()), float(image.min())
    pixels = f"{count:,} of {image.shape[0] * image.shape[1]:,} pixels {'is' if count == 1 else 'are'} below 0"
    if -image[below].sum(dtype=np.float64) > SPECKS * np.abs(image).sum(dtype=np.float64):
        raise ValueError(f"it holds radiance that is negative or not finite: {pixels}, the least {least:.3g}")
    on_message(f"{pixels}, the least {least:.3g}; they are taken as 0")
    return np.maximum(image, 0)


def _announced_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header says them: before anything is decoded, and whatever the file is called."""
    reader = READERS[path.suffix.lower()]
    with open(path, "rb") as file:
        start = file.read(reader.HEADER)
    size = reader.size(start)
    if size is None or min(size) < 1:
        raise ValueError(_no_image(path))
    return size


def _no_image(path: Path) -> str:
    return f"it is no {path.suffix[1:].upper()} image, or a damaged one"


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
