"""What several neurons answer to a scene, beyond the noise of its renders, from one set of renders."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from .experiment import Experiment

__all__ = ["CONFIDENCE", "Accuracy", "Responses", "respond"]

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
def respond(
    experiment: Experiment, neurons: Callable[[Tensor], Tensor], accuracy: Accuracy, first_seed: int
) -> Responses:
    r"""The converged responses to the scene as it stands.

    With :math:`a` the responses to the mean of n renders and :math:`a_{-i}` those to the mean without the i-th, the
    pseudo-values :math:`n a - (n - 1) a_{-i}` have a mean without bias of first order in the renders' variance, and are
    nearly independent: it follows Student's t distribution with n - 1 degrees of freedom about the truth (Tukey 1958,
    Annals of Mathematical Statistics 29:614; Efron & Stein 1981, Annals of Statistics 9:586-596). This asks for a model
    that is smooth within the noise: at the threshold of a rectified neuron the correction can lead a little below 0,
    less the more samples there are.

    Parameters
    ----------
    experiment : Experiment
        Its scene, renderer and stimulus count.
    neurons : callable
        From inputs ``(B, channels, h, w)`` to responses ``(B, k)``; sees all inputs of the scene at once.
    accuracy : Accuracy
        A renderer without noise renders once.
    first_seed : int
        Of the first render; the others have those that follow.
    """
    state, renderer = experiment.scene(), experiment.renderer
    if not renderer.noisy:
        image = renderer.render(state, first_seed)
        mean = _answers(experiment, neurons, [image])[0]
        return Responses(mean, np.zeros_like(mean), mean, mean, image)
    n = accuracy.repeats
    images = torch.stack([renderer.render(state, first_seed + i, accuracy.spp) for i in range(n)])
    image = images.mean(0)
    answers = _answers(experiment, neurons, [image, *((n * image - each) / (n - 1) for each in images)])
    values = n * answers[0] - (n - 1) * answers[1:]
    mean, sem = values.mean(0), values.std(0, ddof=1) / math.sqrt(n)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * sem
    return Responses(mean, sem, mean - reach, mean + reach, image)


def _answers(experiment: Experiment, neurons: Callable[[Tensor], Tensor], images: list[Tensor]) -> np.ndarray:
    """Responses to each image, ``(len(images), k)`` float64."""
    seen = torch.cat([experiment.viewer.stimulus(image) for image in images])
    return torch.cat([neurons(part) for part in seen.split(BATCH)]).double().cpu().numpy()
