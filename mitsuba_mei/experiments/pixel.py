"""The pixel MEI: the stimulus that drives the neurons hardest among all images under the same constraint."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config.load import Config, dump
from ..config.objective import check_activation_objective, maximised_value
from ..config.sections import Pixel
from ..errors import UserError
from ..interrupts import finishing, interruptible
from ..io.images import write_png
from ..neurons.observer import Observer, build_observer
from ..report.figures.run import write_pixel_summary
from ..report.grey_scale import DISPLAY
from ..runs.folder import RunFolder
from ..runs.results import PixelReference, PixelResult
from ..runs.spread import named_value, spread
from ..stimulus import Stimulus, gaussian_blur
from .base import LOADING, WRITING, Progress, RunResult, every_core, versions

__all__ = ["PixelMEI", "find_for_reference", "find_pixel_mei", "run_pixel"]

CHANNEL_AXES = (1, 2, 3)
GREY, CONTRAST = 0.5, 0.15
"""Mean and standard deviation of the images that are optimized, radiance."""

FINAL_STEP_RATIO = 0.02
"""The last step over the first."""

BATCH_SIZE = 4
"""Images that the neurons see in one batch; more would only take more memory."""

MASK_FLOOR = 0.1
"""Where the mask is below this, pixels are not moved the faster for it."""

BLUR_FRACTION = 0.6
"""Part of the steps over which the gradient's blur falls to nothing."""


@dataclass(frozen=True)
class PixelMEI:
    """What pixels reach.

    Attributes
    ----------
    seen : Tensor
        The best restart's input to the neurons, (1, channels, h, w).
    activation : float
        The objective there; exact, since no renderer is noisy here.
    responses : list of float
        Of the objective's neurons.
    restarts : list of float
        The objective that each restart ended with.
    stimuli : Tensor
        What each restart ended with, (restarts, channels, h, w).
    history : list of list of float
        The objective of every restart, step by step.
    validation : float or None
        The objective of the second model.
    ended : str
        ``done``, ``interrupted`` or ``failed``.
    reason : str
        Why it failed.
    """

    model_input: Tensor
    activation: float
    responses: list[float]
    restarts: list[float]
    stimuli: Tensor
    history: list[list[float]]
    validation: float | None
    ended: str
    reason: str = ""

    def as_record(self) -> PixelReference:
        """What the result of a 3D MEI says of it."""
        return PixelReference(
            activation=self.activation,
            responses=self.responses,
            restarts=self.restarts,
            over_starts=spread(self.restarts),
            steps=len(self.history) - 1,
            ended=self.ended,
            reason=self.reason or None,
        )

    def grey(self, stimulus: Stimulus) -> np.ndarray:
        """Grey levels, (h, w) or (h, w, 3), not clipped."""
        return stimulus.to_grey(self.model_input.to(stimulus.mask.device), clip=False).cpu().numpy()

    def write(self, folder: RunFolder, stimulus: Stimulus, name: str) -> None:
        """Write ``name.npy`` and ``name.png``."""
        folder.write(f"{name}.npy", lambda path: np.save(path, self.model_input.cpu().numpy()))
        folder.adorn(f"{name}.png", lambda path: write_png(path, DISPLAY(self.grey(stimulus))))


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
        **dict(pixel.as_record()),
        fraction_of_optimum=None if optimum is None else pixel.activation / optimum,
        validation=validator and {"model": validator.model.name, "activation": pixel.validation},
        seconds=seconds,
        seconds_per_step=seconds / (len(pixel.history) - 1),
        seed=config.seed,
        optimum=optimum,
        objective=config.objective.type,
        neurons=config.neurons,
        outside_display=observer.stimulus.outside_display(pixel.model_input),
        model=observer.model.name,
        versions=versions(),
    )
    progress.doing(WRITING)
    pixel.write(folder, observer.stimulus, "stimulus")
    greys = [observer.stimulus.to_grey(model_input[None], clip=False).cpu().numpy() for model_input in pixel.stimuli]
    neurons = ", ".join(map(str, config.neurons))
    kind = "" if config.objective.type == "activation" else f"{config.objective.type}, "
    title = f"{observer.model.name}, neuron {neurons}: {kind}pixel MEI {pixel.activation:.4g}"
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


