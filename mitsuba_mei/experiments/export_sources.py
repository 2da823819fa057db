"""Where a finished run's stimuli come from: its arrays, its scenes rendered anew, its reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..config.load import load_config
from ..config.objective_names import stimulus_name
from ..errors import UserError, about
from ..io.images import read_image
from ..neurons.observer import Observer, build_observer
from ..optimize.evaluate import Mean
from ..pipeline import Pipeline
from ..report.export.stimuli import ExportedStimulus, read_array
from ..runs.read import FinishedRun
from ..runs.results import PixelResult, read_run_result
from ..scene.color import to_channels
from ..scene.parameters import get_parameters, read_parameters
from .history import frame
from .reevaluate import FrozenEvaluator

__all__ = ["grey_of", "initial_stimulus", "is_pixel_run", "pixel_stimulus", "unlike_stimuli"]


def is_pixel_run(folder: Path) -> bool:
    """Whether a folder is that of a pixel MEI, which has no scene."""
    is_run = (folder / "result.json").is_file() and (folder / "config.yaml").is_file()
    return is_run and isinstance(read_run_result(folder), PixelResult)


def pixel_stimulus(folder: Path, on_message: Callable[[str], None], trust_code: bool) -> list[ExportedStimulus]:
    """The one of a pixel MEI's folder."""
    config = load_config(folder / "config.yaml", rendered=False, trust_code=trust_code)
    with about(folder / "config.yaml"):
        observer = build_observer(config.observer, on_message)
    name = stimulus_name("pixel", config.objective.type, config.objective.direction_name)
    return [_stored(observer, folder, "stimulus.npy", name, torch.device("cpu"), config.neurons)]


def unlike_stimuli(run: FinishedRun, evaluator: FrozenEvaluator) -> list[ExportedStimulus]:
    """Those of a metamer's run and its reference, or of diverse scenes; and those that they began with."""
    observer, neurons = evaluator.pipeline.observer, _asked(run, evaluator)
    if run.config.objective.type == "metamer":
        exported = _stored(observer, run.folder, "stimulus.npy", "stimulus", evaluator.device, neurons)
        first = initial_stimulus(run, evaluator, "initial_parameters.npz", "initial stimulus")
        return [exported, _reference(run, evaluator, neurons), first]
    folders = sorted((path.parent for path in run.folder.glob("scenes/*/stimulus.npy")), key=_number)
    if not folders:
        raise UserError(f"{run.folder} is no whole run folder: there is no scenes/0/stimulus.npy in it")
    exported = []
    for folder in folders:
        name = f"scenes/{folder.name}"
        exported.append(_stored(observer, run.folder, f"{name}/stimulus.npy", "stimulus", evaluator.device, neurons))
    exported += [
        initial_stimulus(run, evaluator, f"scenes/{folder.name}/initial_parameters.npz", "initial stimulus")
        for folder in folders
    ]
    return exported


def initial_stimulus(run: FinishedRun, evaluator: FrozenEvaluator, file: str, what: str) -> ExportedStimulus:
    """That of the initial scene, whose parameters lie in a file, rendered anew with many samples."""
    parameters = read_parameters(run.folder / file, get_parameters(evaluator.pipeline.scene))
    estimate = evaluator(parameters, run.config.seed)
    grey = frame(evaluator.pipeline, estimate.image.to(evaluator.device))[1]
    named = zip(evaluator.pipeline.observer.objective.neurons, estimate.responses)
    return ExportedStimulus(
        what, file, grey, {neuron: mean for neuron, mean in named if neuron in _asked(run, evaluator)}
    )


def grey_of(path: Path, pipeline: Pipeline) -> np.ndarray:
    """Grey levels of an input as the neuron takes it."""
    observer = pipeline.observer
    return observer.stimulus.to_grey(_seen(path, observer, pipeline.scene.background.device), clip=False).cpu().numpy()


def _asked(run: FinishedRun, evaluator: FrozenEvaluator) -> tuple[int, ...]:
    """The neurons that the run is about; a metamer's that names none has them all."""
    if run.config.objective.type == "metamer" and run.config.named_neurons is None:
        return tuple(evaluator.pipeline.observer.objective.neurons)
    return run.config.neurons


def _number(folder: Path) -> tuple[int, str]:
    """By which scenes are in order."""
    return (int(folder.name), "") if folder.name.isdecimal() else (0, folder.name)


def _seen(path: Path, observer: Observer, device: torch.device) -> torch.Tensor:
    model_input = np.array(read_array(path))
    stimulus = observer.stimulus
    if model_input.shape != (1, stimulus.channels, *stimulus.image_size) or not np.isfinite(model_input).all():
        raise UserError(f"{path} is damaged, or of another model: it is no input of '{observer.model.name}'")
    return torch.from_numpy(model_input).to(device)


def _stored(
    observer: Observer, folder: Path, file: str, what: str, device: torch.device, neurons: tuple[int, ...]
) -> ExportedStimulus:
    """An array of the run, and what the neurons answer to it; the errors are those of an array, and unknown."""
    return _shown(observer, _seen(folder / file, observer, device), what, file, neurons)


@torch.no_grad()
def _shown(
    observer: Observer, model_input: torch.Tensor, what: str, source: str, neurons: tuple[int, ...]
) -> ExportedStimulus:
    grey = observer.stimulus.to_grey(model_input, clip=False).cpu().numpy()
    named = zip(observer.objective.neurons, observer.neurons(model_input)[0].tolist())
    return ExportedStimulus(
        what, source, grey, {neuron: Mean(value, math.nan) for neuron, value in named if neuron in neurons}
    )


def _reference(run: FinishedRun, evaluator: FrozenEvaluator, neurons: tuple[int, ...]) -> ExportedStimulus:
    """What a metamer has the responses of, of its stored render."""
    path = run.folder / "reference.exr"
    image = to_channels(torch.from_numpy(read_image(path, "reference")), evaluator.pipeline.scene.channels)
    observer = evaluator.pipeline.observer
    with torch.no_grad():
        model_input = observer.stimulus(image.to(evaluator.device))
    return _shown(observer, model_input, "reference", path.name, neurons)
