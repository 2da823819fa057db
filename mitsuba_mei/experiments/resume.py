"""A run that was ended before its end goes on."""

from __future__ import annotations

import json
from pathlib import Path

from ..config import Config, load_config
from ..errors import UserError
from ..finished_run import check_version

__all__ = ["resumable"]


def resumable(folder: Path, trust_code: bool = False) -> Config:
    """The configuration of a run that can go on; ``trust_code`` as for :func:`~mitsuba_mei.config.load_config`.

    Raises
    ------
    UserError
        If it is no run's folder, or the run came to its end.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'")
    for name in ("comparison.json", "factors.json", "tuning.json"):
        if (folder / name).is_file():
            raise UserError(f"{folder} holds a {name}, and no single run; only single runs can go on")
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is no run folder: there is no config.yaml in it")
    result = _result(folder / "result.json")
    if result is not None:
        versions = result.get("versions")
        wrote = versions.get("mitsuba_mei") if isinstance(versions, dict) else None
        check_version(folder, wrote if isinstance(wrote, str) else None)
        if result.get("ended") != "interrupted":
            raise UserError(f"{folder} has come to its end ({result.get('ended')}); there is nothing to go on with")
    return load_config(folder / "config.yaml", trust_code=trust_code)


def _result(path: Path) -> dict | None:
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError):
        raise UserError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(result, dict):
        raise UserError(f"{path} is damaged: it does not say how the run ended")
    return result
