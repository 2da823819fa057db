"""The rasterizer's images against the path tracer's at depth 2, of bodies that neither shadow nor light themselves."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mitsuba_mei.io.images import write_exr
from mitsuba_mei.render.raster.renderer import RasterRenderer
from mitsuba_mei.render.renderer import Renderer
from mitsuba_mei.scene.state import SceneState

from .raster_coverage import covered, outline_of
from .report import Report, Target
from .setting import SIMPLE_CELL, scene_of

__all__ = ["LIGHTS", "MATERIALS", "SHAPES", "run", "write_sky"]

SHAPES = {"sphere": (1.0, 1.0, 1.0), "ellipsoid": (1.25, 0.65, 0.9)}
"""Factors on the axes of the template, a sphere."""

MATERIALS = {
    "diffuse": "{type: diffuse, reflectance: 0.7}",
    "plastic": "{type: plastic, reflectance: 0.7, roughness: 0.3}",
}

SUN = "{type: sun, direction: [-1, -0.6, -0.7], irradiance: 3, sharpness: 50}"
CONSTANT = "{type: constant, radiance: 0.5}"
AREA = "{type: area, position: [1.5, 2, 2], size: [1, 1], radiance: 10}"
LIGHTS = {
    "sun": [SUN],
    "constant": [CONSTANT],
    "environment": ["{type: environment, path: PATH, rotation: 20}"],
    "spherical harmonics": ["{type: spherical_harmonics, coefficients: [1, 0.5, 0.3, -0.4, 0.2, 0.1, 0.3, 0.1, -0.2]}"],
    "area": [AREA],
    "point": ["{type: point, position: [1.5, 2, 2], intensity: 10}"],
    "directional": ["{type: directional, direction: [-1, -0.6, -0.7], irradiance: 3}"],
    "spot": ["{type: spot, position: [1.5, 2, 2], target: [0.1, 0, 0], intensity: 20, cutoff: 25, beam: 10}"],
    "sun, constant, area": [SUN, CONSTANT, AREA],
}

POSE = "pose={rotation: [20, 30, 10], translation: [0.03, -0.02, 0]}"
COVERAGE_NOTE = (
    "of a pixel's area; exact: the polygon that the body's vertices enclose on the film, cut along pixels' borders"
)
NOTE = (
    "differences over pixels within the outline, % of the mean radiance there; noise: of the path tracer, the same way"
)


def run(report: Report, spp: int = 4096) -> None:
    """A table of coverage and one of radiance.

    Parameters
    ----------
    spp : int
        Samples per pixel of the path tracer.
    """
    coverage = [_coverage(name, spp) for name in SHAPES]
    report.table("Coverage", coverage, COVERAGE_NOTE, "coverage")
    with tempfile.TemporaryDirectory() as folder:
        sky = Path(folder) / "sky.exr"
        write_sky(sky)
        rows = [_radiance(*names, sky, spp) for names in _cases()]
    report.table(f"Radiance inside the outline, path tracer with {spp} samples per pixel", rows, NOTE, "radiance")
    report.targets(
        Target("mean difference, % of the mean radiance", max(row["mean %"] for row in rows), most=1),
        Target("99th percentile of the difference, %", max(row["99th percentile %"] for row in rows), most=3),
        Target("largest difference of a pixel's coverage, %", max(row["largest %"] for row in coverage), most=0.1),
        Target("difference of the area covered, %", max(abs(row["area %"]) for row in coverage), most=0.1),
    )


def _cases() -> Iterator[tuple[str, str, str]]:
    for shape in SHAPES:
        for material in MATERIALS:
            for light in LIGHTS:
                yield shape, material, light


def write_sky(path: Path) -> None:
    """An image of a sky that dims towards the horizon, a bright window, and a chequered ground."""
    v, u = (np.mgrid[:128, :256] + 0.5) / [[[128]], [[256]]]
    sky = 0.4 + 0.6 * np.cos(np.pi * v) ** 2
    ground = 0.1 + 0.15 * ((8 * u).astype(int) + (8 * v).astype(int)) % 2
    image = np.where(v < 0.5, sky, ground)
    image[(np.abs(u - 0.85) < 0.05) & (np.abs(v - 0.3) < 0.08)] = 12.0
    write_exr(path, np.repeat(image[..., None], 3, 2).astype(np.float32))


@torch.no_grad()
def _scene(shape: str, lights: Sequence[str], material: str) -> tuple[SceneState, Renderer, Renderer]:
    """A body before the camera, the path tracer and the rasterizer."""
    overrides = [POSE, "render.max_depth=2", f"lighting=[{', '.join(lights)}]", f"material={material}"]
    config, scene, path = scene_of(SIMPLE_CELL, overrides)
    state = scene(scene.template.vertices * torch.tensor(SHAPES[shape]))
    return state, path, RasterRenderer(state, config.render.resolution, config.render.cells)


@torch.no_grad()
def _radiance(shape: str, material: str, light: str, sky: Path, spp: int) -> dict:
    lights = [each.replace("PATH", str(sky)) for each in LIGHTS[light]]
    state, path, raster = _scene(shape, lights, MATERIALS[material])
    found = raster.render(state)[..., 0]
    one, other = (path.render(state, seed, spp // 2)[..., 0] for seed in (0, 1))
    inside = torch.from_numpy(covered(outline_of(state, len(found)), len(found)) == 1)
    expected = 0.5 * (one + other)
    return {"body": shape, "material": material, "light": light} | _differences(found, expected, one - other, inside)


def _differences(found: Tensor, expected: Tensor, halves: Tensor, inside: Tensor) -> dict:
    """Of images, in per cent of the mean; ``halves`` is how two independent estimates of ``expected`` differ."""
    mean = expected[inside].mean()
    off = (100 / mean * (found - expected)[inside]).double()
    return {
        "mean %": off.abs().mean().item(),
        "99th percentile %": off.abs().quantile(0.99).item(),
        "largest %": off.abs().max().item(),
        "signed mean %": off.mean().item(),
        "noise %": (50 / mean * halves[inside]).abs().mean().item(),
    }


@torch.no_grad()
def _coverage(shape: str, spp: int) -> dict:
    """The rasterizer against the exact coverage, of which the path tracer's is an estimate."""
    state, path, raster = _scene(shape, [CONSTANT], MATERIALS["diffuse"])
    state = dataclasses.replace(state, environment=None, background=torch.ones(1))
    found, estimate = (1 - renderer.render(state, 0, spp)[..., 0].double() for renderer in (raster, path))
    exact = torch.from_numpy(covered(outline_of(state, len(found)), len(found)))
    partly = (exact > 0) & (exact < 1)
    off, traced = (found - exact).abs(), (estimate - exact)[partly]
    return {
        "body": shape,
        "faces": len(state.faces),
        "pixels partly covered": int(partly.sum()),
        "largest %": 100 * off.max().item(),
        "mean of these %": 100 * off[partly].mean().item(),
        "area %": 100 * (found.sum() / exact.sum() - 1).item(),
        "path tracer less exact: mean %": 100 * traced.abs().mean().item(),
        "and area %": 100 * (estimate.sum() / exact.sum() - 1).item(),
    }
