"""The stimuli of a run folder as grey levels, of the arrays where there are such, and one scale for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...config.yaml.text import read
from ...errors import UserError
from ..grey_scale import DISPLAY, GreyScale
from .pictures import read_pixels

__all__ = ["Levels", "read_levels"]

ALIKE = 0.95
"""Correlation of a picture with the array that it is said to show; rounding and clipping cost little of it."""

MIN_PIXELS = 16
"""Pixels inside the display's range from which the model's grey levels can be read off."""


@dataclass(frozen=True)
class Levels:
    """The stimuli of a run.

    Attributes
    ----------
    of : dict of str to ndarray
        By the picture's name, (h, w) or (h, w, 3): grey levels, and where ``known`` is False the model's own,
        standardised, input.
    known : bool
    differences : bool
        Whether the folder's other pictures of stimuli show differences from a reference instead, as those of metamers
        did in earlier versions: they are no stimuli.
    scale : GreyScale
        One for all, with what :meth:`also` added.
    """

    of: dict[str, np.ndarray]
    known: bool = True
    differences: bool = False
    scale: GreyScale = DISPLAY

    def also(self, others: Iterable[np.ndarray]) -> Levels:
        """With a scale that shows these grey levels too."""
        of = [*self.of.values(), *(others if self.known and not self.differences else ())]
        return Levels(self.of, self.known, self.differences, GreyScale.of(of) if of else DISPLAY)

    @property
    def caption(self) -> str:
        """What the scale shows."""
        if self.known:
            return self.scale.caption
        return self.scale.caption.replace("grey levels", "the model’s standardised input from", 1)


def read_levels(folder: Path, names: Sequence[str], card: Path | None) -> Levels:
    """The stimuli ``name.npy`` or else ``name.png`` of a folder.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        The first is what was found; a folder whose picture of it does not show its array is one of an earlier version
        (see :class:`Levels`), of which the first and ``reference_stimulus`` alone are shown.
    card : Path or None
        The model card, of which grey levels are read where no picture says them.

    Raises
    ------
    UserError
        If a picture or an array is damaged.
    """
    pictures = {name: folder / f"{name}.png" for name in names}
    shown = {name: read_pixels(path) for name, path in pictures.items() if path.is_file()}
    arrays = {name: _array(path.with_suffix(".npy")) for name, path in pictures.items() if _is_array(path)}
    first = names[0]
    differences = first in shown and first in arrays and not _alike(shown[first], arrays[first])
    if differences:
        shown = {name: shown[name] for name in ("reference_stimulus",) if name in shown}
    lines = [line for name in arrays if name in shown and (line := _line(arrays[name], shown[name])) is not None]
    line = lines[0] if lines else _of_card(card)
    if arrays and line is None:
        if first in arrays and first not in shown:
            return Levels({first: arrays[first]}, False, differences).also(())
        arrays = {}
    else:
        arrays = {name: array * line[0] + line[1] for name, array in arrays.items()}
    of = {name: (shown | arrays)[name] for name in names if name in shown or name in arrays}
    return Levels(of, True, differences).also(())


def _is_array(picture: Path) -> bool:
    return picture.with_suffix(".npy").is_file()


def _array(path: Path) -> np.ndarray:
    """A model's input (1, channels, h, w) as (h, w) or (h, w, 3)."""
    try:
        array = np.load(path, allow_pickle=False)
        batch, channels, _, _ = array.shape
        if batch != 1 or channels not in (1, 3) or array.dtype.kind != "f" or not array.size:
            raise ValueError
    except (OSError, ValueError, EOFError):
        raise UserError(f"{path} is damaged: it holds no stimulus (1, channels, height, width)") from None
    return array[0, 0].astype(float) if channels == 1 else np.moveaxis(array[0], 0, -1).astype(float)


def _alike(picture: np.ndarray, array: np.ndarray) -> bool:
    """Whether a picture shows an array."""
    if picture.shape != array.shape:
        return False
    if min(np.ptp(picture), np.ptp(array)) < 1e-6:
        return True  # uniform: nothing speaks against it
    line = _line(array, picture)
    expected = array if line is None else np.clip(array * line[0] + line[1], 0, 255)
    return bool(np.corrcoef(expected.ravel(), picture.ravel())[0, 1] > ALIKE)


def _line(array: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and summand, for each channel, that make an array the grey levels of its picture; None where unclear."""
    if array.shape != picture.shape:
        return None
    levels_found = []
    for values, levels in zip(_channels(array), _channels(picture)):
        inside = (levels > 0) & (levels < 255)
        if inside.sum() < MIN_PIXELS or np.ptp(values[inside]) < 1e-6:
            return None
        factor, summand = np.polyfit(values[inside], levels[inside], 1)
        if factor <= 0:
            return None
        levels_found.append((factor, summand))
    factors, summands = np.array(levels_found).T
    return (factors, summands) if len(levels_found) > 1 else (factors[0], summands[0])


def _channels(image: np.ndarray) -> Iterable[np.ndarray]:
    return image.reshape(-1, 1 if image.ndim == 2 else image.shape[-1]).T


def _of_card(card: Path | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Standard deviation and mean of a model card; None where it does not say them."""
    if card is None or not card.is_file():
        return None
    try:
        settings = read(card).plain()["input"]
        std, mean = np.asarray(settings["std"], float), np.asarray(settings["mean"], float)
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return None
    return (std, mean) if std.shape in ((), (3,)) and mean.shape in ((), (3,)) else None
