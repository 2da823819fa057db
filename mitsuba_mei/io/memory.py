"""Memory of this process: its peak, its limit, and errors of running out."""

from __future__ import annotations

import errno
import re
import resource
import sys
from pathlib import Path

from ..errors import UserError

__all__ = ["check_address_space", "free_memory_mb", "is_out_of_memory", "peak_memory_mb"]

RAN_OUT = re.compile(
    r"out of memory|(can't|cannot) allocate memory|std::bad_alloc|failed to map segment|alloc_cpu\.cpp", re.IGNORECASE
)
"""What torch, Dr.Jit, CUDA, C++ and the dynamic linker say; none has an exception of its own for it everywhere."""

GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""What a container may use and uses, bytes: control groups of version 2 and 1."""

MIN_MEMORY_MB = 1400
"""MB of addresses that torch, Mitsuba and LLVM are mapped into; with less, one of them hangs or aborts."""


def check_address_space() -> None:
    """Raise UserError where ``ulimit -v`` leaves no room for the libraries alone."""
    limit = _address_limit()
    if limit is not None and limit < MIN_MEMORY_MB * 2**20:
        raise UserError(
            f"this process may map {limit / 2**20:,.0f} MB of memory (ulimit -v), and its libraries alone take up to "
            f"{MIN_MEMORY_MB:,} MB; allow it more"
        )


def _address_limit() -> int | None:
    """Bytes; None where there is no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, (RuntimeError, ImportError, OSError)) and RAN_OUT.search(str(error)) is not None


def free_memory_mb() -> float:
    """Memory left to this process, MB (2^20 bytes), by the machine, its container and ``ulimit -v``."""
    import psutil

    free = [psutil.virtual_memory().available]
    limit = _address_limit()
    if limit is not None:
        free.append(limit - psutil.Process().memory_info().vms)
    for limit_file, used_file in GROUPS:
        try:
            free.append(int(Path(limit_file).read_text()) - int(Path(used_file).read_text()))
        except (OSError, ValueError):  # there is none, or no limit
            continue
    return max(0, min(free)) / 2**20


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB (2^20 bytes).

    Linux counts it itself: what ``getrusage`` says there is inherited from the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if match:
            return int(match[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
