"""A run folder: its lock, and files that appear only when they are whole."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import itertools
import os
import platform
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config.trust import trust_option
from ..errors import Terminated, UserError, first_line
from ..io.files import check_no_link, json_text, make_writable, open_own, write_whole
from .results import Result, result_json

__all__ = ["LOCK", "Lock", "RunFolder", "named_or_numbered", "numbered_folder", "remove_empty"]

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


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


BEFORE_ALL = (LOCK, ".config.part.yaml")
"""What a process may leave that dies before its first file."""

MAX_LISTED = 4
"""Files that are named of those that could not be written."""


def numbered_folder(stem: str, parent: Path) -> Path:
    """The first of ``<stem>-001``, ``-002``, ... that is not in a folder; it is made, which one process alone can.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    for number in itertools.count(1):
        folder = parent / f"{stem}-{number:03d}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not os.path.lexists(folder):  # what is there is no folder, and is on the way to it
                raise _unwritable(parent, "it is a file") from None
        except OSError as error:
            raise _unwritable(parent, error.strerror or str(error)) from None
    raise AssertionError


def _unwritable(folder: Path, why: str) -> UserError:
    return UserError(f"cannot write to the output folder {folder}: {why}; choose another --out")


def remove_empty(folder: Path) -> None:
    """Remove a folder with nothing in it but what a process leaves that dies before its first file."""
    with contextlib.suppress(OSError):
        if not folder.is_symlink() and _is_empty(folder):
            for each in BEFORE_ALL:
                (folder / each).unlink(missing_ok=True)
            folder.rmdir()


@contextlib.contextmanager
def named_or_numbered(out: Path | str | None, stem: str, parent: Path) -> Iterator[Path]:
    """A folder that is named, or a numbered one, which is removed again where nothing was written into it."""
    if out is not None:
        yield Path(out)
        return
    folder = numbered_folder(stem, parent)
    try:
        yield folder
    finally:
        remove_empty(folder)


