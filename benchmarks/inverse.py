"""How near inverse rendering comes to a truth that is known, from random starts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.inverse import run_inverse
from mitsuba_mei.runs.results import InverseResult

from .report import Report, Target
from .setting import SCENES, Silent

__all__ = ["run"]

SEEDS = range(5)
SHAPE_NOTE = "mean distance of the surfaces as they stand, over the true one's diameter; s: the whole run"
POSE_NOTE = "shape known; each seed also turns the truth and its sun at random; s: the whole run, search included"


def run(report: Report, seeds: Sequence[int] = SEEDS, overrides: Sequence[str] = ()) -> None:
    """Recover ``scenes/recover_shape.yaml`` and ``scenes/recover_pose.yaml`` from every seed.

    Parameters
    ----------
    seeds : sequence of int
        Of the starts.
    overrides : sequence of str
        Changes of the scene files.
    """
    with tempfile.TemporaryDirectory() as folder:
        shapes = [_shape(Path(folder), seed, overrides) for seed in seeds]
        poses = [_pose(Path(folder), seed, overrides) for seed in seeds]
    report.table("Shape from four views under a known sun", shapes, SHAPE_NOTE, "shape")
    report.table("Turn and sun from one view", poses, POSE_NOTE, "turn and sun")
    report.targets(
        Target("distance of the surface, % of its diameter, worst", max(row["final %"] for row in shapes), most=2),
        Target("turn, degrees, worst", max(row["turn"] for row in poses), most=2),
        Target("sun, degrees, worst", max(row["sun"] for row in poses), most=3),
        Target("s a run, longest", max(row["s"] for row in [*shapes, *poses]), most=120),
    )


def _run(folder: Path, scene: Path, name: str, overrides: Sequence[str]) -> tuple[InverseResult, float]:
    began = time.perf_counter()
    result = run_inverse(load_config(scene, overrides), folder / name, Silent()).result
    return result, time.perf_counter() - began


def _shape(folder: Path, seed: int, overrides: Sequence[str]) -> dict:
    result, seconds = _run(folder, SCENES / "recover_shape.yaml", f"shape-{seed}", [f"seed={seed}", *overrides])
    surface = result.truth.surface
    return {
        "seed": seed,
        "initial %": 100 * surface.initial.of_diameter,
        "final %": 100 * surface.final.of_diameter,
        "aligned %": 100 * surface.alignment.of_diameter,
        "greatest %": 100 * surface.final.greatest / surface.diameter,
        "image error": result.error.final.mean,
        "s": seconds,
    }


def _pose(folder: Path, seed: int, overrides: Sequence[str]) -> dict:
    """The truth is turned too: a start at random says little where it is tried on one turn alone."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-180, 180, 3).round(2).tolist()
    sun = rng.normal(size=3)
    sun = (-np.abs(sun) * [np.sign(sun[0]), np.sign(sun[1]), 1]).round(3).tolist()  # from the camera's side
    truth = folder / f"truth-{seed}.yaml"
    truth.write_text(
        f"extends: {SCENES / 'recover_truth.yaml'}\n"
        f"pose: {{rotation: {angles}}}\n"
        f"lighting: [{{type: sun, direction: {sun}, irradiance: 3.0, sharpness: 50}}, "
        "{type: constant, radiance: 0.3}]\n"
    )
    said = [f"seed={seed}", f"objective.target={truth}", *overrides]
    result, seconds = _run(folder, SCENES / "recover_pose.yaml", f"pose-{seed}", said)
    off = {name: value.off for name, value in result.truth.parameters.items()}
    return {
        "seed": seed,
        "turn after the search": off["pose.rotation"].initial,
        "sun after the search": off["lighting.0.direction"].initial,
        "turn": off["pose.rotation"].final,
        "sun": off["lighting.0.direction"].final,
        "image error": result.error.final.mean,
        "s": seconds,
    }
