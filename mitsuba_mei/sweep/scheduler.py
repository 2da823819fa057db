"""Which worker does which run when, what is tried again, and what is given up."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ..errors import UserError
from .folder import Attempt, SweepFolder
from .job import Job

__all__ = ["SweepScheduler", "Pool", "SweepStatus", "Watcher"]

TICK = 0.5
"""Seconds between two looks at the workers."""

GONE = 5.0
"""Seconds after which a worker that is not seen any more counts as dead."""

LONELY = 60.0
"""Seconds without any worker after which that is told."""

SLOW = "it took longer than max_hours"

DIED = "its process died: killed, or out of memory (workers.memory)"


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is.

    Attributes
    ----------
    asked, before : int
        Runs in all, and those that an earlier start has done.
    done, failed, running : int
        Of this start.
    workers : int
        That are there.
    elapsed, mean_seconds : float
        Since the start; and of a run, nan before the first.
    """

    asked: int
    before: int
    done: int
    failed: int
    running: int
    workers: int
    elapsed: float
    mean_seconds: float

    @property
    def left(self) -> int:
        """Runs that are still to be done, those under way among them."""
        return self.asked - self.before - self.done - self.failed

    @property
    def seconds_left(self) -> float | None:
        """Until the end, as it looks; None before the first run has ended, after the last, and without workers."""
        if not self.done or not self.workers or not self.left:
            return None
        return self.left * self.mean_seconds / min(self.workers, self.left)


class Watcher(Protocol):
    """Who is told how a sweep goes on."""

    def update(self, standing: SweepStatus) -> None: ...

    def message(self, text: str) -> None: ...


class Pool(Protocol):
    """The workers; :class:`~mitsuba_mei.sweep.workers.DaskPool` is one."""

    def workers(self) -> set[str]: ...

    def submit(self, key: str, worker: str, job: Job) -> None: ...

    def ended(self, seconds: float) -> tuple[str, Attempt | None] | None: ...

    def give_up(self, key: str) -> None: ...

    def renew(self, worker: str) -> None: ...


@dataclass(frozen=True)
class _UnderWay:
    key: str
    name: str
    worker: str
    begun: float


