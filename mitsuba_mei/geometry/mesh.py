"""Template meshes and their connectivity."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor

from ..config import scene as schema
from ..config.arguments import checked, described, signature_of
from ..config.fields import Part
from ..config.quantities import kind_of
from .mesh_files import read_mesh

__all__ = ["TriangleMesh", "TEMPLATES", "icosphere", "cube", "torus", "capsule", "file"]


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """A triangle mesh whose faces share their vertices.

    The templates are centred at the origin, their farthest vertex is at distance 1, and their faces run
    counter-clockwise when seen from outside.

    Parameters
    ----------
    vertices : Tensor
        Positions, ``(V, 3)`` float32, in object units.
    faces : Tensor
        Vertex indices, ``(F, 3)`` int64.
    repairs : tuple of str
        What was left out or changed when the mesh was read, and what is left to know about it, in words.
    from_file : bool
        Whether it was read from a file, and may have flaws of its own.
    """

    vertices: Tensor
    faces: Tensor
    repairs: tuple[str, ...] = ()
    from_file: bool = False

    @cached_property
    def _halfedges(self) -> tuple[Tensor, Tensor]:
        """Every face's three directed edges, ``(3F, 2)``, and the undirected edge each belongs to, ``(3F,)``."""
        directed = self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        low, high = directed.min(dim=1).values, directed.max(dim=1).values
        _, edge = torch.unique(low * len(self.vertices) + high, return_inverse=True)
        return directed, edge

    @cached_property
    def edges(self) -> Tensor:
        """Undirected edges, ``(E, 2)`` int64: each once, the lower index first, in lexicographic order."""
        directed, edge = self._halfedges
        edges = torch.empty((int(edge.max()) + 1, 2), dtype=torch.int64)
        edges[edge] = directed.sort(dim=1).values
        return edges

    @cached_property
    def edge_faces(self) -> Tensor:
        """The two faces at each edge, ``(E, 2)`` int64, -1 where there is none.

        The first is the face in which the edge runs from ``edges[:, 0]`` to ``edges[:, 1]``, the second the one in
        which it runs back. At an edge of more than two faces, one of each direction is named.
        """
        directed, edge = self._halfedges
        side = (directed[:, 0] > directed[:, 1]).long()
        face = torch.arange(len(self.faces)).repeat_interleave(3)
        pairs = torch.full((len(self.edges), 2), -1, dtype=torch.int64)
        pairs[edge, side] = face
        return pairs

    @cached_property
    def face_areas(self) -> Tensor:
        """Areas of the faces, ``(F,)``, in object units squared."""
        corners = self.vertices[self.faces]
        normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
        return normals.norm(dim=1) / 2

    @cached_property
    def vertex_areas(self) -> Tensor:
        """A third of the area of the faces around each vertex, ``(V,)``; they add up to the surface's area."""
        thirds = (self.face_areas / 3).repeat_interleave(3)
        return torch.zeros(len(self.vertices)).index_add_(0, self.faces.reshape(-1), thirds)

    @cached_property
    def is_watertight(self) -> bool:
        """Whether every edge joins exactly two faces, which run along it in opposite directions."""
        _, edge = self._halfedges
        return bool((torch.bincount(edge) == 2).all() and (self.edge_faces >= 0).all())


def _template(vertices: np.ndarray, faces: np.ndarray, repairs: tuple[str, ...] = ()) -> TriangleMesh:
    """Scale so that the farthest vertex is at distance 1, and turn into tensors."""
    vertices = vertices / np.linalg.norm(vertices, axis=1).max()
    return TriangleMesh(
        torch.as_tensor(vertices.astype(np.float32)), torch.as_tensor(faces.astype(np.int64)), tuple(repairs)
    )


def _welded(mesh: trimesh.Trimesh) -> TriangleMesh:
    """A primitive with vertices of the same place merged and collapsed faces dropped."""
    mesh.merge_vertices()
    mesh.update_faces(mesh.nondegenerate_faces())
    mesh.remove_unreferenced_vertices()
    return _template(np.asarray(mesh.vertices), np.asarray(mesh.faces))


TEMPLATES: dict[str, Callable[..., TriangleMesh]] = {}
"""Every template by its ``type`` in the scene file."""


def _template_of(part: type[Part]) -> Callable[[Callable[..., TriangleMesh]], Callable[..., TriangleMesh]]:
    """Call a function by a mapping of the scene file, by its names, defaults and ranges, and list it as a template."""

    def decorate(function: Callable[..., TriangleMesh]) -> Callable[..., TriangleMesh]:
        signature = signature_of(part)

        @functools.wraps(function)
        def build(*values, **named) -> TriangleMesh:
            settings = checked(part, kind_of(part), signature.bind(*values, **named).arguments)
            return function(**{name: getattr(settings, name) for name in signature.parameters})

        build.__signature__ = signature
        build.__doc__ = f"{function.__doc__}\n\n{described(part)}"
        TEMPLATES[kind_of(part)] = build
        return build

    return decorate


@_template_of(schema.Icosphere)
def icosphere(subdivisions: int) -> TriangleMesh:
    """The unit sphere as an icosahedron, subdivided."""
    return _welded(trimesh.creation.icosphere(subdivisions=subdivisions))


@_template_of(schema.Cube)
def cube(subdivisions: int) -> TriangleMesh:
    """A cube with corners on the unit sphere, each side split in squares."""
    mesh = trimesh.creation.box()
    for _ in range(subdivisions):
        mesh = mesh.subdivide()
    return _welded(mesh)


@_template_of(schema.Torus)
def torus(tube_radius: float, segments: int, tube_segments: int) -> TriangleMesh:
    """A torus around the z axis, its hole towards the camera."""
    return _welded(trimesh.creation.torus(1.0, tube_radius, segments, tube_segments))


@_template_of(schema.Capsule)
def capsule(aspect: float, segments: int) -> TriangleMesh:
    """A cylinder along y with a half sphere at either end; rings along it are as far apart as sections are wide."""
    straight = 2 * (aspect - 1)  # the radius is 1
    rings = math.ceil(segments / 4)
    angles = np.linspace(0, np.pi / 2, rings + 1)
    cap = np.stack([np.sin(angles), np.cos(angles) + straight / 2], axis=1)
    spans = max(1, round(straight / (2 * np.pi / segments)))
    side = np.stack([np.ones(spans - 1), np.linspace(straight / 2, -straight / 2, spans + 1)[1:-1]], axis=1)
    profile = np.concatenate([cap, side, cap[::-1] * [1, -1]])
    profile[[0, -1], 0] = 0
    mesh = trimesh.creation.revolve(profile[::-1], sections=segments)  # around z
    mesh.vertices = mesh.vertices[:, [1, 2, 0]]  # an even permutation: z becomes y, the winding stays
    return _welded(mesh)


@_template_of(schema.FileTemplate)
def file(path: str, max_faces: int) -> TriangleMesh:
    """A mesh from a PLY, OBJ, STL or GLB file, cleaned, centred and scaled.

    What of a file is no surface (materials, colours, lines, animations) is left out, and what cannot be read refused.
    Vertices of the same place are merged; degenerate and duplicate faces and vertices of no face are removed; faces
    are wound alike and, where the surface is closed, outwards; the middle of the bounding box moves to the origin. A
    GLB's several geometries become one mesh.
    """
    return replace(_template(*read_mesh(Path(path), max_faces)), from_file=True)
