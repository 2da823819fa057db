"""What is maximised: a scalar of the neurons' responses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .errors import UserError

__all__ = ["Activation", "check_neurons"]


def check_neurons(neurons: int | Sequence[int], count: int | None = None) -> list[int]:
    """The neurons' indices as a list.

    Parameters
    ----------
    neurons : int or sequence of int
        One or several, each from 0 on.
    count : int, optional
        How many neurons the model has.

    Raises
    ------
    UserError
        Where none is named, one is named twice, is not a whole number, or lies outside ``0..count - 1``.
    """
    listed = [neurons] if isinstance(neurons, int) else list(neurons)
    allowed = "from 0 on" if count is None else f"0..{count - 1}" if count > 1 else "0 only"
    if not listed:
        raise UserError(f"no neuron is named; name at least one (allowed: {allowed})")
    for index in listed:
        if isinstance(index, bool) or not isinstance(index, int):
            raise UserError(f"neuron {index!r} is not a whole number; allowed: {allowed}")
        if index < 0 or (count is not None and index >= count):
            raise UserError(f"there is no neuron {index}; allowed: {allowed}")
        if listed.count(index) > 1:
            raise UserError(f"neuron {index} is named {listed.count(index)} times in {listed}; name each once")
    return listed


class Activation(nn.Module):
    """The response of one neuron, or the weighted mean response of several.

    Parameters
    ----------
    neurons : int or sequence of int
        Indices into the model's responses.
    weights : sequence of float, optional
        One positive weight a neuron; only their ratios count. Equal where not given.

    Raises
    ------
    UserError
        Bad indices (see :func:`check_neurons`), or weights of another number than the neurons or not positive.
    """

    def __init__(self, neurons: int | Sequence[int], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.neurons = check_neurons(neurons)
        weights = [1.0] * len(self.neurons) if weights is None else [float(w) for w in weights]
        if len(weights) != len(self.neurons):
            raise UserError(
                f"objective.weights has {len(weights)} numbers for {len(self.neurons)} neurons; give one each"
            )
        if not all(0 < w < math.inf for w in weights):
            raise UserError(f"objective.weights is {weights}; each must be a positive number")
        self.register_buffer("weights", torch.tensor(weights) / math.fsum(weights), persistent=False)

    def forward(self, responses: Tensor) -> Tensor:
        """The scalar to maximise, of responses ``(B, n)``; averaged over the batch."""
        check_neurons(self.neurons, responses.shape[1])
        return (responses[:, self.neurons] @ self.weights.to(responses.dtype)).mean()
