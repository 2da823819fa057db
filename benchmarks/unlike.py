"""What neurons are invariant to: sets of diverse scenes where there are any, and metamers of a population."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.experiments.metamer import run_metamer

from .report import Report, Target
from .setting import SCENES, Silent

__all__ = ["run"]

SIMPLE = "model.card=models/simple_cell.yaml"
SEEDS = range(2)
RASTER = "render.type=raster"


def run(report: Report, seeds: Sequence[int] = SEEDS, overrides: Sequence[str] = ()) -> None:
    """Run ``scenes/diverse.yaml`` for a complex and for a simple cell, and ``scenes/metamer.yaml``.

    Path traced from the first seed, and rasterized from all.

    Parameters
    ----------
    seeds : sequence of int
    overrides : sequence of str
        Changes of the scene files.
    """
    with tempfile.TemporaryDirectory() as folder:
        complex_, simple = (
            [_diverse(Path(folder), name, seed, [*more, *light, *overrides]) for seed, light in _cases(seeds)]
            for name, more in (("complex", []), ("simple", [SIMPLE]))
        )
        metamers = [_metamer(Path(folder), seed, [*light, *overrides]) for seed, light in _cases(seeds)]
    report.table("Four diverse scenes", [*complex_, *simple], "level: 0.9 of the optimum; correlation: mean of pairs")
    report.table(
        "Metamers of the V4 population", metamers, "distance: of all 32 responses; shape: mean, over the radius"
    )
    report.targets(
        Target("complex cell: least activation over the optimum", min(r["least"] for r in complex_), least=0.9),
        Target("complex cell: greatest mean correlation", max(r["correlation"] for r in complex_), most=0.5),
        Target("simple cell: sets found", sum(r["found"] for r in simple), most=0),
        Target("metamers: greatest distance of the responses, %", max(r["distance %"] for r in metamers), most=2),
        Target("metamers: least distance of the shapes", min(r["shape"] for r in metamers), least=0.25),
    )


def _cases(seeds: Sequence[int]) -> list[tuple[int, list[str]]]:
    return [(seeds[0], []), *((seed, [RASTER]) for seed in seeds)]


def _diverse(folder: Path, name: str, seed: int, overrides: Sequence[str]) -> dict:
    began = time.perf_counter()
    config = load_config(SCENES / "diverse.yaml", [f"seed={seed}", *overrides])
    found = run_diverse(config, folder / f"{name}-{seed}-{config.render.type}", Silent()).result.diverse
    return {
        "cell": name,
        "seed": seed,
        "renderer": config.render.type,
        "least": min(scene.of_maximum for scene in found.scenes),
        "correlation": 1 - found.differences["image"].mean,
        "found": found.found,
        "s": time.perf_counter() - began,
    }


def _metamer(folder: Path, seed: int, overrides: Sequence[str]) -> dict:
    began = time.perf_counter()
    config = load_config(SCENES / "metamer.yaml", [f"seed={seed}", f"shape.random.seed={seed + 11}", *overrides])
    result = run_metamer(config, folder / f"metamer-{seed}-{config.render.type}", Silent()).result
    found = result.metamer
    return {
        "seed": seed,
        "renderer": config.render.type,
        "distance %": 100 * found.responses.distance.final.mean,
        "+-": 100 * found.responses.distance.final.sem,
        "shape": found.differences["shape"].value,
        "correlation": 1 - found.differences["image"].value,
        "intersecting": result.mesh.intersecting_faces,
        "s": time.perf_counter() - began,
    }
