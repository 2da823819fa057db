"""A monitor: which luminance each of its 256 levels has, and which level a luminance needs."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from ...errors import UserError

__all__ = ["LEVELS", "Display", "read_display"]

LEVELS, MIN_ROWS = 256, 5
MIN_EXPONENT, MAX_EXPONENT = 0.2, 5.0
MAX_BYTES = 65_536
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

    A table is a CSV file of at least 5 rows, level and luminance, in any unit and any order, levels 0 and 255 among
    them; what lies between is interpolated, monotonically. Or it has 256 rows of luminance alone. A first row of names
    is passed over.

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
    if not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        raise UserError(f"--gamma {gamma}: the exponent must be {MIN_EXPONENT:g} to {MAX_EXPONENT:g}, as 2.2")
    return Display(f"exponent {exponent:g}", ramp**exponent)


def _table(path: Path) -> Display:
    where = f"--gamma {path}"
    rows = _rows(path, where)
    if rows and not _numbers(rows[0]):
        rows = rows[1:]
    alone = bool(rows) and len(rows[0]) == 1
    if len(rows) < MIN_ROWS or (alone and len(rows) != LEVELS):
        raise UserError(
            f"{where}: it has {len(rows)} rows; at least {MIN_ROWS} of a level and a luminance are needed, or "
            f"{LEVELS} of luminance alone"
        )
    measured: dict[float, float] = {}
    for number, row in enumerate(rows):
        numbers = _numbers(row)
        if not numbers or len(numbers) != len(rows[0]) or len(numbers) > 2:
            level = row[0] if _numbers(row[:1]) and len(row) <= 2 and not alone else number
            raise UserError(f"{where}: the row of level {level} must be a level and a luminance, not '{','.join(row)}'")
        level = float(number) if alone else numbers[0]
        if not 0 <= level <= LEVELS - 1:
            raise UserError(f"{where}: level {level:g} is none of a display's, which are 0 to {LEVELS - 1}")
        if level in measured:
            raise UserError(f"{where}: level {level:g} is there twice; give one luminance for each level, their mean")
        measured[level] = numbers[-1]
    return Display(_named(path, len(rows)), _interpolated(measured, where))


def _named(path: Path, count: int) -> str:
    return f"table {path.name}" + ("" if count == LEVELS else f", {count} levels measured")


def _interpolated(measured: dict[float, float], where: str) -> np.ndarray:
    """Every level's luminance, 0 to 1: a cubic between those measured that never overshoots them (Fritsch & Butland
    1984, A method for constructing local monotone piecewise cubic interpolants, SIAM J. Sci. Stat. Comput. 5:300-304).
    """
    levels, luminance = np.array(sorted(measured.items())).T
    if levels[0] != 0 or levels[-1] != LEVELS - 1:
        raise UserError(
            f"{where}: it reaches from level {levels[0]:g} to {levels[-1]:g}; measure levels 0 and {LEVELS - 1} too, "
            "for nothing is known beyond what was measured"
        )
    falls = np.flatnonzero(np.diff(luminance) < 0)
    if falls.size:
        first, second = levels[falls[0] : falls[0] + 2]
        raise UserError(f"{where}: the luminance falls from level {first:g} to {second:g}; it must not fall")
    if not luminance[-1] > luminance[0]:
        raise UserError(f"{where}: all levels have the same luminance")
    scaled = (luminance - luminance[0]) / (luminance[-1] - luminance[0])
    # Rounding could make it fall by a digit where the luminance hardly rises.
    return np.maximum.accumulate(PchipInterpolator(levels, scaled)(np.arange(LEVELS)).clip(0, 1))


def _rows(path: Path, where: str) -> list[list[str]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{where}: the file is too large for a table of a display's levels")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{where}: it is neither an exponent, as 2.2, nor a file that is there") from None
    except UserError:
        raise
    except (OSError, ValueError) as error:
        numbers = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise UserError(f"{where}: it cannot be read: {numbers}") from None
    return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(map(str.strip, row))]


def _numbers(row: list[str]) -> list[float] | None:
    """A row's finite numbers; None where something in it is none."""
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None
