"""Where a model card's weights come from: found here, or fetched and checked."""

from __future__ import annotations

import contextlib
import errno
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ..errors import UserError, first_line, nearest
from ..yaml_lines import Place
from .state_files import readable

__all__ = ["Source", "obtain", "weights_folder"]

TIMEOUT = 30.0
"""Seconds that a server may be silent."""
RETRIES = 4
"""How often in a row a download may break off before it has got on by a megabyte."""
BACKOFF = 1.0
"""Seconds before the first retry; twice as long before each further one."""
MAX_SIZE = 4 * 2**30
"""Bytes that a download may have."""

FOLDER_VARIABLE = "MITSUBA_MEI_WEIGHTS"
ALLOWED = "allowed are a file's path, hf://owner/repo/path/in/repo[@revision] and https://host/path"
_MEGABYTE = 2**20
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)

# ----------------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True)
class Source:
    """Where weights are.

    Attributes
    ----------
    location : str
        A file's path, ``hf://owner/repo/path/in/repo[@revision]`` or ``https://host/path``; ``http://`` for this
        machine alone.
    sha256 : str or None
        The file's hash, 64 hex digits; always checked where given, and needed for ``https://``.
    """

    location: str
    sha256: str | None = None


def weights_folder() -> Path:
    """Where files put by hand are looked for and downloads are kept.

    ``$MITSUBA_MEI_WEIGHTS``, or ``mitsuba_mei/weights`` in the user's cache folder.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(chosen or os.path.join(cache, "mitsuba_mei", "weights"))).absolute()


def obtain(source: Source, folder: Path, where: Place, on_message: Callable[[str], None] = lambda text: None) -> Path:
    """The file, fetched where it is not here yet.

    What has been fetched once is found without a network: ``hf://owner/repo/a.pth`` as ``owner/repo/a.pth`` in
    :func:`weights_folder` or in the Hugging Face cache, ``https://host/a.pth`` as ``host/a.pth`` in
    :func:`weights_folder`.

    Parameters
    ----------
    source : Source
    folder : Path
        What a path is relative to.
    where : Place
        Where the card names the weights.
    on_message : callable
        Told what takes long, as a sentence. A progress bar goes to the standard error where that is a terminal.

    Raises
    ------
    UserError
        If the location or the hash is not well formed, the file is not there or cannot be fetched, or its hash differs.
        Says what to put where, if that would help.
    """
    expected = source.sha256
    if expected is not None:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", expected):
            raise UserError(f"{where}: sha256 is '{expected}'; it must be 64 hex digits, as sha256sum prints them")
        expected = expected.lower()
    scheme, separator, _ = source.location.partition("://")
    if not separator:
        return _local(source.location, expected, folder, where)
    if scheme.lower() == "hf":
        return _from_hub(source.location, expected, where, on_message)
    if scheme.lower() in ("https", "http"):
        return _from_web(source.location, expected, where, on_message)
    raise UserError(f"{where}: weights cannot come from '{source.location}'; {ALLOWED}")


def _local(location: str, expected: str | None, folder: Path, where: Place) -> Path:
    path = folder / os.path.expanduser(location)
    with readable(path, where):
        if not path.is_file():
            if path.is_dir():
                raise UserError(f"{where}: '{path}' is a folder; a file with weights is needed")
            hint = nearest(path.name, (file.name for file in path.parent.glob("*")))
            hint = f"; {hint}" if hint.startswith("did you mean") else ""
            raise UserError(f"{where}: there is no file '{path}'{hint}")
    _check_hash(path, expected, where)
    return path


def _sha256(path: Path, where: Place) -> str:
    digest = hashlib.sha256()
    with readable(path, where), open(path, "rb") as file:
        while chunk := file.read(_MEGABYTE):
            digest.update(chunk)
    return digest.hexdigest()


def _check_hash(path: Path, expected: str | None, where: Place) -> None:
    if expected is not None and (found := _sha256(path, where)) != expected:
        raise UserError(
            f"{where}: '{path}' has the sha256 {found}, and the card says {expected}; "
            f"fetch the file anew, or correct the card"
        )


def _kept(path: Path, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path | None:
    """A file that was fetched earlier, if it is there and the right one."""
    with readable(path, where):
        if not path.is_file():
            return None
    if expected is None or _sha256(path, where) == expected:
        return path
    on_message(f"{path} has another sha256 than the card says, and is left aside")
    return None


# -------------------------------------------------------------------------------------------------- Hugging Face hub


def _from_hub(location: str, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path:
    repo, name, revision = _hub_parts(location, where)
    place = weights_folder() / repo / name
    if found := _kept(place, expected, where, on_message):
        return found
    import huggingface_hub as hub  # slow to import
    from huggingface_hub.errors import HFValidationError

    try:
        # Unlike hf_hub_download(local_files_only=True), this really leaves the network alone.
        cached = hub.try_to_load_from_cache(repo, name, revision=revision)
        url = hub.hf_hub_url(repo, name, revision=revision)
    except HFValidationError as error:
        raise UserError(f"{where}: '{location}': {first_line(error)}") from None
    if isinstance(cached, str) and (found := _kept(Path(cached), expected, where, on_message)):
        return found
    on_message(f"downloading {url}")
    try:
        _probe(url)
        path = Path(hub.hf_hub_download(repo, name, revision=revision))
    except Exception as error:  # the HTTP library beneath, with its errors, differs from version to version
        by_hand = f", or download {url} elsewhere and put it at {place}"
        raise UserError(
            f"{where}: cannot download {location}: {_hub_problem(error, repo, name, revision, by_hand)}"
        ) from None
    _check_hash(path, expected, where)
    return path


def _hub_parts(location: str, where: Place) -> tuple[str, str, str]:
    """Repository, path in it, and revision."""
    body = location.partition("://")[2]
    path, _, revision = body.rpartition("@") if "@" in body else (body, "@", "main")
    owner, _, rest = path.partition("/")
    repo, _, name = rest.partition("/")
    steps = [owner, repo, *name.split("/")]
    if not revision or "\\" in path or any(step in ("", ".", "..") for step in steps):
        raise UserError(f"{where}: '{location}' is not hf://owner/repo/path/in/repo[@revision]")
    return f"{owner}/{repo}", name, revision


def _probe(url: str) -> None:
    """Raise what keeps a file from being fetched, at once: hf_hub_download tries a dead network for 20 s."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(url)
    except HfHubHTTPError as error:
        if error.response.status_code not in _TRANSIENT:
            raise


