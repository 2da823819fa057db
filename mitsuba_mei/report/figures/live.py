"""The figure of an optimization under way: its render, and the objective so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...io.images import exposure, to_srgb
from .style import BLUE, NotebookFigure, end_axes, show, styled

__all__ = ["live_figure"]


def live_figure(render: np.ndarray, values: Sequence[float], name: str) -> NotebookFigure:
    """Draw the render of a step beside the noisy figures of all steps so far.

    Parameters
    ----------
    render : ndarray, (H, W, C)
        Linear radiance.
    values : sequence of float
        One a step.
    name : str
        What they are.
    """
    with styled():
        figure = NotebookFigure(figsize=(7, 2.8), dpi=90, layout="constrained")
        picture, curve = figure.subplots(1, 2, width_ratios=(1, 1.6))
        show(picture, to_srgb(render * exposure(render)), f"render of step {len(values)}")
        curve.plot(np.arange(1, len(values) + 1), values, color=BLUE, linewidth=1)
        curve.set(xlabel="step", title=f"{name}, each step: not yet converged")
        curve.xaxis.get_major_locator().set_params(integer=True)
        end_axes(curve)
    return figure
