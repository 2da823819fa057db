"""A monitor: which luminance each of its 256 levels has, and which level a luminance needs."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError

__all__ = ["LEVELS", "Display", "read_display"]

LEVELS = 256
LEAST_EXPONENT, MOST_EXPONENT = 0.2, 5.0
MOST_BYTES = 65_536
"""Of a table's file."""


@dataclass(frozen=True)
class Display:
    """How a monitor turns levels into luminance.

    Attributes
    ----------
    name : str
        What a manifest says of it.
    luminance : ndarray
        (256,), of each level, in fractions of the display's range: 0 is its black, 1 its white; it never falls.
    """

    name: str
    luminance: np.ndarray

    def levels(self, luminance: np.ndarray) -> np.ndarray:
        """The level, uint8, whose luminance is nearest to each of an array's; the lower of two that are as near."""
        between = (self.luminance[1:] + self.luminance[:-1]) / 2
        level = np.searchsorted(between, luminance, side="left")
        # Of levels that are alike, the lowest.
        return np.searchsorted(self.luminance, self.luminance[level], side="left").astype(np.uint8)


def read_display(gamma: str | None) -> Display:
    """What ``--gamma`` says: nothing, an exponent, or the file of a table.

    A table is a CSV file of 256 rows, level and luminance, in any unit, or luminance alone; a first row of names is
    passed over.

    Raises
    ------
    UserError
        If it is no exponent within its range and no table that can be inverted.
    """
    ramp = np.linspace(0, 1, LEVELS)
    if gamma is None:
        return Display("linear: for a monitor whose luminance is proportional to the level", ramp)
    try:
        exponent = float(gamma)
    except ValueError:
        return _table(Path(gamma))
    if not LEAST_EXPONENT <= exponent <= MOST_EXPONENT:
        raise UserError(f"--gamma {gamma}: the exponent must be {LEAST_EXPONENT:g} to {MOST_EXPONENT:g}, as 2.2")
    return Display(f"exponent {exponent:g}", ramp**exponent)


def _table(path: Path) -> Display:
    where = f"--gamma {path}"
    rows = _rows(path, where)
    if rows and not _numbers(rows[0]):
        rows = rows[1:]
    if len(rows) != LEVELS:
        raise UserError(f"{where}: it has {len(rows)} rows; one for each of the levels 0 to 255 is needed")
    values = []
    for level, row in enumerate(rows):
        numbers = _numbers(row)
        if not numbers or len(numbers) != len(rows[0]) or len(numbers) > 2:
            raise UserError(f"{where}: the row of level {level} must be a level and a luminance, not '{','.join(row)}'")
        if len(numbers) == 2 and numbers[0] != level:
            raise UserError(f"{where}: the levels must run from 0 to 255; where {level} should be there is {row[0]}")
        values.append(numbers[-1])
    luminance = np.array(values)
    falls = np.flatnonzero(np.diff(luminance) < 0)
    if falls.size:
        raise UserError(f"{where}: the luminance falls from level {falls[0]} to {falls[0] + 1}; it must not fall")
    if not luminance[-1] > luminance[0]:
        raise UserError(f"{where}: all levels have the same luminance")
    return Display(f"table {path.name}", (luminance - luminance[0]) / (luminance[-1] - luminance[0]))


def _rows(path: Path, where: str) -> list[list[str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{where}: the file is too large for a table of 256 rows")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{where}: it is neither an exponent, as 2.2, nor a file that is there") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise UserError(f"{where}: it cannot be read: {said}") from None
    return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(map(str.strip, row))]


def _numbers(row: list[str]) -> list[float] | None:
    """A row's finite numbers; None where something in it is none."""
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None
