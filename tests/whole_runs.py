"""What tests of whole experiments share: the command line called, and progress that listens or sends Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.runs.folder import RunFolder
from mitsuba_mei.runs.results import Result, result_json


def called(*arguments: str) -> tuple[int, str, str]:
    """The command line's exit code, and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def no_pictures() -> Iterator[None]:
    """As the fixture ``without_pictures``, for runs that a module's tests share."""
    with patch.object(RunFolder, "adorn", lambda *arguments: None):
        yield


def leave_out_run_pictures(patch: pytest.MonkeyPatch) -> None:
    """Of ordinary runs neither frames, video nor summary are made, which take most of a short run's time."""
    from mitsuba_mei.experiments import frames, outputs

    adorn = RunFolder.adorn

    def but_no_summary(folder: RunFolder, name: str, write: Callable[[Path], None]) -> None:
        if name != "summary.png" or write.__module__ != outputs.__name__:
            adorn(folder, name, write)

    patch.setattr(RunFolder, "adorn", but_no_summary)
    patch.setattr(frames.RenderSequence, "write", lambda *arguments: None)


def written(result: Result) -> dict[str, Any]:
    """What the file of a result says."""
    return json.loads(json.dumps(result_json(result)), parse_constant=lambda _: None)


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file says."""
    return json.loads(path.read_text())


class Silent:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.total = 0
        self.stopped = False

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        self.total, self.stopped = steps, False

    def step(self, info: dict[str, Any]) -> None:
        self.steps.append(info)

    def doing(self, text: str) -> None: ...

    def message(self, text: str) -> None:
        self.messages.append(text)

    def stop(self) -> None:
        self.stopped = True


class Interrupting(Silent):
    """Sends Ctrl-C at one of the steps of what bears a label, counted from 1 over all of it."""

    def __init__(self, at: int = 1, label: str = "") -> None:
        super().__init__()
        self._left, self._label, self._bears_it = at, label, False

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        super().start(steps, label, done)
        self._bears_it = self._label in label

    def step(self, info: dict[str, Any]) -> None:
        super().step(info)
        if self._bears_it:
            self._left -= 1
            if not self._left:
                signal.raise_signal(signal.SIGINT)
