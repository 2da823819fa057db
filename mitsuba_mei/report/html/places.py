"""Which run folders are meant, and what they are called in a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError, nearest

__all__ = ["MAX_RUNS", "Place", "find_results", "find_runs"]


GATHERED = {
    "comparison.json": ("*/result.json", "*/*/result.json"),
    "factors.json": ("*/result.json", "*/*/result.json"),
    "plan.json": ("runs/*/result.json",),
}
"""Files of a folder that holds several runs, and where these lie."""

ALONE = ("tuning.json", "evaluation-*.json")
"""Files of a folder that has a result and no run of its own."""

MAX_RUNS = 100
"""Runs of a sweep that a report shows, the first ones: it holds all pictures and meshes, and a browser has to open it."""


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
    """The run folders that are named, and those within what ``compare``, ``factors`` and ``sweep`` left, in this order.

    A folder of ``tune`` or ``evaluate`` has none.

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
    known_folders: dict[Path, str] = {}
    for place in places:
        whole = place.folder.resolve()
        if whole in known_folders:
            other = "" if known_folders[whole] == place.name else f" (as {known_folders[whole]} too)"
            raise UserError(f"the run {place.name} is named twice{other}; name each once")
        known_folders[whole] = place.name
    return places


def find_results(paths: Sequence[Path]) -> list[Place]:
    """Those folders among these that come to something as a whole: of several runs, a tuning or an evaluation."""
    return [Place(path, _name(path)) for path in paths if _has_result(path)]


def _within(path: Path) -> list[Place]:
    if not path.is_dir():
        siblings = (other.name for other in path.parent.glob("*") if other.is_dir())
        hint = nearest(path.name, siblings)
        what = "is a file, and no run's folder" if path.exists() else "does not exist"
        raise UserError(f"the run folder {path} {what}" + (f"; {hint}" if hint.startswith("did you mean") else ""))
    name = _name(path)
    patterns = next((inner for gathered, inner in GATHERED.items() if (path / gathered).is_file()), None)
    if patterns is None:
        return [] if _has_result(path) else [Place(path, name)]
    inner = sorted({file.parent for pattern in patterns for file in path.glob(pattern)})[:MAX_RUNS]
    if not inner:
        raise UserError(f"{path} holds no finished run yet")
    return [Place(folder, f"{name}/{folder.relative_to(path).as_posix()}") for folder in inner]


def _has_result(path: Path) -> bool:
    """Whether a folder has something to report beside runs."""
    if (path / "result.json").is_file():
        return False
    return any(any(path.glob(name)) for name in (*GATHERED, *ALONE))


def _name(path: Path) -> str:
    if not path.is_absolute():
        return path.as_posix() if path.name else path.resolve().name
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.resolve().name
