"""A plain soft rasterizer: every pixel against every face, to compare with.

Liu et al. 2019, "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning": a face covers a pixel by a
sigmoid of its signed squared distance, and faces are blended by a softmax of their inverse depths. As in PyTorch3D's
soft Phong shader (Ravi et al. 2020), normals are interpolated and shaded at the pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["SoftRasterizer"]

NEAR, FAR = 0.1, 100.0


class SoftRasterizer:
    """Renders a matt mesh under a directional light and a constant environment, before a background.

    Time grows with pixels times faces. Pixels are taken in chunks that are computed again in the backward pass, so that
    memory does not.

    Parameters
    ----------
    faces : Tensor
        (F, 3).
    resolution : int
        Pixels along a side of the film.
    sigma : float
        Sharpness of outlines, pixels squared.
    gamma : float
        Of the blending, in the normalised inverse depth from 0 (far plane) to 1 (near plane).
    pairs : int
        Of pixels and faces that are held at once.
    """

    def __init__(
        self, faces: Tensor, resolution: int, sigma: float = 0.05, gamma: float = 1e-4, pairs: int = 2**20
    ) -> None:
        self.faces, self.resolution, self.sigma, self.gamma = faces, resolution, sigma, gamma
        self._rows = max(1, pairs // len(faces))
        centre = torch.arange(resolution) + 0.5
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        self._pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3)

    def render(
        self,
        vertices: Tensor,
        tan_half_fov: Tensor,
        towards: Tensor,
        irradiance: float,
        radiance: float,
        reflectance: float,
        background: float,
    ) -> Tensor:
        """The image (H, W), differentiable by ``vertices``.

        Parameters
        ----------
        vertices : Tensor
            (V, 3) in the camera's frame.
        tan_half_fov : Tensor
            Tangent of half the field of view.
        towards : Tensor
            (3,), the unit vector towards the light.
        irradiance, radiance, reflectance, background : float
            Of the light on a plane across it, of the environment, of the surface, and behind it.
        """
        faces = self._faces(vertices, tan_half_fov)
        normals = _normals(vertices, self.faces)[self.faces]

        def shade(pixels: Tensor, *given: Tensor) -> Tensor:
            share, facing = self._blend(pixels, *given, towards)
            lit = reflectance / math.pi * (irradiance * facing + math.pi * radiance)
            return share * lit + (1 - share) * background

        image = _ByChunks.apply(shade, self._pixels.split(self._rows), *faces, normals)
        return image.reshape(self.resolution, self.resolution)

    def _faces(self, vertices: Tensor, tan_half_fov: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the faces on the film: barycentric coordinates, and for every edge distances from its line and along it,
        each as linear functions (3, 3, F) of a pixel's (x, y, 1) by edge; lengths (3, F); and depths (3, F).
        """
        depth = -vertices[:, 2]
        film = vertices[:, :2] * vertices.new_tensor([1, -1]) / (depth * tan_half_fov)[:, None]
        corners = (0.5 * self.resolution * (film + 1))[self.faces].permute(1, 2, 0)
        start, end = corners.roll(-1, 0), corners.roll(-2, 0)
        x, y = (end - start).unbind(1)
        length = (x * x + y * y).clamp_min(1e-12).sqrt()
        across = torch.stack([-y, x, start[:, 0] * y - start[:, 1] * x])
        along = torch.stack([x, y, -(start[:, 0] * x + start[:, 1] * y)])
        area = across.sum(1)[2]
        area = torch.where(area.abs() < 1e-9, 1e-9, area)
        return across / area, torch.stack([across, along]) / length, length, depth[self.faces].T

    def _blend(
        self,
        pixels: Tensor,
        weights: Tensor,
        distances: Tensor,
        length: Tensor,
        depth: Tensor,
        normals: Tensor,
        towards: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Of some pixels (P, 3) the share that is covered, and the cosine towards the light, (P,) each."""
        square = None
        for k in range(3):
            along = pixels @ distances[1, :, k]
            beyond = along - torch.minimum(along.clamp_min(0), length[k])
            each = (pixels @ distances[0, :, k]).square() + beyond.square()
            square = each if square is None else torch.minimum(square, each)
        weight = [pixels @ weights[:, k] for k in range(3)]
        inside = torch.minimum(torch.minimum(weight[0], weight[1]), weight[2]) >= 0
        logit = torch.where(inside, square, -square) / self.sigma
        weight = [each.clamp_min(0) for each in weight]
        total = weight[0] + weight[1] + weight[2]
        weight = [each / total for each in weight]

        def interpolate(values) -> Tensor:
            return weight[0] * values[0] + weight[1] * values[1] + weight[2] * values[2]

        nearness = (interpolate(1 / depth) - 1 / FAR) / (1 / NEAR - 1 / FAR)
        normal = [interpolate(axis.T) for axis in normals.unbind(-1)]
        facing = sum(part * axis for part, axis in zip(normal, towards))
        facing = facing.clamp_min(0) * sum(part * part for part in normal).clamp_min(1e-12).rsqrt()
        blend = torch.softmax(torch.nn.functional.logsigmoid(logit) + nearness / self.gamma, dim=1)
        share = -torch.expm1(torch.nn.functional.logsigmoid(-logit).sum(1))
        return share, (blend * facing).sum(1)


class _ByChunks(torch.autograd.Function):
    """A function of chunks of rows and of ``given`` tensors, computed again chunk by chunk in the backward pass."""

    @staticmethod
    def forward(ctx, function: Callable[..., Tensor], chunks: Sequence[Tensor], *given: Tensor) -> Tensor:
        ctx.function, ctx.chunks = function, chunks
        ctx.save_for_backward(*given)
        return torch.cat([function(chunk, *given) for chunk in chunks])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        given = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
        for chunk, part in zip(ctx.chunks, gradient.split([len(chunk) for chunk in ctx.chunks])):
            with torch.enable_grad():
                value = ctx.function(chunk, *given)
            value.backward(part)
        return None, None, *(tensor.grad for tensor in given)


def _normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Of the vertices, (V, 3): the mean of their faces', by area."""
    a, b, c = vertices[faces].unbind(1)
    normal = torch.linalg.cross(b - a, c - a).repeat_interleave(3, 0)
    return torch.nn.functional.normalize(torch.zeros_like(vertices).index_add(0, faces.reshape(-1), normal), dim=1)
