"""An optimisation between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Snapshot"]

GOOD = "good."


@dataclass(frozen=True)
class Snapshot:
    """An optimisation between two steps: from it, it goes on as if nothing had been.

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
