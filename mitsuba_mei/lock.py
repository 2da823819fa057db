"""A lock on a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import UserError
from .own_files import open_own

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCK", "Lock"]

LOCK = ".lock"


class Lock:
    """A lock on a folder, which ends with the process that holds it, however that ends.

    The kernel's own (``flock``): the file may stay behind, and means nothing then.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._close: Callable[[], Any] | None = None
        if fcntl is None:
            return
        descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return  # a file system without locks
            raise UserError(f"another process is at work in {folder}{f': {who}' if who else ''}; wait for it") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode())
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Give it up."""
        if self._close is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._close()
            self._close = None
