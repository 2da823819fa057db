"""Converged responses with their render s.e."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ..neurons.observer import Observer
from ..pipeline import Pipeline

__all__ = ["CONFIDENCE", "Accuracy", "SceneEstimate", "Mean", "Responses", "evaluate", "respond"]

EVALUATION_SEEDS = 2**60
"""Renders of an evaluation share no seed with those of an optimization."""


@dataclass(frozen=True)
class Mean:
    """An estimate from independent renders, and its standard error."""

    mean: float
    sem: float

    @classmethod
    def jackknifed(cls, whole: Tensor, without: Tensor) -> Mean:
        r"""What a render without noise would give.

        The jackknife: with :math:`a` the value of the mean of ``n`` renders and :math:`a_{-i}` that of the mean without
        the i-th, the mean of :math:`n a - (n - 1) a_{-i}` has no bias of first order in the renders' variance, and
        their spread gives its standard error (Efron & Stein 1981, The jackknife estimate of variance, Annals of
        Statistics 9:586-596).

        Parameters
        ----------
        whole : Tensor
            a, scalar.
        without : Tensor
            (n,).
        """
        n = len(without)
        values = n * whole - (n - 1) * without
        return cls(values.mean().item(), (values.std() / math.sqrt(n)).item())


@dataclass(frozen=True)
class SceneEstimate(Mean):
    """A converged activation.

    Attributes
    ----------
    mean, sem : float
        The activation without noise, and its standard error.
    image : Tensor
        (H, W, C), or as the experiment's cameras make it; the mean of the renders.
    responses : tuple of Mean
        Of the objective's neurons, in its order.
    validation : Mean or None
        What a second model makes of the same renders.
    left_out : int
        Renders that were not finite.
    """

    image: Tensor
    responses: tuple[Mean, ...] = ()
    validation: Mean | None = None
    left_out: int = 0


@torch.no_grad()
def evaluate(pipeline: Pipeline, spp: int, repeats: int, seed: int) -> SceneEstimate:
    """The activation of the scene as it stands.

    A render with a value that is not finite is left out; where fewer than two are left, the activation is nan, and what
    is not finite in the image is black. A model is not linear, so that noise in a render shifts its response; see
    :meth:`Mean.jackknifed` for how that is taken out.

    Parameters
    ----------
    spp : int
        Samples per pixel of each render.
    repeats : int
        Independent renders, at least 2. A renderer without noise renders once, and there is no error.
    seed : int
        Of all of them.
    """
    observer = pipeline.observer
    first = EVALUATION_SEEDS + seed * 4096
    if not pipeline.renderer.noisy:
        return _exact(observer, pipeline.render(first))
    every = torch.stack([pipeline.render(first + i, spp) for i in range(repeats)])
    images = every[every.isfinite().flatten(1).all(1)]
    count = len(images)
    if count < 2:
        return replace(_exact(observer, every.nanmean(0)), mean=math.nan, sem=math.nan, left_out=repeats - count)
    mean = images.mean(0)
    looks = [observer.observe(image) for image in (mean, *((count * mean - image) / (count - 1) for image in images))]

    def estimate(values: list[Tensor]) -> Mean:
        whole, *without = (value.double() for value in values)
        return Mean.jackknifed(whole, torch.stack(without))

    activation = estimate([look.activation for look in looks])
    validation = None
    if observer.validator is not None:
        validation = estimate([observer.validator(look.model_input)[0] for look in looks])
    return SceneEstimate(
        activation.mean,
        activation.sem,
        mean,
        tuple(estimate([look.responses[i] for look in looks]) for i in range(len(looks[0].responses))),
        validation,
        repeats - count,
    )


def _exact(observer: Observer, image: Tensor) -> SceneEstimate:
    """Of an image without noise."""
    look = observer.observe(image)
    image = image.nan_to_num(0.0, 0.0, 0.0)
    validation = None if observer.validator is None else Mean(observer.validator(look.model_input)[0].item(), 0.0)
    responses = tuple(Mean(response, 0.0) for response in look.responses.tolist())
    return SceneEstimate(look.activation.item(), 0.0, image, responses, validation)


CONFIDENCE = 0.95
RENDERS = 32
"""Over how many renders an evaluation's samples are split."""

