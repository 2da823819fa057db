"""What an optimisation of a single scene is for: to drive its neurons."""

from __future__ import annotations

import math

import torch
from torch import nn

from .experiment import Experiment
from .optimize import SMOOTHING, Attempt

__all__ = ["Drive"]

TINY = 1e-6
"""The least reach of an activation that is divided by."""


class Drive:
    """Maximises the activation over a scene's free parameters, and keeps its object one.

    The loss is the regularizers' weighted sum minus the activation over its reach, the running mean of ``|da/dz| |z|``
    for the neuron's input ``z``: what a linear neuron would answer to its best stimulus of that norm. So one weight of
    a regularizer serves a neuron that answers in thousandths and one that answers in tens.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._reach: float | None = None

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The scene's free parameters by group."""
        return self.experiment.scene.groups()

    def attempt(self, seed: int) -> Attempt:
        """Render once and look."""
        shape = self.experiment.scene.shape()
        look = self.experiment.look(seed, shape=shape)
        terms = self.experiment.regularizers(shape)
        value = look.activation.item()
        (slope,) = torch.autograd.grad(look.activation, look.seen)
        now = (slope.norm() * look.seen.detach().norm()).item()
        if math.isfinite(now):
            now = max(now, TINY)
            self._reach = now if self._reach is None else (1 - SMOOTHING) * self._reach + SMOOTHING * now
        cost = self.experiment.regularizers.total(terms)
        scale = 1.0 if self._reach is None else self._reach
        # The model's slope is known already; the cost has none where the shape is frozen.
        (cost - (slope * look.seen).sum() / scale).backward()
        return Attempt(
            value, cost.item() - value / scale, {name: term.item() for name, term in terms.items()}, look.image
        )
