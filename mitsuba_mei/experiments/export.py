"""A finished run's stimuli for an experiment, and its scene for a modelling program."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import UserError, about
from ..io.images import write_png
from ..io.pictures.bitmaps import prepare_files
from ..optimize.evaluate import Mean
from ..pipeline import Pipeline, build_pipeline, build_scene
from ..report.export.display import Display
from ..report.export.gltf import left_out, write_glb
from ..report.export.stimuli import (
    DisplaySettings,
    ExportedStimuli,
    ExportedStimulus,
    Picture,
    prepare,
    tunings,
)
from ..runs.folder import RunFolder
from ..runs.read import FinishedRun, read_run
from ..scene.parameters import get_parameters, set_parameters
from .export_sources import grey_of, initial_stimulus, is_pixel_run, pixel_stimulus, unlike_stimuli
from .reevaluate import FrozenEvaluator
from .tables import write_rows

__all__ = ["export_scene", "export_stimuli"]

COLUMNS = (
    "number",
    "png",
    "npy",
    "what",
    "source",
    "neurons",
    "activation",
    "error",
    "values",
    "mean_luminance",
    "rms_contrast",
    "clipped_fraction",
    "gamma",
    "width",
    "height",
)


def export_stimuli(
    folder: Path,
    look: DisplaySettings,
    display: Display,
    out: Path,
    on_message: Callable[[str], None] = lambda text: None,
    trust_code: bool = False,
) -> ExportedStimuli:
    """Write the stimuli of a run as ``0001.png``, ``0001.npy`` and so on, and ``stimuli.csv``.

    They are the run's own, the pixel MEI where there is one, the initial scene's, rendered anew, and every point of its
    tunings; of a metamer its reference too; of diverse scenes those of every scene; of a pixel MEI alone that.
    An ``.npy`` holds the displayed luminance, 0 to 1 of the display's range; a ``.png`` the levels that give it on the
    monitor.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    look : DisplaySettings
    display : Display
    out : Path
        The folder, a new one.
    on_message : callable
        Told of downloads.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load.load_config`.

    Raises
    ------
    UserError
        For anything that the user can mend, before anything is written.
    """
    look.check()
    if is_pixel_run(folder):
        shown: Iterator[ExportedStimulus] = iter(pixel_stimulus(folder, on_message, trust_code))
    else:
        shown = _of_run(folder, on_message, trust_code)
    written = RunFolder(out)
    rows = []
    for number, each in enumerate(shown, 1):
        picture = prepare(each.grey, look)
        name = f"{number:04d}"
        pixels = display.levels(picture.luminance)
        written.write(f"{name}.png", lambda path, pixels=pixels: write_png(path, pixels))
        written.write(f"{name}.npy", lambda path, values=picture.luminance: np.save(path, values))
        rows.append(_row(number, name, each, picture, display))
    written.write("stimuli.csv", lambda path: write_rows(path, rows))
    return ExportedStimuli(written.path, rows, display.name)


def _of_run(folder: Path, on_message: Callable[[str], None], trust_code: bool) -> Iterator[ExportedStimulus]:
    """Every stimulus of a run; what is wrong with its files is found before the first is given."""
    run = read_run(folder, command="export --for experiment", trust_code=trust_code, also=("metamer", "diverse"))
    with about(folder / "config.yaml"):
        pipeline = build_pipeline(run.config.with_renderer(run.result.renderer).with_nothing_free(), on_message)
        evaluator = FrozenEvaluator(pipeline, run.config.evaluate)
    if run.config.objective.type in ("metamer", "diverse"):
        own = unlike_stimuli(run, evaluator)
    else:
        own = [*_own(run, evaluator.pipeline)]
        own.append(initial_stimulus(run, evaluator, "initial_parameters.npz", "initial stimulus"))
    for _ in tunings(folder):
        pass
    return chain(own, tunings(folder))


def _own(run: FinishedRun, pipeline: Pipeline) -> Iterator[ExportedStimulus]:
    """The run's stimulus, and its pixel MEI."""
    neurons, result = run.config.neurons, run.result
    answers = {each.neuron: Mean(each.final.mean, each.final.sem) for each in result.responses}
    yield ExportedStimulus("stimulus", "stimulus.npy", grey_of(run.folder / "stimulus.npy", pipeline), answers)
    path = run.folder / "pixel_stimulus.npy"
    if path.is_file():
        named = zip(pipeline.observer.objective.neurons, result.pixel.responses)
        answers = {neuron: Mean(response, 0.0) for neuron, response in named if neuron in neurons}
        yield ExportedStimulus("pixel MEI", path.name, grey_of(path, pipeline), answers)


def _row(number: int, name: str, shown: ExportedStimulus, picture: Picture, display: Display) -> dict[str, Any]:
    known = shown.answers.values()
    h, w = picture.luminance.shape[:2]
    values = [
        number,
        f"{name}.png",
        f"{name}.npy",
        shown.what,
        shown.source,
        ";".join(map(str, shown.answers)),
        _listed([answer.mean for answer in known]),
        _listed([answer.sem for answer in known]),
        ";".join(f"{path}={value:.10g}" for path, value in shown.values.items()),
        f"{picture.mean:.6g}",
        f"{picture.contrast:.6g}",
        f"{picture.clipped:.6g}",
        display.name,
        w,
        h,
    ]
    return dict(zip(COLUMNS, values))


def _listed(values: Sequence[float]) -> str:
    """Numbers in one cell; nothing for what is not known."""
    return ";".join("" if math.isnan(value) else f"{value:.6g}" for value in values)


CHANNELS = 3


def export_scene(folder: Path, out: Path) -> tuple[Path, list[str]]:
    """Write ``scene.glb``: object, camera, lights and material of what a run ended with.

    Gives the folder, and the lights that glTF cannot hold.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    out : Path
        The folder, a new one.

    Raises
    ------
    UserError
        For anything that the user can mend; nothing is written then.
    """
    run = read_run(folder, command="export --for blender", also=("metamer", "image", "diverse"))
    if run.config.objective.type == "diverse":
        raise UserError(f"{folder} holds several scenes; the object of each is in scenes/<number>/mesh.glb")
    prepare_files()
    with about(folder / "config.yaml"):
        scene = build_scene(run.config.with_nothing_free().scene, CHANNELS)
    set_parameters(scene, run.parameters(get_parameters(scene))[1])
    with torch.no_grad():
        if not torch.isfinite(scene().vertices).all():
            raise UserError(f"{folder}: its parameters make no object; they may be damaged")
    settings = [light.model_dump(exclude={"free"}) for light in run.config.lighting]
    written = RunFolder(out)
    written.write("scene.glb", lambda path: write_glb(path, scene, settings))
    return written.path, left_out(scene)
