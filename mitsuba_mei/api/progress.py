"""A progress bar, in a notebook too."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from ..errors import UserError

__all__ = ["Bar", "LiveFigure", "Silent", "bar_of"]

REDRAWN_EVERY = 1.0
"""Seconds between two drawings of the live figure; drawing takes about a tenth of one."""


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


class LiveFigure(Bar):
    """A bar, and below it a figure that is redrawn: the render, and the objective so far. In a notebook alone."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._forget()

    def _forget(self) -> None:
        self._values: list[float] = []
        self._name, self._render = "", None
        self._drawn = 0.0

    def start(self, steps: int, label: str = "", done: int = 0) -> None:
        """Begin a curve of its own."""
        super().start(steps, label, done)
        self._forget()

    def step(self, info: Mapping[str, Any]) -> None:
        """Redraw the figure, if the last drawing is old enough."""
        super().step(info)
        self._render = info.get("render")
        self._name = next((name for name, value in info.items() if isinstance(value, float)), "")
        if self._render is None or not self._name:
            return
        self._values.append(info[self._name])
        if time.monotonic() - self._drawn >= REDRAWN_EVERY:
            self._draw()

    def stop(self) -> None:
        """End the bar, and draw the last step."""
        super().stop()
        if self._values:
            self._draw()
        self._forget()

    def _draw(self) -> None:
        from IPython.display import display

        from ..report.figures.live import live_figure

        figure = live_figure(self._render.nan_to_num(0.0, 0.0, 0.0).cpu().numpy(), self._values, self._name)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)
        self._drawn = time.monotonic()


def bar_of(progress: bool | str) -> Silent:
    """A progress bar, none, or for ``'live'`` a figure too; outside a notebook a bar alone.

    Raises
    ------
    UserError
        If it is anything else.
    """
    if progress == "live":
        shell = sys.modules.get("IPython")
        kernel = shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None
        return LiveFigure() if kernel else Bar()
    if not isinstance(progress, bool):
        raise UserError(f"progress is {progress!r}; give True, False or 'live'")
    return Bar() if progress else Silent()
