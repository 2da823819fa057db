"""A mesh as a few kilobytes of base64, and the view that it is first seen from."""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass

import numpy as np

__all__ = ["LEVELS", "PackedMesh", "Viewpoint", "pack_mesh", "unpack_mesh", "viewpoint"]

LEVELS = 65535
"""Steps that the mesh's longest side is divided into."""

TINY = 1e-9
"""Of a length, scene units: no object is smaller."""

FIELD = math.radians(45)
"""Plotly's field of view, which cannot be changed."""


@dataclass(frozen=True)
class PackedMesh:
    """Vertices as whole steps from a corner.

    Attributes
    ----------
    vertices : str
        (V, 3) uint16, little endian, base64.
    faces : str
        (F, 3) uint16, or uint32 from 65,536 vertices on, little endian, base64.
    wide : bool
        Whether faces are uint32.
    origin : tuple of 3 float
        The corner, scene units.
    step : float
        Scene units; a vertex is off by at most half of it in each coordinate.
    key : str
        Of the faces: meshes of the same template share them.
    """

    vertices: str
    faces: str
    wide: bool
    origin: tuple[float, float, float]
    step: float
    key: str


def pack_mesh(vertices: np.ndarray, faces: np.ndarray) -> PackedMesh:
    """Pack vertices (V, 3), finite, and faces (F, 3)."""
    low, extent = vertices.min(axis=0), float(np.ptp(vertices, axis=0).max())
    step = extent / LEVELS or 1.0
    whole = np.round((vertices - low) / step).astype("<u2")
    wide = len(vertices) > LEVELS + 1
    indices = faces.astype("<u4" if wide else "<u2").tobytes()
    key = hashlib.sha256(indices).hexdigest()[:16]
    return PackedMesh(_text(whole.tobytes()), _text(indices), wide, tuple(map(float, low)), step, key)


def unpack_mesh(packed: PackedMesh) -> tuple[np.ndarray, np.ndarray]:
    """What a page makes of it."""
    whole = np.frombuffer(base64.b64decode(packed.vertices), "<u2").reshape(-1, 3)
    faces = np.frombuffer(base64.b64decode(packed.faces), "<u4" if packed.wide else "<u2").reshape(-1, 3)
    return np.array(packed.origin) + packed.step * whole, faces.astype(np.int64)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@dataclass(frozen=True)
class Viewpoint:
    """Where a mesh is first seen from, for Plotly.

    Attributes
    ----------
    centre : ndarray
        (3,) of the cube that is drawn, scene units.
    side : float
        Of the cube.
    eye : ndarray
        (3,) from the cube's centre, sides of the cube.
    exact : bool
        Whether it is where the scene's camera stands; else it is on the line from there to the object, where the
        whole object is seen and fills the picture.
    """

    centre: np.ndarray
    side: float
    eye: np.ndarray
    exact: bool


def viewpoint(vertices: np.ndarray, distance: float | None, azimuth: float, elevation: float) -> Viewpoint:
    """From where a mesh (V, 3) is seen as the scene's camera sees it.

    Parameters
    ----------
    distance : float or None
        Of the camera from the origin, scene units; None where it is unknown.
    azimuth, elevation : float
        Where it stands, degrees: from +z towards +x, and above the horizon.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    centre, side = 0.5 * (low + high), max(float((high - low).max()), TINY)
    a, e = math.radians(azimuth), math.radians(elevation)
    back = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    away = back if distance is None else distance * back - centre
    length = float(np.linalg.norm(away))
    radius = max(float(np.linalg.norm(vertices - centre, axis=1).max()), 0.5 * side)
    fills = 1.02 * radius / math.sin(FIELD / 2)
    exact = distance is not None and fills <= length <= 1.6 * fills
    outwards = away / length if length > TINY else back
    return Viewpoint(centre, side, outwards * (length if exact else fills) / side, exact)
