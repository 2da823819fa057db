"""Whether a run needs the user's trust, so that a command that goes on with it or repeats it has to say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UserError
from .references import CARDS
from .yaml.text import read

__all__ = ["OPTION", "runs_code", "trust_option"]

OPTION = " --trust-code"


def runs_code(card: Any, folder: Path = Path()) -> bool:
    """Whether a card, or the file of that name, names code that is run."""
    if isinstance(card, str):
        try:
            card = read(folder / os.path.expanduser(card)).plain()
        except UserError:
            return False
    return isinstance(card, dict) and "module" in card


def trust_option(folder: Path) -> str:
    """``" --trust-code"`` where the model of the run, or of a comparison, in a folder is code; else nothing."""
    for file in (folder / "config.yaml", *sorted((folder / "asked").glob("*.yaml"))):
        try:
            scene = read(file)
        except UserError:
            continue
        for key in CARDS:
            node = scene
            for step in key:
                node = None if node is None else node.child(step)
            if node is not None and runs_code(node.plain(), file.parent):
                return OPTION
    return ""
