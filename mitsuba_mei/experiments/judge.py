"""What an object is worth under a renderer, whoever optimised it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch

from ..config import Config
from ..evaluate import Estimate, evaluate
from ..experiment import Experiment, build_experiment, build_scene
from ..parameters import set_parameters
from ..variants import frozen
from .session import threads_beside

__all__ = ["Judge"]


class Judge:
    """Evaluates scenes that differ in their parameters alone.

    Parameters
    ----------
    experiment : Experiment
        Nothing of its scene is free.
    config : Config
        Its ``evaluate`` says how accurate.
    """

    def __init__(self, experiment: Experiment, config: Config) -> None:
        self.experiment = experiment
        self._accuracy = config.evaluate.spp, config.evaluate.repeats

    @classmethod
    def of(cls, experiment: Experiment, config: Config) -> Judge:
        """One with the renderer and the neurons of an experiment, and a scene of its own."""
        scene = build_scene(frozen(config), experiment.scene.channels).to(experiment.scene.background.device)
        return cls(replace(experiment, scene=scene), config)

    @classmethod
    def built(cls, config: Config, told: Callable[[str], None] = lambda text: None) -> Judge:
        """One from nothing but a configuration; downloads are told of."""
        return cls(build_experiment(frozen(config), told), config)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.experiment.scene.background.device

    def __call__(self, parameters: Mapping[str, np.ndarray], seed: int) -> Estimate:
        """The converged activation of the scene with these parameters."""
        set_parameters(self.experiment.scene, parameters)
        with threads_beside(self.experiment.renderer):
            return evaluate(self.experiment, *self._accuracy, seed)
