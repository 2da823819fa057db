"""Ctrl-C at random moments of a run's whole life: does it end, with which exit code, and is anything lost?"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .report import Report, Target
from .setting import HERE

__all__ = ["run"]

SCENE = """
extends: {quickstart}
optimizer: {{steps: 40}}
"""

BATCH_SIZE = 1.0
"""Seconds within which a run ends that has no step to finish."""

INTERRUPTED = (130, -signal.SIGINT)
"""What a shell calls 130: the exit code, or, before Python has come to the program's first line, the signal."""

POLL = 0.005


def run(report: Report, moments: int = 20, seed: int = 0) -> None:
    """Send Ctrl-C once to a path-traced run, at moments drawn evenly from its start to its end, and resume it.

    A run in its steps ends after the one that is under way; what was reached is evaluated and written then, and a
    second Ctrl-C does without. Everywhere else it ends at once. Where the signal finds the process already gone, or on
    its way out with everything written and said, the exit code is 0.

    Parameters
    ----------
    moments : int
    seed : int
        Of the moments.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        (here / "scene.yaml").write_text(SCENE.format(quickstart=HERE.parent / "scenes/quickstart.yaml"), "utf-8")
        _started(here, "first").wait()  # Dr.Jit's kernels lie on the disk then
        begun = time.monotonic()
        _started(here, "whole").wait()
        seconds = time.monotonic() - begun
        told = [_told(here, f"run-{i}", chance.uniform(0, seconds), seconds) for i in range(moments)]
    rows = [vars(each) for each in told]
    report.table(f"Ctrl-C at {moments} moments of {seconds:.1f} s", rows, "what became of it", "told")
    report.targets(
        Target("ended within a second, or after the step", sum(each.ended_in_time for each in told), least=moments),
        Target("right exit code", sum(each.right_code for each in told), least=moments),
        Target("tracebacks", sum(each.traceback for each in told), most=0),
        Target("nothing lost", sum(each.kept for each in told), least=moments),
    )


@dataclass(frozen=True)
class _Told:
    """One run that was told to end.

    Attributes
    ----------
    at : float
        Seconds after its start.
    phase : str
        ``start``, ``steps``, ``end`` or ``over``.
    steps_after : int
        Steps that were written after the signal.
    seconds : float
        Until the process had ended; after an interruption in the steps until the optimization had.
    whole : float
        Until the process had ended.
    code : int
    left : str
        What is in the folder: ``nothing``, ``to resume``, ``interrupted`` with everything written, or ``complete``.
    resumed : bool
        Whether it went on to the end, where there was something to go on with.
    """

    at: float
    phase: str
    steps_after: int
    seconds: float
    whole: float
    code: int
    left: str
    resumed: bool | None
    traceback: bool
    said: str

    @property
    def ended_in_time(self) -> bool:
        return self.steps_after <= 1 and self.seconds <= BATCH_SIZE

    @property
    def right_code(self) -> bool:
        return self.code in INTERRUPTED or (self.code == 0 and self.phase == "over")

    @property
    def kept(self) -> bool:
        return self.left in ("nothing", "complete") or self.resumed is True


def _told(here: Path, name: str, moment: float, longest: float) -> _Told:
    out = here / name
    process, begun = _started(here, name), time.monotonic()
    time.sleep(moment)
    gone = process.poll() is not None
    complete = (out / "result.json").exists()
    rows, state = _rows(out), out / "checkpoint"
    process.send_signal(signal.SIGINT)
    sent, optimized = time.monotonic(), None
    while process.poll() is None and time.monotonic() - sent < 60 + longest:
        if optimized is None and rows and b"interrupted" in (here / f"{name}.err").read_bytes():
            optimized = time.monotonic() - sent
        time.sleep(POLL)
    whole = time.monotonic() - sent
    error = (here / f"{name}.err").read_text(errors="replace")
    last = (error.strip().splitlines() or [""])[-1]
    result = json.loads((out / "result.json").read_text()) if (out / "result.json").exists() else None
    in_steps = "ended after" in error
    phase = "over" if gone or complete else "steps" if in_steps else "end" if rows >= 40 else "start"
    left = "nothing" if not out.exists() else "to resume" if result is None else str(result["ended"])
    left = {"done": "complete"}.get(left, left)
    resumed = None
    if left in ("to resume", "interrupted") and (state.is_dir() or result is not None):
        resumed = _started(here, name, "resume", str(out)).wait() == 0
    elif left == "to resume" and not any(out.glob("*.*")):
        left = "nothing"
    seconds = whole if not in_steps or optimized is None else optimized
    return _Told(
        sent - begun, phase, max(0, _steps_of(result, rows) - rows) if in_steps else 0, seconds, whole,
        process.returncode, left, resumed, "Traceback" in error, last,
    )  # fmt: skip


def _steps_of(result: dict[str, Any] | None, rows: int) -> int:
    return rows if result is None else int(result["steps"])


def _started(here: Path, name: str, *words: str) -> subprocess.Popen:
    words = words or ("run", "scene.yaml", "--out", name)
    with open(here / f"{name}.err", "wb") as error:
        return subprocess.Popen(
            [sys.executable, str(HERE.parent / "run.py"), *words], cwd=here, stdout=subprocess.DEVNULL, stderr=error
        )


def _rows(out: Path) -> int:
    """How many steps are written."""
    try:
        return max(0, (out / "metrics.csv").read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0
