"""Entry of the command line: Ctrl-C ends it from here on, while everything else is still to be imported."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

signal.signal(signal.SIGINT, lambda number, stack: os._exit(130))


def main() -> int:
    """Run the command line; gives the exit code."""
    from .interrupts import watch

    watch()
    from .cli.main import main as command_line

    code = command_line()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is written and said; what is left is to end
    return code


if __name__ == "__main__":
    sys.exit(main())