def find_pixel_mei(
    observer: Observer,
    settings: Pixel,
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, activation: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> PixelMEI:
    """Gradient ascent on pixels, under exactly the constraint that a render is shown under.

    An image goes through the same :class:`~mitsuba_mei.stimulus.Stimulus` as a render does. Each step moves it along
    its preconditioned gradient by a fixed part of its own contrast, which falls along a cosine. The gradient is blurred
    by a gaussian that narrows to nothing (Walker et al. 2019, Inception loops discover what excites neurons most using
    deep predictive models, Nature Neuroscience 22:2060-2065), so that the last steps are plain ascent; or, with
    ``parameters: fourier``, the steps are taken on Fourier coefficients scaled by one over their frequency (Olah,
    Mordvintsev & Schubert 2017, Feature visualization, Distill), which is to filter the gradient by its square.

    Parameters
    ----------
    observer : Observer
    settings : schema.Pixel
        Steps, step size, restarts and the preconditioning.
    seed : int
        Of the noise that each restart starts from.
    on_step : callable
        Told the step, counted from 1, and the best restart's objective.
    interrupted : callable
        Asked after every step whether to end.
    """
    stimulus = observer.stimulus
    shape = (settings.restarts, stimulus.channels, *stimulus.image_size)
    device = stimulus.mask.device
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
    images = _normalised(
        gaussian_blur(noise, settings.blur) if settings.parameters == "pixels" else _whitened(noise, True)
    )
    clipped = stimulus.constraint == "clip"
    history: list[list[float]] = []
    ended, reason, silent = "done", "", True
    for index in range(settings.steps):
        values, slope = _slope(observer, images)
        silent = silent and not bool((slope != 0).any())
        history.append(values)
        with torch.no_grad():
            progress = index / settings.steps
            rate = settings.step_size * (
                FINAL_STEP_RATIO + (1 - FINAL_STEP_RATIO) * 0.5 * (1 + math.cos(math.pi * progress))
            )
            if not clipped:
                # As though the step were taken on what is left of the image under the mask.
                slope = slope / stimulus.mask.clamp_min(MASK_FLOOR).square()
            if settings.parameters == "fourier":
                slope = _whitened(slope, not clipped)
            else:
                slope = gaussian_blur(slope, settings.blur * max(0.0, 1 - progress / BLUR_FRACTION))
            step = slope / _size(slope).clamp_min(torch.finfo(slope.dtype).tiny)
            images = images + rate * torch.nan_to_num(step)
            images = _displayable(images) if clipped else _normalised(images)
        on_step(index + 1, max(history[-1]))
        if interrupted():
            ended = "interrupted"
            break
    with torch.no_grad():
        model_input = _model_inputs(observer, images)
        responses = torch.cat([observer.neurons(part) for part in model_input.split(BATCH_SIZE)])
        values = observer.objective(responses)
        best = int(torch.nan_to_num(values, nan=-math.inf).argmax())
        validation = None if observer.validator is None else observer.validator(model_input[best : best + 1]).item()
    history.append(values.tolist())
    if silent and ended == "done":
        ended = "failed"
        reason = (
            f"model '{observer.model.name}' is silent at all {settings.restarts} starts: the objective has no gradient "
            "there; more pixel.restarts or another seed may find an answer, or ask for another neuron"
        )
    elif observer.memory is not None:
        altered = observer.memory.changed(observer.neurons, model_input[best : best + 1])
        if altered:
            ended, reason = "failed", f"model '{observer.model.name}' is no function of its image: {altered}"
    return PixelMEI(
        model_input=model_input[best : best + 1],
        activation=values[best].item(),
        responses=responses[best].tolist(),
        restarts=values.tolist(),
        stimuli=model_input,
        history=history,
        validation=validation,
        ended=ended,
        reason=reason,
    )


def _slope(observer: Observer, images: Tensor) -> tuple[list[float], Tensor]:
    """Each image's objective, and its gradient by that image."""
    values, slopes = [], []
    for part in images.split(BATCH_SIZE):
        part = part.detach().requires_grad_()
        value = observer.objective(observer.neurons(_model_inputs(observer, part)))
        slopes.append(torch.autograd.grad(value.sum(), part)[0])
        values += value.tolist()
    return values, torch.cat(slopes)


def _model_inputs(observer: Observer, images: Tensor) -> Tensor:
    """The neurons' inputs of contrast images (B, channels, h, w)."""
    return torch.cat([observer.stimulus(GREY + CONTRAST * image.permute(1, 2, 0)) for image in images])


def _size(images: Tensor) -> Tensor:
    return images.square().mean(CHANNEL_AXES, keepdim=True).sqrt()


def _normalised(images: Tensor) -> Tensor:
    """Of mean 0 and root mean square 1: under a fixed norm or contrast nothing else of an image counts."""
    images = images - images.mean(CHANNEL_AXES, keepdim=True)
    return images / _size(images)


def _displayable(images: Tensor) -> Tensor:
    """Between black and white."""
    return images.clamp(-GREY / CONTRAST, (1 - GREY) / CONTRAST)


def _whitened(images: Tensor, mean_is_set: bool) -> Tensor:
    """Every frequency's amplitude over the frequency squared, in cycles an image, the mean's as that of one cycle.

    Where the constraint sets the mean, it is taken away.
    """
    h, w = images.shape[2:]
    rows = torch.fft.fftfreq(h, d=1 / h, device=images.device)
    columns = torch.fft.rfftfreq(w, d=1 / w, device=images.device)
    power = rows[:, None].square() + columns.square()
    power[0, 0] = math.inf if mean_is_set else 1.0
    return torch.fft.irfft2(torch.fft.rfft2(images) / power, s=(h, w))
