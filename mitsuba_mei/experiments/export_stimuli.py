"""A finished run's stimuli for an experiment: numbered pictures, and a table that says what each is."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import UserError, about
from ..evaluate import Mean
from ..experiment import Experiment
from ..export.display import Display
from ..export.gathered import Shown, read_array, tunings
from ..export.picture import Look, Picture, prepare
from ..finished_run import FinishedRun, read_run
from ..images import write_png
from ..json_files import read_json
from ..parameters import parameters_of
from ..run_folder import RunFolder
from ..variants import rendered_by
from .judge import Judge
from .record import frame
from .session import RunResult

__all__ = ["export_stimuli"]

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
    look: Look,
    display: Display,
    out: Path,
    told: Callable[[str], None] = lambda text: None,
    trust_code: bool = False,
) -> RunResult:
    """Write the stimuli of a run as ``0001.png``, ``0001.npy`` and so on, and ``stimuli.csv``.

    They are the run's own, the pixel MEI where there is one, what the run started from, rendered anew, and every point
    of its tunings. An ``.npy`` holds the displayed luminance, 0 to 1 of the display's range; a ``.png`` the levels that
    give it on the monitor.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    look : Look
    display : Display
    out : Path
        The folder, a new one.
    told : callable
        Told of downloads.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load_config`.

    Raises
    ------
    UserError
        For anything that the user can mend, before anything is written.
    """
    look.check()
    run = read_run(folder, trust_code=trust_code)
    with about(folder / "config.yaml"):
        judge = Judge.built(rendered_by(run.config, run.renderer), told)
    try:
        own = [*_own(run, judge.experiment, read_json(folder / "result.json"))]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the neurons' responses") from None
    for _ in tunings(folder):  # what is wrong with them is found before anything is written
        pass
    shown = chain(own, [_initial(run, judge)], tunings(folder))
    written = RunFolder(out)
    rows = []
    for number, each in enumerate(shown, 1):
        picture = prepare(each.grey, look)
        name = f"{number:04d}"
        pixels = display.levels(picture.luminance)
        written.write(f"{name}.png", lambda path, pixels=pixels: write_png(path, pixels))
        written.write(f"{name}.npy", lambda path, values=picture.luminance: np.save(path, values))
        rows.append(_row(number, name, each, picture, display))
    written.write("stimuli.csv", lambda path: _write_rows(path, rows))
    return RunResult(written.path, {"stimuli": rows, "gamma": display.name})


def _own(run: FinishedRun, experiment: Experiment, said: Mapping[str, Any]) -> Iterator[Shown]:
    """The run's stimulus, and its pixel MEI."""
    neurons = run.config.neurons
    answers = {row["neuron"]: Mean(**row["final"]) for row in said["responses"]}
    yield Shown("stimulus", "stimulus.npy", _grey(run.folder / "stimulus.npy", experiment), answers)
    path = run.folder / "pixel_stimulus.npy"
    if path.is_file():
        named = zip(experiment.viewer.objective.neurons, said["pixel"]["responses"])
        answers = {neuron: Mean(float(response), 0.0) for neuron, response in named if neuron in neurons}
        yield Shown("pixel MEI", path.name, _grey(path, experiment), answers)


def _initial(run: FinishedRun, judge: Judge) -> Shown:
    """What the run started from, rendered anew with many samples."""
    parameters = run.parameters(parameters_of(judge.experiment.scene))[0]
    estimate = judge(parameters, run.config.seed)
    grey = frame(judge.experiment, estimate.image.to(judge.device))[1]
    named = zip(judge.experiment.viewer.objective.neurons, estimate.responses)
    answers = {neuron: response for neuron, response in named if neuron in run.config.neurons}
    return Shown("initial stimulus", "initial_parameters.npz", grey, answers)


def _grey(path: Path, experiment: Experiment) -> np.ndarray:
    """Grey levels of an input as the neuron takes it."""
    seen = np.array(read_array(path))
    stimulus = experiment.viewer.stimulus
    if seen.shape != (1, stimulus.channels, *stimulus.image_size) or not np.isfinite(seen).all():
        raise UserError(f"{path} is damaged, or of another model: it is no input of '{experiment.viewer.model.name}'")
    device = experiment.scene.background.device
    return stimulus.to_grey(torch.from_numpy(seen).to(device), clip=False).cpu().numpy()


def _row(number: int, name: str, shown: Shown, picture: Picture, display: Display) -> dict[str, Any]:
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


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
