"""What a user's code changes in the process is put back."""

from __future__ import annotations

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

__all__ = ["process_restored"]

Kept = dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]
"""How a setting is read and how it is put back, by its name."""

AT_EVERY_CALL: Kept = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the working directory": (os.getcwd, os.chdir),
}
"""What is cheap to read, and so is watched at each call of a model."""

AT_IMPORT: Kept = AT_EVERY_CALL | {
    "torch's default device": (torch.get_default_device, lambda device: torch.set_default_device(None)),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch's float32 matmul precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "numpy's handling of errors": (np.geterr, lambda usual: np.seterr(**usual)),
    "sys.argv": (lambda: list(sys.argv), lambda usual: sys.argv.__setitem__(slice(None), usual)),
    "sys.stdout": (lambda: sys.stdout, lambda usual: setattr(sys, "stdout", usual)),
    "sys.stderr": (lambda: sys.stderr, lambda usual: setattr(sys, "stderr", usual)),
}

SILENT: Kept = {
    "torch's random numbers": (torch.get_rng_state, torch.set_rng_state),
    "numpy's random numbers": (np.random.get_state, np.random.set_state),
    "Python's random numbers": (random.getstate, random.setstate),
    "the warning filters": (
        lambda: list(warnings.filters),
        lambda usual: warnings.filters.__setitem__(slice(None), usual),
    ),
}
"""Put back without a word: many an import changes them, and it is no mistake."""


@contextmanager
def process_restored(changed: Callable[[str], None] | None = None) -> Iterator[None]:
    """Put back, when it ends, what of the process's settings was changed within.

    Parameters
    ----------
    changed : callable, optional
        Told the name of each setting that was put back. Without it only the settings that are cheap to read are
        watched: default dtype, grad mode and working directory.
    """
    if changed is None:
        watched, silent = AT_EVERY_CALL, {}
    else:
        watched, silent = AT_IMPORT | _signals(), SILENT
    usual = {name: read() for name, (read, _) in (watched | silent).items()}
    try:
        yield
    finally:
        for name, (_, restore) in silent.items():
            restore(usual[name])
        for name, (read, restore) in watched.items():
            if read() != usual[name]:
                restore(usual[name])
                if changed is not None:
                    changed(name)


def _signals() -> Kept:
    """The handlers of Ctrl-C and of a termination, which only the main thread may set."""
    if threading.current_thread() is not threading.main_thread():
        return {}

    def watched(number: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        return lambda: signal.getsignal(number), lambda handler: signal.signal(number, handler)

    return {f"the handler of {number.name}": watched(number) for number in (signal.SIGINT, signal.SIGTERM)}
