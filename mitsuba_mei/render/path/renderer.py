"""The path tracer as a torch function of the scene's tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import torch
from torch import Tensor

from ...scene.state import SceneState
from ..memory import MAX_PATHS
from ..path import boundary
from .bsdf import build_coat, build_material, update_material
from .edges import Edges
from .environment import EnvironmentTable, TexelMeans
from .film import Film
from .lights import build_light, spectrum
from .sampler import Sampler
from .transport import RenderContext, radiance

__all__ = ["GradientBudget", "PathRenderer"]


@dataclass(frozen=True)
class GradientBudget:
    """Samples per pixel for a gradient: of continuous change, of silhouettes, and of shadow edges.

    ``directions`` is the number of directions of light in which shadow edges are looked for.
    """

    interior: int = 20
    silhouette: int = 2
    shadow: int = 1
    directions: int = 96


class PathRenderer:
    """Renders scenes of one mesh and one kind of material with Mitsuba's ray tracing and materials.

    The mesh and its acceleration structure are loaded once; every call updates them. Image and gradient use independent
    samples, so that the gradient of a nonlinear function of the image carries no correlation with the image's noise.

    Parameters
    ----------
    state : SceneState
        A first state: its topology, kinds of light and material stay.
    resolution : int
        Pixels along each side of the square image.
    spp : int
        Samples per pixel of the image.
    max_depth : int
        Segments of the longest light path: 2 is direct light, 3 one interreflection.
    gradient : GradientBudget
        Samples of the gradient.
    """

    noisy = True
    own_threads = True

    def __init__(
        self,
        state: SceneState,
        resolution: int = 100,
        spp: int = 16,
        max_depth: int = 3,
        gradient: GradientBudget = GradientBudget(),
    ) -> None:
        self.resolution = resolution
        self.spp = spp
        self.max_depth = max_depth
        self.gradient = gradient
        self.channels = len(mi.Spectrum())
        self._means: dict[int, TexelMeans] = {}
        self._shown: dict | None = None
        self._bsdf = build_material(state.material)
        faces = state.faces.detach().cpu().numpy()
        properties = mi.Properties()
        properties["bsdf"] = self._bsdf
        mesh = mi.Mesh("object", len(state.vertices), len(faces), properties, has_vertex_normals=True)
        parameters = mi.traverse(mesh)
        parameters["faces"] = mi.UInt32(faces.astype("uint32").ravel())
        parameters["vertex_positions"] = _to_drjit(state.vertices)
        parameters.update()
        self._scene = mi.load_dict({"type": "scene", "object": mesh})
        self._parameters = mi.traverse(self._scene)
        self._positions = next(key for key in self._parameters.keys() if key.endswith("vertex_positions"))
        self._material = mi.traverse(self._bsdf)
        self._coat = build_coat(self._bsdf, state.material)
        self._edges = Edges.of(state.vertices.detach().cpu().numpy(), faces)

    def render(self, state: SceneState, seed: int, spp: int | None = None) -> Tensor:
        """The image of a scene.

        Parameters
        ----------
        state : SceneState
            The scene; gradients flow to those of its tensors that require one.
        seed : int
            Independent samples for every seed.
        spp : int, optional
            Samples per pixel of the image, in place of the renderer's own.

        Returns
        -------
        Tensor
            (H, W, C) float32, linear radiance.
        """
        tensors = {"vertices": state.vertices, "tan_half_fov": state.tan_half_fov, "background": state.background}
        if (distant := state.distant) is not None:
            detail = state.distant_detail
            if detail not in self._means:
                self._means[detail] = TexelMeans(detail, state.vertices.device)
            tensors["environment"] = self._means[detail](distant)
        tensors |= {f"material.{name}": value for name, value in state.material.values.items()}
        for i, light in enumerate(state.lights):
            tensors |= {f"lights.{i}.{name}": value for name, value in light.values.items()}
        spp = self.spp if spp is None else spp
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors.values()):
            return _Render.apply(self, state, seed, spp, tuple(tensors), *tensors.values())
        values = {name: _to_drjit(t) for name, t in tensors.items()}
        with dr.suspend_grad():
            return self._image(*self._world(state, values), seed, spp).to(state.vertices.device)

    def render_batch(self, states: Sequence[SceneState], seed: int, spp: int | None = None) -> Tensor:
        """The images (B, H, W, C) of several scenes with the same topology and kinds of lights and material."""
        return torch.stack([self.render(state, seed + i * BATCH, spp) for i, state in enumerate(states)])

    def _world(self, state: SceneState, values: dict) -> tuple[RenderContext, Film]:
        """The scene around the (attached) ``values``; mesh and material are updated on the way."""
        self._shown = values
        self._parameters[self._positions] = values["vertices"]
        self._parameters.update()
        update_material(self._material, state.material, values)
        bsdf = self._bsdf
        if self._coat is not None and dr.grad_enabled(values["material.roughness"]):
            bsdf = self._coat
            bsdf.update(state.material, values)
        environment = None
        if "environment" in values:
            environment = EnvironmentTable(values["environment"], state.distant_detail)
        world_lights = []
        for i, light in enumerate(state.lights):
            world_lights.append(build_light(light, {name: values[f"lights.{i}.{name}"] for name in light.values}))
        world = RenderContext(
            self._scene,
            self._scene.shapes()[0],
            bsdf,
            environment,
            world_lights,
            spectrum(values["background"]),
            self.max_depth,
        )
        return world, Film(self.resolution, values["tan_half_fov"])

    def _primary(self, world: RenderContext, film: Film, sampler: Sampler) -> mi.Spectrum:
        with dr.suspend_grad():
            q = film.samples(sampler)
        return radiance(world, film.ray(q), sampler)[0]

    def _image(self, world: RenderContext, film: Film, seed: int, spp: int) -> Tensor:
        """The image, in passes that bound the memory."""
        passes = max(1, math.ceil(spp * self.resolution**2 / MAX_PATHS))
        each = math.ceil(spp / passes)
        total = None
        for i in range(passes):
            sampler = Sampler(self.resolution**2, each, seed, i)
            pixels = dr.ravel(dr.block_sum(self._primary(world, film, sampler), each)) / each
            dr.eval(pixels)
            total = pixels if total is None else total + pixels
        image = (total / passes).torch()
        dr.sync_thread()
        return image.reshape(self.resolution, self.resolution, self.channels).clone()

    def _objective(
        self, world: RenderContext, film: Film, vertices: mi.Float, adjoint: mi.Float, seed: int
    ) -> mi.Float:
        """A scalar whose derivative is that of ``sum(adjoint * image)``."""
        pixels, budget = self.resolution**2, self.gradient
        total = mi.Float(0)
        if budget.interior:
            values = self._primary(world, film, Sampler(pixels, budget.interior, seed, INTERIOR))
            pixel = dr.arange(mi.UInt32, pixels * budget.interior) // budget.interior
            for c in range(self.channels):
                total += dr.sum(values[c] * dr.gather(mi.Float, adjoint, pixel * self.channels + c)) / budget.interior
        view = boundary.View(world, self._edges, vertices, film, adjoint)
        if budget.silhouette and dr.grad_enabled(vertices, film.tan_half_fov):
            total += boundary.silhouette_term(view, Sampler(pixels * budget.silhouette, 1, seed, SILHOUETTE))
        if budget.shadow:
            directions = Sampler(budget.directions, 1, seed, DIRECTIONS)
            total += boundary.shadow_term(view, Sampler(pixels * budget.shadow, 1, seed, SHADOW), directions)
        return total


BATCH = 2**48
"""Between the seeds of the images of a batch."""

INTERIOR, SILHOUETTE, SHADOW, DIRECTIONS = range(1_000_000, 1_000_004)
"""Streams of random numbers beside those of an image's passes."""


