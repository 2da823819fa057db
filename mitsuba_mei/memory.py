"""How much memory this process has used."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mb"]


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB (2^20 bytes).

    Linux counts it itself: what ``getrusage`` says there is inherited from the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
