"""How long the rasterizer takes, forward and backward, beside the path tracer and a plain soft rasterizer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from mitsuba_mei.render.renderer import Renderer
from mitsuba_mei.scene.scene import Scene
from mitsuba_mei.scene.state import SceneState

from .report import Report, Target
from .setting import SIMPLE_CELL, make_bumpy, scene_of
from .soft_rasterizer import SoftRasterizer

__all__ = ["fragments", "run", "soft_image"]

THREADS = 2
BUMPS = 0.1
WARMUP = 5

SIZES = {100: (4, 25), 256: (5, 100), 512: (6, 400)}
"""Pixels along a side: subdivisions of the icosphere, and what an iteration may take, ms."""

GEOMETRY = ["pose.free=[rotation, translation, scale]", "camera.free=[fov, distance, azimuth, elevation]"]
LIGHTS = [
    "lighting=[{type: sun, free: [direction, irradiance]}, {type: constant, radiance: 0.3, free: [radiance]}]",
    *GEOMETRY,
]
CONTENDERS = {
    "diffuse": [*GEOMETRY, "lighting=[{type: sun}, {type: constant, radiance: 0.3}]"],
    "diffuse, lights free too": LIGHTS,
    "plastic": [*GEOMETRY, "lighting=[{type: sun}, {type: constant, radiance: 0.3}]", "material={type: plastic}"],
}
NOTE = "under a sun and a constant light; shape, pose and camera are free"
RESOLUTIONS = (64, 128, 256, 512)
SUBDIVISIONS = (2, 3, 4, 5, 6)


def run(report: Report, count: int = 30, soft: int = 2) -> None:
    """A table of the rasterizer's times, one beside others', and one over the number of fragments.

    Parameters
    ----------
    count : int
        Iterations of each contender that are timed.
    soft : int
        Those of the soft rasterizer.
    """
    with _threads(THREADS):
        rows = [_row(resolution, name, count) for resolution in SIZES for name in CONTENDERS]
        beside = _beside(rows[0], count, soft)
        growth = [_growth_row(resolution, 4, count) for resolution in RESOLUTIONS]
        finer = [_growth_row(256, subdivisions, count) for subdivisions in SUBDIVISIONS]
    report.table(f"One iteration of the rasterizer, {THREADS} threads", rows, NOTE, "times")
    smallest = rows[0]
    size = f"{smallest['pixels']} x {smallest['pixels']} pixels, {smallest['faces']} faces"
    report.table(f"Beside others: {size}, diffuse", beside, SOFT_NOTE, "beside others")
    report.table("Time over fragments: more pixels", growth, GROWTH_NOTE, "more pixels")
    report.table("Time over fragments: more faces", finer, GROWTH_NOTE, "more faces")
    judged = [row for row in rows if row["material"] == "diffuse"]
    report.targets(
        *(Target(f"ms at {n} x {n}, diffuse", row["ms"], most=SIZES[n][1]) for row in judged for n in [row["pixels"]]),
        Target("times the soft rasterizer takes longer", beside[-1]["times ours"], least=50),
        Target("growth of log time with log fragments, more pixels", _slope(growth), most=1),
        Target("growth of log time with log fragments, the three sizes", _slope(judged), most=1),
    )


SOFT_NOTE = (
    "path tracer: max_depth 3, 16 spp, default gradient budget; soft: every pixel against every face (Liu et al. "
    "2019), a directional light in place of the sun"
)
GROWTH_NOTE = "fragments: pixel centres in the bounding boxes of all faces on the film, millions"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _setting(resolution: int, subdivisions: int, overrides: Sequence[str]) -> tuple[Scene, Renderer]:
    size = [f"render.resolution={resolution}", f"shape.template.subdivisions={subdivisions}"]
    _, scene, renderer = scene_of(SIMPLE_CELL, [*size, *overrides])
    make_bumpy(scene, BUMPS)
    return scene, renderer


def _timed(render: Callable[[SceneState, int], Tensor], scene: Scene, count: int) -> tuple[list[float], list[float]]:
    """How long each of ``count`` iterations takes, ms: forward and backward, from the deformed vertices on."""
    with torch.no_grad():
        shape = scene.shape()
        shown = render(scene(shape), 0)
    adjoint = torch.randn(shown.shape, generator=torch.Generator().manual_seed(0))
    forward, backward = [], []
    for seed in range(count):
        vertices = shape.clone().requires_grad_()
        began = time.perf_counter()
        image = render(scene(vertices), seed)
        between = time.perf_counter()
        image.backward(adjoint)
        forward.append(1e3 * (between - began))
        backward.append(1e3 * (time.perf_counter() - between))
    return forward, backward


def _medians(render: Callable[[SceneState, int], Tensor], scene: Scene, count: int, warmup: int = WARMUP) -> dict:
    forward, backward = (times[warmup:] for times in _timed(render, scene, warmup + count))
    both = [a + b for a, b in zip(forward, backward)]
    return {
        "forward ms": statistics.median(forward),
        "backward ms": statistics.median(backward),
        "ms": statistics.median(both),
        "fastest ms": min(both),
        "iterations": count,
    }


def _row(resolution: int, name: str, count: int) -> dict:
    scene, renderer = _setting(resolution, SIZES[resolution][0], ["render.type=raster", *CONTENDERS[name]])
    head = {"pixels": resolution, "faces": len(scene.faces), "material": name}
    return head | _medians(renderer.render, scene, count) | _fragments_of(scene, resolution)


def _growth_row(resolution: int, subdivisions: int, count: int) -> dict:
    scene, renderer = _setting(resolution, subdivisions, ["render.type=raster", *CONTENDERS["diffuse"]])
    times = _medians(renderer.render, scene, max(1, count // 2))
    found = _fragments_of(scene, resolution)
    return {
        "pixels": resolution,
        "faces": len(scene.faces),
        **found,
        "ms": times["ms"],
        "ms a million": times["ms"] / found["fragments"],
    }


@torch.no_grad()
def _fragments_of(scene: Scene, resolution: int) -> dict:
    return {"fragments": fragments(scene(), resolution) / 1e6}


def fragments(state: SceneState, resolution: int) -> int:
    """Pixel centres in the bounding boxes of the faces, on the film."""
    film = state.vertices[:, :2] / (-state.vertices[:, 2:] * state.tan_half_fov)
    corners = (0.5 * resolution * (film + 1))[state.faces]
    first, last = ((v - 0.5).clamp(-1, resolution) for v in (corners.amin(1), corners.amax(1)))
    first, last = first.ceil().clamp_min(0), last.floor().clamp_max(resolution - 1)
    return int((last - first + 1).clamp_min(0).prod(1).sum())


def _slope(rows: Sequence[dict]) -> float:
    """Of log time by log fragments, a straight line's."""
    return float(np.polyfit(*(np.log([row[name] for row in rows]) for name in ("fragments", "ms")), 1)[0])