class SweepScheduler:
    """Does all runs that are missing.

    A worker has one run at a time, and no run waits at a worker, so that one that dies takes a single attempt with it.

    Parameters
    ----------
    pool : Pool
    folder : SweepFolder
    make : callable
        Gives the job of a run's name; raises UserError where there is none.
    watcher : Watcher
    retries : int
        Further attempts at a run that fails, or whose process dies.
    recycle_after : int or None
        Runs after which a worker's process is renewed.
    seconds : float
        After which a run is ended, and its worker's process renewed.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        pool: Pool,
        folder: SweepFolder,
        make: Callable[[str], Job],
        watcher: Watcher,
        retries: int,
        recycle_after: int | None,
        seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._folder, self._make, self._watcher = pool, folder, make, watcher
        self._retries, self._recycle_after, self._longest, self._clock = retries, recycle_after, seconds, clock
        self._waiting: deque[str] = deque()
        self._under_way: dict[str, _UnderWay] = {}
        self._attempts: Counter[str] = Counter()
        self._runs_of: Counter[str] = Counter()
        self._present: set[str] = set()
        self._seen: dict[str, float] = {}
        self._renewed: set[str] = set()
        self._done = self._failed = 0
        self._seconds = 0.0

    def run(self, missing: Iterable[str], asked: int, interrupted: Callable[[], bool]) -> None:
        """Do the runs of these names.

        Parameters
        ----------
        missing : iterable of str
        asked : int
            Runs in all, those among them that are done already.
        interrupted : callable
            Whether to begin no further run; those under way are waited for.
        """
        self._waiting.extend(missing)
        before, begun = asked - len(self._waiting), self._clock()
        looked, lonely, reported = -TICK, begun, False
        while self._under_way or (self._waiting and not interrupted()):
            now = self._clock()
            if now - looked >= TICK:
                looked = now
                self._look(now)
                lonely = now if self._present else lonely
                if now - lonely >= LONELY:
                    self._watcher.message("there is no worker yet, or none any more; waiting for one")
                    lonely = now
            if interrupted() and not reported:
                reported = True
                count = len(self._under_way)
                self._watcher.message(
                    f"interrupted: what is under way ({count}) is finished first; Ctrl-C again gives it up"
                )
            if not interrupted():
                self._begin()
            self._watcher.update(self._standing(asked, before, now - begun))
            self._receive(self._pool.ended(TICK / 2))
        self._watcher.update(self._standing(asked, before, self._clock() - begun))

    def _look(self, now: float) -> None:
        """Which workers are there; the attempts of one that has been away for long are lost."""
        self._present = self._pool.workers()
        self._seen.update(dict.fromkeys(self._present, now))
        for worker in [worker for worker, seen in self._seen.items() if now - seen >= GONE]:
            del self._seen[worker]
        for each in [each for each in self._under_way.values() if each.worker not in self._seen]:
            self._drop(each)
            self._lost(each.name)
        for each in [each for each in self._under_way.values() if now - each.begun > self._longest]:
            self._drop(each)
            self._renew(each.worker)
            self._settle(Attempt(each.name, "failed", SLOW))

    def _drop(self, each: _UnderWay) -> None:
        self._pool.give_up(each.key)
        del self._under_way[each.key]

    def _renew(self, worker: str) -> None:
        self._renewed.add(worker)
        self._pool.renew(worker)

    def _begin(self) -> None:
        """Give every idle worker a run."""
        busy = {each.worker for each in self._under_way.values()}
        for worker in sorted(self._present - busy - self._renewed):
            job = self._next_job()
            if job is None:
                return
            self._attempts[job.name] += 1
            key = f"{job.name}:{self._attempts[job.name]}:{id(self)}"
            self._under_way[key] = _UnderWay(key, job.name, worker, self._clock())
            self._pool.submit(key, worker, job)

    def _next_job(self) -> Job | None:
        while self._waiting:
            name = self._waiting.popleft()
            try:
                return self._make(name)
            except UserError as error:
                self._give_up(Attempt(name, "refused", str(error)))
        return None

    def _receive(self, ended: tuple[str, Attempt | None] | None) -> None:
        """What became of one attempt; and perhaps its worker has done enough."""
        each = None if ended is None else self._under_way.pop(ended[0], None)
        if each is None:
            return
        attempt = ended[1]
        if attempt is None:
            self._present.discard(each.worker)
            self._lost(each.name)
            return
        self._runs_of[each.worker] += 1
        if self._recycle_after is not None and self._runs_of[each.worker] >= self._recycle_after and self._waiting:
            self._renew(each.worker)
        self._settle(attempt)

    def _lost(self, name: str) -> None:
        """Its process died, perhaps after the run was written and before that was told."""
        self._settle(Attempt(name, "done") if self._folder.is_done(name) else Attempt(name, "failed", DIED))

    def _settle(self, attempt: Attempt) -> None:
        if attempt.ended == "done":
            self._folder.record(attempt)
            self._done += 1
            self._seconds += attempt.seconds or 0.0
        elif attempt.ended == "failed" and self._attempts[attempt.name] <= self._retries:
            self._folder.record(attempt)
            self._waiting.append(attempt.name)
            self._watcher.message(f"{attempt.name}: {attempt.reason}; tried again")
        else:
            self._give_up(attempt)

    def _give_up(self, attempt: Attempt) -> None:
        self._folder.record(attempt)
        self._failed += 1
        self._watcher.message(f"{attempt.name}: {attempt.reason}")

    def _standing(self, asked: int, before: int, elapsed: float) -> SweepStatus:
        mean = self._seconds / self._done if self._done else float("nan")
        return SweepStatus(
            asked, before, self._done, self._failed, len(self._under_way), len(self._present), elapsed, mean
        )
