"""The way to the user's home folder, which is nobody else's business: it stays out of what is written and said."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["named_from", "without_home"]


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
