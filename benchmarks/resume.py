"""A deterministic run that is killed again and again against one that is left alone: is a byte of them different?"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .report import Report, Target
from .setting import HERE

__all__ = ["run"]

SCENE = """
deterministic: true
model: {{card: {{type: complex_cell, parameters: {{frequency: 2}}, input: {{size: 64, mean: 124.5, std: 70}}}}}}
pose: {{free: [rotation]}}
render: {{type: {kind}, resolution: 64, spp: 4}}
optimizer: {{steps: {steps}, restarts: 2, search: 3}}
evaluate: {{spp: 64, repeats: 4}}
"""
STEPS = {"raster": 150, "path": 60}
SAME = ("result.json", "mesh.ply", "mesh.glb", "parameters.npz", "stimulus.npy", "render.exr")
POLL = 0.005
"""Seconds between two looks at what a run has written."""


def run(report: Report, kills: int = 20, signals: int = 4) -> None:
    """Kill, resume, and compare, with either renderer.

    Parameters
    ----------
    kills : int
        By SIGKILL of one run, at moments drawn from all of its time.
    signals : int
        Runs that get a SIGTERM at a step drawn at random, and as many a SIGINT.
    """
    rows, told = [], []
    with tempfile.TemporaryDirectory() as name:
        for kind, steps in STEPS.items():
            folder = Path(name) / kind
            folder.mkdir()
            (folder / "scene.yaml").write_text(SCENE.format(kind=kind, steps=steps), encoding="utf-8")
            whole = _Whole.of(folder)
            rows.append({"renderer": kind, **_killed(whole, kills)})
            for number in (signal.SIGTERM, signal.SIGINT):
                told += [{"renderer": kind, **_told(whole, number, seed)} for seed in range(signals)]
    report.table(f"{kills} SIGKILLs of one run", rows, "files that differ from the undisturbed run's", "killed")
    report.table("One signal", told, "steps that ended after the signal was sent", "told")
    report.targets(
        *(Target(f"SIGKILLs, {row['renderer']}", row["kills"], least=kills) for row in rows),
        *(Target(f"files that differ, {row['renderer']}", row["different"], most=0) for row in rows),
        Target("steps after a signal", max(row["steps after"] for row in told), most=1),
        Target("files that differ after a signal", sum(row["different"] for row in told), most=0),
    )


@dataclass(frozen=True)
class _Whole:
    """A run that nothing disturbs, and when it wrote each of its steps."""

    folder: Path
    steps: list[float]
    seconds: float

    @property
    def out(self) -> Path:
        return self.folder / "whole"

    @classmethod
    def of(cls, folder: Path) -> _Whole:
        _started(folder, "first").wait()  # Dr.Jit's kernels are compiled once, and lie on the disk then
        process, begun, steps = _started(folder, "whole"), time.monotonic(), []
        while process.poll() is None:
            now = time.monotonic() - begun
            steps += [now] * (_rows(folder / "whole") - len(steps))
            time.sleep(POLL)
        assert process.returncode == 0
        return cls(folder, steps, time.monotonic() - begun)

    def different(self, out: Path) -> int:
        """How many files are not the same to the last byte."""
        return sum((out / name).read_bytes() != (self.out / name).read_bytes() for name in SAME)


def _killed(whole: _Whole, kills: int) -> dict[str, float]:
    """Kill at moments of the undisturbed run: so long after its start, or so long after one of its steps."""
    out, chance = whole.folder / "killed", random.Random(0)
    phases = {"before the first step": 0, "between steps": 0, "after the last": 0}
    for moment in sorted(chance.uniform(0, whole.seconds) for _ in range(kills)):
        process = _started(whole.folder, "killed")
        written = sum(step <= moment for step in whole.steps)
        _wait(process, out, written)
        until = time.monotonic() + moment - (whole.steps[written - 1] if written else 0.0)
        while time.monotonic() < until and process.poll() is None:
            if written < len(whole.steps) and _fresh_rows(out) > written:
                break  # it is faster than the undisturbed one
            time.sleep(POLL)
        if process.poll() is not None:
            break  # it came to its end before
        process.kill()
        process.wait()
        phases[list(phases)[0 if not written else 1 if written < len(whole.steps) else 2]] += 1
    code = 0 if _over(out) else _started(whole.folder, "killed").wait()
    return {
        "steps": len(whole.steps),
        "undisturbed s": whole.seconds,
        "kills": sum(phases.values()),
        **phases,
        "exit code": code,
        "different": whole.different(out),
    }


def _told(whole: _Whole, number: signal.Signals, seed: int) -> dict[str, float]:
    """Send a signal at a random moment between two steps, and resume."""
    name, chance = f"{number.name}-{seed}", random.Random(seed)
    out = whole.folder / name
    process = _started(whole.folder, name)
    _wait(process, out, chance.randint(1, len(whole.steps) - 5))
    time.sleep(chance.uniform(0, 0.1))
    process.send_signal(number)
    reached = _rows(out)
    code = process.wait()
    after = _rows(out) - reached
    resumed = _started(whole.folder, name).wait()
    return {
        "signal": number.name,
        "at step": reached,
        "steps after": after,
        "exit code": code,
        "resumed": resumed,
        "different": whole.different(out),
    }


def _started(folder: Path, name: str) -> subprocess.Popen:
    """A run, or one that goes on."""
    out = folder / name
    words = ["resume", str(out)] if (out / "config.yaml").exists() else ["run", "scene.yaml", "--out", str(out)]
    (folder / "since").touch()
    return subprocess.Popen(
        [sys.executable, str(HERE.parent / "run.py"), *words, "--quiet"], cwd=folder, stdout=subprocess.DEVNULL
    )


def _rows(out: Path) -> int:
    """How many steps are written."""
    try:
        return max(0, (out / "metrics.csv").read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0


def _fresh_rows(out: Path) -> int:
    """How many steps are written, if the last process wrote any, or took up those of one before."""
    file, since = out / "metrics.csv", (out.parent / "since").stat().st_mtime_ns
    return _rows(out) if file.exists() and file.stat().st_mtime_ns > since else 0


def _wait(process: subprocess.Popen, out: Path, rows: int) -> None:
    """Until this process has written so many steps."""
    while process.poll() is None and _fresh_rows(out) < rows:
        time.sleep(POLL)


def _over(out: Path) -> bool:
    """Whether it came to its end, and not to that of a signal."""
    return (out / "result.json").exists() and not (out / "checkpoint").exists()
