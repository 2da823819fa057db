"""Worker processes of a sweep: on this machine, of a dask scheduler, or by Slurm.

Scheduler and workers trust each other: their messages are pickled, and whoever can reach the scheduler's port can have
anything executed by them. A local cluster listens on 127.0.0.1 alone; nothing shows a dashboard.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Nanny, Scheduler, SpecCluster, WorkerPlugin

from .. import __version__
from ..config.sweep import Address, Slurm, Sweep, Workers, bytes_of
from ..errors import UserError, first_line
from .folder import Attempt
from .job import Job, check_workers, do_job

__all__ = ["PATIENCE", "DaskPool", "local_workers", "opened_pool", "slurm_cluster", "threads_of", "workers_wanted"]


class DaskPool:
    """The workers of a scheduler.

    Parameters
    ----------
    client : Client
        Connected.
    gpus : bool
        Whether a run takes one ``gpu`` of the worker's resources.
    work : callable
        What a worker does with a job.
    """

    def __init__(self, client: Client, gpus: bool, work: Callable[[Job], Attempt] = do_job) -> None:
        self._client, self._resources, self._work = client, {"gpu": 1} if gpus else None, work
        self._ended: queue.SimpleQueue[tuple[str, Future]] = queue.SimpleQueue()
        self._futures: dict[str, Future] = {}
        self._renewing = ThreadPoolExecutor(4)

    def workers(self) -> set[str]:
        """The addresses of those that are there; one that is started again has another address.

        Raises
        ------
        UserError
            If the scheduler is gone.
        """
        try:
            return set(self._client.nthreads())
        except (OSError, TimeoutError, ValueError):
            raise UserError("the scheduler is gone; the same command goes on with what is not done yet") from None

    def check(self, folder: Path) -> None:
        """Raise UserError where a worker that is there is of no use."""
        try:
            complaints = self._client.run(check_workers, folder, __version__)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"the workers cannot import mitsuba_mei ({first_line(error)}); install it on them"
            ) from None
        for address, problem in complaints.items():
            if problem:
                raise UserError(f"the worker {address} {problem}")

    def submit(self, key: str, worker: str, job: Job) -> None:
        """Have a worker do a job, under a key that no other attempt has."""
        future = self._client.submit(
            self._work, job, workers=[worker], allow_other_workers=False, key=key, resources=self._resources, retries=0
        )
        self._futures[key] = future
        future.add_done_callback(lambda done: self._ended.put((key, done)))

    def ended(self, seconds: float) -> tuple[str, Attempt | None] | None:
        """The next attempt that ends within so many seconds: its key, and None where its process died."""
        try:
            key, future = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        if self._futures.pop(key, None) is None:  # given up before
            return None
        return key, future.result() if future.status == "finished" else None

    def give_up(self, key: str) -> None:
        """Forget an attempt."""
        future = self._futures.pop(key, None)
        if future is not None:
            future.cancel()

    def renew(self, worker: str) -> None:
        """Have a worker's process end and another one start."""
        self._renewing.submit(self._client.restart_workers, [worker], raise_for_error=False)

    def close(self) -> None:
        """Give up what is under way."""
        self._renewing.shutdown(wait=False, cancel_futures=True)
        for key in list(self._futures):
            self.give_up(key)


LOCALHOST = "127.0.0.1"
PATIENCE = 5
"""Seconds in which a scheduler has to answer."""

SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # the sweep counts attempts itself
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,  # waiting frees no memory of a run; the limit ends its process
    "distributed.worker.memory.terminate": 1.0,
}
"""Of dask, for the schedulers and workers that are started here."""

WITHOUT_DASHBOARD = {"dashboard": False, "dashboard_address": f"{LOCALHOST}:0"}


class IgnoreSigint(WorkerPlugin):
    """Ctrl-C at a terminal reaches every process of the program; what becomes of the runs is not for workers to say."""

    def setup(self, worker: Any) -> None:
        """Called in the worker's process."""
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def threads_of(sweep: Sweep) -> int:
    """Of each worker."""
    cores = sweep.cluster.cores if isinstance(sweep.cluster, Slurm) else None
    return sweep.workers.threads if cores is None else cores


def workers_wanted(workers: Workers) -> int:
    """How many processes there are to be."""
    if workers.count is not None:
        return workers.count
    if workers.gpus is not None:
        return len(workers.gpus) * workers.jobs_per_gpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers.threads)


