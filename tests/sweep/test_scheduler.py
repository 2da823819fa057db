"""Which worker does which run: all of them, none twice, however many workers die; with workers that only pretend."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import Config
from mitsuba_mei.errors import UserError
from mitsuba_mei.sweep.folder import Attempt
from mitsuba_mei.sweep.job import Job
from mitsuba_mei.sweep.scheduler import DIED, SLOW, SweepScheduler


class Clock:
    """Time that passes as it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Pretended:
    """Workers that end one attempt a call, in any order; what becomes of it is drawn."""

    def __init__(self, clock, count, draw, done):
        self.clock, self.draw, self.done = clock, draw, done
        self.alive = {f"worker-{i}" for i in range(count)}
        self.born = count
        self.under_way: dict[str, tuple[str, Job]] = {}
        self.did: list[tuple[str, str]] = []
        self.at_once = 0
        self.begun: Counter[str] = Counter()

    def workers(self):
        return set(self.alive)

    def submit(self, key, worker, job):
        assert worker not in {at for at, _ in self.under_way.values()}, "two runs at a worker"
        assert key not in self.begun, "a key twice"
        self.begun[key] += 1
        self.under_way[key] = (worker, job)
        self.at_once = max(self.at_once, sum(at in self.alive for at, _ in self.under_way.values()))

    def renew(self, worker):
        self.alive.discard(worker)
        self.alive.add(f"worker-{self.born}")
        self.born += 1

    def give_up(self, key):
        self.under_way.pop(key, None)

    def ended(self, seconds):
        self.clock.now += seconds
        if not self.under_way:
            return None
        key = self.draw(sorted(self.under_way))
        worker, job = self.under_way[key]
        fate = self.draw(["done", "done", "failed", "died", "vanished", "died after"])
        if worker not in self.alive:
            return None
        if fate == "vanished":  # nobody says so
            self.renew(worker)
            return None
        del self.under_way[key]
        self.did.append((worker, job.name))
        if fate in ("died", "died after"):
            self.renew(worker)
            if fate == "died after":
                self.done.add(job.name)
            return key, None
        if fate == "failed":
            return key, Attempt(job.name, "failed", "no luck")
        self.done.add(job.name)
        return key, Attempt(job.name, "done", seconds=2.0)


class Folder:
    def __init__(self, done):
        self.done, self.recorded = done, []

    def is_done(self, name):
        return name in self.done

    def record(self, attempt):
        self.recorded.append(attempt)


class Watcher:
    def __init__(self):
        self.standings, self.messages = [], []

    def update(self, standing):
        self.standings.append(standing)

    def message(self, text):
        self.messages.append(text)


def job(name: str) -> Job:
    return Job(name, Config(), Path(), 1)


def conducted(names, count, draw, retries=1, recycle=None, make=job, interrupted=lambda: False, asked=None):
    clock, done = Clock(), set()
    pool, folder, watcher = Pretended(clock, count, draw, done), Folder(done), Watcher()
    conductor = SweepScheduler(pool, folder, make, watcher, retries, recycle, clock=clock)
    conductor.run(names, len(names) if asked is None else asked, interrupted)
    return pool, folder, watcher


@given(st.integers(0, 12), st.integers(1, 4), st.integers(0, 3), st.sampled_from([None, 1, 2]), st.randoms())
def test_every_run_ends_once_whatever_happens(runs, count, retries, recycle, chance):
    names = [f"run-{i}" for i in range(runs)]
    pool, folder, watcher = conducted(names, count, chance.choice, retries, recycle)
    final = {name: [a for a in folder.recorded if a.name == name] for name in names}
    for name, attempts in final.items():
        assert 1 <= len(attempts) <= retries + 1
        assert [a.ended for a in attempts[:-1]] == ["failed"] * (len(attempts) - 1)
        assert (attempts[-1].ended == "done") == (name in folder.done)
        assert attempts[-1].ended == "done" or len(attempts) == retries + 1
    last = watcher.standings[-1]
    assert (last.done, last.left, last.running) == (len(folder.done), 0, 0)
    assert pool.at_once <= count


def always(fate):
    return lambda choices: fate if fate in choices else choices[0]


def test_a_worker_gives_way_after_so_many_runs():
    pool, folder, _ = conducted([f"run-{i}" for i in range(7)], 1, always("done"), recycle=3)
    assert [worker for worker, _ in pool.did] == ["worker-0"] * 3 + ["worker-1"] * 3 + ["worker-2"]
    assert len(folder.done) == 7


def test_a_run_that_kills_its_worker_is_given_up_with_the_reason():
    _, folder, watcher = conducted(["bad"], 2, always("died"), retries=2)
    assert [a.reason for a in folder.recorded] == [DIED] * 3
    assert watcher.standings[-1].failed == 1
    assert watcher.messages[0] == f"bad: {DIED}; tried again"


def test_a_run_that_never_ends_is_ended_with_its_process_and_the_others_go_on():
    class Hanging(Pretended):
        """Runs of one name never end."""

        def ended(self, seconds):
            hanging = {key: each for key, each in self.under_way.items() if each[1].name == "hangs"}
            self.under_way = {key: each for key, each in self.under_way.items() if key not in hanging}
            found = super().ended(seconds)
            self.under_way |= hanging
            return found

    clock, done = Clock(), set()
    pool, folder, watcher = Hanging(clock, 1, always("done"), done), Folder(done), Watcher()
    SweepScheduler(pool, folder, job, watcher, 1, None, 100.0, clock).run(["hangs", "a", "b"], 3, lambda: False)
    assert [(a.name, a.ended, a.reason) for a in folder.recorded] == [
        ("hangs", "failed", SLOW),
        ("a", "done", None),
        ("b", "done", None),
        ("hangs", "failed", SLOW),
    ]
    assert pool.alive == {"worker-2"} and 200 < clock.now < 220


def test_what_a_user_can_mend_is_not_tried_again():
    def make(name):
        if name == "bad":
            raise UserError("nothing is free")
        return job(name)

    pool, folder, _ = conducted(["bad", "good"], 1, always("done"), retries=5, make=make)
    assert [(a.name, a.ended, a.reason) for a in folder.recorded] == [
        ("bad", "refused", "nothing is free"),
        ("good", "done", None),
    ]


def test_after_an_interruption_no_run_begins_and_those_under_way_end():
    clock, done = Clock(), set()
    pool, folder, watcher = Pretended(clock, 2, always("done"), done), Folder(done), Watcher()
    conductor = SweepScheduler(pool, folder, job, watcher, 0, None, clock=clock)
    conductor.run([f"run-{i}" for i in range(50)], 50, lambda: len(done) >= 4)
    assert pool.under_way == {}
    assert len(done) == 5
    assert watcher.messages == ["interrupted: what is under way (1) is finished first; Ctrl-C again gives it up"]


def test_time_left_is_the_mean_of_a_run_over_the_workers():
    _, _, watcher = conducted([f"run-{i}" for i in range(10)], 2, always("done"), asked=13)
    five = next(s for s in watcher.standings if s.done == 5)
    assert (five.before, five.left, five.mean_seconds) == (3, 5, 2.0)
    assert five.seconds_left == pytest.approx(5 * 2.0 / 2)


def test_without_workers_it_waits_and_says_so():
    clock, done = Clock(), set()
    pool, folder, watcher = Pretended(clock, 0, random.choice, done), Folder(done), Watcher()
    conductor = SweepScheduler(pool, folder, job, watcher, 0, None, clock=clock)
    conductor.run(["run"], 1, lambda: clock.now > 100)
    assert watcher.messages == ["there is no worker yet, or none any more; waiting for one"]
