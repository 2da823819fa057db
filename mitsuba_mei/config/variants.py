"""The same scene file for another purpose: for one neuron of a list, by another renderer, with other things free."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..errors import UserError
from .experiment import Config
from .fields import Part
from .objective import ACTIVATION_OBJECTIVES, Activation
from .scene import Placement
from .sections import Compare

__all__ = ["check_activation_objective", "for_each_neuron", "with_free", "frozen", "with_renderer"]


def check_activation_objective(objective: str, command: str, also: Collection[str] = ()) -> None:
    """See to it that an objective is one that a single look at a single image answers.

    Parameters
    ----------
    objective : str
        ``objective.type`` of a scene file, or of a finished run.
    command : str
        That needs such a one, as ``compare``.
    also : collection of str
        Other types that it takes.

    Raises
    ------
    UserError
        If it is not.
    """
    taken = [*ACTIVATION_OBJECTIVES, *also]
    if objective not in taken:
        raise UserError(
            f"{command} works with objective.type {', '.join(taken[:-1])} or {taken[-1]}, not '{objective}', whose "
            f"result is no {'stimulus' if also else 'activation'}"
        )


def for_each_neuron(config: Config) -> list[Config]:
    """One configuration for each neuron that ``compare`` lists; where it lists none, one with the file's objective."""
    alone = config.model_copy(update={"compare": Compare()})
    if config.compare.neurons is None:
        return [alone]
    models = [config.model.model_copy(update={"neuron": n, "neurons": None}) for n in config.compare.neurons]
    return [alone.model_copy(update={"model": model, "objective": Activation()}) for model in models]


def with_renderer(config: Config, renderer: str) -> Config:
    """The configuration with another ``render.type``."""
    return config.model_copy(update={"render": config.render.model_copy(update={"type": renderer})})


def with_free(config: Config, paths: Collection[str]) -> Config:
    """The configuration with exactly these parameters free, such as ``shape.offsets`` and ``lighting.0.direction``."""
    update: dict[str, Any] = {
        name: _freeing(getattr(config, name), name, paths) for name in ("shape", "pose", "camera", "material")
    }
    update["lighting"] = tuple(
        _freeing(light, f"lighting.{index}", paths) for index, light in enumerate(config.lighting)
    )
    return config.model_copy(update=update)


def frozen(config: Config) -> Config:
    """The configuration of a scene whose parameters come from elsewhere: nothing is free, and nothing is placed."""
    return with_free(config, ()).model_copy(update={"placement": Placement()})


def _freeing(part: Part, where: str, paths: Collection[str]) -> Part:
    names = (path.rpartition(".") for path in paths)
    return part.model_copy(update={"free": tuple(name for place, _, name in names if place == where)})
