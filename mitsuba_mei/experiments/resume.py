"""A run that was ended before its end goes on."""

from __future__ import annotations

from pathlib import Path

from ..config import Config, load_config
from ..errors import UserError
from ..finished_run import check_version
from ..json_files import read_json

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
            raise UserError(f"{folder} holds a {name}, and nothing that it could go on from")
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is no run folder: there is no config.yaml in it")
    if (folder / "result.json").is_file():
        result = read_json(folder / "result.json")
        check_version(folder, result)
        if result.get("ended") != "interrupted":
            raise UserError(f"{folder} has come to its end ({result.get('ended')}); there is nothing to go on with")
    return load_config(folder / "config.yaml", trust_code=trust_code)
