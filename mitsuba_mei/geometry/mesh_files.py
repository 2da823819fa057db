"""Meshes from files: read without trust, cleaned, and said what was cleaned."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import UserError, nearest
from ..io.files import read_ordinary
from .formats.contents import MeshContents, MeshFault, check_count, counted
from .formats.glb import read_glb
from .formats.obj import read_obj
from .formats.ply import read_ply
from .formats.stl import read_stl

__all__ = ["EXTENSIONS", "read_mesh"]

READERS = {".glb": read_glb, ".obj": read_obj, ".ply": read_ply, ".stl": read_stl}

EXTENSIONS = tuple(READERS)

BEGINNINGS = {".glb": b"glTF", ".ply": b"ply", ".stl": b"solid", ".zip": b"PK\3\4", ".gz": b"\x1f\x8b"}

DAMAGE = (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError)
"""What a reader meets with in a file that is not as its format has it."""

MAX_BYTES = 2**30
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
    try:
        contents = READERS[path.suffix.lower()](data, max_faces)
        vertices, faces = contents.vertices, contents.faces
        if len(faces) == 0:
            raise MeshFault(f"has {counted(len(vertices), 'vertex', 'vertices')} but no faces{_instead(contents)}")
        check_count(len(faces), max_faces)
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise MeshFault(f"has faces that name vertices beyond its {len(vertices)}; the file is damaged")
        broken = int((~np.isfinite(vertices).all(axis=1)).sum())
        if broken:
            raise MeshFault(f"has {broken} vertices with a NaN or infinite coordinate; mend or re-export it")
    except MeshFault as fault:
        raise UserError(f"mesh {path} {fault}{_other_kind(path, data)}") from None
    except DAMAGE:
        raise _unreadable(path) from None
    vertices, faces, repairs = _clean(path, vertices, faces)
    return vertices, faces, (*contents.notes, *repairs)


def _instead(contents: MeshContents) -> str:
    return f" ({'; '.join(contents.notes)})" if contents.notes else "; export it as a triangle mesh"


def _other_kind(path: Path, data: bytes) -> str:
    """A hint where a file's first bytes are those of another kind than its name says."""
    for kind, begin in BEGINNINGS.items():
        if kind != path.suffix.lower() and data.lstrip().startswith(begin):
            return f"; it looks like a {kind[1:].upper()} file"
    return ""


def _bytes(path: Path) -> bytes:
    if path.suffix.lower() not in EXTENSIONS:
        raise UserError(f"mesh {path} is of an unknown kind '{path.suffix}'; allowed: {', '.join(EXTENSIONS)}")
    try:
        data = read_ordinary(path, MAX_BYTES)
    except FileNotFoundError:
        raise UserError(f"there is no mesh file {path}; {_neighbours(path)}") from None
    except OSError as error:
        raise UserError(f"mesh {path} cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise UserError(f"mesh {path} is empty")
    return data


def _neighbours(path: Path) -> str:
    """Suggest files similar to a missing one."""
    if not path.parent.is_dir():
        return f"its folder {path.parent} does not exist either"
    meshes = [entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in EXTENSIONS]
    return nearest(path.name, meshes) if meshes else f"and {path.parent} holds no {', '.join(EXTENSIONS)} file"


def _unreadable(path: Path) -> UserError:
    kind = path.suffix[1:].upper()
    return UserError(f"mesh {path} cannot be read as {kind}: it is damaged, truncated or of another kind")


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
        is_kept = keep()
        if not is_kept.all():
            mesh.update_faces(is_kept)
            repairs.append(f"removed {(~is_kept).sum()} {kind} faces")
    if len(mesh.faces) == 0:
        raise UserError(f"mesh {path} has no face with an area: all its {len(faces)} faces are degenerate")
    before = len(mesh.vertices)
    mesh.remove_unreferenced_vertices()
    if len(mesh.vertices) < before:
        repairs.append(f"removed {before - len(mesh.vertices)} vertices left without a face")

    edges = coo_array((np.ones(len(mesh.edges)), mesh.edges.T), shape=(len(mesh.vertices),) * 2)
    bodies, _ = connected_components(edges, directed=False)
    if bodies > 1:
        repairs.append(f"{bodies:,} bodies that do not touch are deformed as one object")
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
    if not mesh.is_winding_consistent:
        repairs.append("its faces cannot all be wound alike, as on a Moebius band")


def _rotated(faces: np.ndarray) -> np.ndarray:
    """Each face's indices, the smallest first, in the same cyclic order."""
    start = faces.argmin(axis=1)[:, None]
    return np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
