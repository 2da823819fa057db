"""An optimization between two steps, and the checks of a kept one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import UserError

__all__ = ["OptimizerState", "HistoryState", "Snapshot", "checked_array", "checked_numbers"]

GOOD = "good."


@dataclass(frozen=True)
class Snapshot:
    """An optimization between two steps: from it, it goes on as if nothing had been.

    Attributes
    ----------
    numbers : dict
        What JSON holds.
    arrays : dict of str to ndarray
        By name; those of the last good state, where that is another, begin with ``good.``.
    """

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def step(self) -> int:
        """How many steps have been made."""
        return self.numbers["index"]

    @property
    def good(self) -> Snapshot | None:
        """The last state with which nothing was wrong, where it is another."""
        if "good" not in self.numbers:
            return None
        arrays = {name.removeprefix(GOOD): values for name, values in self.arrays.items() if name.startswith(GOOD)}
        return Snapshot(self.numbers["good"], arrays)

    def beside(self, good: Snapshot) -> Snapshot:
        """With the last good state, if it is another."""
        if good.step == self.step:
            return self
        arrays = {f"{GOOD}{name}": values for name, values in good.arrays.items()}
        return Snapshot(self.numbers | {"good": good.numbers}, self.arrays | arrays)


Count = Annotated[int, Field(ge=0, le=2**40)]
NonNegative = Annotated[float, Field(ge=0)]

MAX_FRAMES = 1000


class _Kept(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Outcome(_Kept):
    model_config = ConfigDict(extra="forbid")

    steps: Count
    skipped: Count
    shortened: Count
    setbacks: Count
    ended: Literal["done", "no better", "interrupted", "failed"]
    reason: str


class OptimizerState(_Kept):
    """The numbers of :class:`~mitsuba_mei.optimize.optimizer.SceneOptimizer`."""

    index: Annotated[int, Field(ge=0, le=2**20)]
    lost: Count
    smooth: float | None
    best: float | None
    since_best: Count
    caution: Annotated[float, Field(ge=0, le=1)]
    usual: dict[str, list[NonNegative]]
    outcome: _Outcome


class HistoryState(_Kept):
    """The numbers of :class:`~mitsuba_mei.experiments.multistart.History`."""

    metrics: Count
    seconds: NonNegative
    frames: Annotated[int, Field(ge=0, le=MAX_FRAMES)]


Kept = TypeVar("Kept", bound=_Kept)


def checked_numbers(kind: type[Kept], numbers: Any) -> Kept:
    """The numbers of a kept state.

    Raises
    ------
    UserError
        If one is missing, or of another type or size.
    """
    try:
        return kind.model_validate(numbers)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False)[0]["loc"])) or "numbers"
    raise _damaged(where)


def checked_array(arrays: Mapping[str, np.ndarray], name: str, shape: Sequence[int], finite: bool = True) -> np.ndarray:
    """An array of a kept state, of floating-point numbers.

    Raises
    ------
    UserError
        If there is none of this name, of another shape or type, or, ``finite``, with a number that is not.
    """
    values = arrays.get(name)
    if values is None or values.dtype not in (np.float32, np.float64) or values.shape != tuple(shape):
        raise _damaged(name)
    if finite and not np.isfinite(values).all():
        raise _damaged(name)
    return values


def _damaged(what: str) -> UserError:
    return UserError(
        f"the state that was kept of the run is damaged in '{what[:80]}', so that it cannot go on from there; without "
        "its folder checkpoint it starts anew"
    )
