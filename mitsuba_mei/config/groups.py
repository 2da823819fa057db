"""Parts of a scene file that functions take in place of the whole: the scene, what looks at it, and the run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .objective import Objective
from .scene import Camera, Emitter, Material, Placement, Pose, Shape
from .sections import Compare, Evaluate, Model, Optimizer, Render, Stimulus

__all__ = ["ObserverSettings", "RunSettings", "SceneSettings", "part_of"]

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class SceneSettings:
    """Settings that build a scene, and its free parameters."""

    seed: int
    shape: Shape
    pose: Pose
    placement: Placement
    camera: Camera
    lighting: tuple[Emitter, ...]
    material: Material
    background: float


@dataclass(frozen=True)
class ObserverSettings:
    """Settings of the observer of a scene: the model, its neurons, the stimulus' constraint and the objective.

    ``neurons`` are those whose activation is maximised, ``named_neurons`` the same where the file names any.
    """

    model: Model
    stimulus: Stimulus
    objective: Objective
    compare: Compare
    neurons: tuple[int, ...]
    named_neurons: tuple[int, ...] | None
    trusts_code: bool


@dataclass(frozen=True)
class RunSettings:
    """Settings of a scene's optimization and evaluation, some of them written to its result."""

    seed: int
    deterministic: bool
    render: Render
    model: Model
    objective: Objective
    optimizer: Optimizer
    evaluate: Evaluate
    neurons: tuple[int, ...]
    named_neurons: tuple[int, ...] | None


def part_of(config: Any, kind: type[Settings]) -> Settings:
    """The fields of ``kind``, a class above, of a whole configuration."""
    return kind(**{field.name: getattr(config, field.name) for field in fields(kind)})
