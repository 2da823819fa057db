"""Files within a folder of our own. They appear under their names only when they are whole.

A folder may come from someone else, and be gone on with. The way to it may lead through links, but within it nothing is
written through a link: not through a file that is one, nor into a folder that is one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .errors import UserError

__all__ = ["check_no_link", "make_writable", "open_own", "take_name", "write_whole"]


def make_writable(folder: Path) -> None:
    """Make a folder, where it is not there, and make sure that files can be written into it.

    Raises
    ------
    UserError
        If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"cannot write to the output folder {folder}: {error.strerror or error}; choose another --out"
        ) from None


def check_no_link(path: Path) -> None:
    """Raise UserError where a file or folder within a run's own folder is a link, which may lead anywhere."""
    if path.is_symlink():
        raise UserError(f"{path} is a link, and nothing is written through links within a run's folder; remove it")


def open_own(path: Path, flags: int) -> int:
    """The descriptor of a file within a run's folder; ``flags`` as for :func:`os.open`.

    Raises
    ------
    UserError
        If it is a link.
    """
    check_no_link(path)
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o644)


def take_name(names: Iterable[Path]) -> Path:
    """The first of endlessly many names of files that nobody has; the file is made, empty, which one process alone can.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    for path in names:
        make_writable(path.parent)
        try:
            path.open("x").close()
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}; choose another --out") from None
    raise AssertionError


def write_whole(target: Path, writer: Callable[[Path], Any], durable: bool = False) -> Path:
    """Have ``writer`` write a file under a temporary name of the same suffix, and then give it its own.

    Parameters
    ----------
    durable : bool
        Wait until it is on the disk, so that not even a power cut takes it.
    """
    temporary = target.with_name(f".{target.stem}.part{target.suffix}")
    temporary.unlink(missing_ok=True)  # it may be a link
    try:
        writer(temporary)
    except BaseException:  # half a file is of no use, and takes room where there may be none
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
    os.replace(temporary, target)
    return target