@contextmanager
def _environment_restored() -> Iterator[None]:
    """Put back afterwards what dask's nannies set in this process for their workers, such as a single thread."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def opened_pool(sweep: Sweep, folder: Path, work: Callable[[Job], Attempt] = do_job) -> Iterator[DaskPool]:
    """The workers that a sweep file asks for, as long as they are needed.

    Parameters
    ----------
    sweep : Sweep
    folder : Path
        The sweep's, for what Slurm says of its jobs.
    work : callable
        What a worker does with a job.

    Raises
    ------
    UserError
        If a scheduler does not answer, or there is no Slurm.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(_environment_restored())
        stack.enter_context(dask.config.set(SETTINGS))
        if isinstance(sweep.cluster, Address):
            client = stack.enter_context(_connected(sweep.cluster.address))
        else:
            started = slurm_cluster(sweep, folder) if isinstance(sweep.cluster, Slurm) else _local(sweep.workers)
            client = stack.enter_context(Client(stack.enter_context(started), set_as_default=False))
        pool = DaskPool(client, sweep.workers.gpus is not None, work)
        stack.callback(pool.close)
        yield pool


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError):
        raise UserError(
            f"no scheduler answers at {address} within {PATIENCE} s; start it, or correct the address"
        ) from None
    with client:
        yield client


def _local(workers: Workers) -> SpecCluster:
    options = {"host": LOCALHOST, "port": 0, **WITHOUT_DASHBOARD}
    return SpecCluster(
        scheduler={"cls": Scheduler, "options": options}, workers=local_workers(workers), silence_logs=logging.CRITICAL
    )


def local_workers(workers: Workers) -> dict[str, dict[str, Any]]:
    """What each process on this machine is started with, by its name; a nanny watches over it, and starts another."""
    each = {}
    for number in range(workers_wanted(workers)):
        environment = {"OMP_NUM_THREADS": str(workers.threads)}
        if workers.gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(workers.gpus[number % len(workers.gpus)])
        options = {
            "nthreads": 1,
            "host": LOCALHOST,
            "memory_limit": bytes_of(workers.memory),
            "env": environment,
            "resources": None if workers.gpus is None else {"gpu": 1},
            "plugins": (IgnoreSigint(),),
            "silence_logs": logging.CRITICAL,
            **WITHOUT_DASHBOARD,
        }
        each[f"worker-{number}"] = {"cls": Nanny, "options": options}
    return each


def slurm_cluster(sweep: Sweep, folder: Path, start: bool = True) -> Any:
    """Workers as jobs of Slurm, each of one process, through dask-jobqueue.

    Parameters
    ----------
    sweep : Sweep
        With ``cluster.type: slurm``.
    folder : Path
        Of the sweep.
    start : bool
        Whether to ask Slurm for them at once.

    Raises
    ------
    UserError
        If that is not installed, or the interface is not there.
    """
    SLURMCluster = _slurm_cluster()
    slurm, workers = sweep.cluster, sweep.workers
    environment = [f"export OMP_NUM_THREADS={threads_of(sweep)}"]
    try:
        cluster = SLURMCluster(
            queue=slurm.partition,
            account=slurm.account,
            walltime=slurm.time,
            cores=threads_of(sweep),
            processes=1,
            memory=f"{bytes_of(slurm.memory or workers.memory)}B",
            interface=slurm.interface,
            python=sys.executable,
            job_name="mitsuba-mei",
            job_extra_directives=list(slurm.directives),
            job_script_prologue=environment,
            log_directory=str(folder / "logs"),
            worker_extra_args=["--no-dashboard", *(["--resources", "gpu=1"] if workers.gpus else [])],
            scheduler_options=WITHOUT_DASHBOARD,
            silence_logs=logging.CRITICAL,
        )
    except UserError:
        raise
    except (ValueError, OSError, RuntimeError) as error:
        raise UserError(f"cluster: Slurm's workers cannot be prepared: {first_line(error)}") from None
    if start:  # another job for each that ends, as when its time is over
        cluster.adapt(minimum_jobs=workers_wanted(workers), maximum_jobs=workers_wanted(workers))
    return cluster


def _slurm_cluster() -> type:
    """dask-jobqueue's class; on import that package takes Ctrl-C for itself, and a sweep would end without a summary."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise UserError(
            "cluster: type: slurm needs dask-jobqueue, which is not installed; pip install 'mitsuba-mei[cluster]'"
        ) from None
    finally:
        signal.signal(signal.SIGINT, handler)
    return SLURMCluster
