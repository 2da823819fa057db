"""What an optimisation asks of what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn

__all__ = ["SMOOTHING", "Attempt", "Goal"]

SMOOTHING = 0.1
"""Weight of a step in running means."""


@dataclass(frozen=True)
class Attempt:
    """What a goal makes of the parameters as they stand: noisy figures; gradients lie with the parameters.

    Attributes
    ----------
    value : float
        What is maximised.
    loss : float
        What descends.
    terms : dict of str to float
        Whatever else is worth watching: regularizers, unweighted, and the like.
    image : Tensor
        A render, (H, W, C); of several scenes side by side, (H, k W, C).
    """

    value: float
    loss: float
    terms: dict[str, float]
    image: Tensor


class Goal(Protocol):
    """What an optimisation is for."""

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """What it moves, by the group whose learning rate applies."""
        ...

    def attempt(self, seed: int) -> Attempt:
        """Look at the parameters once, and add the loss's gradient to theirs."""
        ...

    def trouble(self, step: int) -> str | None:
        """What is wrong with the scene as it stands after a step, in a few words; None where nothing is."""
        ...

    def memory(self) -> dict[str, np.ndarray | float]:
        """What it remembers of earlier attempts, and cannot go on without."""
        ...

    def remember(self, memory: dict[str, np.ndarray]) -> None:
        """Remember what :meth:`memory` gave."""
        ...
