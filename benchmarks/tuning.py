"""Tuning against closed forms: preferred orientation and light, and whether errors mean what they say."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh

from mitsuba_mei.config.sections import RENDERERS
from mitsuba_mei.experiments.tune import run_tuning
from mitsuba_mei.experiments.tuning_plan import Subject, TuningRequest, planned, subject_of
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.runs.results import TuningResult
from mitsuba_mei.runs.tuning_grid import points
from mitsuba_mei.stimulus import Stimulus

from .report import Report, Target

__all__ = ["run", "seen_bars", "seen_sphere", "write_bars"]

RESOLUTION, FOV, DISTANCE = 64, 35.0, 5.0
MASK = {"sigma": 0.5}
FINE = 8
"""Samples along a side of a pixel, of a closed form's image."""

ORIENTATIONS = (0.0, 30.0, 75.0, 120.0)
BARS, THICKNESS, SPACING, LENGTH = 5, 0.04, 0.4, 1.7
"""Of a row of bars along x: how many, how thick (to the camera), how far from middle to middle, how long."""

GRATING = f"""
shape: {{template: {{type: file, path: bars.ply}}, rbf: {{control_points: 8}}, free: []}}
camera: {{fov: {FOV:g}, distance: {DISTANCE:g}}}
lighting: [{{type: constant, radiance: 0.9}}]
material: {{type: diffuse, reflectance: 0.9}}
background: 0.1
"""
BALL_REFLECTANCE, IRRADIANCE = 0.8, 3.0
BALL = f"""
shape: {{template: {{type: icosphere, subdivisions: 5}}, rbf: {{control_points: 8}}, free: []}}
camera: {{fov: {FOV:g}, distance: {DISTANCE:g}}}
lighting: [{{type: directional, direction: [0, 0, -1], irradiance: {IRRADIANCE:g}}}]
material: {{type: diffuse, reflectance: {BALL_REFLECTANCE:g}}}
background: 0
"""
REST = f"""
model: {{card: cells.yaml, neuron: 0}}
stimulus: {{norm: 25, mask: {{sigma: {MASK["sigma"]:g}}}}}
render: {{resolution: {RESOLUTION}, max_depth: 2}}
evaluate: {{spp: 64, repeats: 4}}
"""
INPUT = f"input: {{size: {RESOLUTION}, channels: 1, mean: 124.5, std: 70.3}}\n"
HEIGHTS = (-0.3, -0.2, -0.1)
"""Where horizontal edges are looked for in the image of a ball, half image widths above the middle."""


SMALL = ("shape.template.subdivisions=3",)
SPP, TRUTH_SPP, TRUTH_SEED = 1, 256, 1000
"""Samples of each of 32 renders of a point whose error is judged, and of the truth; and the truth's seed."""


class _Silent:
    """Nobody is told how a tuning goes on."""

    def start(self, steps, label="", done=0): ...
    def doing(self, text): ...
    def step(self, info): ...
    def message(self, text): ...
    def stop(self): ...


