"""The picture of a bank of cells: what each prefers, what it was given, and the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

__all__ = ["Panel", "draw_bank"]

ROWS = 4
"""The bank has one orientation a row, one frequency a column."""

HEADS = ("best image", "stimulus", "render")


@dataclass(frozen=True)
class Panel:
    """One cell's part of the picture.

    Attributes
    ----------
    title : str
    preferred, stimulus : ndarray
        Grey levels 0 to 255, (h, w).
    render : ndarray
        8-bit sRGB, (H, W).
    """

    title: str
    preferred: np.ndarray
    stimulus: np.ndarray
    render: np.ndarray


def draw_bank(simple: Sequence[Panel], complex_cell: Panel, path: Path) -> None:
    """Draw the simple cells, column by column, and the complex cell below them.

    Parameters
    ----------
    simple : sequence of Panel
    complex_cell : Panel
    path : Path
        A PNG file.
    """
    columns = -(-len(simple) // ROWS)
    figure = Figure(figsize=(4.4 * columns, 1.75 * (ROWS + 1)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.03, hspace=0.02)
    cells = figure.subfigures(ROWS + 1, columns, squeeze=False)
    for i, panel in enumerate(simple):
        _draw(cells[i % ROWS, i // ROWS], panel, heads=i % ROWS == 0)
    _draw(cells[ROWS, columns // 2], complex_cell, heads=False)
    figure.savefig(path, dpi=110)


def _draw(figure, panel: Panel, heads: bool) -> None:
    figure.suptitle(panel.title, fontsize=11)
    axes = figure.subplots(1, 3)
    pictures = (panel.preferred, panel.stimulus, panel.render)
    for axis, picture, head in zip(axes, pictures, HEADS):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_axis_off()
        if heads:
            axis.set_title(head, fontsize=9)
