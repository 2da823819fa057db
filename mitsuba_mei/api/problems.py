"""A neuron and a scene, however they are given: as an MEI, a configuration, or a scene file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from ..config.load import Config, SceneText, load_config
from ..errors import UserError
from .inputs import on_file
from .mei import MEI

__all__ = ["Problem", "config_of", "configs_of", "with_objective"]

Problem = Union[MEI, Config, str, Path]
"""What is optimized: a problem in memory, a configuration, or the name of a scene file."""


def config_of(
    scene: Problem, overrides: Sequence[str] = (), trust_code: bool = False, rendered: bool = False
) -> tuple[Config, Any]:
    """The configuration of a problem, and what holds its model."""
    if isinstance(scene, MEI):
        return scene.with_settings(*overrides), scene._held
    if isinstance(scene, Config):
        text = SceneText("the scene", overrides, trust_code=scene.trusts_code, mapping=scene.model_dump())
        return text.config(rendered=rendered), None
    if isinstance(scene, (str, os.PathLike)):
        return load_config(scene, overrides, rendered=rendered, trust_code=trust_code), None
    raise UserError(f"scene is a {type(scene).__name__}; give a scene file, a configuration, or a mitsuba_mei.MEI")


def configs_of(scenes: Any, rendered: bool = False) -> tuple[list[tuple[Path, Config]], list[Any]]:
    """The configurations of one problem or several, with a name for each, and what holds their models."""
    several = list(scenes) if isinstance(scenes, Sequence) and not isinstance(scenes, str) else [scenes]
    found = [config_of(each, rendered=rendered) for each in several]
    names = [Path(each) if isinstance(each, (str, os.PathLike)) else Path("scene.yaml") for each in several]
    return [(name, config) for name, (config, _) in zip(names, found)], [held for _, held in found]


def with_objective(scene: Problem, kind: str, objective: Mapping[str, Any]) -> tuple[Config, Any]:
    """The configuration of a problem with another objective, and what holds its model."""
    config, held = config_of(scene)
    said = on_file(dict(objective), kind)
    mapping = config.model_dump()
    own = mapping["objective"] if mapping["objective"]["type"] == kind else {}
    mapping["objective"] = {**own, "type": kind, **said}
    return SceneText("the scene", trust_code=config.trusts_code, mapping=mapping).config(), held
