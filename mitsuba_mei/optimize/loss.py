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
"""The term that holds several scenes' mean activation; their objective is another figure."""

SMOOTHING = 0.1
"""Weight of a step in running means."""

TINY = 1e-6
"""Least reach of an activation by which it is divided."""


@dataclass(frozen=True)
class LossValue:
    """One noisy evaluation of a loss; its gradient is added to the parameters'.

    Attributes
    ----------
    value : float
        The objective.
    loss : float
        The loss, which is minimised.
    terms : dict of str to float
        Further figures for the record: the unweighted regularizers, and the like.
    image : Tensor
        A render, (H, W, C); of several scenes side by side, (H, k W, C).
    sign : float
        1 where a larger objective is better, -1 where a smaller one is.
    """

    value: float
    loss: float
    terms: dict[str, float]
    image: Tensor
    sign: float = 1.0


class Loss(Protocol):
    """A loss that :func:`~mitsuba_mei.optimize.loop.optimize` minimises."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Free parameters by the group whose learning rate applies."""
        ...

    def evaluate(self, seed: int) -> LossValue:
        """Evaluate the loss once, and add its gradient to the parameters'."""
        ...

    def failure(self, step: int) -> str | None:
        """What is wrong with the scene after a step, in a few words; None where nothing is."""
        ...

    def state_dict(self) -> dict[str, np.ndarray | float]:
        """Memory of earlier evaluations, for the checkpoint."""
        ...

    def load_state_dict(self, memory: dict[str, np.ndarray]) -> None:
        """Restore what :meth:`state_dict` gave."""
        ...


class ActivationLoss:
    """Minus the activation (plus, where it is minimized), plus the regularizers.

    The loss is the regularizers' weighted sum minus the signed activation over its reach, the running mean of ``|da/dz| |z|``
    for the neuron's input ``z``: what a linear neuron would answer to its best stimulus of that norm. So one weight of
    a regularizer serves a neuron that answers in thousandths and one that answers in tens.

    Parameters
    ----------
    pipeline : Pipeline
    watch : callable, optional
        Called after a step: says what is wrong with the scene, if anything.
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
        """Restore the reach."""
        self._reach = checked_array(memory, "reach", ()).item() if "reach" in memory else None

    def evaluate(self, seed: int) -> LossValue:
        """Render once, and evaluate."""
        shape = self.pipeline.scene.shape()
        look = self.pipeline.observe(seed, shape=shape)
        terms, cost = self.pipeline.regularization(shape)
        value = look.activation.item()
        (slope,) = torch.autograd.grad(look.activation, look.model_input)
        now = (slope.norm() * look.model_input.detach().norm()).item()
        if math.isfinite(now):
            now = max(now, TINY)
            self._reach = now if self._reach is None else (1 - SMOOTHING) * self._reach + SMOOTHING * now
        scale = 1.0 if self._reach is None else self._reach
        # The model's slope is known already; the cost has none where the shape is frozen.
        sign = self.pipeline.observer.objective.sign
        (cost - sign * (slope * look.model_input).sum() / scale).backward()
        figures = {name: term.item() for name, term in terms.items()}
        return LossValue(value, cost.item() - sign * value / scale, figures, look.image, sign)


class DiversityLoss:
    """Dissimilarity of scenes, under a penalty on each of them.

    The loss is the scenes' mean of the regularizers' weighted sum plus ``penalty``, plus the mean over pairs of
    ``max(0, enough - d / min_difference)`` for a dissimilarity ``d``; of ``-d / min_difference`` where ``enough`` is
    infinite.

    Parameters
    ----------
    pipelines : sequence of Pipeline
        One a scene, all with one renderer.
    penalty : callable
        From an observation to a number, at least 0; exact where it is steep enough (Nocedal & Wright 2006, Numerical
        Optimization, section 17.2).
    kind : str
        In which respect they differ (:mod:`~mitsuba_mei.optimize.dissimilarity`).
    min_difference : float
        The dissimilarity that counts as 1.
    reference : SceneFeatures, optional
        A fixed scene from which they all differ; without it they differ from each other.
    enough : float
        In ``min_difference``: a larger dissimilarity gains nothing.
    """

    def __init__(
        self,
        pipelines: Sequence[Pipeline],
        penalty: Callable[[Observation], Tensor],
        kind: str,
        min_difference: float,
        reference: SceneFeatures | None = None,
        enough: float = math.inf,
    ) -> None:
        self.pipelines, self._penalty, self._min_difference, self._enough = pipelines, penalty, min_difference, enough
        self._reference = reference
        self._watches = [FailureMonitor(pipeline) for pipeline in pipelines]
        count = len(pipelines)
        pairs = (
            [(i, j) for i in range(count) for j in range(i)] if reference is None else [(i, -1) for i in range(count)]
        )
        self._pairs = {pair: Dissimilarity(kind) for pair in pairs}

    def failure(self, step: int) -> str | None:
        """What is wrong with the first scene with which anything is."""
        return next((failure for watch in self._watches if (failure := watch(step)) is not None), None)

    def state_dict(self) -> dict[str, np.ndarray]:
        """The last registration of each pair of surfaces, and its step."""
        return {f"{i}.{j}": each.laid for (i, j), each in self._pairs.items() if each.laid is not None}

    def load_state_dict(self, memory: Mapping[str, np.ndarray]) -> None:
        """Restore the registrations."""
        for (i, j), each in self._pairs.items():
            each.laid = checked_array(memory, f"{i}.{j}", (5, 4)).copy() if f"{i}.{j}" in memory else None

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The free parameters of all scenes by group."""
        groups: dict[str, list[nn.Parameter]] = {}
        for pipeline in self.pipelines:
            for name, parameters in pipeline.scene.parameter_groups().items():
                groups.setdefault(name, []).extend(parameters)
        return groups

    def evaluate(self, seed: int) -> LossValue:
        """Render every scene once, and evaluate. The value is minus the scenes' mean penalty.

        The images lie side by side, (H, k W, C).
        """
        shapes = [pipeline.scene.shape() for pipeline in self.pipelines]
        states = [pipeline.scene(shape) for pipeline, shape in zip(self.pipelines, shapes)]
        images = self.pipelines[0].renderer.render_batch(states, seed)
        observations = [pipeline.observer.observe(image) for pipeline, image in zip(self.pipelines, images)]
        features = [
            scene_features(e.scene, shape, seen.model_input)
            for e, shape, seen in zip(self.pipelines, shapes, observations)
        ]
        others = [*features, self._reference]
        dissimilarity = torch.stack([each(others[i], others[j]) for (i, j), each in self._pairs.items()])
        relative = dissimilarity / self._min_difference
        missing = -relative if math.isinf(self._enough) else (self._enough - relative).clamp_min(0)
        terms, costs = zip(*(e.regularization(shape) for e, shape in zip(self.pipelines, shapes)))
        cost = sum(costs)
        penalty = torch.stack([self._penalty(seen) for seen in observations])
        loss = (cost + penalty.sum()) / len(observations) + missing.mean()
        loss.backward()
        figures = {name: sum(term[name].item() for term in terms) / len(terms) for name in terms[0]}
        difference = relative.mean().item() * self._min_difference
        together = torch.cat(tuple(images), dim=1)
        watched = {"difference": difference, **figures}
        if self._reference is None:
            mean = sum(seen.activation.item() for seen in observations) / len(observations)
            watched = {MEAN_ACTIVATION: mean, **watched}
        return LossValue(-penalty.mean().item(), loss.item(), watched, together)
