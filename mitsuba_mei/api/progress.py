"""A progress bar, in a notebook too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["Bar", "Silent", "bar_of"]


class Silent:
    """Shows nothing."""

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...

    def step(self, info: Mapping[str, Any]) -> None: ...

    def doing(self, text: str) -> None: ...

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


class Bar(Silent):
    """A bar of tqdm: a widget in a notebook, a line on the standard error elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        """Begin, or go on with, so many steps."""
        from tqdm.auto import tqdm

        self.stop()
        self._bar = tqdm(total=steps, initial=done, desc=label or "optimizing", file=sys.stderr)

    def step(self, info: Mapping[str, Any]) -> None:
        """One step is done; the first two figures are shown."""
        if self._bar is None:
            return
        numbers = {
            name: f"{value:.4g}" for name, value in info.items() if name != "step" and isinstance(value, (int, float))
        }
        self._bar.set_postfix(dict(list(numbers.items())[:2]), refresh=False)
        self._bar.update()

    def message(self, text: str) -> None:
        """A sentence worth knowing."""
        from tqdm.auto import tqdm

        tqdm.write(text, file=sys.stderr)

    def stop(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def bar_of(shown: bool) -> Silent:
    """A progress bar, or none."""
    return Bar() if shown else Silent()
