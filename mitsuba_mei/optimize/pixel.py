"""The pixel MEI: gradient ascent on pixels under the stimulus' constraint."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config.sections import Pixel
from ..neurons.observer import Observer
from ..stimulus import Stimulus, gaussian_blur

__all__ = ["PixelMEI", "find_pixel_mei"]

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
    """The pixel MEI of an objective.

    Attributes
    ----------
    model_input : Tensor
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

    def grey(self, stimulus: Stimulus) -> np.ndarray:
        """Grey levels, (h, w) or (h, w, 3), not clipped."""
        return stimulus.to_grey(self.model_input.to(stimulus.mask.device), clip=False).cpu().numpy()


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
    clipped, sign = stimulus.constraint == "clip", observer.objective.sign
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
        on_step(index + 1, sign * max(sign * value for value in values))
        if interrupted():
            ended = "interrupted"
            break
    with torch.no_grad():
        model_input = _model_inputs(observer, images)
        responses = torch.cat([observer.neurons(part) for part in model_input.split(BATCH_SIZE)])
        values = observer.objective.value(responses, model_input)
        best = int(torch.nan_to_num(sign * values, nan=-math.inf).argmax())
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
    """Each image's objective, and the direction by that image that betters it."""
    values, slopes = [], []
    for part in images.split(BATCH_SIZE):
        part = part.detach().requires_grad_()
        model_input = _model_inputs(observer, part)
        value = observer.objective.value(observer.neurons(model_input), model_input)
        slopes.append(torch.autograd.grad(observer.objective.sign * value.sum(), part)[0])
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
