"""Every stimulus of a finished run: its own, the first one, the pixel MEI, and those of its tunings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluate import Mean
from ..json_files import read_json

__all__ = ["Shown", "read_array", "tunings"]


@dataclass(frozen=True)
class Shown:
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


def tunings(run: Path) -> Iterator[Shown]:
    """The stimuli of the tunings in a run's folder, by number; those that were not rendered are left out.

    Raises
    ------
    UserError
        If a file of them is damaged.
    """
    for file in sorted(run.glob("tuning-*/stimuli.npy")):
        stimuli, said = read_array(file), file.with_name("tuning.json")
        try:
            yield from _of_tuning(file.relative_to(run), stimuli, read_json(said))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            raise UserError(f"{said} is damaged, or does not fit {file.name}") from None


def _of_tuning(source: Path, stimuli: np.ndarray, said: Mapping[str, Any]) -> Iterator[Shown]:
    axes: Sequence[Mapping[str, Any]] = said["over"]
    values = [[float(value) for value in axis["values"]] for axis in axes]
    shape = tuple(map(len, values))
    picture = stimuli.shape[len(shape) :]
    if stimuli.shape[: len(shape)] != shape or not (len(picture) == 2 or (len(picture) == 3 and picture[2] == 3)):
        raise ValueError("another grid")
    for index in product(*map(range, shape)):
        grey = np.array(stimuli[index])
        if np.isfinite(grey).all():
            answers = {int(n["neuron"]): Mean(_at(n["mean"], index), _at(n["sem"], index)) for n in said["neurons"]}
            point = {str(axis["path"]): each[i] for axis, each, i in zip(axes, values, index)}
            yield Shown("variation", str(source), grey, answers, point)


def _at(nested: Any, index: Sequence[int]) -> float:
    for i in index:
        nested = nested[i]
    return float("nan") if nested is None else float(nested)
