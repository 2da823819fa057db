"""The picture of a run of inverse rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io.images import common_exposure, to_srgb
from .style import BLUE, DIVERGING, GREY, ORANGE, caption, drawn, end_axes, show, wrapped

__all__ = ["MIN_DIFFERENCE", "Recovery", "signed_difference", "write_recovery"]

MIN_DIFFERENCE = 1e-3
"""The least difference that gets the full colour, radiance."""

MAX_VIEWS = 4
"""Views that are drawn."""


@dataclass(frozen=True)
class Recovery:
    """What the figure shows.

    Attributes
    ----------
    title : str
    views : mapping of str to sequence of ndarray
        ``target``, ``initial`` and ``final``: what each camera sees, (H, W, C) linear radiance.
    previews : sequence of ndarray
        (H, W, C) linear radiance: the object from several sides.
    errors : sequence of float
        Step by step.
    initial, final : (float, float)
        Converged error and its standard error.
    truth : sequence of str
        What there is to say of the truth.
    of : str
        What of the target the error is a part of: its contrast, or the responses to it.
    """

    title: str
    views: Mapping[str, Sequence[np.ndarray]]
    previews: Sequence[np.ndarray]
    errors: Sequence[float]
    initial: tuple[float, float]
    final: tuple[float, float]
    truth: Sequence[str]
    of: str = "contrast"


def signed_difference(left: np.ndarray, limit: float) -> np.ndarray:
    """What is left between two images, the mean over channels (H, W), as 8-bit RGB (H, W, 3).

    Blue where the first is darker, orange where it is brighter, white where they agree; full colour at ``reach``.
    """
    scaled = 0.5 + 0.5 * left / limit
    return np.round(255 * DIVERGING(np.clip(scaled, 0, 1))[..., :3]).astype(np.uint8)


def write_recovery(path: Path, recovery: Recovery) -> None:
    """Draw target, initial and final images of every view, what is left between them, and the error, as a PNG."""
    count = min(MAX_VIEWS, len(recovery.views["target"]))
    exposure = common_exposure(image for images in recovery.views.values() for image in images)
    left = [a - b for a, b in zip(recovery.views["final"], recovery.views["target"])]
    limit = max(float(np.abs(np.stack(left).mean(-1)).max()), MIN_DIFFERENCE)
    wide = 2.1 * max(4, count)
    with drawn(path, wide + 4.6, 9) as figure:
        figure.suptitle(recovery.title, fontsize=12, wrap=True)
        pictures, side = figure.subfigures(1, 2, width_ratios=(wide * count / max(4, count), 4.2))
        pictures.supxlabel(caption(exposure, None), fontsize=9, color=GREY)
        grid = pictures.subplots(4, count, squeeze=False)
        for row, (name, images) in zip(grid, {**recovery.views, "final − target": left}.items()):
            for number, (axes, image) in enumerate(zip(row, images)):
                title = name + (f", view {number + 1}" if len(images) > 1 else "")
                if name in recovery.views:
                    show(axes, to_srgb(image * exposure), title, 9)
                    continue
                last = axes.imshow(image.mean(-1), cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
                axes.set_title(title, fontsize=9)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_color("#cccccc")
        pictures.colorbar(last, ax=list(grid[-1]), location="bottom", fraction=0.08, aspect=40, label="radiance")
        above, curve, text = side.subfigures(3, 1, height_ratios=(1, 1.4, 0.9))
        for axes, image, name in zip(above.subplots(1, len(recovery.previews)), recovery.previews, SIDES):
            show(axes, to_srgb(image), f"found, {name}", 9)
        _plot_error(curve.subplots(), recovery)
        text.text(0.02, 0.95, wrapped(recovery.truth, 56), va="top", fontsize=9)


SIDES = ("left", "front", "right")


def _plot_error(axes, recovery: Recovery) -> None:
    steps = np.arange(1, len(recovery.errors) + 1)
    label = "each step, noise and all" if recovery.final[1] else "each step"
    axes.plot(steps, recovery.errors, color=BLUE, alpha=0.6, linewidth=1, label=label)
    converged = "converged, bars: render s.e." if recovery.final[1] else "converged"
    for x, (mean, sem), label in ((0, recovery.initial, converged), (len(steps), recovery.final, None)):
        axes.errorbar([x], [mean], [sem], color=ORANGE, fmt="o", markersize=5, capsize=4, label=label)
    # No error at all, as at the truth without noise, has no logarithm.
    scale = "log" if max(recovery.initial[0], recovery.final[0]) > 0 else "linear"
    axes.set(xlabel="step", title=f"error, of the target's {recovery.of}", yscale=scale)
    end_axes(axes)
