"""The same scene file for another purpose: for one neuron of a list, by another renderer, with nothing left to move."""

from __future__ import annotations

from typing import Any

from .schema import Activation, Compare, Config, Part, Placement

__all__ = ["for_each_neuron", "frozen", "rendered_by", "still"]


def for_each_neuron(config: Config) -> list[Config]:
    """One configuration for each neuron that ``compare`` lists; where it lists none, one with the file's objective."""
    alone = config.model_copy(update={"compare": Compare()})
    if config.compare.neurons is None:
        return [alone]
    models = [config.model.model_copy(update={"neuron": n, "neurons": None}) for n in config.compare.neurons]
    return [alone.model_copy(update={"model": model, "objective": Activation()}) for model in models]


def rendered_by(config: Config, renderer: str) -> Config:
    """The configuration with another ``render.type``."""
    return config.model_copy(update={"render": config.render.model_copy(update={"type": renderer})})


def frozen(config: Config) -> Config:
    """The configuration of a scene whose parameters come from elsewhere: nothing is free, and nothing is placed."""
    return still(config).model_copy(update={"placement": Placement()})


def still(config: Config) -> Config:
    """The configuration of the scene as the file says it, with nothing free."""
    update: dict[str, Any] = {name: _frozen(getattr(config, name)) for name in ("shape", "pose", "camera", "material")}
    update["lighting"] = tuple(_frozen(light) for light in config.lighting)
    return config.model_copy(update=update)


def _frozen(part: Part) -> Part:
    return part.model_copy(update={"free": ()})
