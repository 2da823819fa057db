"""A run that was ended before its end goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.fields import Part
from ..config.load import Config, load_config
from ..config.yaml.located import Key, path_text
from ..errors import UserError
from ..runs.checkpoint import FOLDER
from ..runs.results import PixelResult, read_run_result

__all__ = ["BEGUN_WITH", "resumable"]

BEGUN_WITH = f"{FOLDER}/config.yaml"
"""The configuration beside the states that were reached with it."""


def resumable(folder: Path, trust_code: bool = False) -> Config:
    """The configuration of a run that can go on; ``trust_code`` as for :func:`~mitsuba_mei.config.load.load_config`.

    Raises
    ------
    UserError
        If it is no run's folder, or the run came to its end with all of its pictures.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'")
    for name in ("comparison.json", "factors.json", "tuning.json"):
        if (folder / name).is_file():
            raise UserError(f"{folder} holds a {name}, and nothing that it could go on from")
    if (folder / "plan.json").is_file():
        raise UserError(f"{folder} is a sweep's; the command that began it, sweep, goes on with it")
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is no run folder: there is no config.yaml in it")
    if (folder / "result.json").is_file():
        result = read_run_result(folder)
        if isinstance(result, PixelResult):
            raise UserError(
                f"{folder} is of a pixel MEI, of which no state is kept; 'pixel {folder / 'config.yaml'}' finds it anew"
            )
        # States that were left although it came to its end are there for pictures that could not be made.
        if result.ended != "interrupted" and not (folder / BEGUN_WITH).is_file():
            raise UserError(f"{folder} has come to its end ({result.ended}); there is nothing to go on with")
    config = load_config(folder / "config.yaml", trust_code=trust_code)
    if (folder / BEGUN_WITH).is_file():
        _check_same(folder / "config.yaml", config, load_config(folder / BEGUN_WITH, trust_code=trust_code))
    return config


def _check_same(path: Path, config: Part, begun_with: Part) -> None:
    """Raise UserError where a run would go on as another one."""
    now, then = (dict(_leaves(each.model_dump())) for each in (config, begun_with))
    for key in sorted(now.keys() | then.keys(), key=str):
        if now.get(key) != then.get(key) and key[:1] != ("evaluate",):
            raise UserError(
                f"{path} is not what this run was begun with: {path_text(key)} was {then.get(key)!r} and is "
                f"{now.get(key)!r}; change it back, or begin a new run (evaluate alone may change)"
            )


def _leaves(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value that holds no others, and its key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else None
    if items is None:
        yield key, value
        return
    for name, item in items:
        yield from _leaves(item, (*key, name))
