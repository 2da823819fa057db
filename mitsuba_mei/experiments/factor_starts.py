"""The starts that all variants of a scene have in common, and the variants themselves: which factors are free."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..config.load import Config, free_parameters
from ..errors import UserError
from ..optimize.checks import check_start, without_effect
from ..pipeline import Pipeline, build_pipeline, each_start
from ..runs.factor_coalitions import FACTORS, Coalition, chosen_parameters, factor_of, factor_parameters
from ..scene.initial import DRAWN, FILE
from .base import threads_beside

__all__ = ["MIN_STARTS", "Prepared", "prepare"]

MIN_STARTS = 3
"""Starts where neither the command line nor the scene file asks for more: a standard error of two is hardly one."""


@dataclass(frozen=True)
class Prepared:
    """A scene that is ready to be optimized with any factors free.

    Attributes
    ----------
    config : Config
        With all three factors free, and nothing else; its ``optimizer.restarts`` is the number of starts.
    parameters : dict of str to tuple of str
        What each factor frees.
    starts : tuple of Pipeline
        One at each start, with all three factors free; none of them is to be moved.
    """

    config: Config
    parameters: dict[str, tuple[str, ...]]
    starts: tuple[Pipeline, ...]

    def paths(self, subset: Coalition) -> tuple[str, ...]:
        """The parameters that are free where these factors are."""
        return tuple(path for factor in self.parameters if factor in subset for path in self.parameters[factor])

    def variant(self, subset: Coalition) -> tuple[Config, list[Pipeline]]:
        """The configuration and the starts with these factors free, for an optimizer to move.

        Whatever is free, a start is the same scene to the last bit: it was drawn once with everything free, and what
        is not free in the variant was frozen where it stood.
        """
        paths, moved = self.paths(subset), []
        for start in self.starts:
            scene = copy.deepcopy(start.scene)
            scene.freeze_except(paths)
            scene.shape.own_offsets = None  # frozen or free, it is the same start
            moved.append(replace(start, scene=scene, begins=DRAWN if start.begins == FILE else start.begins))
        return self.config.with_free(paths), moved


def prepare(
    config: Config, on_message: Callable[[str], None] = lambda text: None, starts: int | None = None
) -> Prepared:
    """Draw the starts of a scene, with all of its factors free, and check the first of them.

    The first start is the scene file's own with a small random displacement; every other has another, larger one, and
    another start of what the factor pose frees. Camera and material are frozen, even where the scene file frees them.

    Parameters
    ----------
    config : Config
        For one objective.
    on_message : callable
        Told of downloads, and of what is not freed.
    starts : int, optional
        How many; by default as many as ``optimizer.restarts`` asks for, and at least three.

    Raises
    ------
    UserError
        For anything that the user can mend. Parameters of a factor's own choice that change nothing are left out;
        those that the scene file lists must not.
    """
    count = max(MIN_STARTS, config.optimizer.restarts) if starts is None else starts
    kept = [path for path in free_parameters(config.scene) if factor_of(path) is None]
    if kept:
        on_message(f"{', '.join(kept)} of the scene file stay frozen: only shape, pose and light are freed")
    chosen, parameters = chosen_parameters(config.scene), factor_parameters(config.scene)
    config = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"restarts": count})})
    whole = config.with_free([path for paths in parameters.values() for path in paths])
    pipeline = build_pipeline(whole, on_message)
    with threads_beside(pipeline.renderer):
        idle = [path for path in without_effect(pipeline, config.seed) if path not in chosen]
        if idle:
            parameters = {factor: tuple(p for p in paths if p not in idle) for factor, paths in parameters.items()}
            _check_each(parameters, idle)
            on_message(f"left frozen, since the image does not depend on it here: {', '.join(idle)}")
            whole = config.with_free([path for paths in parameters.values() for path in paths])
            pipeline.scene.freeze_except(free_parameters(whole.scene))
        check_start(pipeline, config.seed, alone=count == 1)
    return Prepared(whole, parameters, tuple(each_start(pipeline, whole.scene, count)))


def _check_each(parameters: dict[str, tuple[str, ...]], idle: list[str]) -> None:
    """Raise UserError where a factor has nothing left to move."""
    for factor, paths in parameters.items():
        if not paths:
            without = ", ".join(path for path in idle if factor_of(path) == factor)
            raise UserError(
                f"{factor} cannot be optimized, so what it is worth cannot be said: the image depends on none of "
                f"{without} here; change what hides their effect, or list others under {FACTORS[factor]} as free"
            )
