"""Handling of Ctrl-C: it ends the program at once, but where an experiment has something to finish first.

Python would raise KeyboardInterrupt wherever the main thread happens to be, once it runs Python again: libraries
swallow it while they are imported and in callbacks, and a kernel that compiles holds it up for seconds. So a thread
ends the program, which no library can keep from it. What is written is written whole, and folders are locked by the
kernel, so that nothing is lost by such an end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import Terminated

__all__ = ["INTERRUPTED", "at_once", "finishing", "interruptible", "parting", "watch"]

INTERRUPTED = 130

SHOW_CURSOR = b"\x1b[?25h\n"
"""To a terminal on which a line lives."""

_partings: list[Callable[[], str]] = []
_ending = threading.Lock()
_within: list[_SignalFlags] = []

Handler = Any
"""What :func:`signal.signal` takes."""


def watch() -> None:
    """From now on Ctrl-C ends this process at once, with exit code 130; called first thing, by its main thread.

    A process that was started with Ctrl-C ignored, as shells start those in the background of a script, heeds it too.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.signal(signal.SIGINT, _end)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    threading.Thread(target=_end_on_sigint, args=(read_end,), daemon=True, name="Ctrl-C").start()


def _end_on_sigint(read_end: int) -> None:
    """Wait for what the system writes when a signal comes, whatever the main thread is at."""
    while numbers := os.read(read_end, 64):
        if signal.SIGINT in numbers and signal.getsignal(signal.SIGINT) is _end:
            _end()


def _end(number: int = signal.SIGINT, stack: object = None) -> None:
    """Say what is left, and end, without another line of anybody's code."""
    if not _ending.acquire(blocking=False):
        threading.Event().wait()  # another thread is about to
    words = "interrupted"
    try:
        words += "".join(each() for each in _partings)
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + f"{words}\n".encode(errors="replace"))
    finally:
        os._exit(INTERRUPTED)


@contextmanager
def parting(words: Callable[[], str]) -> Iterator[None]:
    """Within it, this is called, and what it gives is said, before Ctrl-C ends the program."""
    _partings.append(words)
    try:
        yield
    finally:
        _partings.remove(words)


class _SignalFlags:
    """Signals of the user or the system that arrived while something else was under way."""

    def __init__(self, orderly: bool) -> None:
        self._interrupted = self._terminated = False
        self._orderly = orderly
        self.outer: Handler = signal.default_int_handler

    def __call__(self) -> bool:
        """Whether a Ctrl-C came; raises Terminated after a SIGTERM."""
        if self._terminated:
            raise Terminated
        return self._interrupted

    def interrupt(self, number, stack) -> None:
        if self._interrupted:
            signal.signal(signal.SIGINT, self.outer)
            answer = signal.default_int_handler if self._orderly or not callable(self.outer) else self.outer
            answer(number, stack)
        self._interrupted = True

    def terminate(self, number, stack) -> None:
        self._terminated = True


@contextmanager
def interruptible(orderly: bool = False) -> Iterator[Callable[[], bool]]:
    """Within it, a first Ctrl-C is only remembered, and a second one interrupts at once; a SIGTERM is remembered too.

    What is yielded says whether to end; after a SIGTERM it raises :class:`~mitsuba_mei.errors.Terminated`: there may be
    no time for more than to keep the state.

    Parameters
    ----------
    orderly : bool
        Whether the second Ctrl-C raises KeyboardInterrupt, so that what was opened is closed; the third one ends at
        once then.
    """
    asked = _SignalFlags(orderly)
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    asked.outer = signal.signal(signal.SIGINT, asked.interrupt)
    before = signal.signal(signal.SIGTERM, asked.terminate)
    _within.append(asked)
    try:
        yield asked
    finally:
        _within.pop()
        signal.signal(signal.SIGINT, asked.outer)
        signal.signal(signal.SIGTERM, before)


@contextmanager
def at_once() -> Iterator[None]:
    """Within it, and within :func:`interruptible`, a Ctrl-C interrupts at once, as it does outside of both."""
    with _answered(lambda asked: asked.outer) as begin:
        begin()
        yield


@contextmanager
def finishing() -> Iterator[Callable[[], None]]:
    """Within it, from when what is yielded is first called, a Ctrl-C is remembered again, though :func:`at_once`."""
    with _answered(lambda asked: asked.interrupt) as begin:
        yield begin


@contextmanager
def _answered(answer: Callable[[_SignalFlags], Handler]) -> Iterator[Callable[[], None]]:
    """Within it, once what is yielded was called, Ctrl-C has another answer."""
    before: list[Handler] = []

    def begin() -> None:
        if _within and not before and threading.current_thread() is threading.main_thread():
            before.append(signal.signal(signal.SIGINT, answer(_within[-1])))

    try:
        yield begin
    finally:
        if before:
            signal.signal(signal.SIGINT, before[0])
