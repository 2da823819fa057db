"""Tuning curves and maps that were measured on a run's object (``run.py tune``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UserError
from .files import Figure, Said, read_json

__all__ = ["Axis", "NeuronTuning", "Summary", "Tuning", "read_tuning", "read_tunings"]


@dataclass(frozen=True)
class Axis:
    """What was varied.

    Attributes
    ----------
    path : str
        As in a scene file: ``pose.rotation.1``.
    unit : str
    values : ndarray
        (N,) ascending or not.
    at : float or None
        The run's own value.
    """

    path: str
    unit: str
    values: np.ndarray
    at: float | None

    @property
    def title(self) -> str:
        """With its unit."""
        return f"{self.path} ({self.unit})" if self.unit else self.path


@dataclass(frozen=True)
class Summary:
    """What a curve comes to; preferred value and bandwidth of each axis."""

    preferred: tuple[Figure | None, ...]
    bandwidth: tuple[float | None, ...]
    bandwidth_is: str
    depth: float | None
    selectivity: float | None
    index: str | None
    reference: str | None


@dataclass(frozen=True)
class NeuronTuning:
    """One neuron's responses.

    Attributes
    ----------
    mean, sem : ndarray
        (N,) or (N, M), one axis after the other; nan is what is no finite number.
    at_scene : Figure or None
        The response to the run's own scene.
    """

    neuron: int | None
    mean: np.ndarray
    sem: np.ndarray
    at_scene: Figure | None
    summary: Summary


@dataclass(frozen=True)
class Tuning:
    """One measurement, over one or two axes."""

    folder: str
    model: str | None
    renderer: str | None
    ended: str
    over: tuple[Axis, ...]
    neurons: tuple[NeuronTuning, ...]


def read_tunings(folder: Path) -> tuple[Tuning, ...]:
    """Those within a run folder, by name.

    Raises
    ------
    UserError
        If one is damaged.
    """
    return tuple(read_tuning(path) for path in sorted(folder.glob("tuning-*/tuning.json")))


def read_tuning(path: Path) -> Tuning:
    """A ``tuning.json``.

    Raises
    ------
    UserError
        If it is damaged.
    """
    said = read_json(path)
    over = tuple(_axis(each) for each in said.parts("over"))
    shape = tuple(len(axis.values) for axis in over)
    if len(shape) not in (1, 2) or 0 in shape:
        raise UserError(f"{path} is damaged: it varies no value, or more than two")
    neurons = tuple(_neuron(each, shape, path) for each in said.parts("neurons"))
    if not neurons:
        raise UserError(f"{path} is damaged: it holds no neuron")
    return Tuning(
        folder=path.parent.name,
        model=said.text("model"),
        renderer=said.text("renderer"),
        ended=said.text("ended") or "done",
        over=over,
        neurons=neurons,
    )


def _axis(said: Said) -> Axis:
    return Axis(
        said.text("path") or "value", said.text("unit") or "", np.array(said.numbers("values")), said.number("at")
    )


def _neuron(said: Said, shape: tuple[int, ...], path: Path) -> NeuronTuning:
    mean = _grid(said.raw("mean"), shape)
    if mean is None:
        raise UserError(f"{path} is damaged: a neuron's mean is no grid of {' x '.join(map(str, shape))} numbers")
    sem = _grid(said.raw("sem"), shape)
    summary = said.part("summary")
    preferred, bandwidth = summary.raw("preferred"), summary.raw("bandwidth")
    selectivity = summary.part("selectivity")
    return NeuronTuning(
        neuron=said.count("neuron"),
        mean=mean,
        sem=np.full(shape, np.nan) if sem is None else sem,
        at_scene=said.figure("at_scene"),
        summary=Summary(
            preferred=tuple(_preferred(each) for each in preferred) if isinstance(preferred, list) else (),
            bandwidth=tuple(Said({"width": each}).number("width") for each in bandwidth)
            if isinstance(bandwidth, list)
            else (),
            bandwidth_is="bandwidth" if "bandwidth_is" in summary else "half width at half of the peak above 0",
            depth=summary.number("modulation_depth"),
            selectivity=selectivity.number("value"),
            index=selectivity.text("index"),
            reference=selectivity.text("reference"),
        ),
    )


def _preferred(value: object) -> Figure | None:
    """A number, or a value with its error."""
    if isinstance(value, dict):
        said = Said(value)
        return Figure(said.number("value"), said.number("sem"))
    number = Said({"value": value}).number("value")
    return None if number is None else Figure(number)


def _grid(value: object, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        grid = np.array(value, dtype=float)  # null becomes nan
    except (TypeError, ValueError):
        return None
    return np.where(np.isfinite(grid), grid, np.nan) if grid.shape == shape else None
