"""The pixel MEI of a scene file's neuron: its run folder, and the reference beside 3D MEIs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..config.load import Config, dump
from ..config.objective_names import check_activation_objective, maximised_value, stimulus_name
from ..config.sections import Pixel
from ..errors import UserError
from ..interrupts import finishing, interruptible
from ..io.images import write_png
from ..neurons.observer import Observer, build_observer
from ..optimize.pixel import PixelMEI, find_pixel_mei
from ..report.figures.run import write_pixel_summary
from ..report.grey_scale import DISPLAY
from ..runs.folder import RunFolder
from ..runs.results import PixelReference, PixelResult
from ..runs.spread import named_value, spread
from ..stimulus import Stimulus
from .base import LOADING, WRITING, Progress, RunResult, every_core, versions

__all__ = ["find_for_reference", "pixel_reference", "run_pixel", "write_pixel_stimulus"]


def pixel_reference(pixel: PixelMEI) -> PixelReference:
    """What a result says of the pixel MEI."""
    return PixelReference(
        activation=pixel.activation,
        responses=pixel.responses,
        restarts=pixel.restarts,
        over_starts=spread(pixel.restarts),
        steps=len(pixel.history) - 1,
        ended=pixel.ended,
        reason=pixel.reason or None,
    )


def write_pixel_stimulus(folder: RunFolder, pixel: PixelMEI, stimulus: Stimulus, name: str) -> None:
    """Write the pixel MEI as ``name.npy`` and ``name.png``."""
    folder.write(f"{name}.npy", lambda path: np.save(path, pixel.model_input.cpu().numpy()))
    folder.adorn(f"{name}.png", lambda path: write_png(path, DISPLAY(pixel.grey(stimulus))))


def run_pixel(config: Config, out: Path, progress: Progress) -> RunResult:
    """Find the pixel MEI of a scene file's neuron, and write a run folder. Nothing is rendered.

    Ctrl-C ends it after the step under way; what was reached is written.

    Parameters
    ----------
    config : Config
        A scene file; its shape, pose, lights and renderer do not count.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step.
    """
    check_activation_objective(config.objective.type, "pixel")
    progress.doing(LOADING)
    observer = build_observer(config.observer, progress.message)
    observer.to("cuda" if torch.cuda.is_available() and not config.render.variant.startswith("llvm") else "cpu")
    folder = RunFolder(out)
    progress.start(config.pixel.steps)
    started = time.perf_counter()

    name, _ = named_value(config.objective.type)

    def report_step(step: int, value: float) -> None:
        folder.add_metrics({"step": step, name: value, "seconds": time.perf_counter() - started})
        progress.step({name: value})

    try:
        with interruptible() as interrupted:
            pixel = find_pixel_mei(observer, config.pixel, config.seed, report_step, interrupted)
    finally:
        progress.stop()
        folder.close()
    if pixel.ended == "interrupted":
        progress.message(
            f"{pixel.ended} after {len(pixel.history) - 1} of {config.pixel.steps} steps: no pixel MEI yet"
        )
    seconds = time.perf_counter() - started
    optimum = observer.optimum()
    validator = observer.validator
    result = PixelResult(
        **dict(pixel_reference(pixel)),
        fraction_of_optimum=None if optimum is None else pixel.activation / optimum,
        validation=validator and {"model": validator.model.name, "activation": pixel.validation},
        seconds=seconds,
        seconds_per_step=seconds / (len(pixel.history) - 1),
        seed=config.seed,
        optimum=optimum,
        objective=config.objective.type,
        direction=config.objective.direction_name,
        neurons=config.neurons,
        outside_display=observer.stimulus.outside_display(pixel.model_input),
        model=observer.model.name,
        versions=versions(),
    )
    progress.doing(WRITING)
    write_pixel_stimulus(folder, pixel, observer.stimulus, "stimulus")
    greys = [observer.stimulus.to_grey(model_input[None], clip=False).cpu().numpy() for model_input in pixel.stimuli]
    neurons = ", ".join(map(str, config.neurons))
    kind = "" if config.objective.type == "activation" else f"{config.objective.type}, "
    name = stimulus_name("pixel", config.objective.type, config.objective.direction_name)
    title = f"{observer.model.name}, neuron {neurons}: {kind}{name} {pixel.activation:.4g}"
    title += "" if pixel.ended == "done" else f" ({pixel.ended})"
    # Only now: with it, a folder whose process died would look like that of a run that can go on.
    folder.write_text("config.yaml", dump(config, folder.path))
    folder.write_result(result)
    what = maximised_value(config.objective.type)
    folder.adorn("summary.png", lambda path: write_pixel_summary(path, title, greys, pixel.history, optimum, what))
    missing = folder.missing()
    if missing:
        result = result.model_copy(update={"not_written": tuple(missing)})
        with contextlib.suppress(UserError):  # the disk may be full, and what is there says all but this
            folder.write_result(result)
    return RunResult(folder.path, result)


def find_for_reference(
    observer: Observer,
    settings: Pixel,
    seed: int,
    objective: str,
    progress: Progress,
    interrupted: Callable[[], bool] | None = None,
) -> PixelMEI | None:
    """The pixel MEI under the same constraint; None where the user wants to stop: half a pixel MEI would flatter.

    Without ``interrupted``, a Ctrl-C is answered as it is around this.
    """
    progress.message(f"pixel MEI, {settings.restarts} starts at once")
    progress.start(settings.steps)
    pixel = None

    name, _ = named_value(objective)

    def report_step(step: int, value: float) -> None:
        progress.step({name: value})

    if interrupted is None or not interrupted():
        with every_core(), finishing() as begin:
            if interrupted is not None:
                begin()
            pixel = find_pixel_mei(observer, settings, seed, report_step, interrupted or (lambda: False))
    progress.stop()
    if pixel is None or pixel.ended != "done":
        why = pixel.reason if pixel is not None and pixel.reason else "interrupted before the pixel MEI was found"
        progress.message(f"{why}: there is no ratio to the pixel MEI")
        return None
    return pixel
