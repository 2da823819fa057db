"""What every experiment shares: who is told of its progress, Ctrl-C, and which versions ran."""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import __version__

__all__ = ["Progress", "RunResult", "every_core", "interruptible", "ratio", "versions"]

PACKAGES = ("mitsuba", "drjit", "torch", "numpy")


class Progress(Protocol):
    """Who is told how a run goes on."""

    def start(self, steps: int) -> None: ...

    def step(self, info: dict[str, Any]) -> None: ...

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, and what ``result.json`` says."""

    folder: Path
    result: dict[str, Any]


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it, a first Ctrl-C is only remembered; a second one interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number, stack) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def every_core() -> Iterator[None]:
    """Within it, torch computes with all cores that this process may use: where no renderer wants them.

    ``OMP_NUM_THREADS`` is left as it is said.
    """
    usual = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(max(usual, cores))
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def ratio(activation: dict[str, float] | None, pixel: float | None) -> dict[str, float] | None:
    """An activation over that of the pixel MEI, which has no error of its own; None where there is no such ratio."""
    if activation is None or pixel is None or not pixel > 0:
        return None
    return {name: value / pixel for name, value in activation.items()}


def versions() -> dict[str, str]:
    """Of everything that a result depends on."""
    return {
        "mitsuba_mei": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
