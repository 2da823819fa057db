"""Losses of an optimization: minus the activation, or the differences of several scenes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..neurons.observer import Observation
from ..pipeline import Pipeline
from .checks import FailureMonitor
from .dissimilarity import Dissimilarity, SceneFeatures, scene_features
from .state import checked_array

__all__ = ["MEAN_ACTIVATION", "SMOOTHING", "LossValue", "DiversityLoss", "ActivationLoss", "Loss"]

MEAN_ACTIVATION = "mean_activation"
"""The name of several scenes' mean activation among what is watched; what is maximised is another figure there."""

TINY = 1e-6
"""The least reach of an activation that is divided by."""


class ActivationLoss:
    """Maximises the activation over a scene's free parameters, and keeps its object one.

    The loss is the regularizers' weighted sum minus the activation over its reach, the running mean of ``|da/dz| |z|``
    for the neuron's input ``z``: what a linear neuron would answer to its best stimulus of that norm. So one weight of
    a regularizer serves a neuron that answers in thousandths and one that answers in tens.

    Parameters
    ----------
    pipeline : Pipeline
    watch : callable, optional
        What says after a step that something is wrong with the scene.
    """

    def __init__(self, pipeline: Pipeline, watch: Callable[[int], str | None] | None = None) -> None:
        self.pipeline = pipeline
        self.failure = FailureMonitor(pipeline) if watch is None else watch
        self._reach: float | None = None

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The scene's free parameters by group."""
        return self.pipeline.scene.parameter_groups()

    def state_dict(self) -> dict[str, float]:
        """The reach."""
        return {} if self._reach is None else {"reach": self._reach}

    def load_state_dict(self, memory: Mapping[str, np.ndarray]) -> None:
        """Take up the reach."""
        self._reach = checked_array(memory, "reach", ()).item() if "reach" in memory else None

    def evaluate(self, seed: int) -> LossValue:
        """Render once and look."""
        shape = self.pipeline.scene.shape()
        look = self.pipeline.observe(seed, shape=shape)
        terms = self.pipeline.regularizers(shape)
        value = look.activation.item()
        (slope,) = torch.autograd.grad(look.activation, look.model_input)
        now = (slope.norm() * look.model_input.detach().norm()).item()
        if math.isfinite(now):
            now = max(now, TINY)
            self._reach = now if self._reach is None else (1 - SMOOTHING) * self._reach + SMOOTHING * now
        cost = self.pipeline.regularizers.total(terms)
        scale = 1.0 if self._reach is None else self._reach
        # The model's slope is known already; the cost has none where the shape is frozen.
        (cost - (slope * look.model_input).sum() / scale).backward()
        return LossValue(
            value, cost.item() - value / scale, {name: term.item() for name, term in terms.items()}, look.image
        )


