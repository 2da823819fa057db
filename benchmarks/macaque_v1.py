"""Twelve neurons of the published macaque V1 model: what a 3D scene reaches of what pixels reach."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.neurons.observer import build_observer
from mitsuba_mei.optimize.pixel import PixelMEI, find_pixel_mei
from mitsuba_mei.report.grey_scale import GreyScale

from .panels import Panel, draw_panels
from .report import Report, Target
from .setting import HERE, Silent

__all__ = ["run"]

SCENE = HERE.parent / "scenes" / "macaque_v1.yaml"
REFERENCE = HERE.parent.parent / "shared" / "data" / "neuron_models" / "macaque_v1_pointpool.npz"
UNSEEN = "models/macaque_v1_pointpool_6-10.yaml"

SEED, NEURONS, DRIVEN = 0, 12, 3.0
"""Neurons are drawn with this seed, among those whose pixel MEI is this many times their mean response to the reference
images."""

DRAWN = (439, 383, 227, 65, 121, 205, 405, 370, 159, 176, 252, 84)
"""Who is drawn; taken as it is where the reference images are missing."""


@dataclass(frozen=True)
class Result:
    """What became of one neuron."""

    row: dict
    panel: Panel


def run(report: Report, neurons: int = NEURONS, overrides: tuple[str, ...] = ()) -> None:
    """Find the pixel and the 3D MEI of each, as ``scenes/macaque_v1.yaml`` says.

    Parameters
    ----------
    neurons : int
        The first so many.
    overrides : sequence of str
        Changes of the scene file.
    """
    drawn = _drawn(report, neurons, overrides)
    second = _second_model(report, overrides)
    results = []
    for neuron, pixel in drawn.items():
        results.append(_result(neuron, pixel, [*overrides, *second]))
        row = results[-1].row
        report.say(f"neuron {neuron}: {row['3D / pixel']:.3f} in {row['seconds']:.1f} s")
    rows = [result.row for result in results]
    note = "Activations are converged; 'error': the ratio's standard error; 'unseen': the ratio on members 6 to 10."
    report.table("3D MEIs over pixel MEIs, macaque V1", rows, note=note, key="neurons")
    heads = ("pixel MEI", "3D MEI, same scale", "render")
    draw_panels([result.panel for result in results], heads, report.path("macaque_v1.png"))
    report.say(f"written to {report.path('macaque_v1.png')}")
    ratios = [row["3D / pixel"] for row in rows]
    report.targets(
        Target("median ratio", statistics.median(ratios), least=0.8),
        Target("lower quartile of the ratio", float(np.quantile(ratios, 0.25)), least=0.65),
        Target("longest optimization, s", max(row["seconds"] for row in rows), most=90),
    )


def _drawn(report: Report, count: int, overrides: tuple[str, ...]) -> dict[int, PixelMEI]:
    """The neurons, with their pixel MEIs."""
    if not REFERENCE.is_file():
        report.say(f"there are no reference images at {REFERENCE}; the neurons are those that were drawn with them")
        return {neuron: _pixel(neuron, overrides) for neuron in DRAWN[:count]}
    mean = torch.from_numpy(np.load(REFERENCE)["responses"]).mean(0)
    order = torch.randperm(len(mean), generator=torch.Generator().manual_seed(SEED)).tolist()
    drawn: dict[int, PixelMEI] = {}
    for neuron in order:
        if len(drawn) == count:
            break
        pixel = _pixel(neuron, overrides)
        driven = pixel.activation / mean[neuron].item()
        report.say(f"neuron {neuron}: pixel MEI {pixel.activation:.3f}, {driven:.1f} times the mean response")
        if driven >= DRIVEN:
            drawn[neuron] = pixel
    return drawn


def _pixel(neuron: int, overrides: tuple[str, ...]) -> PixelMEI:
    config = load_config(SCENE, [f"model.neuron={neuron}", *overrides])
    return find_pixel_mei(build_observer(config), config.pixel, config.seed)


def _second_model(report: Report, overrides: tuple[str, ...]) -> list[str]:
    """The override that validates on the unseen ensemble, where its weights can be had."""
    override = [f"model.validate={UNSEEN}"]
    try:
        build_observer(load_config(SCENE, [*overrides, *override]))
    except UserError as error:
        report.say(f"no second model: {error}")
        return []
    return override


def _result(neuron: int, pixel: PixelMEI, overrides: list[str]) -> Result:
    config = load_config(SCENE, [f"model.neuron={neuron}", *overrides, "compare_to=null"])
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_mei(config, Path(folder) / "run", Silent())
        seen = np.load(outcome.folder / "stimulus.npy")[0, 0]
        render = iio.imread(outcome.folder / "render.png")
    result = outcome.result
    final, mesh = result.activation.final, result.mesh
    row = {
        "neuron": neuron,
        "pixel": pixel.activation,
        "3D": final.mean,
        "3D / pixel": final.mean / pixel.activation,
        "error": final.sem / pixel.activation,
        "at the start": result.activation.initial.mean / pixel.activation,
        "seconds": result.seconds,
        "intersecting %": 100 * mesh.intersecting_faces / mesh.faces,
        "flipped": mesh.flipped_faces,
        "degenerate": mesh.degenerate_faces,
    }
    if result.validation is not None:
        observer = build_observer(config)
        with torch.no_grad():
            row["unseen"] = result.validation.activation.final.mean / observer.validator(pixel.model_input).item()
    title = f"neuron {neuron}: {row['3D / pixel']:.3f}"
    best = pixel.model_input[0, 0].numpy()
    scale = GreyScale.of([best, seen])  # the two of a neuron are to be compared
    return Result(row, Panel(title, scale(best), scale(seen), render))
