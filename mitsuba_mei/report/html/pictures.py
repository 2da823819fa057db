"""Small pictures as ``data:`` addresses."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import UserError

__all__ = ["Picture", "CaptionedPicture", "picture_of", "read_picture", "read_pixels"]

MAX_PIXELS = 64_000_000
ROW = 4


@dataclass(frozen=True)
class Picture:
    """A picture in a page.

    Attributes
    ----------
    address : str
        ``data:image/png;base64,...``, or of a JPEG.
    width, height : int
        Pixels.
    """

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture with its caption and what it shows, for those who do not see it."""

    picture: Picture
    caption: str
    alt: str

    @property
    def wide(self) -> bool:
        """Whether it is a row of pictures."""
        return self.picture.width > 1.5 * self.picture.height


def read_picture(path: Path, size: int, lossless: bool = True) -> Picture:
    """A picture of a run folder, drawn anew, so that nothing of the file but its pixels gets into a page.

    ``size`` and ``lossless`` are those of :func:`picture_of`.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    return picture_of(_read(path), size, lossless)


def read_pixels(path: Path) -> np.ndarray:
    """A PNG's pixels, 0 to 255: (h, w), or (h, w, 3).

    Raises
    ------
    UserError
        If it cannot be read.
    """
    return np.asarray(_read(path), dtype=float)


def picture_of(image: Image.Image | np.ndarray, size: int, lossless: bool = True) -> Picture:
    """An image, or 8-bit pixels, as a picture in a page.

    Parameters
    ----------
    size : int
        It has at most so many pixels from top to bottom, and :data:`ROW` times as many across, for several pictures
        may lie in a row; a larger one is averaged down.
    lossless : bool
        PNG, or else JPEG, which is a third of it.
    """
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
    image.thumbnail((ROW * size, size), Image.Resampling.BOX)
    buffer = io.BytesIO()
    kind, settings = ("png", {"optimize": True}) if lossless else ("jpeg", {"quality": 82, "optimize": True})
    image.save(buffer, format=kind, **settings)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{encoded}", image.width, image.height)


def _read(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise UserError(f"{path} has more than {MAX_PIXELS:,} pixels")
                return file.convert("L" if file.mode in ("1", "L", "I;16") else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"{path} has more than {MAX_PIXELS:,} pixels") from None
    except UserError:
        raise
    except (OSError, ValueError, SyntaxError):
        raise UserError(f"{path} is damaged or missing: it cannot be read as a PNG picture") from None
