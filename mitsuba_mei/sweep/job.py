"""What a worker process does: one run, into its folder. Imported without torch, so that its threads can be bounded."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..config.load import Config
from ..errors import UserError, first_line
from ..io.memory import is_out_of_memory
from .folder import Attempt

__all__ = ["Job", "do_job", "check_workers"]


@dataclass(frozen=True)
class Job:
    """One run that a worker is asked for.

    Attributes
    ----------
    name : str
    config : Config
    folder : Path
        The sweep's, whole, as every worker sees it.
    threads : int
    """

    name: str
    config: Config
    folder: Path
    threads: int


class _Silent:
    """Nobody watches a worker."""

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...
    def step(self, info: dict[str, Any]) -> None: ...
    def doing(self, text: str) -> None: ...
    def message(self, text: str) -> None: ...
    def stop(self) -> None: ...


def do_job(job: Job) -> Attempt:
    """Do a run; whatever goes wrong in it is told, not raised."""
    begun = time.perf_counter()
    reason = None
    try:
        _bound_threads(job)
        _put_in_place(_run(job), job.folder / "runs" / job.name)
        ended = "done"
    except UserError as error:
        ended, reason = "refused", str(error)
    except Exception as error:  # anything at all: it is recorded, and the other runs go on
        ended, reason = "failed", f"{'memory ran out: ' if is_out_of_memory(error) else ''}{first_line(error)}"
    finally:
        for left in _left_behind(job):
            shutil.rmtree(left, ignore_errors=True)
        _free_memory()
    process = f"{socket.gethostname()}:{os.getpid()}"
    return Attempt(job.name, ended, reason, time.perf_counter() - begun, _memory_mb(), process)


def _run(job: Job) -> Path:
    """Do the run, or go on with one whose process died; gives the folder that it was written into."""
    from ..experiments.registry import run_experiment
    from ..experiments.resume import resumable

    for left in _left_behind(job):
        try:
            resumable(left)
            run_experiment(job.config, left, _Silent(), resumed=True)
            return left
        except Exception:  # whatever state it is in; from the beginning, then
            shutil.rmtree(left, ignore_errors=True)
    # As deep as where it will lie: config.yaml names files relative to its folder.
    folder = job.folder / "partial" / f"{job.name}-{uuid.uuid4().hex[:8]}"
    run_experiment(job.config, folder, _Silent())
    return folder


def _left_behind(job: Job) -> list[Path]:
    paths = sorted((job.folder / "partial").glob(f"{job.name}-????????"))
    return [folder for folder in paths if not folder.is_symlink()]


def _bound_threads(job: Job) -> None:
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # read where torch is not loaded yet, and by the experiments
    import torch

    torch.set_num_threads(job.threads)
    with suppress(UserError):  # no LLVM: the rasterizer needs none, and the path tracer says so itself
        from ..render.backend import bound_threads

        bound_threads(job.threads)


def _put_in_place(partial: Path, target: Path) -> None:
    try:
        os.rename(partial, target)
    except OSError:
        if not (target / "result.json").is_file():  # another process has done the same run before
            raise


def _free_memory() -> None:
    """Give back what a run has left free: in threads, glibc keeps hold of it, and a worker would grow run by run."""
    gc.collect()
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _memory_mb() -> float:
    import psutil  # comes with distributed

    return psutil.Process().memory_info().rss / 1e6


def check_workers(folder: Path, version: str) -> str | None:
    """Why this worker is of no use to a sweep; None where it is."""
    if version != __version__:
        return f"has mitsuba_mei {__version__}, and the sweep {version}; install the same on both"
    if not (folder / "plan.json").is_file():
        return f"does not see {folder}; put the sweep where every machine finds it by the same name"
    return None
