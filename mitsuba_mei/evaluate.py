"""What a scene's activation is, beyond the noise of one render."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .experiment import Experiment

__all__ = ["Estimate", "Mean", "evaluate"]

EVALUATION_SEEDS = 2**60
"""Renders of an evaluation share no seed with those of an optimisation."""


@dataclass(frozen=True)
class Mean:
    """A mean over independent renders, and its standard error."""

    mean: float
    sem: float

    @classmethod
    def of(cls, values: Tensor) -> Mean:
        """Of one value a render, (n,)."""
        return cls(values.mean().item(), (values.std() / math.sqrt(len(values))).item())

    def as_dict(self) -> dict[str, float]:
        """Mean and standard error."""
        return {"mean": self.mean, "sem": self.sem}


@dataclass(frozen=True)
class Estimate(Mean):
    """A converged activation.

    Attributes
    ----------
    mean, sem : float
        Mean and standard error over independent renders.
    image : Tensor
        (H, W, C), the mean of the renders.
    responses : tuple of Mean
        Of the objective's neurons, in its order.
    validation : Mean or None
        What a second model makes of the same renders.
    """

    image: Tensor
    responses: tuple[Mean, ...] = ()
    validation: Mean | None = None


@torch.no_grad()
def evaluate(experiment: Experiment, spp: int, repeats: int, seed: int) -> Estimate:
    """The activation of the scene as it stands.

    Parameters
    ----------
    spp : int
        Samples per pixel of each render. A model is not linear, so that noise in a render shifts its response; with
        many samples the shift is far below the standard error.
    repeats : int
        Independent renders, at least 2.
    seed : int
        Of all of them.
    """
    state = experiment.scene()
    validator = experiment.viewer.validator
    activations, responses, validations, images = [], [], [], []
    for i in range(repeats):
        look = experiment.look(state, EVALUATION_SEEDS + seed * 4096 + i, spp)
        activations.append(look.activation.double())
        responses.append(look.responses.double())
        images.append(look.image)
        if validator is not None:
            validations.append(validator(look.seen)[0].double())
    activation = Mean.of(torch.stack(activations))
    return Estimate(
        activation.mean,
        activation.sem,
        torch.stack(images).mean(0),
        tuple(Mean.of(values) for values in torch.stack(responses).T),
        Mean.of(torch.stack(validations)) if validations else None,
    )
