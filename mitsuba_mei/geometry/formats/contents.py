"""Contents of a mesh file in any format, and errors in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["MeshContents", "MeshFault", "check_count", "counted", "named"]


class MeshFault(ValueError):
    """Why a file cannot be used: what follows its name in a sentence."""


@dataclass(frozen=True)
class MeshContents:
    """The surface that a file describes, as it stands there.

    Parameters
    ----------
    vertices : ndarray
        ``(V, 3)`` float64.
    faces : ndarray
        ``(F, 3)`` int64.
    notes : tuple of str
        What of the file is left out, and where it leaves a choice, in words.
    """

    vertices: np.ndarray
    faces: np.ndarray
    notes: tuple[str, ...] = ()


def check_count(faces: int, max_faces: int) -> None:
    """Raise MeshFault where a file has, or announces, more triangles than are allowed."""
    if faces > max_faces:
        raise MeshFault(
            f"has {faces:,} faces, more than the {max_faces:,} allowed (max_faces); "
            "decimate it, as in Blender's Decimate modifier, or raise max_faces"
        )


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 face``, ``1,280 faces``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def named(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
