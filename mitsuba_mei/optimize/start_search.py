"""Where an optimization of turns and directions should start: gradients lead to the next hilltop only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..neurons.image_error import ImageError
from ..pipeline import Pipeline
from ..regularizers import Regularizers
from ..render.raster.renderer import RasterRenderer
from ..scene.camera import Camera
from ..scene.distant_emitters import harmonics
from ..scene.state import SceneState
from .loop import optimize
from .loss import ActivationLoss
from .optimizer import OptimizerSettings

__all__ = ["find_start", "spread_rotations"]

SMALL = 28
"""Pixels along a side of the images that are compared first."""

FIRST, SECOND = 40, 3
"""How many of the best are improved, on small images; and how many of these on whole ones."""

SUNS = 12
"""Directions that a sun is tried from, before it is improved."""

STEPS, RATE = 25, 0.08
"""Of an improvement; radians, about."""

BANDS = 9
"""Spherical harmonics that stand for any light: a matt surface hardly answers to more (Basri & Jacobs 2003, Lambertian
reflectance and linear subspaces, IEEE PAMI 25:218-233)."""

RIDGE = 1e-3


@dataclass(frozen=True)
class Start:
    """Turn and directions that were tried.

    Attributes
    ----------
    rotation : Tensor
        (3, 3), of the object.
    directions : tuple of Tensor
        (3,) each, of the lights whose direction is free.
    value : float
        The activation, rasterized.
    """

    rotation: Tensor
    directions: tuple[Tensor, ...]
    value: float = -math.inf


def spread_rotations(count: int, first: Tensor) -> Tensor:
    """Rotations (count, 3, 3) spread evenly over all, the first of which may lie anywhere.

    Super-Fibonacci spirals (Alexa 2022, Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3), CVPR), turned
    as a whole.

    Parameters
    ----------
    count : int
    first : Tensor
        (3, 3), the turn of them all.
    """
    phi, psi = math.sqrt(2), 1.533751168755204288118041
    s = torch.arange(count, dtype=torch.float64) + 0.5
    t = s / count
    inner, outer = t.sqrt(), (1 - t).sqrt()
    alpha, beta = 2 * math.pi * s / phi, 2 * math.pi * s / psi
    quaternions = torch.stack([inner * alpha.sin(), inner * alpha.cos(), outer * beta.sin(), outer * beta.cos()], dim=1)
    return roma.unitquat_to_rotmat(quaternions) @ first.double()


def find_start(
    pipeline: Pipeline,
    count: int,
    seed: int,
    restart: int = 0,
    on_message: Callable[[], None] = lambda: None,
) -> None:
    """Turn the object and the lights of a scene, where these are free, to where an optimization should start.

    ``count`` random turns and directions are looked at through the rasterizer, the best are improved by a few steps,
    and the best of these is left in the scene. The scene's own turn and directions count among the best of the first
    start, so that it is never left with worse, seen through the rasterizer.

    Where images are to be matched and the light is unknown too, a turn is judged by how well it explains the images
    under any light at all: the images of an object are linear in the light, so that one of nine channels, each lit by a
    spherical harmonic, says it by least squares. The sun is then looked for where that light's dipole is, and in a few
    directions more.

    Parameters
    ----------
    pipeline : Pipeline
        Its scene is moved.
    count : int
        How many are looked at.
    seed, restart : int
        Of what is drawn.
    on_message : callable
        Called after each.
    """
    finder = _StartSearch(pipeline)
    own = [finder.own()] if restart == 0 else []
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence((seed, restart, count)).generate_state(1)[0]))
    turn = roma.random_rotmat(generator=generator, dtype=torch.float64)
    starts = []
    for rotation in spread_rotations(count, turn):
        starts.append(finder.evaluated(rotation.float(), generator))
        on_message()
    starts = [finder.is_lit(start) for start in _best(starts, FIRST)]
    for whole, kept in ((False, FIRST), (True, SECOND)):
        starts = [finder.improved(start, whole) for start in (*own, *_best(starts, kept))]
    finder.apply(_best([*starts, *own], 1)[0])


def _around(count: int) -> Tensor:
    """Unit vectors (count, 3) spread evenly over the sphere: a Fibonacci lattice (Gonzalez 2010, Mathematical
    Geosciences 42:49-64).
    """
    i = torch.arange(count) + 0.5
    z, angle = 1 - 2 * i / count, math.pi * (1 + math.sqrt(5)) * i
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], dim=1)


def _best(starts: list[Start], count: int) -> list[Start]:
    """Those of the highest values; one that is not finite is none."""
    return sorted(starts, key=lambda start: -start.value if math.isfinite(start.value) else math.inf)[:count]


class _StartSearch:
    """Tries starts of a scene, through the rasterizer."""

    def __init__(self, pipeline: Pipeline) -> None:
        scene, observer = pipeline.scene, pipeline.observer
        free = scene.free_parameters()
        self._scene = scene
        self._moved = scene.rotation_parameters()
        self._turns = "pose.rotation" in self._moved
        emitters = enumerate(scene.lighting.emitters)
        self._lights = [light for i, light in emitters if f"lighting.{i}.direction" in self._moved]
        self._kept = [(parameter, parameter.detach().clone()) for parameter in free.values()]
        size = pipeline.renderer.resolution
        with torch.no_grad():
            state, self._shape = scene(), scene.shape()
        bare = replace(pipeline, regularizers=Regularizers(scene.template, {}), penalties=())
        self._whole = self._small = replace(bare, renderer=RasterRenderer(state, size))
        self._explains = None
        if isinstance(observer, ImageError) and observer.error != "responses":
            small = min(SMALL, size)
            self._small = replace(bare, renderer=RasterRenderer(state, small), observer=observer.smaller(small))
            if self._turns and self._lights:
                self._explains = _AnyLight(self._small, self._shape)

    def own(self) -> Start:
        """The scene as it stands."""
        return self._standing(self._whole)

    @torch.no_grad()
    def apply(self, start: Start) -> None:
        """Move the scene there; all else is as it was."""
        for parameter, value in self._kept:
            parameter.copy_(value)
            parameter.grad = None
        if self._turns:
            self._scene.pose.start.copy_(start.rotation)
            self._scene.pose.rotation.zero_()
        for light, direction in zip(self._lights, start.directions):
            light.direction.copy_(direction)

    @torch.no_grad()
    def evaluated(self, rotation: Tensor, generator: torch.Generator) -> Start:
        """A turn with random directions of the lights, or with the one that explains the images best."""
        directions = F.normalize(torch.randn(len(self._lights), 3, generator=generator), dim=1)
        start = Start(rotation, tuple(directions.to(self._scene.background.device)))
        self.apply(start)
        if self._explains is None:
            return replace(start, value=_worth(self._small, self._shape))
        error, towards = self._explains()
        return Start(rotation, (-towards, *start.directions[1:]), -error)

    @torch.no_grad()
    def is_lit(self, start: Start) -> Start:
        """A start under the best of a few suns, its own among them, where any light was allowed."""
        if self._explains is None:
            return start
        evaluated = []
        for first in (start.directions[0], *_around(SUNS).to(start.rotation)):
            other = replace(start, directions=(first, *start.directions[1:]))
            self.apply(other)
            evaluated.append(replace(other, value=_worth(self._small, self._shape)))
        return _best(evaluated, 1)[0]

    def improved(self, start: Start, whole: bool) -> Start:
        """What some steps make of a start, on whole images or on small ones."""
        pipeline = self._whole if whole else self._small
        self.apply(start)
        optimize(_Turn(pipeline, self._moved), OptimizerSettings(STEPS, {"turn": RATE}, warmup=2), 0)
        return self._standing(pipeline)

    @torch.no_grad()
    def _standing(self, pipeline: Pipeline) -> Start:
        """Turn and directions as they are, and what they are worth."""
        value = _worth(pipeline, self._shape)
        directions = tuple(F.normalize(light.direction, dim=0) for light in self._lights)
        return Start(self._scene.pose.rotation_matrix().clone(), directions, value)


def _worth(pipeline: Pipeline, shape: Tensor) -> float:
    """The objective of a scene, signed so that more is better."""
    return pipeline.observer.objective.sign * pipeline.observe(0, shape=shape).activation.item()


class _Turn(ActivationLoss):
    """Moves turn and directions, whatever else is free."""

    def __init__(self, pipeline: Pipeline, moved: dict[str, nn.Parameter]) -> None:
        super().__init__(pipeline, watch=lambda step: None)
        self._moved = list(moved.values())

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """What is moved, as one group."""
        return {"turn": self._moved}


class _AnyLight:
    """How well the object, as it stands, explains the target under the light that explains it best."""

    def __init__(self, pipeline: Pipeline, shape: Tensor) -> None:
        self._scene, self._shape, observer = pipeline.scene, shape, pipeline.observer
        self._cameras = pipeline.cameras or (None,)
        self._target = torch.stack(observer.target.chunk(observer.views, dim=1)).mean(dim=-1)
        contrast = self._target - self._target.mean(dim=(1, 2), keepdim=True)
        self._scale = contrast.square().mean().sqrt()
        self._renderer = RasterRenderer(self._states()[0], pipeline.renderer.resolution)

    def __call__(self) -> tuple[float, Tensor]:
        """The error that is left, and the unit vector (3,) to where most of that light comes from."""
        states = self._states()
        images = self._renderer.render_batch(states)
        background = self._scene.background.mean()
        residual_target = (self._target - background * images[..., BANDS]).flatten()
        basis = images[..., :BANDS].reshape(-1, BANDS)
        square = basis.T @ basis
        square = square + RIDGE * square.diagonal().mean() * torch.eye(BANDS, device=square.device)
        light = torch.linalg.solve(square, basis.T @ residual_target)
        error = (residual_target - basis @ light).square().mean().sqrt() / self._scale
        return error.item(), F.normalize(light[[3, 1, 2]], dim=0)

    def _states(self) -> list[SceneState]:
        """The scene from every camera in as many channels as there are harmonics, and one with the background alone."""
        return [self._lit(self._scene(self._shape, camera), camera or self._scene.camera) for camera in self._cameras]

    @staticmethod
    def _lit(state: SceneState, camera: Camera) -> SceneState:
        rotation = camera.rotation_matrix()

        def environment(directions: Tensor) -> Tensor:
            return F.pad(harmonics(directions @ rotation)[:, :BANDS], (0, 1))

        values = {**state.material.values, "reflectance": state.background.new_full((BANDS + 1,), 0.5)}
        return replace(
            state,
            environment=environment,
            detail=16,
            lights=(),
            lobes=(),
            material=replace(state.material, values=values),
            background=F.pad(state.background.new_zeros(BANDS), (0, 1), value=1.0),
        )
