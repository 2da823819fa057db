"""Files that a user names, read only where they are files, and no larger than what is expected."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_ordinary"]


def read_ordinary(path: Path, most: int) -> bytes:
    """A file's bytes; devices and pipes, which may never end, are not waited for.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that it may have.

    Raises
    ------
    OSError
        If it cannot be read, is no ordinary file, has more bytes, or no file can have its name.
    """
    try:
        there = os.stat(path)
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None
    if stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(there.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file")
    if there.st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most / 2**20:,.0f} MiB")
    with open(path, "rb") as file:
        return file.read(there.st_size)
