"""Sweeps on processes that are killed: what is lost and what is done twice; and two workers against one, and memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pyarrow.parquet

from .report import Report, Target
from .setting import HERE

__all__ = ["run"]

SCENE = """
shape: {template: {type: icosphere, subdivisions: 3}, rbf: {control_points: 32}}
lighting: [{type: sun}, {type: constant, radiance: 0.3}]
model: {card: {type: v4_curvature, input: {size: 48, mean: 124.5, std: 70}}}
render: {type: raster, resolution: 48}
evaluate: {repeats: 2}
"""
EVERY = 8.0
"""Seconds between two kills of a worker."""

RETRIES = 20


def run(report: Report, runs: int = 60, timed: int = 60, steps: int = 100, repeated: int = 30) -> None:
    """Kill workers and the sweep itself, and count; then time, and memory.

    Parameters
    ----------
    runs : int
        Of the sweep that is killed.
    timed, steps : int
        Runs that one and two workers do, and the steps of each.
    repeated : int
        Runs of one process, whose memory is looked at.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scene.yaml").write_text(SCENE, encoding="utf-8")
        killed = _killed(folder, runs)
        report.table(f"{runs} runs, workers killed every {EVERY:g} s, the sweep once", [killed], "runs", "killed")
        rates = [_rate(folder / f"rate-{workers}", timed, steps, workers) for workers in (1, 2)]
        report.table("Workers of one thread", rates, "from the command to its end", "rates")
        memory = _memory(folder, repeated)
        report.table(f"A worker's memory over {repeated} runs", [memory], "MB", "memory")
    report.targets(
        Target("rows", killed["rows"], least=runs, most=runs),
        Target("runs lost", killed["lost"], most=0),
        Target("runs done twice", killed["twice"], most=0),
        Target("two workers over one", rates[0]["s"] / rates[1]["s"], least=1.7),
        Target("memory, last run over third", memory["last"] / memory["third"], most=1.05),
    )


def _started(folder: Path, name: str, seeds: int, workers: int, steps: int = 3) -> subprocess.Popen:
    file = folder / f"{name}.yaml"
    text = f"""
scene: scene.yaml
axes: {{neurons: [3, 25], seeds: 0-{seeds - 1}}}
overrides: {{optimizer.steps: {steps}}}
workers: {{count: {workers}, threads: 1, memory: 2GB, recycle_after: null}}
retries: {RETRIES}
"""
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "run.py", "sweep", str(file), "--out", str(folder / name), "--quiet"]
    return subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL)


def _done(out: Path) -> list[Path]:
    return list(out.glob("runs/*/result.json"))


def _killed(folder: Path, runs: int) -> dict[str, float]:
    """How often what was killed, and what there is of the runs in the end."""
    out = folder / "killed"
    counts = {"kills of workers": 0, "kills of the sweep": 0}
    process = _started(folder, "killed", runs // 2, workers=2)
    last = time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        if time.monotonic() - last > EVERY and _kill_worker(process.pid):
            counts["kills of workers"] += 1
            last = time.monotonic()
        if not counts["kills of the sweep"] and len(_done(out)) >= runs // 3:
            process.kill()
            process.wait()
            counts["kills of the sweep"] += 1
            process = _started(folder, "killed", runs // 2, workers=2)
    attempts = [json.loads(line) for line in (out / "attempts.jsonl").read_text().splitlines()]
    ended = Counter(each["name"] for each in attempts if each["ended"] == "done")
    rows = pyarrow.parquet.read_table(out / "summary.parquet").to_pylist()
    names = Counter(row["run"] for row in rows)
    return {
        **counts,
        "rows": len(rows),
        "done": sum(row["state"] == "done" for row in rows),
        "lost": runs - len({row["run"] for row in rows if row["state"] == "done"}),
        "twice": sum(count > 1 for count in ended.values()) + sum(count > 1 for count in names.values()),
        "attempts that died": sum(each["ended"] == "failed" for each in attempts),
    }


def _kill_worker(sweep: int) -> bool:
    """Kill one of the processes that a sweep's runs are done by."""
    try:
        children = [child for child in psutil.Process(sweep).children() if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return False
    busy = [child for child in children if child.memory_info().rss > 3e8]  # torch is loaded: it is at work
    for child in busy[:1]:
        os.kill(child.pid, signal.SIGKILL)
    return bool(busy)


def _rate(folder: Path, runs: int, steps: int, workers: int) -> dict[str, float]:
    """The time of a whole sweep: its workers' start, and summary and report at its end, too."""
    folder.mkdir()
    (folder / "scene.yaml").write_text(SCENE, encoding="utf-8")
    begun = time.monotonic()
    _started(folder, "rate", runs // 2, workers, steps).wait()
    return {
        "workers": workers,
        "runs": len(_done(folder / "rate")),
        "s": time.monotonic() - begun,
    }


def _memory(folder: Path, runs: int) -> dict[str, float]:
    _started(folder, "memory", runs // 2, workers=1).wait()
    lines = (folder / "memory" / "attempts.jsonl").read_text().splitlines()
    memory = [json.loads(line)["memory_mb"] for line in lines]
    return {"first": memory[0], "third": memory[2], "last": memory[-1], "greatest": max(memory)}