def _beside(ours: dict, count: int, soft: int) -> list[dict]:
    """What others take for the scene of ``ours``."""
    names = ("forward ms", "backward ms", "ms", "fastest ms", "iterations")
    resolution = ours["pixels"]
    overrides = ["render.spp=16", "render.max_depth=3", *CONTENDERS["diffuse"]]
    scene, path = _setting(resolution, SIZES[resolution][0], overrides)
    renderer = SoftRasterizer(scene.faces, resolution)
    found = {
        "rasterizer": ours,
        "path tracer": _medians(path.render, scene, count),
        "soft rasterizer": _medians(lambda state, seed: soft_image(renderer, state), scene, soft, 1),
    }
    return [
        {"renderer": name, **{key: times[key] for key in names}, "times ours": times["ms"] / ours["ms"]}
        for name, times in found.items()
    ]


def soft_image(renderer: SoftRasterizer, state: SceneState) -> Tensor:
    """The image (H, W, 1) of a matt body under one sun, which becomes a directional light, and a constant one."""
    (sun,) = state.lobes
    irradiance = 2 * torch.pi / sun.sharpness * (1 - 1 / sun.sharpness) * sun.peak.item()
    sky = state.environment(sun.axis[None]).item()
    material = state.material.values["reflectance"].item()
    light = sun.axis.detach(), irradiance, sky, material, state.background.item()
    return renderer.render(state.vertices, state.tan_half_fov, *light)[..., None]
