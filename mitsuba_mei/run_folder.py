"""A run on disk. Files appear under their names only when they are whole; nothing that exists is overwritten."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import UserError

__all__ = ["RunFolder", "json_text", "make_writable", "write_whole"]


def make_writable(folder: Path) -> None:
    """Make a folder, where it is not there, and make sure that files can be written into it.

    Raises
    ------
    UserError
        If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"cannot write to the output folder {folder}: {error.strerror or error}; choose another --out"
        ) from None


def write_whole(target: Path, writer: Callable[[Path], Any]) -> Path:
    """Have ``writer`` write a file under a temporary name of the same suffix, and then give it its own."""
    temporary = target.with_name(f".{target.stem}.part{target.suffix}")
    writer(temporary)
    os.replace(temporary, target)
    return target


def json_text(data: Mapping[str, Any]) -> str:
    """A JSON file's text; a number that is not finite becomes null."""
    return json.dumps(_finite(data), indent=2, allow_nan=False) + "\n"


class RunFolder:
    """A new folder for one run.

    Parameters
    ----------
    path : Path
        It must not exist, or be empty.

    Raises
    ------
    UserError
        If it holds something already, or cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise UserError(f"{self.path} exists already, and a run is never overwritten; choose another --out")
        except OSError as error:
            raise UserError(
                f"cannot read the output folder {self.path}: {error.strerror or error}; choose another --out"
            ) from None
        make_writable(self.path)
        self._metrics = None
        self._columns: list[str] = []

    def write(self, name: str, writer: Callable[[Path], Any]) -> Path:
        """Have ``writer`` write a file, whole or not at all; ``name`` may lie in folders, which are made."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return write_whole(target, writer)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file."""
        return self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, data: Mapping[str, Any]) -> Path:
        """Write a JSON file; a number that is not finite becomes null."""
        return self.write_text(name, json_text(data))

    def add_metrics(self, row: Mapping[str, float | int | bool]) -> None:
        """Append a row to ``metrics.csv``, at once; the first row's keys are the columns."""
        if self._metrics is None:
            self._metrics = open(self.path / "metrics.csv", "w", newline="", encoding="utf-8")
            self._columns = list(row)
            csv.writer(self._metrics).writerow(self._columns)
        csv.writer(self._metrics).writerow([row[column] for column in self._columns])
        self._metrics.flush()

    def close(self) -> None:
        """Close ``metrics.csv``."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
