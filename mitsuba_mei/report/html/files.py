"""Files of a run folder, read with suspicion: each may be missing, damaged or of something else."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...io.files import read_ordinary

__all__ = ["Figure", "Said", "read_json", "read_mesh", "read_metrics", "read_text"]

MOST_BYTES = 64 * 2**20
"""Of a text file."""


@dataclass(frozen=True)
class Figure:
    """A mean and its standard error; either is None where it is unknown or no finite number."""

    mean: float | None
    sem: float | None = None


class Said:
    """A mapping from a JSON file: what is missing or of another type is None, or empty."""

    def __init__(self, data: Any) -> None:
        self._data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def raw(self, key: str) -> Any:
        """Whatever is there."""
        return self._data.get(key)

    def number(self, key: str) -> float | None:
        """A finite number."""
        return _number(self._data.get(key))

    def count(self, key: str) -> int | None:
        """A whole number."""
        value = self.number(key)
        return None if value is None or value != int(value) else int(value)

    def text(self, key: str) -> str | None:
        """Words."""
        value = self._data.get(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool | None:
        """Yes or no."""
        value = self._data.get(key)
        return value if isinstance(value, bool) else None

    def part(self, key: str) -> Said:
        """A mapping."""
        return Said(self._data.get(key))

    def parts(self, key: str) -> list[Said]:
        """A list of mappings."""
        value = self._data.get(key)
        return [Said(each) for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []

    def numbers(self, key: str) -> list[float]:
        """A list of finite numbers."""
        value = self._data.get(key)
        found = [_number(each) for each in value] if isinstance(value, list) else []
        return [each for each in found if each is not None]

    def figure(self, key: str) -> Figure | None:
        """A mean with its standard error, or a number alone."""
        value = self._data.get(key)
        if isinstance(value, Mapping):
            inner = Said(value)
            return Figure(inner.number("mean"), inner.number("sem")) if "mean" in value else None
        number = _number(value)
        return None if number is None else Figure(number)

    def items(self) -> list[tuple[str, Any]]:
        """All there is."""
        return list(self._data.items())


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def read_text(path: Path) -> str:
    """A text file.

    Raises
    ------
    UserError
        If it cannot be read, or is no text.
    """
    try:
        return read_ordinary(path, MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise UserError(f"{path} is damaged: it is no text") from None


def read_json(path: Path) -> Said:
    """A JSON file that holds a mapping.

    Raises
    ------
    UserError
        If it cannot be read, or does not.
    """
    try:
        data = json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no mapping")
    return Said(data)


def read_metrics(path: Path) -> dict[str, np.ndarray]:
    """The columns of ``metrics.csv``, (N,) each; an unfinished last row is left out, what is no number is nan.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        rows = list(csv.reader(read_text(path).splitlines()))
    except csv.Error as error:
        raise UserError(f"{path} is damaged: {error}") from None
    if not rows:
        return {}
    titles, whole = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    return {title: np.array([_parsed(row[i]) for row in whole]) for i, title in enumerate(titles)}


def _parsed(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The vertices (V, 3) float64 and faces (F, 3) of a PLY file.

    Raises
    ------
    UserError
        If it is no such file, or not of finite triangles.
    """
    import trimesh

    try:
        data = io.BytesIO(path.read_bytes())  # not by its name, from where textures would be looked for
        mesh = trimesh.load(data, file_type="ply", force="mesh", process=False)
        vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception:  # whatever a parser of damaged files may meet
        raise UserError(f"{path} is damaged: it is no mesh in the PLY format") from None
    if not (vertices.size and faces.size and np.isfinite(vertices).all() and 0 <= faces.min()):
        raise UserError(f"{path} is damaged: it holds no faces with finite vertices")
    if faces.max() >= len(vertices):
        raise UserError(f"{path} is damaged: a face names a vertex that is not there")
    return vertices, faces
