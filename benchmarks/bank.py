"""What is reached on simulated cells whose best stimulus is known, and what the meshes are then like."""

from __future__ import annotations

import dataclasses
import statistics
import time

import torch
import yaml

from mitsuba_mei.geometry.quality import MeshQuality, assess
from mitsuba_mei.io.images import to_srgb
from mitsuba_mei.optimize.evaluate import evaluate
from mitsuba_mei.optimize.loop import optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings

from .panels import Panel, draw_panels
from .report import Report, Target
from .setting import HERE, SIMPLE_CELL, experiment_of

__all__ = ["run"]

BANK, COMPLEX = "models/simple_cell_bank.yaml", "models/complex_cell.yaml"


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of one cell."""

    name: str
    fraction: float
    sem: float
    start: float
    seconds: float
    quality: MeshQuality
    panel: Panel

    def row(self) -> dict:
        """Its line of the table."""
        q = self.quality
        return {
            "cell": self.name,
            "fraction": self.fraction,
            "sem": self.sem,
            "at the start": self.start,
            "seconds": self.seconds,
            "intersecting %": 100 * q.intersecting_faces / q.faces,
            "flipped": q.flipped_faces,
            "degenerate": q.degenerate_faces,
            "smallest angle": q.smallest_angle,
        }


def run(report: Report, cells: int | None = None, steps: int | None = None) -> None:
    """Optimize for every cell as the scene file of the simple cell says.

    Parameters
    ----------
    cells, steps : int, optional
        The first so many cells alone, so many steps.
    """
    simple = []
    for i, name in enumerate(_names()[:cells]):
        simple.append(_optimized(name, f"{{card: {BANK}, neuron: {i}}}", steps))
        report.say(f"{name}: {simple[-1].fraction:.3f} in {simple[-1].seconds:.1f} s")
    complex_cell = _optimized("complex cell", f"{{card: {COMPLEX}}}", steps)
    rows = [result.row() for result in (*simple, complex_cell)]
    report.table("Fraction of the optimum, converged", rows, key="cells")
    heads = ("best image", "stimulus", "render")
    draw_panels([r.panel for r in simple], heads, report.path("bank.png"), below=complex_cell.panel)
    report.say(f"written to {report.path('bank.png')}")
    fractions = [r.fraction for r in simple]
    report.targets(
        Target("median fraction, simple cells", statistics.median(fractions), least=0.96),
        Target("least fraction, simple cells", min(fractions), least=0.91),
        Target("fraction, complex cell", complex_cell.fraction, least=0.95),
        Target("longest optimization, s", max(row["seconds"] for row in rows), most=45),
        Target("most intersecting faces, %", max(row["intersecting %"] for row in rows), most=1),
        Target("most flipped faces", max(row["flipped"] for row in rows), most=0),
        Target("most degenerate faces", max(row["degenerate"] for row in rows), most=0),
    )


def _names() -> list[str]:
    """The bank's cells by their parameters."""
    p = yaml.safe_load((HERE.parent / BANK).read_text(encoding="utf-8"))["parameters"]
    return [
        f"{f:g} cycles, {o:g}°, phase {phase:g}°" for f, o, phase in zip(p["frequency"], p["orientation"], p["phase"])
    ]


def _optimized(name: str, model: str, steps: int | None) -> Result:
    overrides = [f"model={model}", *([] if steps is None else [f"optimizer.steps={steps}"])]
    config, pipeline = experiment_of(SIMPLE_CELL, overrides)
    (neuron,) = config.neurons
    optimum, e = pipeline.observer.optimum(), config.evaluate
    before = evaluate(pipeline, e.spp, e.repeats, config.seed)
    began = time.perf_counter()
    optimize(ActivationLoss(pipeline), OptimizerSettings.of(config.optimizer), config.seed)
    seconds = time.perf_counter() - began
    after = evaluate(pipeline, e.spp, e.repeats, config.seed)
    with torch.no_grad():
        vertices = pipeline.scene.shape()
        seen = pipeline.observer.stimulus.to_grey(pipeline.observer.stimulus(after.image))
    preferred = pipeline.observer.model.module.preferred(neuron, pipeline.observer.stimulus)
    fraction = after.mean / optimum
    pictures = [pipeline.observer.stimulus.to_grey(preferred).numpy(), seen.numpy(), to_srgb(after.image.numpy())]
    return Result(
        name,
        fraction,
        after.sem / optimum,
        before.mean / optimum,
        seconds,
        assess(vertices, pipeline.scene.faces, pipeline.scene.template.vertices),
        Panel(f"{name}: {fraction:.3f}", *pictures),
    )
