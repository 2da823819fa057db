"""Downloads over https by pooch: bounded, checked, and told in one sentence where they fail."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import re
import shutil
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ..errors import Place, UserError, first_line

__all__ = [
    "FOLDER_VARIABLE",
    "PermanentError",
    "RetryableError",
    "TRANSIENT",
    "download",
    "file_names",
    "is_allowed",
    "locked",
    "readable",
    "sha256_of",
]

TIMEOUT = 30.0
"""Seconds that a server may be silent."""
RETRIES = 4
"""How often a download that broke off is tried again."""
BACKOFF = 1.0
"""Seconds before the first retry; twice as long before each further one."""
MAX_SIZE = 4 * 2**30
"""Bytes that a download may have."""
CHUNK = 2**16
"""Bytes that are taken at a time."""

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that another try may overcome."""
FOLDER_VARIABLE = "MITSUBA_MEI_WEIGHTS"
"""Names the folder for downloads."""


@contextlib.contextmanager
def readable(path: Path, where: Place) -> Iterator[None]:
    """Turn the system's errors about a file into a UserError."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{where}: '{path}' cannot be read: {reason}") from None


def sha256_of(path: Path, where: Place) -> str:
    """A file's hash, 64 hex digits."""
    digest = hashlib.sha256()
    with readable(path, where), open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


class RetryableError(Exception):
    """A download broke off, and another try may succeed."""

    remedy = "try again later"


class PermanentError(Exception):
    """A download failed so that no other try would help."""

    def __init__(self, reason: str, remedy: str = "correct the location") -> None:
        super().__init__(reason)
        self.remedy = remedy


def is_allowed(url: str) -> bool:
    """Whether a URL is https, or http to this very machine."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    return parts.scheme == "http" and local


def file_names(parts: urllib.parse.SplitResult) -> list[str]:
    """A URL's host, path and query as names that every file system takes."""
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    path = urllib.parse.unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
    names = [re.sub(r"[^A-Za-z0-9._-]", "_", name)[-150:] for name in f"{host}/{path}".split("/")]
    return [name for name in names if name not in ("", ".", "..")]


@contextlib.contextmanager
def locked(target: Path, on_message: Callable[[str], None]) -> Iterator[None]:
    """Keep other processes from downloading to the same file."""
    lock = FileLock(str(target.with_name(f".{target.name}.lock")))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_message(f"waiting for another process, which is downloading {target.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def download(url: str, target: Path, expected: str, where: Place, on_message: Callable[[str], None]) -> None:
    """Fetch a file; it lies under its own name only when it is whole and has the sha256 that is expected.

    Raises
    ------
    RetryableError, PermanentError
        If it cannot be had.
    UserError
        If it has another hash.
    """
    for failures in range(RETRIES + 1):
        watch = _Watch(target)
        try:
            return _fetch(url, target, expected, where, watch)
        except RetryableError as error:
            if failures == RETRIES or not watch.connected:
                raise
            on_message(f"{error}; trying again")
            time.sleep(BACKOFF * 2**failures)


class _Watch:
    """Looks at every answer of the server, and at what has come of the file; draws the progress bar of it.

    Parameters
    ----------
    target : Path

    Attributes
    ----------
    connected : bool
        Whether there was any answer.
    total : int
        Bytes, as the server says it; 0 where it does not. pooch sets it, and calls the methods without an underscore.
    """

    def __init__(self, target: Path) -> None:
        self.connected, self.total = False, 0
        self._target, self._done = target, 0
        self._response: Any = None

    def answer(self, response: Any, *rest: Any, **named: Any) -> None:
        """Refuse a redirection to plain http, and what is too large."""
        self.connected, self._response = True, response
        if response.is_redirect:
            to = urllib.parse.urljoin(response.url, response.headers["location"])
            if not is_allowed(to):
                raise PermanentError(f"the server redirects to {to}, which is not https")
        length = response.headers.get("Content-Length", "")
        if response.ok and length.isdecimal():
            _check_room(self._target, int(length))

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """Within it, a bar is drawn, on a terminal."""
        console = Console(stderr=True)
        columns = (TextColumn(self._target.name), BarColumn(24), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as self._bar:
            self._task = self._bar.add_task("", total=None)
            try:
                yield
            finally:
                if self._response is not None:  # which pooch leaves open where something fails
                    self._response.close()

    def update(self, count: int) -> None:
        """So many bytes more have come, or fewer."""
        self._done += count
        if self._done >= MAX_SIZE + CHUNK:
            raise PermanentError(f"the file is larger than {MAX_SIZE / 1e9:.1f} GB")
        done = min(self._done, self.total) if self.total else self._done
        self._bar.update(self._task, completed=done, total=self.total or None)

    def reset(self) -> None:
        """From the start."""
        self._done = 0

    def close(self) -> None:
        """All has come."""


def _fetch(url: str, target: Path, expected: str, where: Place, watch: _Watch) -> None:
    """One request."""
    import pooch  # as the library beneath it, slow to import
    from requests import exceptions as errors

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(
        progressbar=watch,
        chunk_size=CHUNK,
        timeout=TIMEOUT,
        hooks={"response": watch.answer},
        headers={"User-Agent": "mitsuba_mei", "Accept-Encoding": "identity"},
        auth=lambda request: request,  # a card's author must not have the user's passwords of ~/.netrc sent
        proxies={"http": ""},  # proxies are for the world outside; http is for this machine alone
    )
    try:
        with watch.drawn():
            pooch.retrieve(url, f"sha256:{expected}", target.name, target.parent, downloader=downloader)
    except errors.HTTPError as error:
        status = error.response.status_code
        kind = RetryableError if status in TRANSIENT else PermanentError
        raise kind(f"the server answers {status} {' '.join(str(error.response.reason).split())[:200]}") from None
    except errors.SSLError as error:
        remedy = "see to the certificates here"
        raise PermanentError(f"the server's certificate is not trusted ({first_line(_cause(error))})", remedy) from None
    except (errors.ConnectionError, errors.Timeout, errors.ChunkedEncodingError) as error:
        cause = _cause(error)
        reason = "the connection broke off" if watch.connected else "no connection to the server"
        watch.connected |= isinstance(cause, ConnectionResetError)
        raise RetryableError(f"{reason} ({first_line(cause)})") from None
    except errors.RequestException as error:
        raise PermanentError(f"it cannot be asked for ({first_line(error)})") from None
    except ValueError as error:  # another hash; pooch has no kind of its own for it
        actual = str(error).partition(" but got ")[2][:64]
        raise UserError(
            f"{where}: {url} has the sha256 {actual}, and the card says {expected}; "
            f"it is another file than the card's author had"
        ) from None


def _cause(error: BaseException) -> BaseException:
    """First error of a chain."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def _check_room(target: Path, size: int) -> None:
    if size > MAX_SIZE:
        raise PermanentError(f"the file is {size / 1e9:.1f} GB large, and at most {MAX_SIZE / 1e9:.1f} GB are taken")
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise PermanentError(
            f"{target.parent} has {free / 1e6:.0f} MB free, and {size / 1e6:.0f} MB are needed",
            f"free some, set {FOLDER_VARIABLE} to a folder elsewhere",
        )