def _hub_problem(error: Exception, repo: str, name: str, revision: str, by_hand: str) -> str:
    """What a user can make of an error of huggingface_hub; with the way ``by_hand`` where that would help."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    log_in = "log in with 'hf auth login', or set HF_TOKEN"
    if isinstance(error, errors.GatedRepoError):
        return f"{repo} is gated; ask for access at {constants.ENDPOINT}/{repo} and {log_in}{by_hand}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no repository {repo}, or it is private; correct the location, or {log_in}{by_hand}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo} has no revision '{revision}'; correct the location"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set, and it is not in {constants.HF_HUB_CACHE}; unset the variable{by_hand}"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if isinstance(error, errors.EntryNotFoundError) or status == 404:
            return f"{repo} has no file {name} in revision '{revision}'; correct the location"
        if status in (401, 403):
            return f"the server does not permit it ({status}); {log_in}{by_hand}"
        return f"the server answers {status}; try again later{by_hand}"
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        problem = f"cannot write to {constants.HF_HUB_CACHE} ({error.strerror})"
        return f"{problem}; set HF_HOME to a folder elsewhere{by_hand}"
    return f"no connection to {constants.ENDPOINT}, or it broke off ({first_line(error)}); try again later{by_hand}"


# --------------------------------------------------------------------------------------------------------- downloads


class _Interrupted(Exception):
    """A download broke off, and another try may go on from there."""

    remedy = "try again later"

    def __init__(self, reason: str, connected: bool = True) -> None:
        super().__init__(reason)
        self.connected = connected


class _Hopeless(Exception):
    """A download failed so that no other try would help."""

    def __init__(self, reason: str, remedy: str = "correct the location") -> None:
        super().__init__(reason)
        self.remedy = remedy


def _is_allowed(url: str) -> bool:
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
        if not _is_allowed(url):
            response.close()
            raise _Hopeless(f"the server redirects to {url}, which is not https")
        return super().redirect_request(request, response, code, message, headers, url)


def _from_web(location: str, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path:
    try:
        parts = urllib.parse.urlsplit(location)
        allowed = _is_allowed(location)
        target = weights_folder().joinpath(*_file_names(parts))
    except ValueError as error:
        raise UserError(f"{where}: '{location}' is no URL: {error}") from None
    if not parts.hostname or parts.path.endswith("/") or not parts.path or parts.username is not None:
        raise UserError(f"{where}: '{location}' is not https://host/path/of/a/file")
    if not allowed:
        raise UserError(f"{where}: '{location}' is plain http, which anybody on the way can change; use https")
    if expected is None:
        raise UserError(f"{where}: weights from {parts.scheme}:// need sha256, the file's hash as sha256sum prints it")
    if found := _kept(target, expected, where, on_message):
        return found
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target, on_message):
            if found := _kept(target, expected, where, on_message):  # another process was first
                return found
            on_message(f"downloading {location} to {target}")
            _download(location, target, expected, where, on_message)
    except (_Interrupted, _Hopeless) as error:
        by_hand = f"or download it elsewhere and put it at {target}"
        raise UserError(f"{where}: cannot download {location}: {error}; {error.remedy}, {by_hand}") from None
    except OSError as error:
        raise UserError(
            f"{where}: cannot write to {target.parent}: {error.strerror or error}; "
            f"set {FOLDER_VARIABLE} to a folder elsewhere"
        ) from None
    return target


def _file_names(parts: urllib.parse.SplitResult) -> list[str]:
    """A URL's host, path and query as names that every file system takes."""
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    path = urllib.parse.unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
    names = [re.sub(r"[^A-Za-z0-9._-]", "_", name)[-150:] for name in f"{host}/{path}".split("/")]
    return [name for name in names if name not in ("", ".", "..")]


