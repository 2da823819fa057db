"""JSON that a run leaves: written so that any program reads it, and read as if it came from anyone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UserError
from .home import without_home
from .ordinary_files import read_ordinary

__all__ = ["json_text", "read_json"]

MOST_BYTES = 64 * 2**20
"""Of a JSON file that is read."""


def json_text(data: Mapping[str, Any]) -> str:
    """A JSON file's text; a number that is not finite becomes null, and the way to the user's home ``~``."""
    return json.dumps(_shareable(data), indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a run's says, by name.

    Raises
    ------
    UserError
        If it cannot be read, or is damaged.
    """
    try:
        data = json.loads(read_ordinary(path, MOST_BYTES))
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
