"""Restore the process state that a user's code changes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["AT_EVERY_CALL", "process_restored", "put_back"]

Kept = dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]
"""How a setting is read and how it is put back, by its name."""


def _folder() -> str | None:
    """The working directory; None where it was deleted."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _enter(folder: str | None) -> None:
    """Make it the working directory again, if it still is there."""
    with contextlib.suppress(OSError):
        if folder is not None:
            os.chdir(folder)


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return lambda: getattr(owner, name), lambda usual: setattr(owner, name, usual)


def _list(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """A list that others hold on to: its items are put back, in the very list."""

    def read() -> tuple[list, list]:
        return getattr(owner, name), list(getattr(owner, name))

    def restore(usual: tuple[list, list]) -> None:
        held, items = usual
        held[:] = items
        setattr(owner, name, held)

    return read, restore


def _put_environment(usual: dict[str, str]) -> None:
    for name in set(os.environ) - set(usual):
        del os.environ[name]
    os.environ.update(usual)


AT_EVERY_CALL: Kept = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "the working directory": (_folder, _enter),
    "sys.stdout": _attribute(sys, "stdout"),
    "sys.stderr": _attribute(sys, "stderr"),
}
"""What is cheap to read, and so is watched at each call of a model."""

AT_IMPORT: Kept = AT_EVERY_CALL | {
    "torch's default device": (torch.get_default_device, lambda device: torch.set_default_device(None)),
    "torch's deterministic algorithms": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    "torch's float32 matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "torch's anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "torch's deterministic cuDNN": _attribute(torch.backends.cudnn, "deterministic"),
    "torch's cuDNN benchmarks": _attribute(torch.backends.cudnn, "benchmark"),
    "numpy's handling of errors": (np.geterr, lambda usual: np.seterr(**usual)),
    "environment variables": (lambda: dict(os.environ), _put_environment),
    "sys.argv": _list(sys, "argv"),
    "sys.path": _list(sys, "path"),
    "sys.excepthook": _attribute(sys, "excepthook"),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
}

SILENT: Kept = {
    "torch's random numbers": (torch.get_rng_state, torch.set_rng_state),
    "numpy's random numbers": (np.random.get_state, np.random.set_state),
    "Python's random numbers": (random.getstate, random.setstate),
    "the warning filters": _list(warnings, "filters"),
}
"""Put back without a word: many an import changes them, and it is no mistake."""


@contextmanager
def process_restored(changed: Callable[[str], None] = lambda name: None, whole: bool = True) -> Iterator[None]:
    """Put back, when it ends, what of the process's settings was changed within.

    Parameters
    ----------
    changed : callable
        Told the name of each setting that was put back, but for random numbers and warning filters.
    whole : bool
        Whether all settings are watched, as where a file is imported; else those alone that are cheap to read.
    """
    watched, silent = (AT_IMPORT | _signals(), SILENT) if whole else (AT_EVERY_CALL, {})
    usual = {name: read() for name, (read, _) in (watched | silent).items()}
    try:
        yield
    finally:
        for name, (_, restore) in silent.items():
            restore(usual[name])
        for name, (read, restore) in watched.items():
            if read() != usual[name]:
                restore(usual[name])
                changed(name)


def put_back(whose: str, changed: list[str]) -> str:
    """The sentence on settings that were put back."""
    names = list(dict.fromkeys(changed))
    them = "it was" if len(names) == 1 else "they were"
    return f"{whose} changes {', '.join(names)}; {them} put back"


def _signals() -> Kept:
    """The handlers of Ctrl-C and of a termination, which only the main thread may set."""
    if threading.current_thread() is not threading.main_thread():
        return {}

    def watched(number: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        # None is a handler that was not set by Python, which cannot set it again either.
        return lambda: signal.getsignal(number), lambda usual: usual is None or signal.signal(number, usual)

    return {f"the handler of {number.name}": watched(number) for number in (signal.SIGINT, signal.SIGTERM)}