class RunFolder:
    """A folder for one run.

    Parameters
    ----------
    path : Path
        It must not exist, or be empty; or, where it is ``resumed``, be a run's.
    resumed : bool
        Whether a run goes on in it.
    locked : bool
        Whether this process alone may work in it, until :meth:`release`.

    Raises
    ------
    UserError
        If it holds something already, cannot be written to, or another process is at work in it.
    """

    def __init__(self, path: Path, resumed: bool = False, locked: bool = False) -> None:
        self.path = Path(path)
        try:
            if not resumed and self.path.exists() and not _is_empty(self.path):
                raise UserError(f"{self.path} exists already, and a run is never overwritten; choose another --out")
        except OSError as error:
            raise UserError(
                f"cannot read the output folder {self.path}: {error.strerror or error}; choose another --out"
            ) from None
        make_writable(self.path)
        self._lock = Lock(self.path) if locked else None
        self._metrics = None
        self._columns: list[str] = []
        self._missing: dict[str, list[str]] = {}

    def write(self, name: str, writer: Callable[[Path], Any], durable: bool = False) -> Path:
        """Have ``writer`` write a file, whole or not at all; ``name`` may lie in folders, which are made.

        Raises
        ------
        UserError
            If it cannot be written: the disk is full, the folder gone, a permission lost.
        """
        target = self.path / name
        with self._told(target):
            if not self.path.is_dir():
                raise FileNotFoundError
            self._make_folders(target.parent)
            return write_whole(target, writer, durable)

    def adorn(self, name: str, writer: Callable[[Path], Any]) -> None:
        """Have ``writer`` write a file that the run can do without, such as a picture.

        Whatever hinders it ends nothing; :meth:`missing` says it.
        """
        try:
            self.write(name, writer)
        except Terminated:
            raise
        except Exception as error:
            self._missing.setdefault(_reason(error), []).append(name)

    def missing(self) -> list[str]:
        """What :meth:`adorn` could not write, and why: names for each reason; once."""
        listed, self._missing = self._missing, {}
        return [f"{_listed(list(dict.fromkeys(names)))} ({reason})" for reason, names in listed.items()]

    def tell_missing(self, on_message: Callable[[str], None]) -> None:
        """Say it."""
        for each in self.missing():
            on_message(f"not written: {each}")

    def inside(self, name: str) -> RunFolder:
        """A folder in this one, as it is, or a new one."""
        self._make_folders(self.path / name)
        return RunFolder(self.path / name, resumed=True)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file."""
        return self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, data: Mapping[str, Any]) -> Path:
        """Write a JSON file; a number that is not finite becomes null."""
        return self.write_text(name, json_text(data))

    def write_result(self, result: Result, name: str | None = None) -> Path:
        """Write a result under its file's name, or another one."""
        return self.write_json(name or result.file, result_json(result))

    def add_metrics(self, row: Mapping[str, float | int | bool]) -> None:
        """Append a row to ``metrics.csv``, at once; the first row's keys are the columns."""
        with self._told(self.path / "metrics.csv"):
            if self._metrics is None:
                descriptor = open_own(self.path / "metrics.csv", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                self._metrics = open(descriptor, "wb", buffering=0)
                self._columns = list(row)
                self._append(self._columns)
            if not (self.path / "metrics.csv").is_file():  # what is written now would be in a file that is gone
                raise FileNotFoundError(errno.ENOENT, "it was removed")
            if set(row) != set(self._columns):
                raise UserError(f"{self.path / 'metrics.csv'} is damaged: its columns are not those of this run")
            self._append([row[column] for column in self._columns])

    @property
    def columns(self) -> list[str]:
        """Those of ``metrics.csv``; none before its first row."""
        return list(self._columns)

    def _append(self, cells: list[Any]) -> None:
        """A row, whole or not at all."""
        text = io.StringIO(newline="")
        csv.writer(text).writerow(cells)
        row, size = text.getvalue().encode(), self._metrics.tell()
        try:
            if self._metrics.write(row) < len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                self._metrics.seek(size)
                self._metrics.truncate()
            raise

    @property
    def metrics_size(self) -> int:
        """Bytes of ``metrics.csv`` as far as it has been written."""
        return 0 if self._metrics is None else self._metrics.tell()

    def continue_metrics(self, size: int) -> None:
        """Go on with ``metrics.csv`` after so many bytes; what follows them is forgotten."""
        path = self.path / "metrics.csv"
        if size <= 0 or not path.is_file() or path.stat().st_size < size:
            return
        with self._told(path):
            try:
                with open(path, newline="", encoding="utf-8") as file:
                    self._columns = next(csv.reader(file))
            except (ValueError, csv.Error, StopIteration):
                raise UserError(f"{path} is damaged, so that the run cannot go on with it") from None
            self._metrics = open(open_own(path, os.O_RDWR), "rb+", buffering=0)
            self._metrics.seek(size)
            self._metrics.truncate()

    def remove(self, name: str) -> None:
        """Remove a folder of the run's own, if it is there; of a link, the link alone."""
        if (self.path / name).is_symlink():
            with contextlib.suppress(OSError):
                (self.path / name).unlink()
        shutil.rmtree(self.path / name, ignore_errors=True)

    def close(self) -> None:
        """Close ``metrics.csv``."""
        if self._metrics is not None:
            with contextlib.suppress(OSError):
                self._metrics.close()
            self._metrics = None

    def release(self) -> None:
        """Let other processes at the folder."""
        if self._lock is not None:
            self._lock.release()

    def _make_folders(self, folder: Path) -> None:
        for each in [*reversed(folder.relative_to(self.path).parents), folder.relative_to(self.path)]:
            if each != Path():
                check_no_link(self.path / each)
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _told(self, target: Path) -> Iterator[None]:
        """Within it, what the system refuses is said in one sentence."""
        try:
            yield
        except OSError as error:
            what = f"{target.name} cannot be written: {error.strerror or error}"
            if not self.path.is_dir():
                what = f"the folder {self.path} is gone, and {target.name} cannot be written"
            raise UserError(
                f"{self.path}: {what}; what was written before is kept, and once this is mended 'resume {self.path}"
                f"{trust_option(self.path)}' goes on from there"
            ) from error


def _reason(error: Exception) -> str:
    """Why a file could not be written, in a few words."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if isinstance(error, UserError):
        return str(error)
    return f"it could not be made ({first_line(error)})"


def _listed(names: list[str]) -> str:
    """Names of files, not all of many."""
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _is_empty(path: Path) -> bool:
    """Whether it is a folder with nothing in it but what a process leaves that dies before its first file."""
    return path.is_dir() and all(each.name in BEFORE_ALL for each in path.iterdir())
