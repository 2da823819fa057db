"""Writes everything that is made from the code into a folder, from which the pages include it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .benchmarks import DATA, EARLIER, measured
from .commands import commands
from .results import result_files
from .scene_file import model_cards, scene_file, sweep_file

__all__ = ["PAGES", "write_generated"]

PAGES: dict[str, Callable[[], str]] = {
    "scene_file": scene_file,
    "model_cards": model_cards,
    "sweep_file": sweep_file,
    "results": result_files,
    "commands": commands,
}


def write_generated(folder: Path) -> None:
    """Write the tables of the code, and those of the benchmarks; a file that says the same already is left."""
    for name, text in _texts():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _texts() -> Iterator[tuple[str, str]]:
    yield from ((name, made()) for name, made in PAGES.items())
    for name in sorted({path.stem for folder in (DATA, EARLIER) for path in folder.iterdir()}):
        yield f"benchmark_{name}", measured(name)
