"""Files: regular ones read up to a size, own ones written whole or not at all, JSON, and no way to the user's home."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = [
    "check_no_link",
    "json_text",
    "make_writable",
    "named_from",
    "open_own",
    "read_json",
    "read_ordinary",
    "take_name",
    "without_home",
    "write_whole",
]


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


def without_home(text: str) -> str:
    """A text in which paths within the home folder begin with ``~``."""
    for home in _homes():
        text = re.sub(rf"(?<![\w.~/-]){re.escape(home)}(?![\w.-])", "~", text)
    return text


def named_from(folder: Path, path: str) -> str:
    """A whole path as a file in a folder names it: relative to it, or from ``~`` where that way leads into the home."""
    folder = folder.resolve()
    for home in _homes():
        if Path(path).is_relative_to(home) and not folder.is_relative_to(home):
            return os.path.join("~", os.path.relpath(path, home))
    return os.path.relpath(path, folder)


def _homes() -> list[str]:
    """The home folder as it is named, and as it is where that is a link; none where it is the whole disk."""
    home = Path(os.path.expanduser("~"))
    named = dict.fromkeys((home, home.resolve())) if home.is_absolute() else {}
    return [str(each) for each in named if each != Path(each.anchor)]


MAX_BYTES = 64 * 2**20
"""Of a JSON file that is read."""


def json_text(data: Mapping[str, Any]) -> str:
    """A JSON file's text; a number that is not finite becomes null, and the way to the user's home ``~``."""
    return json.dumps(_shareable(data), indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run.

    Raises
    ------
    UserError
        If it cannot be read, or is damaged.
    """
    try:
        data = json.loads(read_ordinary(path, MAX_BYTES))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it says nothing by name")
    return data


def _shareable(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _shareable(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_shareable(value) for value in data]
    if isinstance(data, str):
        return without_home(data)
    return None if isinstance(data, float) and not math.isfinite(data) else data
