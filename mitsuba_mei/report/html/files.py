"""Files of a run folder, read with suspicion: each may be missing, damaged or of something else."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...io.files import read_ordinary

__all__ = ["read_mesh", "read_metrics", "read_text"]

MAX_BYTES = 64 * 2**20
"""Of a text file."""


def read_text(path: Path) -> str:
    """A text file.

    Raises
    ------
    UserError
        If it cannot be read, or is no text.
    """
    try:
        return read_ordinary(path, MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except UserError:
        raise
    except ValueError:
        raise UserError(f"{path} is damaged: it is no text") from None


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
