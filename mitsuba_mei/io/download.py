"""Local files and downloads of a model card's weights, with checked hashes."""

from __future__ import annotations

import errno
import os
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Place, UserError, first_line, nearest
from .web import (
    FOLDER_VARIABLE,
    TRANSIENT,
    PermanentError,
    RetryableError,
    download,
    file_names,
    is_allowed,
    locked,
    readable,
    sha256_of,
)

__all__ = ["Source", "obtain", "weights_folder"]

ALLOWED = "allowed are a file's path, hf://owner/repo/path/in/repo[@revision] and https://host/path"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)

# ----------------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True)
class Source:
    """Location of weights.

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
    """Folder of downloads, and of files put there by hand.

    ``$MITSUBA_MEI_WEIGHTS``, or ``mitsuba_mei/weights`` in the user's cache folder.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(chosen or os.path.join(cache, "mitsuba_mei", "weights"))).absolute()


def _folder_is_there() -> str:
    """A hint, where the user names a folder that does not exist."""
    named = os.environ.get(FOLDER_VARIABLE)
    return "" if not named or weights_folder().is_dir() else f" ({FOLDER_VARIABLE} names a folder that was not there)"


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


def _check_hash(path: Path, expected: str | None, where: Place) -> None:
    if expected is not None and (actual := sha256_of(path, where)) != expected:
        raise UserError(
            f"{where}: '{path}' has the sha256 {actual}, and the card says {expected}; "
            f"fetch the file anew, or correct the card"
        )


def _kept(path: Path, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path | None:
    """A file that was fetched earlier, if it is there and the right one."""
    with readable(path, where):
        if not path.is_file():
            return None
    if expected is None or sha256_of(path, where) == expected:
        return path
    on_message(f"{path} has another sha256 than the card says, and is left aside")
    return None


# -------------------------------------------------------------------------------------------------- Hugging Face hub


def _from_hub(location: str, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path:
    repo, name, revision = _hub_parts(location, where)
    place = weights_folder() / repo / name
    if cached_path := _kept(place, expected, where, on_message):
        return cached_path
    import huggingface_hub as hub  # slow to import
    from huggingface_hub.errors import HFValidationError

    try:
        # Unlike hf_hub_download(local_files_only=True), this really leaves the network alone.
        cached = hub.try_to_load_from_cache(repo, name, revision=revision)
        url = hub.hf_hub_url(repo, name, revision=revision)
    except HFValidationError as error:
        raise UserError(f"{where}: '{location}': {first_line(error)}") from None
    if isinstance(cached, str) and (cached_path := _kept(Path(cached), expected, where, on_message)):
        return cached_path
    on_message(f"downloading {url}")
    try:
        _probe(url)
        path = Path(hub.hf_hub_download(repo, name, revision=revision))
    except Exception as error:  # the HTTP library beneath, with its errors, differs from version to version
        by_hand = f", or download {url} elsewhere and put it at {place}{_folder_is_there()}"
        raise UserError(
            f"{where}: cannot download {location}: {_hub_problem(error, repo, name, revision, by_hand)}"
        ) from None
    _check_hash(path, expected, where)
    if expected is None:
        on_message(
            f"{location} was not checked: the card gives no sha256 (it has {sha256_of(path, where)}), so that another "
            "file under that name would not be noticed"
        )
    return path


def _hub_parts(location: str, where: Place) -> tuple[str, str, str]:
    """Repository, path in it, and revision."""
    body = location.partition("://")[2]
    path, _, revision = body.rpartition("@") if "@" in body else (body, "@", "main")
    owner, _, rest = path.partition("/")
    repo, _, name = rest.partition("/")
    steps = [owner, repo, *name.split("/"), *revision.split("/")]
    if not revision or "\\" in body or any(step in ("", ".", "..") for step in steps):
        raise UserError(f"{where}: '{location}' is not hf://owner/repo/path/in/repo[@revision]")
    return f"{owner}/{repo}", name, revision


def _probe(url: str) -> None:
    """Raise what keeps a file from being fetched, at once: hf_hub_download tries a dead network for 20 s."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(url)
    except HfHubHTTPError as error:
        if error.response.status_code not in TRANSIENT:
            raise


def _hub_problem(error: Exception, repo: str, name: str, revision: str, by_hand: str) -> str:
    """Explain an error of huggingface_hub; with the way ``by_hand`` where that would help."""
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


# ------------------------------------------------------------------------------------------------------------- the web


def _from_web(location: str, expected: str | None, where: Place, on_message: Callable[[str], None]) -> Path:
    try:
        parts = urllib.parse.urlsplit(location)
        allowed = is_allowed(location)
        target = weights_folder().joinpath(*file_names(parts))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{where}: '{location}' is no URL: {error}") from None
    if not parts.hostname or parts.path.endswith("/") or not parts.path or parts.username is not None:
        raise UserError(f"{where}: '{location}' is not https://host/path/of/a/file")
    if not allowed:
        raise UserError(f"{where}: '{location}' is plain http, which anybody on the way can change; use https")
    if expected is None:
        raise UserError(f"{where}: weights from {parts.scheme}:// need sha256, the file's hash as sha256sum prints it")
    if cached_path := _kept(target, expected, where, on_message):
        return cached_path
    found_folder = _folder_is_there()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target, on_message):
            if cached_path := _kept(target, expected, where, on_message):  # another process was first
                return cached_path
            on_message(f"downloading {location} to {target}")
            download(location, target, expected, where, on_message)
    except (RetryableError, PermanentError) as error:
        by_hand = f"or download it elsewhere and put it at {target}{found_folder}"
        raise UserError(f"{where}: cannot download {location}: {error}; {error.remedy}, {by_hand}") from None
    except OSError as error:
        raise UserError(
            f"{where}: cannot write to {target.parent}: {error.strerror or error}; "
            f"set {FOLDER_VARIABLE} to a folder elsewhere"
        ) from None
    return target
