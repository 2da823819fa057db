"""The rasterizer: the same scenes, with direct light alone and without its shadows; in plain torch, without noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...scene.state import SceneState
from .coverage import Rasterizer
from .gather import gather
from .shading import Illumination, Memo

__all__ = ["RasterRenderer"]

GRAZING = 1e-3
"""The least cosine between a shading normal and the viewer, as of the path tracer."""


class RasterRenderer:
    """Renders what the path tracer does, but for cast shadows and interreflection.

    On a convex object it agrees with the path tracer at ``max_depth`` 2: same lights, materials, units, camera and
    pixels (box filter). Where light is blocked, or reflected from one part to another, the two differ, and by nothing
    else. It has no noise: the same scene gives the same image.

    Parameters
    ----------
    state : SceneState
        A first state: its topology, kinds of light and material stay.
    resolution : int
        Pixels along each side of the square image.
    cells : int
        Cells along a side of a pixel that an outline passes.

    Raises
    ------
    UserError
        For a material or light that it does not know.
    """

    noisy = False
    spp = 1

    def __init__(self, state: SceneState, resolution: int = 100, cells: int = 2) -> None:
        # Over so few points threads wait for each other more than they compute.
        self.own_threads = resolution < 256
        self.resolution = resolution
        self.faces = state.faces
        self._rasterizer = Rasterizer(state.faces, resolution, cells)
        self._remembered = Memo()
        Illumination([state], self._remembered)

    def render(self, state: SceneState, seed: int = 0, spp: int | None = None) -> Tensor:
        """The image of a scene.

        Parameters
        ----------
        state : SceneState
            The scene; gradients flow to those of its tensors that require one.
        seed, spp : int
            Of no effect: there is nothing random.

        Returns
        -------
        Tensor
            (H, W, C) float32, linear radiance.
        """
        return self.render_batch([state])[0]

    def render_batch(self, states: Sequence[SceneState], seed: int = 0, spp: int | None = None) -> Tensor:
        """The images of several scenes with the same topology and kinds of lights and material.

        Returns
        -------
        Tensor
            (B, H, W, C).
        """
        vertices = torch.stack([state.vertices for state in states])
        points = self._rasterizer(vertices, torch.stack([state.tan_half_fov for state in states]))
        normals, turned = _normals(vertices, self.faces)
        # Columns of the vertices of all images, one after the other.
        rows = torch.cat([vertices, normals], dim=2).reshape(-1, 6).T
        at = (gather(rows, points.corner) * points.barycentrics.T).sum(1)
        position, normal = at[:3], at[3:]
        viewer = -_unit(position)
        sense = turned.reshape(-1)[points.image * len(self.faces) + points.face]
        normal = _facing(normal * sense, viewer)
        image = None if len(states) == 1 else points.image
        light = Illumination(states, self._remembered)
        values = light.reflected(tuple(position), tuple(normal), tuple(viewer), image)
        return points.image_of(values, torch.stack([state.background for state in states]))


def _normals(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Vertex normals (B, V, 3), and for every face (B, F) 1 where its front is seen, else -1.

    A face counts by its angle at the vertex (Thuermer & Wuethrich 1998, "Computing Vertex Normals from Polygonal
    Facets").
    """
    count, each = vertices.shape[:2]
    rows = vertices.reshape(-1, 3).T
    first_vertex = each * torch.arange(count, device=vertices.device)[:, None]
    corner = (faces.T[:, None] + first_vertex).reshape(3, -1)
    corners = gather(rows, corner)
    edges = corners.roll(-1, 1) - corners
    edges = _unit(edges)
    normal = torch.linalg.cross(edges[:, 0], edges[:, 1], dim=0)
    with torch.no_grad():
        front = torch.where((normal * corners[:, 0]).sum(0) <= 0, 1.0, -1.0)
    normal = _unit(normal)
    ahead = (edges * edges.roll(1, 1)).sum(0)
    # n_v ~ sum_f angle_f n_f, with the angle of the face at the vertex.
    angle = torch.acos((-ahead).clamp(-1 + 1e-6, 1 - 1e-6))
    total = [rows.new_zeros(rows.shape[1]).scatter_add(0, corner.reshape(-1), (n * angle).reshape(-1)) for n in normal]
    return _unit(torch.stack(total)).T.reshape(count, each, 3), front.reshape(count, -1)


def _facing(normal: Tensor, viewer: Tensor) -> Tensor:
    """Normals (3, N), turned just as far that a viewer above the face sees them; of unit length."""
    normal = _unit(normal)
    along = -(normal * viewer).sum(0)
    return _unit(normal + (along + GRAZING).clamp_min(0) * viewer)


def _unit(vectors: Tensor) -> Tensor:
    """Vectors (3, ...) of unit length; one without a length stays so, and has a finite derivative."""
    x, y, z = vectors
    return vectors * (x * x + y * y + z * z).clamp_min(1e-24).rsqrt()
