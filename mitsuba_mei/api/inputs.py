"""Images and meshes in memory, kept as files that a configuration can name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..config.load import Config, dump
from ..errors import UserError
from ..io.files import write_whole
from ..io.images import write_exr

__all__ = ["is_mesh", "mesh_file", "on_file"]


def inputs_folder() -> Path:
    """``mitsuba_mei/inputs`` in the user's cache folder; its files are named by their content, and stay."""
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "mitsuba_mei", "inputs")


def on_file(value: Any, what: str) -> Any:
    """A value of a scene file, where paths, images and problems in memory become names of files.

    Raises
    ------
    UserError
        For an array that is no image of linear radiance.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    value = getattr(value, "config", value)  # of a problem in memory
    if isinstance(value, Config):
        text = dump(value)
        return _kept([np.frombuffer(text.encode(), np.uint8)], ".yaml", lambda path: path.write_text(text, "utf-8"))
    if isinstance(value, Mapping):
        return {name: on_file(each, f"{what}.{name}") for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [on_file(each, f"{what}[{index}]") for index, each in enumerate(value)]
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return _image_file(value, what) if isinstance(value, np.ndarray) and value.ndim > 1 else value


def is_mesh(value: Any) -> bool:
    """Whether a value has vertices and faces, as a ``trimesh.Trimesh``."""
    return hasattr(value, "vertices") and hasattr(value, "faces")


def mesh_file(mesh: Any) -> str:
    """Name of a PLY file with the triangles of a mesh in memory."""
    import trimesh

    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise UserError(
            f"Scene: the mesh has vertices of shape {vertices.shape} and faces of shape {faces.shape}; give (V, 3) and "
            "(F, 3)"
        )
    plain = trimesh.Trimesh(vertices, faces, process=False)
    return _kept([vertices, faces], ".ply", lambda path: plain.export(path, file_type="ply"))


def _image_file(image: np.ndarray, what: str) -> str:
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise UserError(f"{what} has the shape {image.shape}; give linear radiance (H, W), (H, W, 1) or (H, W, 3)")
    if image.dtype.kind != "f":
        raise UserError(
            f"{what} holds {image.dtype}; give linear radiance in floats, where 1 is white (pixels / 255 is not linear)"
        )
    if not np.isfinite(image).all() or image.min() < 0:
        raise UserError(f"{what} has values that are negative or not finite; give linear radiance")
    image = np.ascontiguousarray(image, np.float32)
    return _kept([image], ".exr", lambda path: write_exr(path, image))


def _kept(arrays: list[np.ndarray], suffix: str, write: Callable[[Path], Any]) -> str:
    """Name of the file of that content; it is written where there is none yet."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    path = inputs_folder() / f"{digest.hexdigest()[:32]}{suffix}"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write)
    return str(path)
