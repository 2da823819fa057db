"""The renderer's gradients against finite differences, on a body that shadows itself, parameter by parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from mitsuba_mei.scene.scene import Scene

from .finite_differences import Probe, along, difference, gradients, weighting
from .measure import AGREES, NOISY, compared
from .report import Report, Target
from .setting import BUMPY, make_bumpy, scene_of

__all__ = ["run"]

BUMPS = 0.12
BUDGET = {"interior": 32, "silhouette": 8, "shadow": 16, "directions": 128}
PILOT_SEED, SEED = 2**29, 0

SUN = "{type: sun, direction: [-0.9, -0.6, -0.7], irradiance: 3.0, free: [irradiance]}"
CONSTANT = "{type: constant, radiance: 0.3, free: [radiance]}"
AREA = "{type: area, position: [1.5, 2.0, 3.0], size: [1, 1], radiance: 15, free: [position, radiance]}"
TURNED = ["lighting.0.free=[direction]", *(f"{part}.free=[]" for part in ("shape", "pose", "camera", "material"))]
TURNED_BUDGET = {"interior": 512, "silhouette": 0, "shadow": 16, "directions": 128}
"""For the sun's direction alone, whose gradient is noisy: the two sides of its lobe pull against each other."""

LIGHTS = {"sun": [SUN], "constant": [CONSTANT], "both": [SUN, CONSTANT]}
NOTE = "+-: standard errors; step bias: what the extrapolation from two steps took off the plain difference"
PLASTIC = "material={type: plastic, reflectance: 0.7, roughness: 0.3, free: [reflectance, roughness]}"


def run(report: Report, spp: int = 256, each: float = 4.0, backward: float = 12.0) -> None:
    """One table for each lighting, and one of Mitsuba's own estimator.

    Parameters
    ----------
    spp : int
        Samples per pixel of the renders that are differenced.
    each : float
        Seconds at most for the finite differences of one parameter.
    backward : float
        Seconds for the gradients of one scene.
    """
    report.say(
        "Derivatives of a weighted image by the optimizer's coordinates: radians, scene units, logarithms, logits"
    )
    every = []
    for name, lights in LIGHTS.items():
        lighting, lit = (f"lighting=[{', '.join(them)}]" for them in (lights, [*lights, AREA]))
        rows = _rows([lighting], BUDGET, "", spp, each, backward)
        if SUN in lights:
            rows += _rows([lighting, *TURNED], TURNED_BUDGET, "lighting.0.direction", spp, 2 * each, backward)
        rows += _rows([lighting, PLASTIC], BUDGET, "material", spp, each, backward / 2, "plastic: ")
        area = f"lighting.{len(lights)}"
        rows += _rows([lit], BUDGET, area, spp, each, backward / 2, "with an area light: ")
        report.table(f"Light: {name}", rows, NOTE, f"light {name}")
        every += rows
    judged = [row for row in every if row["verdict"] != NOISY]
    kept = sum(row["verdict"] == AGREES for row in judged)
    report.targets(
        Target(f"agree within 5 % beyond the error, % of {len(judged)}", 100 * kept / len(judged), least=100),
        Target(f"of {len(every)} known well enough to tell, %", 100 * len(judged) / len(every), least=90),
    )


def _rows(overrides, budget: dict, part: str, spp: int, each: float, backward: float, prefix: str = "") -> list[dict]:
    """Lines for the free parameters whose path starts with ``part``."""
    config, scene, renderer = scene_of(BUMPY, overrides)
    make_bumpy(scene, BUMPS)
    renderer.gradient = dataclasses.replace(renderer.gradient, **budget)
    weight = weighting(config.render.resolution)
    pilot = {name: g.mean(0) for name, g in gradients(scene, renderer, weight, 0.0, PILOT_SEED, 10).items()}
    found = gradients(scene, renderer, weight, backward, SEED)
    rows = []
    for probe in probes(scene, pilot):
        if probe.parameter.startswith(part):
            *truth, bias = difference(scene, renderer, weight, probe, spp, each)
            rows.append(compared(prefix + probe.label, tuple(truth), along(found, probe), bias))
    return rows


def probes(scene: Scene, pilot: dict[str, Tensor]) -> Iterator[Probe]:
    """Where to differentiate, for all free parameters.

    Axes for what has few coordinates. For offsets and scales: along a gradient estimated with other seeds, where a
    wrong component would show, and in directions that know nothing of it.
    """
    for name, parameter in scene.free_parameters().items():
        if name == "shape.offsets":
            yield from _offset_probes(scene, pilot[name].reshape(parameter.shape).float())
        elif name == "shape.scales":
            step = 0.05
            yield Probe("scales, along the gradient", name, _unit_peak(pilot[name].float()), step)
            yield Probe("scales, all alike", name, torch.ones_like(parameter), step)
        elif name.endswith("direction"):
            # Across the light, the axes lie at 45 degrees to the gradient, so that neither derivative is near zero.
            light = torch.nn.functional.normalize(parameter.detach(), dim=0)
            slope = pilot[name].float()
            slope = torch.nn.functional.normalize(slope - (slope @ light) * light, dim=0)
            across = torch.linalg.cross(light, slope)
            for label, direction in (("one way", slope + across), ("across it", slope - across)):
                yield Probe(f"{name}, {label}", name, direction / 2**0.5, 0.05)
        elif parameter.numel() == 3:
            for axis, direction in zip("xyz", torch.eye(3)):
                yield Probe(f"{name} {axis}", name, direction, 0.1 if name.startswith("lighting") else 0.02)
        else:
            geometric = name.startswith(("pose", "camera"))
            yield Probe(name, name, torch.ones(parameter.shape), 0.02 if geometric else 0.1)


def _offset_probes(scene: Scene, pilot: Tensor) -> Iterator[Probe]:
    name, shape = "shape.offsets", scene.shape
    outwards = torch.nn.functional.normalize(shape.vertices[shape.control_indices], dim=1)
    random = torch.randn(pilot.shape, generator=torch.Generator().manual_seed(7))
    directions = {"along the gradient": pilot, "all outwards": outwards, "at random": random}
    for label, direction in directions.items():
        with torch.no_grad():
            farthest = shape.displacement(direction).norm(dim=1).max()
        yield Probe(f"offsets, {label}", name, direction / farthest, 0.02)


def _unit_peak(direction: Tensor) -> Tensor:
    return direction / direction.abs().max()