def run(report: Report, seeds: int = 40) -> None:
    """Preferred values under both renderers against closed forms; then the coverage of standard errors.

    Parameters
    ----------
    seeds : int
        How often a curve is measured; ten points each.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gratings = _gratings(folder)
        note = "bandwidth: half width at half height above the least; degrees"
        report.table("Orientation of a row of bars", gratings, note, "orientation")
        lights = _lights(folder)
        report.table("Elevation of the light on a ball", lights, "degrees", "elevation")
        coverage = _coverage(folder, seeds)
        report.table(
            f"Truth within the errors, {seeds} curves", coverage, "of a truth with 256 times the samples", "coverage"
        )
    within = [row["within 2 SE"] for row in coverage]
    held = [row["in the interval"] for row in coverage]
    report.targets(
        Target("preferred orientation off, deg", max(row["off"] for row in gratings), most=3),
        Target("preferred elevation off, deg", max(row["off"] for row in lights), most=3),
        Target("points in coverage", float(sum(row["points"] for row in coverage)), least=400),
        Target("share within two standard errors", float(np.mean(within)), least=0.93, most=0.97),
        Target("share in the 95 % intervals", float(np.mean(held)), least=0.93, most=0.97),
    )


# ------------------------------------------------------------------------------------------------------------ bars


def write_bars(path: Path) -> None:
    """A row of flat bars along x, one above the other; the middle one passes through the origin."""
    size = [LENGTH, SPACING / 2, THICKNESS]
    bars = []
    for i in range(BARS):
        bar = trimesh.creation.box(size)
        for _ in range(3):
            bar = bar.subdivide()
        bar.apply_translation([0, (i - (BARS - 1) / 2) * SPACING, 0])
        bars.append(bar)
    trimesh.util.concatenate(bars).export(path)


def _extent() -> float:
    """By what a template of the bars is divided: its farthest vertex is at distance 1."""
    return float(np.linalg.norm([LENGTH / 2, ((BARS - 1) / 2 + 0.25) * SPACING, THICKNESS / 2]))


def _film() -> tuple[np.ndarray, np.ndarray]:
    """Where fine samples of the image lie, half image widths; (FINE * RESOLUTION,) squared each."""
    n = FINE * RESOLUTION
    u = (2 * np.arange(n) + 1 - n) / n
    x, y = np.meshgrid(u, -u)
    return x, y


def _binned(fine: np.ndarray) -> torch.Tensor:
    """Means over pixels, (H, W, 1)."""
    image = fine.reshape(RESOLUTION, FINE, RESOLUTION, FINE).mean((1, 3))
    return torch.tensor(image[..., None], dtype=torch.float32)


def seen_bars(angle: float) -> torch.Tensor:
    """The image of the bars turned by an angle (degrees) in the plane: their front faces, projected.

    Under constant light L a matte surface of reflectance r has the radiance r L, whatever its normal.
    """
    extent, turn = _extent(), np.radians(angle)
    scale = np.tan(np.radians(FOV / 2)) * (DISTANCE - THICKNESS / 2 / extent) * extent
    x, y = (scale * each for each in _film())
    along, across = np.cos(turn) * x + np.sin(turn) * y, -np.sin(turn) * x + np.cos(turn) * y
    place = across / SPACING + (BARS - 1) / 2  # bars lie at 0, 1, ...
    nearest = np.clip(np.round(place), 0, BARS - 1)
    on = (np.abs(place - nearest) < 0.25) & (np.abs(along) < LENGTH / 2)
    return _binned(np.where(on, 0.9 * 0.9, 0.1))


def _gratings(folder: Path) -> list[dict]:
    write_bars(folder / "bars.ply")
    # A cycle of the cells is a bar and a gap in the image; an even one likes a bright bar in its middle.
    frequency = np.tan(np.radians(FOV / 2)) * (DISTANCE * _extent() - THICKNESS / 2) / SPACING
    _write(folder, GRATING, f"frequency: {frequency:.6g}, orientation: {list(ORIENTATIONS)}, phase: 0, sigma: 0.25")
    expected = _dense(folder, seen_bars, np.arange(0, 180, 0.25), period=180)
    rows = []
    for renderer in RENDERERS:
        found = _tuned(folder, renderer, "pose.rotation.z=-90:90:19", len(ORIENTATIONS))
        assert found.over[0].period == 180
        for orientation, dense, neuron in zip(ORIENTATIONS, expected, found.neurons):
            preferred = neuron.summary.preferred[0]
            off = max(abs((preferred.value - each + 90) % 180 - 90) for each in (orientation, dense))
            rows.append(
                {
                    "renderer": renderer,
                    "cell": orientation,
                    "closed form": dense,
                    "preferred": preferred.value % 180,
                    "error": preferred.sem,
                    "off": off,
                    "bandwidth": neuron.summary.bandwidth[0],
                    "1 - CV": neuron.summary.selectivity.value,
                }
            )
    return rows


# ------------------------------------------------------------------------------------------------------------ ball


def seen_sphere(elevation: float) -> torch.Tensor:
    """The image of a unit ball lit by parallel light from before the camera, at an elevation (degrees).

    A matte surface with the normal n has the radiance r E max(0, n l) / pi.
    """
    t = np.tan(np.radians(FOV / 2))
    x, y = (t * each for each in _film())
    length2 = x**2 + y**2 + 1
    under = DISTANCE**2 - length2 * (DISTANCE**2 - 1)  # a ray (x, y, -1) s from (0, 0, d) meets the ball
    s = (DISTANCE - np.sqrt(np.maximum(under, 0))) / length2
    ny, nz = s * y, DISTANCE - s
    up = np.radians(elevation)
    lit = np.maximum(ny * np.sin(up) + nz * np.cos(up), 0) * BALL_REFLECTANCE * IRRADIANCE / np.pi
    return _binned(np.where(under > 0, lit, 0.0))


def _lights(folder: Path) -> list[dict]:
    centers = [[0.0, height] for height in HEIGHTS]
    _write(folder, BALL, f"frequency: 1.2, orientation: 0, phase: 90, sigma: 0.15, center: {centers}")
    expected = _dense(folder, seen_sphere, np.arange(-20, 160.1, 0.25))
    rows = []
    for renderer in RENDERERS:
        found = _tuned(folder, renderer, "lighting.0.elevation=0:90:19", len(HEIGHTS))
        for height, dense, neuron in zip(HEIGHTS, expected, found.neurons):
            preferred = neuron.summary.preferred[0]
            rows.append(
                {
                    "renderer": renderer,
                    "edge at": height,
                    "closed form": dense,
                    "preferred": preferred.value,
                    "error": preferred.sem,
                    "off": abs(preferred.value - dense),
                }
            )
    return rows


# --------------------------------------------------------------------------------------------------------- coverage


def _coverage(folder: Path, seeds: int) -> list[dict]:
    """How often a truth lies within the errors of points that are measured with few samples."""
    # The subject is the same every time: only the seeds differ.
    subject = subject_of(folder / "scene.yaml", "path", SMALL, _Silent())
    request = TuningRequest(["lighting.0.elevation=5:85:10"], f"0-{len(HEIGHTS) - 1}")
    (known, precision, *_) = _curve(subject, request, TRUTH_SEED, TRUTH_SPP)
    curves = [_curve(subject, request, seed, SPP) for seed in range(seeds)]
    mean, sem, low, high = (np.stack(each) for each in zip(*curves))
    rows = []
    for i, height in enumerate(HEIGHTS):
        varied = sem[:, i].min(0) > 0  # a silent cell has no error, and is always right
        within = np.abs(mean - known)[:, i, varied] <= 2 * sem[:, i, varied]
        held = ((low <= known) & (known <= high))[:, i, varied]
        rows.append(
            {
                "edge at": height,
                "points": within.size,
                "relative error": float(np.median((sem / np.maximum(known, 1e-9))[:, i, varied])),
                "within 2 SE": float(within.mean()),
                "in the interval": float(held.mean()),
                "error of the truth / SE": float(np.median((precision / sem.mean(0).clip(1e-12))[i, varied])),
            }
        )
    return rows


def _curve(subject: Subject, request: TuningRequest, seed: int, spp: int) -> tuple[np.ndarray, ...]:
    """Mean, standard error, and ends of the intervals, (cells, points) each, as a tuning measures them."""
    accuracy = subject.config.evaluate.model_copy(update={"spp": spp, "repeats": 32})
    config = subject.config.model_copy(update={"seed": seed, "evaluate": accuracy})
    plan = planned(replace(subject, config=config), request)
    found = [plan.respond(point, index + 1) for index, (_, point) in enumerate(points(plan.axes))]
    return tuple(np.stack([getattr(each, name) for each in found], 1) for name in ("mean", "sem", "low", "high"))


# ----------------------------------------------------------------------------------------------------------- shared


def _write(folder: Path, scene: str, cells: str) -> None:
    """A scene file and its card."""
    (folder / "cells.yaml").write_text(f"type: simple_cell\nparameters: {{{cells}}}\n{INPUT}", encoding="utf-8")
    (folder / "scene.yaml").write_text(scene + REST, encoding="utf-8")


def _tuned(folder: Path, renderer: str, over: str, neurons: int) -> TuningResult:
    """What a tuning of the folder's scene finds."""
    request = TuningRequest([over], f"0-{neurons - 1}")
    with tempfile.TemporaryDirectory() as out:
        return run_tuning(folder / "scene.yaml", renderer, (), request, Path(out), _Silent()).result


def _dense(folder: Path, seen, values: np.ndarray, period: float | None = None) -> list[float]:
    """Where the cells answer most to closed forms of the image, value by value."""
    model = load_card(folder / "cells.yaml")
    stimulus = Stimulus(model.image_size, 1, model.mean, model.std, norm=25.0, mask=MASK)
    with torch.no_grad():
        responses = torch.cat([model(stimulus(seen(float(value)))) for value in values]).numpy()
    return [float(values[i]) for i in responses.argmax(0)]
