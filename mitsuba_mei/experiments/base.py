"""What every experiment shares: progress, Ctrl-C, threads, its folder and its versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import __version__
from ..config.load import Config, dump
from ..geometry.input_flaws import input_sentences
from ..interrupts import at_once, interruptible
from ..optimize.checks import check_start
from ..pipeline import Pipeline
from ..render.renderer import Renderer
from ..runs.folder import RunFolder
from ..runs.results import Result
from .resume import BEGUN_WITH

__all__ = [
    "LOADING",
    "WRITING",
    "InterruptNotice",
    "LabelledProgress",
    "Progress",
    "RunResult",
    "every_core",
    "interruptible",
    "threads_beside",
    "versions",
    "open_run",
]

LOADING, WRITING = "loading the model and building the scene", "writing figures and pictures"
"""What is said to be under way."""

PACKAGES = ("mitsuba", "drjit", "torch", "numpy")


class Progress(Protocol):
    """Who is told how a run goes on."""

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...

    def step(self, info: dict[str, Any]) -> None:
        """One step is done: numbers by name, and of a rendered one ``render``, radiance (H, W, C)."""
        ...

    def doing(self, text: str) -> None: ...

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class LabelledProgress:
    """Tells another one how a part of a longer experiment goes on, and which part that is."""

    progress: Progress
    label: str

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        self.progress.start(steps, f"{self.label}, {label}" if label else self.label, done)

    def step(self, info: dict[str, Any]) -> None:
        self.progress.step(info)

    def doing(self, text: str) -> None:
        self.progress.doing(f"{self.label}, {text}")

    def message(self, text: str) -> None:
        self.progress.message(f"{self.label}, {text}")

    def stop(self) -> None:
        self.progress.stop()


class InterruptNotice:
    """Tells another one, and answers a Ctrl-C, which would go unnoticed until an optimization ends."""

    def __init__(self, progress: Progress, interrupted: Callable[[], bool]) -> None:
        self._progress, self._interrupted = progress, interrupted
        self._answered = False

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        self._progress.start(steps, label, done)

    def step(self, info: dict[str, Any]) -> None:
        if self._interrupted() and not self._answered:
            self._answered = True
            self.message("interrupted: this optimization is finished first; Ctrl-C again ends at once")
        self._progress.step(info)

    def doing(self, text: str) -> None:
        self._progress.doing(text)

    def message(self, text: str) -> None:
        self._progress.message(text)

    def stop(self) -> None:
        self._progress.stop()


@dataclass(frozen=True)
class RunResult:
    """A finished experiment: its folder, and its result."""

    folder: Path
    result: Result


def threads_beside(renderer: Renderer) -> AbstractContextManager[None]:
    """Within it, torch has a single thread beside a renderer with threads of its own, and every core beside others.

    Idle threads of torch would only spin beside a renderer that keeps every core busy.
    """
    return _threads(1) if renderer.own_threads else every_core()


def every_core() -> AbstractContextManager[None]:
    """Within it, torch computes with all cores that this process may use: where no renderer wants them.

    ``OMP_NUM_THREADS`` is left as it is said.
    """
    usual = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return _threads(usual)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _threads(max(usual, cores))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def versions() -> dict[str, str]:
    """Of everything that a result depends on."""
    return {
        "mitsuba_mei": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


@contextmanager
def open_run(
    pipeline: Pipeline,
    config: Config,
    out: Path,
    progress: Progress,
    resumed: bool,
    alone: bool | None = None,
    searched: bool | None = None,
) -> Iterator[tuple[RunFolder, Callable[[], bool]]]:
    """Check the start and open the folder; gives the folder, and what says whether to end.

    A Ctrl-C ends it at once, but where the optimization is :func:`~mitsuba_mei.interrupts.finishing` a step.

    ``alone`` and ``searched`` are those of :func:`~mitsuba_mei.optimize.checks.check_start`; None as the optimizer says.

    Raises
    ------
    UserError
        If the start would be in vain, or the folder cannot be had; nothing is written then.
    """
    with threads_beside(pipeline.renderer):
        progress.doing("rendering the start")
        alone = config.optimizer.restarts == 1 if alone is None else alone
        searched = config.optimizer.search > 0 if searched is None else searched
        check_start(pipeline, config.seed, alone, searched)
        folder = RunFolder(out, resumed, locked=True)
        if not resumed:
            folder.write_text("config.yaml", dump(config, folder.path))
            folder.write_text(BEGUN_WITH, dump(config, (folder.path / BEGUN_WITH).parent))
        for sentence in input_sentences(pipeline.scene.template):
            progress.message(f"mesh: {sentence}")
        with interruptible() as interrupted, at_once():
            try:
                yield folder, interrupted
            finally:
                progress.stop()
                folder.close()
                folder.release()