@contextlib.contextmanager
def _locked(target: Path, on_message: Callable[[str], None]) -> Iterator[None]:
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


def _download(url: str, target: Path, expected: str, where: Place, on_message: Callable[[str], None]) -> None:
    """Fetch a file, from where an earlier try broke off; under its own name only when whole and right."""
    part = target.with_name(f".{target.name}.{expected[:12]}.part")
    pieced = _size(part) > 0
    whole = received = anew = False
    failures = 0
    with _progress_bar(target.name) as show:
        while (found := _sha256(part, where) if part.exists() else None) != expected:
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
            except _Interrupted as error:
                gained = _size(part) - before
                received = received or gained > 0
                failures = 1 if gained >= _MEGABYTE else failures + 1
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
                raise _Interrupted("the server sends another part than it was asked for")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        _check_room(part, start, total)
        size = start
        with open(part, "ab" if start else "wb") as file:
            while True:
                show(size, total)
                try:
                    chunk = response.read1(_MEGABYTE)
                except (OSError, http.client.HTTPException) as error:
                    raise _Interrupted(f"the connection broke off ({first_line(error)})") from None
                if not chunk:
                    break
                size += len(chunk)
                if size > MAX_SIZE:
                    part.unlink()
                    raise _Hopeless(f"the file is larger than {MAX_SIZE / 1e9:.1f} GB")
                file.write(chunk)
    if total is not None and size < total:
        raise _Interrupted(f"the connection broke off after {size / 1e6:.1f} of {total / 1e6:.1f} MB")


def _check_room(part: Path, start: int, total: int | None) -> None:
    if total is None:
        return
    if total > MAX_SIZE:
        raise _Hopeless(f"the file is {total / 1e9:.1f} GB large, and at most {MAX_SIZE / 1e9:.1f} GB are taken")
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        raise _Hopeless(
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
            raise _Interrupted("the server has no such part of the file") from None
        kind = _Interrupted if error.code in _TRANSIENT else _Hopeless
        raise kind(f"the server answers {error.code} {' '.join(str(error.reason).split())[:200]}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise _Hopeless(
                f"the server's certificate is not trusted ({reason.verify_message})", "see to the certificates here"
            ) from None
        text = first_line(reason) if isinstance(reason, Exception) else str(reason)
        broken = isinstance(reason, ConnectionResetError)
        raise _Interrupted(f"no connection to the server ({text})", connected=broken) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise _Hopeless(f"it is no URL ({first_line(error)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"the server broke off ({first_line(error)})") from None


@contextlib.contextmanager
def _progress_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
