"""Meshes from files: read without trust, cleaned, and said what was cleaned."""

from __future__ import annotations

import io
import json
import logging
import re
import struct
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from ..errors import UserError, nearest
from ..ordinary_files import read_ordinary

__all__ = ["EXTENSIONS", "read_mesh"]

EXTENSIONS = (".glb", ".obj", ".ply", ".stl")

MOST_BYTES = 2**30
"""Of a file."""

_MERGE_DIGITS = 6
"""Vertices are merged where they agree to this many decimals of the unit sphere's radius."""


def read_mesh(path: Path, max_faces: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read, centre, scale and clean a mesh.

    Parameters
    ----------
    path : Path
        A file with one of :data:`EXTENSIONS`.
    max_faces : int
        The most triangles allowed. The number that the file announces is looked at before its content is parsed.

    Returns
    -------
    vertices : ndarray
        ``(V, 3)`` float64; the bounding box's centre is the origin, the farthest vertex is at distance 1.
    faces : ndarray
        ``(F, 3)`` int64.
    repairs : tuple of str
        What was changed or should be known, in words.

    Raises
    ------
    UserError
        If there is no such file, if it is of another kind, empty, damaged or too large, if a coordinate is not finite,
        or if no face with an area is in it.
    """
    data = _bytes(path)
    if path.suffix.lower() == ".stl":
        _check_whole(path, data)
    announced = _announced_faces(path.suffix.lower(), data)
    if announced is None:
        raise _unreadable(path)
    _check_count(path, announced, max_faces)
    vertices, faces = _parse(path, data)
    if path.suffix.lower() == ".ply" and len(faces) < announced:
        raise UserError(f"mesh {path} is truncated: {len(faces)} faces where it announces {announced}")
    if len(faces) == 0:
        raise UserError(f"mesh {path} has {len(vertices)} vertices but no faces; export it as a triangle mesh")
    _check_count(path, len(faces), max_faces)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise UserError(f"mesh {path} has faces that name vertices beyond its {len(vertices)}; the file is damaged")
    broken = int((~np.isfinite(vertices).all(axis=1)).sum())
    if broken:
        raise UserError(f"mesh {path} has {broken} vertices with a NaN or infinite coordinate; mend or re-export it")
    return _clean(path, vertices, faces)


def _bytes(path: Path) -> bytes:
    if path.suffix.lower() not in EXTENSIONS:
        raise UserError(f"mesh {path} is of an unknown kind '{path.suffix}'; allowed: {', '.join(EXTENSIONS)}")
    try:
        data = read_ordinary(path, MOST_BYTES)
    except FileNotFoundError:
        raise UserError(f"there is no mesh file {path}; {_neighbours(path)}") from None
    except OSError as error:
        raise UserError(f"mesh {path} cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise UserError(f"mesh {path} is empty")
    return data


def _neighbours(path: Path) -> str:
    """What the user may have meant instead of a missing file."""
    if not path.parent.is_dir():
        return f"its folder {path.parent} does not exist either"
    meshes = [entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in EXTENSIONS]
    return nearest(path.name, meshes) if meshes else f"and {path.parent} holds no {', '.join(EXTENSIONS)} file"


def _unreadable(path: Path) -> UserError:
    kind = path.suffix[1:].upper()
    return UserError(f"mesh {path} cannot be read as {kind}: it is damaged, truncated or of another kind")


def _announced_faces(extension: str, data: bytes) -> int | None:
    """The number of faces that a file says it has, 0 where it does not say so cheaply; None for a damaged GLB file."""
    if extension == ".ply":
        found = re.search(rb"element\s+face\s+(\d+)", data[:65536])
        return int(found.group(1)) if found else 0
    if extension == ".stl":
        if _is_text_stl(data):
            return data.count(b"endfacet")
        return struct.unpack("<I", data[80:84])[0] if len(data) >= 84 else 0
    if extension == ".obj":
        return data.count(b"\nf ")
    try:
        length = struct.unpack("<I", data[12:16])[0]
        tree = json.loads(data[20 : 20 + length])
        most = max(accessor["count"] for accessor in tree["accessors"])
        if most > len(data):
            return most  # what is nowhere in the file would be made up as zeros
        uses = Counter(node.get("mesh") for node in tree["nodes"])
        return sum(
            uses[index] * (max(tree["accessors"][i]["count"] for i in _accessors(primitive)) // 3)
            for index, mesh in enumerate(tree["meshes"])
            for primitive in mesh["primitives"]
        )
    except (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None


def _accessors(primitive: dict[str, Any]) -> list[int]:
    """Where a glTF primitive's positions and indices are."""
    return [primitive["attributes"]["POSITION"], *([primitive["indices"]] if "indices" in primitive else [])]


def _check_count(path: Path, faces: int, max_faces: int) -> None:
    if faces > max_faces:
        raise UserError(
            f"mesh {path} has {faces:,} faces, more than the {max_faces:,} allowed (max_faces); "
            "decimate it, as in Blender's Decimate modifier, or raise max_faces"
        )


def _check_whole(path: Path, data: bytes) -> None:
    """Refuse an STL that ends early; trimesh would read what is there."""
    if _is_text_stl(data):
        if b"endsolid" not in data:
            raise UserError(f"mesh {path} is truncated: it has no 'endsolid'")
        return
    expected = 84 + 50 * _announced_faces(".stl", data)
    if len(data) < expected:
        raise UserError(f"mesh {path} is truncated or no STL file: {len(data)} bytes where it announces {expected}")


def _is_text_stl(data: bytes) -> bool:
    return data.lstrip()[:5] == b"solid" and b"facet" in data[:1024]


def _parse(path: Path, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of all geometries in the file."""
    extension = path.suffix.lower()
    options = {"skip_materials": True} if extension in (".glb", ".obj") else {}  # images among them are not for us
    if extension == ".obj":
        data = data.decode("utf-8", errors="replace").encode()  # names and comments may be in any encoding
    log = logging.getLogger("trimesh")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            mesh = trimesh.load_scene(io.BytesIO(data), file_type=extension[1:], process=False, **options).to_mesh()
        vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
        return vertices.reshape(-1, 3), faces.reshape(-1, 3)
    except Exception:  # trimesh lets through whatever exception the damage causes
        raise _unreadable(path) from None
    finally:
        log.disabled = disabled


def _clean(path: Path, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Centre, scale, weld, drop what has no area, orient."""
    repairs: list[str] = []

    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    low, high = vertices[used].min(axis=0), vertices[used].max(axis=0)
    vertices = vertices - (low + high) / 2
    radius = np.linalg.norm(vertices[used], axis=1).max()
    if not np.isfinite(radius) or radius <= 1e-12 * max(np.abs(low).max(), np.abs(high).max(), 1e-300):
        raise UserError(f"mesh {path} has no extent: all its {used.sum()} vertices are at one place")
    mesh = trimesh.Trimesh(vertices / radius, faces, process=False, validate=False)

    if not used.all():
        mesh.remove_unreferenced_vertices()
        repairs.append(f"removed {(~used).sum()} vertices of no face")
    before = len(mesh.vertices)
    mesh.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=_MERGE_DIGITS)
    if len(mesh.vertices) < before:
        repairs.append(f"merged {before - len(mesh.vertices)} duplicate vertices")
    for kind, keep in (("degenerate", mesh.nondegenerate_faces), ("duplicate", mesh.unique_faces)):
        kept = keep()
        if not kept.all():
            mesh.update_faces(kept)
            repairs.append(f"removed {(~kept).sum()} {kind} faces")
    if len(mesh.faces) == 0:
        raise UserError(f"mesh {path} has no face with an area: all its {len(faces)} faces are degenerate")
    before = len(mesh.vertices)
    mesh.remove_unreferenced_vertices()
    if len(mesh.vertices) < before:
        repairs.append(f"removed {before - len(mesh.vertices)} vertices left without a face")

    _orient(mesh, repairs)
    vertices = np.asarray(mesh.vertices)
    vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return vertices / np.linalg.norm(vertices, axis=1).max(), np.asarray(mesh.faces), tuple(repairs)


def _orient(mesh: trimesh.Trimesh, repairs: list[str]) -> None:
    """Wind neighbouring faces alike, closed bodies outwards; note open and branching edges."""
    _, counts = np.unique(mesh.faces_unique_edges, return_counts=True)
    before = mesh.faces.copy()
    if not mesh.is_winding_consistent:
        trimesh.repair.fix_winding(mesh)
    if mesh.is_watertight and mesh.is_winding_consistent:
        trimesh.repair.fix_inversion(mesh, multibody=True)
    turned = int((_rotated(mesh.faces) != _rotated(before)).any(axis=1).sum())
    if turned:
        outwards = ", outwards" if mesh.is_watertight else ""
        repairs.append(f"turned {turned} faces so that all are wound alike{outwards}")
    if (counts == 1).any():
        repairs.append(f"the surface is open: {(counts == 1).sum()} edges have one face only, left as they are")
    if (counts > 2).any():
        repairs.append(f"{(counts > 2).sum()} edges belong to more than two faces, left as they are")


def _rotated(faces: np.ndarray) -> np.ndarray:
    """Each face's indices, the smallest first, in the same cyclic order."""
    start = faces.argmin(axis=1)[:, None]
    return np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
