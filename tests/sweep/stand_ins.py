"""Work that worker processes do in place of runs, at once."""

from __future__ import annotations

import os
import time

from mitsuba_mei.sweep.folder import Attempt
from mitsuba_mei.sweep.job import Job

__all__ = ["light_work"]


def light_work(job: Job) -> Attempt:
    """A folder with a result, and what the process sees; ``slow`` ones wait until their process is killed, once."""
    notes = job.folder / "notes"
    notes.mkdir(exist_ok=True)
    note = notes / f"{job.name}.{os.getpid()}"
    note.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "") + " " + os.environ.get("OMP_NUM_THREADS", ""))
    if job.name.startswith("slow") and len(list(notes.glob(f"{job.name}.*"))) == 1:
        time.sleep(60)
    folder = job.folder / "runs" / job.name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    return Attempt(job.name, "done", seconds=0.01, process=str(os.getpid()))
