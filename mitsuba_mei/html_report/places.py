"""Which run folders are meant, and what they are called in a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, nearest

__all__ = ["Place", "find_runs"]


GATHERED = ("comparison.json", "factors.json")
"""Files of a folder that holds several runs."""


@dataclass(frozen=True)
class Place:
    """A run folder.

    Attributes
    ----------
    folder : Path
    name : str
        What a report calls it: its path as it was named, from the working directory where it lies there; a folder
        elsewhere, named by its whole path, by its own name alone, since the way to it is nobody else's business.
    """

    folder: Path
    name: str


def find_runs(paths: Sequence[Path]) -> list[Place]:
    """The run folders that are named, and those within what ``compare`` and ``factors`` left, in this order.

    Raises
    ------
    UserError
        If none is named, one is no folder or named twice, or one of several runs holds none.
    """
    if not paths:
        raise UserError("no run is named; name the folders of finished runs, as in: report runs/quickstart-001")
    places: list[Place] = []
    for path in paths:
        places += _within(path)
    seen: dict[Path, str] = {}
    for place in places:
        whole = place.folder.resolve()
        if whole in seen:
            other = "" if seen[whole] == place.name else f" (as {seen[whole]} too)"
            raise UserError(f"the run {place.name} is named twice{other}; name each once")
        seen[whole] = place.name
    return places


def _within(path: Path) -> list[Place]:
    if not path.is_dir():
        siblings = (other.name for other in path.parent.glob("*") if other.is_dir())
        hint = nearest(path.name, siblings)
        what = "is a file, and no run's folder" if path.exists() else "does not exist"
        raise UserError(f"the run folder {path} {what}" + (f"; {hint}" if hint.startswith("did you mean") else ""))
    name = _name(path)
    if not any((path / gathered).is_file() for gathered in GATHERED):
        return [Place(path, name)]
    inner = sorted({file.parent for pattern in ("*/result.json", "*/*/result.json") for file in path.glob(pattern)})
    if not inner:
        raise UserError(f"{path} holds no finished run yet")
    return [Place(folder, f"{name}/{folder.relative_to(path).as_posix()}") for folder in inner]


def _name(path: Path) -> str:
    if not path.is_absolute():
        return path.as_posix() if path.name else path.resolve().name
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.resolve().name
