"""What a scene's activation is, beyond the noise of one render."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .experiment import Experiment
from .viewer import Viewer

__all__ = ["Estimate", "Mean", "evaluate"]

EVALUATION_SEEDS = 2**60
"""Renders of an evaluation share no seed with those of an optimisation."""


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

    def as_dict(self) -> dict[str, float]:
        """Mean and standard error."""
        return {"mean": self.mean, "sem": self.sem}


@dataclass(frozen=True)
class Estimate(Mean):
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
def evaluate(experiment: Experiment, spp: int, repeats: int, seed: int) -> Estimate:
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
    viewer = experiment.viewer
    first = EVALUATION_SEEDS + seed * 4096
    if not experiment.renderer.noisy:
        return _exact(viewer, experiment.render(first))
    every = torch.stack([experiment.render(first + i, spp) for i in range(repeats)])
    images = every[every.isfinite().flatten(1).all(1)]
    count = len(images)
    if count < 2:
        return replace(_exact(viewer, every.nanmean(0)), mean=math.nan, sem=math.nan, left_out=repeats - count)
    mean = images.mean(0)
    looks = [viewer.look(image) for image in (mean, *((count * mean - image) / (count - 1) for image in images))]

    def estimate(values: list[Tensor]) -> Mean:
        whole, *without = (value.double() for value in values)
        return Mean.jackknifed(whole, torch.stack(without))

    activation = estimate([look.activation for look in looks])
    validation = None
    if viewer.validator is not None:
        validation = estimate([viewer.validator(look.seen)[0] for look in looks])
    return Estimate(
        activation.mean,
        activation.sem,
        mean,
        tuple(estimate([look.responses[i] for look in looks]) for i in range(len(looks[0].responses))),
        validation,
        repeats - count,
    )


def _exact(viewer: Viewer, image: Tensor) -> Estimate:
    """Of an image without noise."""
    look = viewer.look(image)
    image = image.nan_to_num(0.0, 0.0, 0.0)
    validation = None if viewer.validator is None else Mean(viewer.validator(look.seen)[0].item(), 0.0)
    responses = tuple(Mean(response, 0.0) for response in look.responses.tolist())
    return Estimate(look.activation.item(), 0.0, image, responses, validation)
