"""The optimisation loop."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

__all__ = ["Attempt", "Goal", "Settings", "Step", "Outcome", "optimize"]

MEMORY = 50
"""Steps over which the usual size of a gradient is known."""

OUTLIER = 3.0
"""A gradient longer than this many times its usual norm is shortened to that."""

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


@dataclass(frozen=True)
class Settings:
    """How to optimise.

    Attributes
    ----------
    steps : int
    lr : dict of str to float
        Learning rate of each group of the scene (shape, pose, camera, lighting, material).
    warmup : int
        Steps over which the learning rates rise.
    decay : float
        The last learning rate over the highest, reached along a cosine.
    patience : int or None
        Stop after so many steps in which the running mean of the activation did not reach a new height.
    """

    steps: int
    lr: dict[str, float]
    warmup: int = 10
    decay: float = 0.1
    patience: int | None = None

    @classmethod
    def of(cls, optimizer) -> Settings:
        """What a scene file's ``optimizer`` (schema.Optimizer) says."""
        rates = {name: getattr(optimizer, f"lr_{name}") for name in ("pose", "camera", "lighting", "material")}
        return cls(
            optimizer.steps, {"shape": optimizer.lr, **rates}, optimizer.warmup, optimizer.decay, optimizer.patience
        )

    def rate(self, step: int) -> float:
        """The factor on the learning rates at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.decay + (1 - self.decay) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Step:
    """What a step saw, before it moved anything: noisy figures, for watching only.

    Attributes
    ----------
    step : int
        Counted from 1.
    activation : float
    loss : float
    terms : dict of str to float
        Regularizers, unweighted.
    gradient_norm : dict of str to float
        By group.
    image : Tensor
        The render, (H, W, C).
    skipped : bool
        Whether a loss or gradient that is not finite was thrown away.
    """

    step: int
    activation: float
    loss: float
    terms: dict[str, float]
    gradient_norm: dict[str, float]
    image: Tensor
    skipped: bool


@dataclass
class Outcome:
    """How an optimisation went.

    Attributes
    ----------
    steps : int
        Steps made.
    skipped : int
        Steps thrown away because something was not finite.
    shortened : int
        Gradients shortened as outliers.
    ended : str
        ``done``, ``no better`` or ``interrupted``.
    """

    steps: int = 0
    skipped: int = 0
    shortened: int = 0
    ended: str = "done"


def optimize(
    goal: Goal,
    settings: Settings,
    seed: int,
    on_step: Callable[[Step], None] = lambda step: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Maximise a goal over its free parameters, in place.

    Adam (Kingma & Ba 2015) takes the steps. A Monte Carlo gradient has heavy tails: one that is not finite is thrown
    away, one that is far longer than usual is shortened.

    Parameters
    ----------
    goal : Goal
    settings : Settings
    seed : int
        Step i renders with a seed of its own.
    on_step : callable
        Told of every step.
    interrupted : callable
        Asked after every step whether to end.
    """
    groups = goal.groups()
    optimizer = torch.optim.Adam(
        [{"params": parameters, "lr": settings.lr[name]} for name, parameters in groups.items()], betas=(0.9, 0.99)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, settings.rate)
    outcome = Outcome()
    usual = {name: deque(maxlen=MEMORY) for name in groups}
    smooth = best = None
    since_best = 0
    for index in range(settings.steps):
        optimizer.zero_grad(set_to_none=True)
        found = goal.attempt(seed * 2**20 + index)
        norms = {name: _norm(parameters) for name, parameters in groups.items()}
        finite = math.isfinite(found.value) and math.isfinite(found.loss) and all(map(math.isfinite, norms.values()))
        if finite:
            outcome.shortened += sum(_shorten(groups[name], norms[name], usual[name]) for name in norms)
            optimizer.step()
            smooth = found.value if smooth is None else (1 - SMOOTHING) * smooth + SMOOTHING * found.value
        else:
            outcome.skipped += 1
        schedule.step()
        outcome.steps += 1
        on_step(Step(index + 1, found.value, found.loss, found.terms, norms, found.image.detach(), not finite))
        if interrupted():
            outcome.ended = "interrupted"
            break
        if finite and settings.patience is not None:
            if best is None or smooth > best:
                best, since_best = smooth, 0
            else:
                since_best += 1
                if since_best >= settings.patience:
                    outcome.ended = "no better"
                    break
    return outcome


def _norm(parameters: list[Tensor]) -> float:
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else 0.0


def _shorten(parameters: list[Tensor], norm: float, usual: deque[float]) -> bool:
    """Shorten a group's gradient where it is an outlier; remember its norm."""
    limit = OUTLIER * statistics.median(usual) if len(usual) >= 5 else math.inf
    usual.append(norm)
    if norm <= limit:
        return False
    for p in parameters:
        if p.grad is not None:
            p.grad *= limit / norm
    return True
