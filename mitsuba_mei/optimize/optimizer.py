"""Steps of Adam along a noisy gradient, whose state can be kept and taken up again."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from .loss import SMOOTHING, Loss
from .state import OptimizerState, Snapshot, checked_array, checked_numbers

__all__ = ["SceneOptimizer", "Outcome", "OptimizerSettings", "Step"]

MEMORY = 50
"""Steps over which the usual size of a gradient is known."""

OUTLIER = 3.0
"""A gradient longer than this many times its usual norm is shortened to that."""


@dataclass(frozen=True)
class OptimizerSettings:
    """How to optimize.

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
    def of(cls, optimizer) -> OptimizerSettings:
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
    """How an optimization went.

    Attributes
    ----------
    steps : int
        Steps made.
    skipped : int
        Steps thrown away because something was not finite.
    shortened : int
        Gradients shortened as outliers.
    setbacks : int
        How often the scene was brought back to where nothing was wrong with it.
    ended : str
        ``done``, ``no better``, ``interrupted`` or ``failed``.
    reason : str
        Why it failed.
    """

    steps: int = 0
    skipped: int = 0
    shortened: int = 0
    setbacks: int = 0
    ended: str = "done"
    reason: str = ""


class SceneOptimizer:
    """What an optimization knows between two steps, and how it makes one.

    Parameters
    ----------
    goal : Loss
    settings : OptimizerSettings
    seed : int
        Step i renders with a seed of its own.

    Attributes
    ----------
    index : int
        Steps that count: what a set-back undid does not.
    lost : int
        Steps in a row that were thrown away.
    outcome : Outcome
        So far.
    """

    def __init__(self, goal: Loss, settings: OptimizerSettings, seed: int) -> None:
        self._goal, self._settings, self._seed = goal, settings, seed
        self._groups = goal.parameter_groups()
        self._optimizer = torch.optim.Adam(
            [{"params": parameters, "lr": settings.lr[name]} for name, parameters in self._groups.items()],
            betas=(0.9, 0.99),
        )
        self._gradient_norms = {name: deque(maxlen=MEMORY) for name in self._groups}
        self._smooth: float | None = None
        self._best: float | None = None
        self._since_best = 0
        self._lr_scale = 1.0
        self.index = 0
        self.lost = 0
        self.outcome = Outcome()

    def step(self) -> Step:
        """One step, if what it sees is finite."""
        self._optimizer.zero_grad(set_to_none=True)
        evaluated = self._goal.evaluate(self._seed * 2**20 + self.index)
        groups = self._groups
        norms = {name: _norm(parameters) for name, parameters in groups.items()}
        finite = (
            math.isfinite(evaluated.value) and math.isfinite(evaluated.loss) and all(map(math.isfinite, norms.values()))
        )
        if finite:
            self.outcome.shortened += sum(
                _clip(groups[name], norms[name], self._gradient_norms[name]) for name in norms
            )
            for group, name in zip(self._optimizer.param_groups, groups):
                group["lr"] = self._lr_scale * self._settings.lr[name] * self._settings.rate(self.index)
            self._optimizer.step()
            smooth, now = self._smooth, evaluated.sign * evaluated.value
            self._smooth = now if smooth is None else (1 - SMOOTHING) * smooth + SMOOTHING * now
        else:
            self.outcome.skipped += 1
        self.lost = 0 if finite else self.lost + 1
        self.index += 1
        self.outcome.steps += 1
        return Step(
            self.index, evaluated.value, evaluated.loss, evaluated.terms, norms, evaluated.image.detach(), not finite
        )

    def no_better(self) -> bool:
        """Whether the patience with the running mean of the activation is over."""
        if self._settings.patience is None:
            return False
        if self._best is None or self._smooth > self._best:
            self._best, self._since_best = self._smooth, 0
            return False
        self._since_best += 1
        return self._since_best >= self._settings.patience

    def roll_back(self, good: Snapshot) -> None:
        """Take up a good state again, with smaller steps; what has been counted stays."""
        outcome, caution = self.outcome, 0.5 * self._lr_scale
        self.restore(good)
        self.outcome, self._lr_scale = outcome, caution
        self.outcome.setbacks += 1

    def snapshot(self, good: Snapshot | None = None) -> Snapshot:
        """All of it, copied, beside the last good state."""
        arrays = {f"goal.{name}": np.array(value) for name, value in self._goal.state_dict().items()}
        for name, parameter in self._named():
            arrays[f"{name}.value"] = _array(parameter)
            for key, value in self._optimizer.state.get(parameter, {}).items():
                arrays[f"{name}.{key}"] = _array(value)
        numbers = {
            "index": self.index,
            "lost": self.lost,
            "smooth": self._smooth,
            "best": self._best,
            "since_best": self._since_best,
            "caution": self._lr_scale,
            "usual": {name: list(values) for name, values in self._gradient_norms.items()},
            "outcome": asdict(self.outcome),
        }
        snapshot = Snapshot(numbers, arrays)
        return snapshot if good is None else snapshot.beside(good)

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Be where a snapshot was taken.

        Raises
        ------
        UserError
            If it is of another optimization.
        """
        kept, arrays = checked_numbers(OptimizerState, snapshot.numbers), snapshot.arrays
        named = dict(self._named())
        if set(kept.usual) != set(self._groups) or any(
            f"{name}.value" not in arrays or arrays[f"{name}.value"].shape != p.shape for name, p in named.items()
        ):
            raise UserError("the state that was kept is of other parameters; the configuration has changed since")
        self.index, self.lost, self._smooth, self._best = kept.index, kept.lost, kept.smooth, kept.best
        self._since_best, self._lr_scale = kept.since_best, kept.caution
        self._gradient_norms = {name: deque(kept.usual[name], maxlen=MEMORY) for name in self._groups}
        self.outcome = Outcome(**kept.outcome.model_dump())
        if self.outcome.ended == "interrupted":
            self.outcome.ended = "done"
        self._optimizer.state.clear()
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(checked_array(arrays, f"{name}.value", parameter.shape)))
            if f"{name}.step" in arrays:
                step = torch.from_numpy(checked_array(arrays, f"{name}.step", ()).copy()).float()
                moments = {
                    key: torch.from_numpy(checked_array(arrays, f"{name}.{key}", parameter.shape).copy()).to(parameter)
                    for key in ("exp_avg", "exp_avg_sq")
                }
                self._optimizer.state[parameter] = {"step": step, **moments}
        self._goal.load_state_dict({name[5:]: value for name, value in arrays.items() if name.startswith("goal.")})

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        for group, parameters in self._groups.items():
            yield from ((f"{group}.{number}", parameter) for number, parameter in enumerate(parameters))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _norm(parameters: list[Tensor]) -> float:
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else 0.0


def _clip(parameters: list[Tensor], norm: float, usual: deque[float]) -> bool:
    """Shorten a group's gradient where it is an outlier; remember its norm."""
    limit = OUTLIER * statistics.median(usual) if len(usual) >= 5 else math.inf
    usual.append(norm)
    if norm <= limit:
        return False
    for p in parameters:
        if p.grad is not None:
            p.grad *= limit / norm
    return True
