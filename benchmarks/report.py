"""Tables that are printed, and kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mitsuba_mei import __version__
from mitsuba_mei.errors import UserError

__all__ = ["Report", "Target"]

PACKAGES = ("mitsuba", "drjit", "torch", "numpy")


@dataclass(frozen=True)
class Target:
    """What a figure should be.

    Attributes
    ----------
    name : str
        What was measured, with its unit.
    value : float
        What was found; where ``bound``, it is only known to be at least this.
    least, most : float or None
        Ends of the range that it should lie in.
    bound : bool
    """

    name: str
    value: float
    least: float | None = None
    most: float | None = None
    bound: bool = False

    @property
    def met(self) -> bool:
        """Whether it does."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or (self.value <= self.most and not self.bound))


class Report:
    """What one benchmark found.

    Parameters
    ----------
    name : str
        The benchmark's.
    out : Path
        Folder for ``<name>.json`` and pictures; made where it is missing.
    console : Console
        Where tables are printed.
    """

    def __init__(self, name: str, out: Path, console: Console) -> None:
        self.name, self.out, self.console = name, out, console
        self._found: dict[str, Any] = {"benchmark": name, "machine": machine()}
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--out {out}: cannot be made: {error.strerror}") from None

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, title: str, rows: Sequence[Mapping[str, Any]], note: str = "", key: str | None = None) -> None:
        """Print rows that share their columns, and keep them.

        Parameters
        ----------
        title : str
        rows : sequence of mapping
            Numbers are printed to four digits, and kept as they are.
        note : str
            A line below.
        key : str, optional
            The name under which they are kept; the title where it is left out.
        """
        table = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
        for column in rows[0]:
            numbers = all(isinstance(row[column], (int, float, type(None))) for row in rows)
            table.add_column(column, justify="right" if numbers else "left")
        for row in rows:
            table.add_row(*(shown(value) for value in row.values()))
        self.console.print(table)
        self.keep(key or title, [dict(row) for row in rows])

    def targets(self, *targets: Target) -> None:
        """Print what should be beside what is, and keep it."""
        table = Table("target", "measured", "wanted", "", title="Targets", title_justify="left")
        for target in targets:
            ends = {"at least": target.least, "at most": target.most}
            wanted = ", ".join(f"{words} {end:g}" for words, end in ends.items() if end is not None)
            measured = f"{'>= ' if target.bound else ''}{shown(target.value)}"
            table.add_row(target.name, measured, wanted, "met" if target.met else "MISSED")
        self.console.print(table)
        self.keep("targets", [{**asdict(target), "met": target.met} for target in targets])

    def keep(self, key: str, value: Any) -> None:
        """Keep something for the file without printing it."""
        self._found[key] = value

    def path(self, name: str) -> Path:
        """Where a picture of that name goes."""
        return self.out / name

    def save(self) -> None:
        """Write ``<name>.json``."""
        path = self.path(f"{self.name}.json")
        path.write_text(json.dumps(self._found, indent=1) + "\n", encoding="utf-8")
        self.say(f"written to {path}")


def shown(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, Any]:
    """What it was measured on, and with."""
    return {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {"mitsuba_mei": __version__, "python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
    }
