"""Downloads over https that go on where they broke off, and are checked."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

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
"""How often in a row a download may break off before it has got on by a megabyte."""
BACKOFF = 1.0
"""Seconds before the first retry; twice as long before each further one."""
MAX_SIZE = 4 * 2**30
"""Bytes that a download may have."""

TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that another try may overcome."""
FOLDER_VARIABLE = "MITSUBA_MEI_WEIGHTS"
"""Names the folder for downloads."""
MEGABYTE = 2**20


@contextlib.contextmanager
def readable(path: Path, where: Place) -> Iterator[None]:
    """What the system says of a file within becomes a UserError."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{where}: '{path}' cannot be read: {reason}") from None


def sha256_of(path: Path, where: Place) -> str:
    """A file's hash, 64 hex digits."""
    digest = hashlib.sha256()
    with readable(path, where), open(path, "rb") as file:
        while chunk := file.read(MEGABYTE):
            digest.update(chunk)
    return digest.hexdigest()


class RetryableError(Exception):
    """A download broke off, and another try may go on from there."""

    remedy = "try again later"

    def __init__(self, reason: str, connected: bool = True) -> None:
        super().__init__(reason)
        self.connected = connected


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


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirection from https to plain http."""

    def redirect_request(self, request, response, code, message, headers, url):  # noqa: D102
        if not is_allowed(url):
            response.close()
            raise PermanentError(f"the server redirects to {url}, which is not https")
        return super().redirect_request(request, response, code, message, headers, url)


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
    """Fetch a file, from where an earlier try broke off; under its own name only when whole and right."""
    part = target.with_name(f".{target.name}.{expected[:12]}.part")
    pieced = _size(part) > 0
    whole = received = anew = False
    failures = 0
    with _progress_bar(target.name) as show:
        while (found := sha256_of(part, where) if part.exists() else None) != expected:
            if whole:
                part.unlink()
                if anew or not pieced:
                    raise UserError(
                        f"{where}: {url} has the sha256 {found}, and the card says {expected}; "
                        f"it is another file than the card's author had"
                    )
                on_message(f"the pieces of {url} do not fit together; downloading it from the start")
                whole, anew = False, True
            before = _size(part)
            try:
                _fetch(url, part, show)
                whole = True
            except RetryableError as error:
                gained = _size(part) - before
                received = received or gained > 0
                failures = 1 if gained >= MEGABYTE else failures + 1
                if failures > RETRIES or not (error.connected or received):
                    raise
                on_message(f"{error}; trying again")
                time.sleep(BACKOFF * 2 ** (failures - 1))
                pieced = pieced or _size(part) > 0
    os.replace(part, target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, part: Path, show: Callable[[int, int | None], None]) -> None:
    """One request: append to what is there of a file."""
    before = _size(part)
    with _opened(url, part, before) as response:
        start = before if response.status == 206 else 0
        if start:
            said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if said is None or int(said[1]) != start:
                part.unlink()
                raise RetryableError("the server sends another part than it was asked for")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        _check_room(part, start, total)
        size = start
        with open(part, "ab" if start else "wb") as file:
            while True:
                show(size, total)
                try:
                    chunk = response.read1(MEGABYTE)
                except (OSError, http.client.HTTPException) as error:
                    raise RetryableError(f"the connection broke off ({first_line(error)})") from None
                if not chunk:
                    break
                size += len(chunk)
                if size > MAX_SIZE:
                    part.unlink()
                    raise PermanentError(f"the file is larger than {MAX_SIZE / 1e9:.1f} GB")
                file.write(chunk)
    if total is not None and size < total:
        raise RetryableError(f"the connection broke off after {size / 1e6:.1f} of {total / 1e6:.1f} MB")


def _check_room(part: Path, start: int, total: int | None) -> None:
    if total is None:
        return
    if total > MAX_SIZE:
        raise PermanentError(f"the file is {total / 1e9:.1f} GB large, and at most {MAX_SIZE / 1e9:.1f} GB are taken")
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        raise PermanentError(
            f"{part.parent} has {free / 1e6:.0f} MB free, and {(total - start) / 1e6:.0f} MB are needed",
            f"free some, set {FOLDER_VARIABLE} to a folder elsewhere",
        )


def _opened(url: str, part: Path, start: int) -> Any:
    """The server's response to a request for the bytes from ``start``."""
    # Proxies are for the world outside.
    proxies = [] if url.lower().startswith("https") else [urllib.request.ProxyHandler({})]
    opener = urllib.request.build_opener(_Redirects, *proxies)
    headers = {"User-Agent": "mitsuba_mei", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers)
        return opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # more is there than the server has
            part.unlink(missing_ok=True)
            raise RetryableError("the server has no such part of the file") from None
        kind = RetryableError if error.code in TRANSIENT else PermanentError
        raise kind(f"the server answers {error.code} {' '.join(str(error.reason).split())[:200]}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise PermanentError(
                f"the server's certificate is not trusted ({reason.verify_message})", "see to the certificates here"
            ) from None
        text = first_line(reason) if isinstance(reason, Exception) else str(reason)
        broken = isinstance(reason, ConnectionResetError)
        raise RetryableError(f"no connection to the server ({text})", connected=broken) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise PermanentError(f"it is no URL ({first_line(error)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise RetryableError(f"the server broke off ({first_line(error)})") from None


@contextlib.contextmanager
def _progress_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
