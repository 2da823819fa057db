"""The picture of a bank of cells: for each, what is best, what was found, and the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mitsuba_mei.report.figures.style import drawn

__all__ = ["Panel", "draw_panels"]

ROWS = 4
"""A simulated bank has one orientation a row, one frequency a column."""

INCHES, GAP, SPACE, TITLE, HEAD = 1.35, 0.25, 0.03, 0.22, 0.22
"""Size of a picture; then, in such units, gaps between cells and pictures, heights of a title and of the heads."""

BLOCK = 3 + 2 * SPACE + GAP


@dataclass(frozen=True)
class Panel:
    """One cell's part of the picture.

    Attributes
    ----------
    title : str
    best, stimulus : ndarray
        Grey levels 0 to 255, (h, w).
    render : ndarray
        8-bit sRGB, (H, W).
    """

    title: str
    best: np.ndarray
    stimulus: np.ndarray
    render: np.ndarray


def draw_panels(panels: Sequence[Panel], heads: Sequence[str], path: Path, below: Panel | None = None) -> None:
    """Draw cells column by column.

    Parameters
    ----------
    panels : sequence of Panel
    heads : sequence of three str
        What a cell's pictures are.
    path : Path
        A PNG file.
    below : Panel, optional
        One more, in a row of its own.
    """
    columns = -(-len(panels) // ROWS)
    places = [(i % ROWS, i // ROWS) for i in range(len(panels))] + [(ROWS, columns // 2)]
    rows = min(ROWS, len(panels)) if below is None else ROWS + 1
    width, height = columns * BLOCK - GAP, HEAD + rows * (1 + TITLE)
    with drawn(path, INCHES * width, INCHES * height, layout=None) as figure:
        for panel, (row, column) in zip([*panels, *([] if below is None else [below])], places):
            left, top = column * BLOCK, HEAD + row * (1 + TITLE)
            place = ((left + 1.5) / width, 1 - (top + 0.6 * TITLE) / height)
            figure.text(*place, panel.title, ha="center", va="center", fontsize=11)
            for i, picture in enumerate((panel.best, panel.stimulus, panel.render)):
                place = (left + i * (1 + SPACE), height - top - TITLE - 1, 1 - SPACE, 1 - SPACE)
                axis = figure.add_axes([place[0] / width, place[1] / height, place[2] / width, place[3] / height])
                axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
                axis.set_axis_off()
        for column in range(columns):
            for i, head in enumerate(heads):
                x = (column * BLOCK + i * (1 + SPACE) + 0.5) / width
                figure.text(x, 1 - 0.6 * HEAD / height, head, ha="center", va="center", fontsize=10, color="0.35")