BATCH = 64
"""Inputs that a model sees at a time."""


@dataclass(frozen=True)
class Accuracy:
    """How the samples of an estimate are spent.

    Attributes
    ----------
    spp : int
        Samples per pixel of each render.
    repeats : int
        Independent renders, at least 2.
    """

    spp: int
    repeats: int

    @classmethod
    def split(cls, spp: int, repeats: int, renders: int | None = None) -> Accuracy:
        """The samples of ``repeats`` renders of ``spp`` each over ``renders`` ones (32, or as many as there are).

        The standard error is estimated from the renders' spread. From four of them two standard errors hold the truth
        in 86 % of cases (Student's t with 3 degrees of freedom), from 32 in 94.6 %, of 95.4 % with a known error.
        """
        total = spp * repeats
        renders = max(2, min(RENDERS, total)) if renders is None else renders
        return cls(math.ceil(total / renders), renders)


@dataclass(frozen=True)
class Responses:
    """Of k neurons to one scene.

    Attributes
    ----------
    mean, sem : ndarray
        (k,) float64; the standard errors are 0 where the renderer has no noise.
    low, high : ndarray
        (k,), ends of the intervals that hold the truth with a confidence of 95 % (Student's t).
    image : Tensor
        (H, W, C), the mean of the renders.
    """

    mean: np.ndarray
    sem: np.ndarray
    low: np.ndarray
    high: np.ndarray
    image: Tensor


@torch.no_grad()
def respond(pipeline: Pipeline, neurons: Callable[[Tensor], Tensor], accuracy: Accuracy, first_seed: int) -> Responses:
    r"""The converged responses to the scene as it stands.

    With :math:`a` the responses to the mean of n renders and :math:`a_{-i}` those to the mean without the i-th, the
    pseudo-values :math:`n a - (n - 1) a_{-i}` have a mean without bias of first order in the renders' variance, and are
    nearly independent: it follows Student's t distribution with n - 1 degrees of freedom about the truth (Tukey 1958,
    Annals of Mathematical Statistics 29:614; Efron & Stein 1981, Annals of Statistics 9:586-596). This asks for a model
    that is smooth within the noise: at the threshold of a rectified neuron the correction can lead a little below 0,
    less the more samples there are.

    Parameters
    ----------
    pipeline : Pipeline
        Its scene, renderer and stimulus count.
    neurons : callable
        From inputs ``(B, channels, h, w)`` to responses ``(B, k)``; sees all inputs of the scene at once.
    accuracy : Accuracy
        A renderer without noise renders once.
    first_seed : int
        Of the first render; the others have those that follow.
    """
    state, renderer = pipeline.scene(), pipeline.renderer
    if not renderer.noisy:
        image = renderer.render(state, first_seed)
        mean = _answers(pipeline, neurons, [image])[0]
        return Responses(mean, np.zeros_like(mean), mean, mean, image)
    n = accuracy.repeats
    images = torch.stack([renderer.render(state, first_seed + i, accuracy.spp) for i in range(n)])
    image = images.mean(0)
    answers = _answers(pipeline, neurons, [image, *((n * image - each) / (n - 1) for each in images)])
    values = n * answers[0] - (n - 1) * answers[1:]
    mean, sem = values.mean(0), values.std(0, ddof=1) / math.sqrt(n)
    half_width = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * sem
    return Responses(mean, sem, mean - half_width, mean + half_width, image)


def _answers(pipeline: Pipeline, neurons: Callable[[Tensor], Tensor], images: list[Tensor]) -> np.ndarray:
    """Responses to each image, ``(len(images), k)`` float64."""
    model_input = torch.cat([pipeline.observer.stimulus(image) for image in images])
    return torch.cat([neurons(part) for part in model_input.split(BATCH)]).double().cpu().numpy()
