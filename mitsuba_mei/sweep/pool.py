"""Who does the runs: worker processes behind a scheduler of dask, each one run at a time."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distributed import Client, Future

from .. import __version__
from ..errors import UserError, first_line
from .folder import Attempt
from .job import Job, do_job, look_around

__all__ = ["DaskPool"]


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
            said = self._client.run(look_around, folder, __version__)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"the workers cannot import mitsuba_mei ({first_line(error)}); install it on them"
            ) from None
        for address, problem in said.items():
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
