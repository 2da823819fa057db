"""What results over several neurons have in common."""

from __future__ import annotations

from typing import ClassVar

from .optimization import Result
from .parts import Record

__all__ = ["LeftOut", "Neuron", "PopulationResult", "Request"]


class Request(Result):
    """What was asked of an experiment on several neurons, which can go on with it."""

    file: ClassVar[str] = "asked/asked.json"

    command: str
    """``compare`` or ``factors``."""
    scenes: tuple[str, ...]
    """Scene files, by their names; the files themselves are kept beside."""
    starts: int | None = None
    """Starts of each neuron."""


class LeftOut(Record):
    """A neuron that could not be optimized."""

    scene: str = ""
    """The scene file."""
    label: str
    """The neuron's name in tables."""
    reason: str
    """Why it was left out."""


class Neuron(Result):
    """What is reported of one of several neurons."""

    scene: str = ""
    """The scene file."""
    folder: str = ""
    """Folder within the run's, relative to it."""
    label: str = ""
    """The neuron's name in tables."""
    model: str
    """Name of the model."""
    neurons: tuple[int, ...]
    """Indices of the objective's neurons."""
    objective: str = "activation"
    """The type of the objective."""
    ended: str = "done"
    """``done``, ``no better``, ``interrupted`` or ``failed``."""
    failed: dict[str, str] = {}
    """Reasons by the optimization that failed."""
    seed: int | None = None
    """The seed that was used."""
    pixel: float | None = None
    """Activation of the pixel MEI."""


class PopulationResult(Result):
    """An experiment on several neurons, one after the other."""

    ended: str = "done"
    """``done`` or ``interrupted``."""
    asked: int = 1
    """Neurons that were asked for."""
    neurons: tuple[Neuron, ...]
    """One record a neuron."""
    left_out: tuple[LeftOut, ...] = ()
    """Neurons that could not be optimized, and why."""
