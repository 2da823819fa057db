"""Stimuli of a finished run as a monitor shows them: size, mean luminance and contrast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...errors import UserError
from ...optimize.evaluate import Mean
from ...runs.results import TuningResult, read_result
from ...scene.color import LUMINANCE

__all__ = ["MAX_SIZE", "MIN_SIZE", "DisplaySettings", "Picture", "ExportedStimulus", "prepare", "read_array", "tunings"]

MIN_SIZE, MAX_SIZE = 16, 4096
HALF_LEVEL = 0.5 / 255
UNIFORM_CONTRAST = 1e-6
"""RMS contrast below which a picture is uniform."""


@dataclass(frozen=True)
class DisplaySettings:
    """How pictures are wanted; None leaves what the neuron saw.

    Attributes
    ----------
    size : int or None
        Pixels along the longer side.
    mean : float or None
        Mean luminance, a fraction of the display's range.
    contrast : float or None
        RMS contrast: the luminance's standard deviation, a fraction of the display's range.
    """

    size: int | None = None
    mean: float | None = None
    contrast: float | None = None

    def check(self) -> None:
        """Raise UserError for what no monitor can show.

        Values between 0 and 1 with the mean m have a standard deviation of at most sqrt(m (1 - m)): that of black and
        white alone.
        """
        if self.size is not None and not MIN_SIZE <= self.size <= MAX_SIZE:
            raise UserError(f"--size {self.size}: it must be {MIN_SIZE} to {MAX_SIZE} pixels")
        if self.mean is not None and not 0 < self.mean < 1:
            raise UserError(f"--mean {self.mean:g}: it must lie between 0, black, and 1, white")
        if self.contrast is not None:
            mean = 0.5 if self.mean is None else self.mean
            most = math.sqrt(mean * (1 - mean))
            if not 0 < self.contrast <= most:
                raise UserError(
                    f"--contrast {self.contrast:g}: it must be above 0, and at most {most:.3g}, which black and white "
                    f"alone have at a mean of {mean:g}"
                )


@dataclass(frozen=True)
class Picture:
    """A stimulus that can be displayed.

    Attributes
    ----------
    luminance : ndarray
        (h, w) or (h, w, 3) float32, 0 to 1 of the display's range.
    mean, contrast : float
        Mean luminance and RMS contrast of what is displayed.
    clipped : float
        The fraction of the values that were darker than black or brighter than white.
    """

    luminance: np.ndarray
    mean: float
    contrast: float
    clipped: float


def prepare(grey: np.ndarray, look: DisplaySettings) -> Picture:
    """Grey levels as the neuron saw them, (h, w) or (h, w, 3), brought to a size, a mean and a contrast.

    Resampled by Pillow's Lanczos filter first, since that changes the contrast. Of colours the luminance (Rec. 709)
    counts, and all channels are shifted and scaled alike. A uniform stimulus stays uniform.
    """
    shown = grey.astype(np.float64) / 255
    if look.size is not None:
        shown = _resampled(shown, look.size)
    mean, contrast = _statistics(shown)
    gain = look.contrast / contrast if look.contrast is not None and contrast > UNIFORM_CONTRAST else 1.0
    shown = (mean if look.mean is None else look.mean) + gain * (shown - mean)
    clipped = float(((shown < -HALF_LEVEL) | (shown > 1 + HALF_LEVEL)).mean())
    shown = shown.clip(0, 1)
    return Picture(shown.astype(np.float32), *_statistics(shown), clipped)


def _resampled(shown: np.ndarray, size: int) -> np.ndarray:
    h, w = shown.shape[:2]
    longer = max(h, w)
    target = (max(1, round(w * size / longer)), max(1, round(h * size / longer)))
    if target == (w, h):
        return shown
    planes = shown[..., None] if shown.ndim == 2 else shown
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(planes, 2, 0)]
    resampled = [np.asarray(plane.resize(target, Image.Resampling.LANCZOS), dtype=np.float64) for plane in planes]
    return resampled[0] if shown.ndim == 2 else np.stack(resampled, axis=2)


def _statistics(shown: np.ndarray) -> tuple[float, float]:
    """Mean luminance and RMS contrast."""
    luminance = shown if shown.ndim == 2 else shown @ np.array(LUMINANCE)
    return float(luminance.mean()), float(luminance.std())


@dataclass(frozen=True)
class ExportedStimulus:
    """One stimulus.

    Attributes
    ----------
    what, source : str
        In words, and the file that it is from.
    grey : ndarray
        (h, w) or (h, w, 3), grey levels as the neuron saw them.
    answers : dict of int to Mean
        By neuron.
    values : dict of str to float
        Of the scene's numbers that are varied.
    """

    what: str
    source: str
    grey: np.ndarray
    answers: Mapping[int, Mean] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportedStimuli:
    """Stimuli written for an experiment: their folder, the rows of ``stimuli.csv``, and the monitor's gamma."""

    folder: Path
    rows: Sequence[Mapping[str, Any]]
    gamma: str


def read_array(path: Path) -> np.ndarray:
    """An array of a file, whose content is not executed and read when it is looked at.

    Raises
    ------
    UserError
        If it is no file of float32.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{path} is damaged, or no file of an array") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise UserError(f"{path} is damaged: it holds no array of float32")
    return array


def tunings(run: Path) -> Iterator[ExportedStimulus]:
    """The stimuli of the tunings in a run's folder, by number; those that were not rendered are left out.

    Raises
    ------
    UserError
        If a file of them is damaged.
    """
    for file in sorted(run.glob("tuning-*/stimuli.npy")):
        stimuli, path = read_array(file), file.with_name("tuning.json")
        yield from _of_tuning(file.relative_to(run), stimuli, path)


def _of_tuning(source: Path, stimuli: np.ndarray, path: Path) -> Iterator[ExportedStimulus]:
    tuning = read_result(path, TuningResult)
    shape = tuple(len(axis.values) for axis in tuning.over)
    picture = stimuli.shape[len(shape) :]
    if stimuli.shape[: len(shape)] != shape or not (len(picture) == 2 or (len(picture) == 3 and picture[2] == 3)):
        raise UserError(f"{path} is damaged, or does not fit {source.name}: it is about another grid")
    for index in product(*map(range, shape)):
        grey = np.array(stimuli[index])
        if np.isfinite(grey).all():
            answers = {n.neuron: Mean(float(n.mean[index]), float(n.sem[index])) for n in tuning.neurons}
            point = {axis.path: float(axis.values[i]) for axis, i in zip(tuning.over, index)}
            yield ExportedStimulus("variation", str(source), grey, answers, point)
