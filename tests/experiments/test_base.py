from __future__ import annotations

import os
import signal
import threading
from types import SimpleNamespace

import pytest
import torch

from mitsuba_mei.experiments.base import LabelledProgress, every_core, interruptible, threads_beside
from mitsuba_mei.runs.results import Estimate


def test_all_cores_within_and_as_many_as_before_after(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), every_core():
        assert torch.get_num_threads() >= len(os.sched_getaffinity(0))
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_a_renderer_with_threads_of_its_own_has_the_cores_to_itself(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with threads_beside(SimpleNamespace(own_threads=True)):
        assert torch.get_num_threads() == 1
    with threads_beside(SimpleNamespace(own_threads=False)):
        assert torch.get_num_threads() >= len(os.sched_getaffinity(0))
    assert torch.get_num_threads() == before


def test_what_is_said_of_a_part_says_which(capsys):
    class Telling:
        def start(self, steps, label="", done=0):
            print(steps, label)

        def message(self, text):
            print(text)

    inner = LabelledProgress(LabelledProgress(Telling(), "neuron 3"), "raster")
    inner.start(7)
    inner.message("start 1 of 2")
    assert capsys.readouterr().out == "7 neuron 3, raster\nneuron 3, raster, start 1 of 2\n"


def test_the_first_interruption_is_remembered_and_the_second_one_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_nothing_is_caught():
    found = []

    def look():
        with interruptible() as interrupted:
            found.append(interrupted())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_ratio_scales_the_error_too():
    assert Estimate(mean=3.0, sem=0.5).over(4.0) == Estimate(mean=0.75, sem=0.125)
    assert Estimate(mean=3.0, sem=0.5).over(0.0) is None
    assert Estimate(mean=-3.0, sem=0.5).over(-1.0) is None
    assert Estimate(mean=3.0, sem=0.5).over(None) is None