class _Render(torch.autograd.Function):
    """The bridge: torch tensors in, image out, and back."""

    @staticmethod
    def forward(ctx, renderer: PathRenderer, state: SceneState, seed: int, spp: int, names, *tensors):
        values = {name: _to_drjit(t) for name, t in zip(names, tensors)}
        free = [name for name, needs_grad in zip(names, ctx.needs_input_grad[5:]) if needs_grad]
        for name in free:
            dr.enable_grad(values[name])
        world, film = renderer._world(state, values)
        with dr.suspend_grad():
            image = renderer._image(world, film, seed, spp)
        ctx.bridge = renderer, state, world, film, values, free, seed
        ctx.names, ctx.shapes, ctx.device = names, [t.shape for t in tensors], tensors[0].device
        return image.to(ctx.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, adjoint: Tensor):
        renderer, state, world, film, values, free, seed = ctx.bridge
        ctx.bridge = None
        if renderer._shown is not values:  # another scene was rendered in between
            world, film = renderer._world(state, values)
        total = renderer._objective(world, film, values["vertices"], _to_drjit(adjoint), seed)
        dr.backward(total)
        gradients = {name: dr.grad(values[name]) for name in free}
        dr.eval(gradients)
        result = [
            gradients[name].torch().reshape(shape).to(ctx.device).clone() if name in free else None
            for name, shape in zip(ctx.names, ctx.shapes)
        ]
        dr.sync_thread()
        return None, None, None, None, None, *result


def _to_drjit(tensor: Tensor) -> mi.Float:
    """A flat copy of a tensor."""
    if tensor.is_cuda:
        # Dr.Jit works on a stream of its own.
        torch.cuda.current_stream().synchronize()
    return mi.Float(tensor.detach().float().contiguous().reshape(-1).clone())