class DiversityLoss:
    """Makes scenes differ that all do what is wanted of them.

    The loss of each scene is its regularizers' weighted sum plus ``want``; that of the whole also the mean over pairs
    of how much ``enough`` is missed by, in parts of ``apart``; without ``enough`` there is no end to it.

    Parameters
    ----------
    experiments : sequence of Pipeline
        One a scene; the renderer is the same.
    want : callable
        From a look to what is lost there, at least 0: a penalty that is exact where it is steep enough (Nocedal &
        Wright 2006, Numerical Optimization, section 17.2).
    kind : str
        In what they differ (:mod:`~mitsuba_mei.optimize.dissimilarity`).
    apart : float
        How far is far.
    reference : SceneFeatures, optional
        A scene that stays as it is, from which they all have to differ; else they have to differ from each other.
    enough : float
        Beyond so many times ``apart`` nothing is gained.
    """

    def __init__(
        self,
        experiments: Sequence[Pipeline],
        want: Callable[[Observation], Tensor],
        kind: str,
        apart: float,
        reference: SceneFeatures | None = None,
        enough: float = math.inf,
    ) -> None:
        self.experiments, self._want, self._apart, self._enough = experiments, want, apart, enough
        self._reference = reference
        self._watches = [FailureMonitor(pipeline) for pipeline in experiments]
        count = len(experiments)
        pairs = (
            [(i, j) for i in range(count) for j in range(i)] if reference is None else [(i, -1) for i in range(count)]
        )
        self._pairs = {pair: Dissimilarity(kind) for pair in pairs}

    def failure(self, step: int) -> str | None:
        """What is wrong with the first scene with which anything is."""
        return next((failure for watch in self._watches if (failure := watch(step)) is not None), None)

    def state_dict(self) -> dict[str, np.ndarray]:
        """How surfaces were laid onto each other last, and when."""
        return {f"{i}.{j}": each.laid for (i, j), each in self._pairs.items() if each.laid is not None}

    def load_state_dict(self, memory: Mapping[str, np.ndarray]) -> None:
        """Take this up."""
        for (i, j), each in self._pairs.items():
            each.laid = checked_array(memory, f"{i}.{j}", (5, 4)).copy() if f"{i}.{j}" in memory else None

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The free parameters of all scenes by group."""
        groups: dict[str, list[nn.Parameter]] = {}
        for pipeline in self.experiments:
            for name, parameters in pipeline.scene.parameter_groups().items():
                groups.setdefault(name, []).extend(parameters)
        return groups

    def evaluate(self, seed: int) -> LossValue:
        """Render every scene once and look. The value is minus what is lost, the scenes' mean, without regularizers.

        The images lie side by side, (H, k W, C).
        """
        shapes = [pipeline.scene.shape() for pipeline in self.experiments]
        states = [pipeline.scene(shape) for pipeline, shape in zip(self.experiments, shapes)]
        images = self.experiments[0].renderer.render_batch(states, seed)
        looks = [pipeline.observer.observe(image) for pipeline, image in zip(self.experiments, images)]
        aspects = [
            scene_features(e.scene, shape, look.model_input) for e, shape, look in zip(self.experiments, shapes, looks)
        ]
        others = [*aspects, self._reference]
        apart = torch.stack([each(others[i], others[j]) for (i, j), each in self._pairs.items()]) / self._apart
        missed = -apart if math.isinf(self._enough) else (self._enough - apart).clamp_min(0)
        terms = [e.regularizers(shape) for e, shape in zip(self.experiments, shapes)]
        cost = sum(e.regularizers.total(term) for e, term in zip(self.experiments, terms))
        lost = torch.stack([self._want(look) for look in looks])
        loss = (cost + lost.sum()) / len(looks) + missed.mean()
        loss.backward()
        figures = {name: sum(term[name].item() for term in terms) / len(terms) for name in terms[0]}
        difference = apart.mean().item() * self._apart
        together = torch.cat(tuple(images), dim=1)
        watched = {"difference": difference, **figures}
        if self._reference is None:
            mean = sum(look.activation.item() for look in looks) / len(looks)
            watched = {MEAN_ACTIVATION: mean, **watched}
        return LossValue(-lost.mean().item(), loss.item(), watched, together)


SMOOTHING = 0.1
"""Weight of a step in running means."""


@dataclass(frozen=True)
class LossValue:
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


class Loss(Protocol):
    """What an optimization is for."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """What it moves, by the group whose learning rate applies."""
        ...

    def evaluate(self, seed: int) -> LossValue:
        """Look at the parameters once, and add the loss's gradient to theirs."""
        ...

    def failure(self, step: int) -> str | None:
        """What is wrong with the scene as it stands after a step, in a few words; None where nothing is."""
        ...

    def state_dict(self) -> dict[str, np.ndarray | float]:
        """What it remembers of earlier attempts, and cannot go on without."""
        ...

    def load_state_dict(self, memory: dict[str, np.ndarray]) -> None:
        """Remember what :meth:`state_dict` gave."""
        ...
