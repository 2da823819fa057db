"""A small run that something is done to at a step, and what it leaves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

__all__ = ["SCENE", "STEPS", "Told", "steps_of"]

STEPS = 26

SCENE = f"""
model: {{card: {{type: complex_cell, parameters: {{frequency: 2}}, input: {{size: 32, mean: 124, std: 70}}}}}}
shape: {{template: {{type: icosphere, subdivisions: 1}}, rbf: {{control_points: 8}}}}
render: {{type: raster, resolution: 32}}
optimizer: {{steps: {STEPS}}}
evaluate: {{repeats: 2}}
"""


class Told:
    """In place of the line on the terminal: does something once a step has been written."""

    at = 0
    fault: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, console, quiet=False) -> None:
        self._steps = 0

    def start(self, steps, label="", done=0) -> None: ...
    def doing(self, text): ...
    def message(self, text) -> None: ...
    def stop(self) -> None: ...

    def step(self, info) -> None:
        self._steps += 1
        if self._steps == Told.at:
            Told.fault()


def steps_of(folder: Path) -> list[int]:
    """The steps whose rows are in ``metrics.csv``, each whole."""
    with open(folder / "metrics.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert all(len(row) == len(header) and all(map(_is_number, row)) for row in rows)
    return [int(row[header.index("step")]) for row in rows]


def _is_number(text: str) -> bool:
    float(text)
    return True
