"""The only door to matplotlib: figures in its own style, whatever the user's settings of it say."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..grey_scale import GreyScale

__all__ = [
    "BLUE",
    "DIVERGING",
    "GREEN",
    "GREY",
    "ORANGE",
    "MaxNLocator",
    "NotebookFigure",
    "Rectangle",
    "caption",
    "draw_difference",
    "drawn",
    "end_axes",
    "figure_of_image",
    "show",
    "styled",
    "wrapped",
]


def _load() -> None:
    """Import matplotlib, whatever its environment variable and its settings files hold.

    No window is ever opened, so that ``MPLBACKEND`` does not matter, which notebooks set to what only they have. It is
    put back for whoever imports ``pyplot`` later.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it finds wrong with a settings file is of no consequence here
    try:
        try:
            matplotlib = importlib.import_module("matplotlib")
        except (ValueError, OSError):  # a settings file that cannot be read
            matplotlib = _load_without_settings()
        if backend is not None:
            with contextlib.suppress(ValueError):
                matplotlib.rcParams["backend"] = backend
    finally:
        logger.setLevel(level)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def _load_without_settings():
    """Import matplotlib where it finds no settings file; it looks into the working directory first."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]
    here, hidden = os.getcwd(), {name: os.environ.pop(name, None) for name in ("MATPLOTLIBRC", "MPLCONFIGDIR")}
    with tempfile.TemporaryDirectory() as empty:
        os.environ["MPLCONFIGDIR"] = empty
        os.chdir(empty)
        try:
            matplotlib = importlib.import_module("matplotlib")
            importlib.import_module("matplotlib.font_manager")
        finally:
            os.chdir(here)
            del os.environ["MPLCONFIGDIR"]
            os.environ.update({name: value for name, value in hidden.items() if value is not None})
    return matplotlib


_load()

import matplotlib  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
"""Of the Okabe-Ito palette, which colour-blind readers can tell apart."""

DIVERGING = LinearSegmentedColormap.from_list("blue, white, orange", [BLUE, "#ffffff", ORANGE])
"""Of signed differences: blue below 0, white at 0, orange above."""

STYLE = {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"}


@contextlib.contextmanager
def drawn(path: Path, width: float, height: float, dpi: int = 110, layout: str | None = "constrained") -> Iterator:
    """A figure of so many inches that is filled within it, and then written as a PNG."""
    with styled():
        figure = Figure(figsize=(width, height), dpi=dpi, layout=layout)
        FigureCanvasAgg(figure)
        yield figure
        engine = figure.get_layout_engine()
        if engine is not None:  # savefig would draw everything once more to lay it out
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(path, format="png")


def show(axes, pixels: np.ndarray, title: str = "", fontsize: float = 10) -> None:
    """8-bit pixels, (H, W) or (H, W, 3), as they are."""
    colours = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)  # a colour map of greys would round
    axes.imshow(colours, interpolation="nearest")
    axes.set_title(title, fontsize=fontsize)
    axes.set_axis_off()


def draw_difference(axes, difference: np.ndarray, reach: float, title: str) -> None:
    """A signed difference of radiance (H, W), colours to plus and minus ``reach``, with their scale below."""
    image = axes.imshow(difference, cmap=DIVERGING, vmin=-reach, vmax=reach, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")
    bar = axes.figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, pad=0.03, aspect=25)
    bar.ax.tick_params(labelsize=7)
    bar.set_ticks([-reach, 0, reach], labels=[f"−{reach:.2g}", "0", f"{reach:.2g}"])
    bar.set_label("radiance", fontsize=7, labelpad=1)
    bar.outline.set_visible(False)


def caption(exposure: float, scale: GreyScale | None) -> str:
    """How what is shown in a picture was made to fit the display."""
    parts = [f"renders at exposure {exposure:.2g}"] if exposure < 0.995 else []
    parts += [f"stimuli: {scale.caption}"] if scale is not None else []
    return "; ".join(parts)


def end_axes(axes) -> None:
    """What all plots have in common."""
    axes.title.set_fontsize(10)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def wrapped(lines: Sequence[str], width: int) -> str:
    """Lines of a text beside a figure, none longer than so many characters; what goes on is indented."""
    return "\n".join(textwrap.fill(line, width, subsequent_indent="   ") for line in lines)


def styled() -> contextlib.AbstractContextManager:
    """Draw with matplotlib's own settings, whatever the user's are."""
    return matplotlib.rc_context(STYLE)


class NotebookFigure(Figure):
    """A figure that a notebook shows, with or without pyplot."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        with styled():
            self.savefig(png, format="png")
        return png.getvalue()


def figure_of_image(path: Path) -> NotebookFigure:
    """A figure that shows a PNG pixel by pixel, for a notebook."""
    pixels = matplotlib.image.imread(path)
    with styled():
        figure = NotebookFigure(figsize=(pixels.shape[1] / 110, pixels.shape[0] / 110), dpi=110)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(pixels, interpolation="nearest")
        axes.set_axis_off()
    return figure
