"""What a scene's activation is, beyond the noise of one render."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .experiment import Experiment

__all__ = ["Estimate", "evaluate"]

EVALUATION_SEEDS = 2**60
"""Renders of an evaluation share no seed with those of an optimisation."""


@dataclass(frozen=True)
class Estimate:
    """A converged activation.

    Attributes
    ----------
    mean, sem : float
        Mean and standard error over independent renders.
    image : Tensor
        (H, W, C), the mean of the renders.
    """

    mean: float
    sem: float
    image: Tensor

    def as_dict(self) -> dict[str, float]:
        """Mean and standard error."""
        return {"mean": self.mean, "sem": self.sem}


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
    activations, images = [], []
    for i in range(repeats):
        look = experiment.look(state, EVALUATION_SEEDS + seed * 4096 + i, spp)
        activations.append(look.activation.double())
        images.append(look.image)
    values = torch.stack(activations)
    return Estimate(values.mean().item(), (values.std() / math.sqrt(repeats)).item(), torch.stack(images).mean(0))
