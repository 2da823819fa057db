"""The picture of what shape, pose and light are worth: every subset of them, and the split of what all three gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io.images import common_exposure, to_srgb
from ...runs.factor_coalitions import EMPTY, FACTORS, SUBSETS, named
from ...runs.results import FactorsNeuron
from ..grey_scale import GreyScale
from ..sentences import SHOWN
from ..tables import percent, signed
from .style import BLUE, GREEN, GREY, ORANGE, caption, drawn, show

__all__ = ["FactorsFigure", "write_factors"]

COLOURS = dict(zip(FACTORS, (BLUE, ORANGE, GREEN)))
PALE = "#dddddd"

# All lengths in inches. A column for each subset holds its pictures, activations and factors, one below another.
LEFT, COLUMN, GAP, SIDE, RIGHT = 1.15, 1.04, 1.35, 3.3, 0.25
TITLE, PICTURE, POINTS, MATRIX, BELOW, SPLIT = 1.0, 1.0, 2.2, 1.1, 0.3, 2.5
WIDTH = LEFT + len(SUBSETS) * COLUMN + GAP + SIDE + RIGHT
HEIGHT = TITLE + 2 * PICTURE + 0.12 + POINTS + MATRIX + BELOW


@dataclass(frozen=True)
class FactorsFigure:
    """One neuron, optimized with every subset of the factors free.

    Attributes
    ----------
    label : str
        What people are told of it.
    result : FactorsNeuron
    renders, stimuli : dict of str to ndarray
        Of one start, the same for all, by subset: (H, W, C) linear radiance, and the grey levels (h, w) or (h, w, 3)
        that the neuron saw.
    """

    label: str
    result: FactorsNeuron
    renders: Mapping[str, np.ndarray]
    stimuli: Mapping[str, np.ndarray]


def write_factors(path: Path, every: Sequence[FactorsFigure]) -> None:
    """Draw neurons below one another as a PNG."""
    with drawn(path, WIDTH, HEIGHT * len(every), layout=None) as figure:
        for number, figure_data in enumerate(every):
            _Block(figure, HEIGHT * (len(every) - number)).draw(figure_data)


def _what(result: FactorsNeuron) -> str:
    """What was maximised."""
    return "activation" if result.objective == "activation" else "objective"


class _Block:
    """One neuron's part of a figure, whose upper edge lies ``top`` inches above the figure's lower one."""

    def __init__(self, figure, top: float) -> None:
        self._figure, self._top = figure, top

    def draw(self, figure_data: FactorsFigure) -> None:
        result = figure_data.result
        starts = result.starts
        title = f"{result.model}, {figure_data.label}"
        counted = (
            f"{starts} starts: means ± s.e. over starts, and each start (dots)"
            if starts > 1
            else "one start, so without errors"
        )
        self._say(LEFT, 0.2, title, fontsize=13, weight="bold")
        self._say(LEFT, 0.43, f"{SHOWN[result.renderer]}, {counted}", color=GREY)
        exposure, scale = common_exposure(figure_data.renders.values()), GreyScale.of(figure_data.stimuli.values())
        for column, name in enumerate(map(named, SUBSETS)):
            if name in figure_data.renders:
                self._picture(column, 0, to_srgb(figure_data.renders[name] * exposure))
                self._picture(column, 1, scale(figure_data.stimuli[name]))
        if figure_data.renders:
            chosen = result.shown_start + 1
            best = "the best with all free" if named(SUBSETS[-1]) in figure_data.renders else "the best so far"
            of = f"start {chosen} in every column, {best}: " if starts > 1 else ""
            self._say(LEFT, 0.62, f"pictures: {of}render, and what the neuron saw", color=GREY)
            self._say(LEFT, 0.81, caption(exposure, scale), color=GREY)
        left, height = LEFT, TITLE + 2 * PICTURE + 0.12
        self._points(self._axes(left, height, len(SUBSETS) * COLUMN, POINTS), result)
        self._matrix(self._axes(left, height + POINTS, len(SUBSETS) * COLUMN, MATRIX), result)
        left += len(SUBSETS) * COLUMN + GAP
        self._split(self._axes(left, TITLE + 0.05, SIDE, SPLIT), result)
        self._remarks(left - 0.6, TITLE + SPLIT + 0.8, result)

    def _axes(self, left: float, down: float, width: float, height: float):
        """Axes at these inches from the figure's left edge and from the block's upper one."""
        whole = self._figure.get_figheight()
        return self._figure.add_axes((left / WIDTH, (self._top - down - height) / whole, width / WIDTH, height / whole))

    def _say(self, left: float, down: float, text: str, **style) -> None:
        place = left / WIDTH, (self._top - down) / self._figure.get_figheight()
        self._figure.text(*place, text, va="center", **({"fontsize": 9} | style))

    def _picture(self, column: int, row: int, pixels: np.ndarray) -> None:
        axes = self._axes(LEFT + column * COLUMN + 0.04, TITLE + row * PICTURE, COLUMN - 0.08, PICTURE - 0.04)
        show(axes, pixels)

    @staticmethod
    def _points(axes, result: FactorsNeuron) -> None:
        """Every start, and the means with their standard errors."""
        for column, subset in enumerate(SUBSETS):
            trials = result.trials.get(named(subset), [])
            aside = column + 0.14 + 0.24 * np.arange(len(trials)) / max(1, len(trials) - 1)
            values = [trial.activation.mean for trial in trials]
            axes.plot(aside, values, "o", color="#888888", markersize=3.5, zorder=2)
            mean = result.activation[named(subset)]
            if mean is not None:
                style = {"fmt": "_", "markersize": 20, "markeredgewidth": 2.2, "capsize": 5, "elinewidth": 1.4}
                axes.errorbar([column - 0.12], [mean.mean], [mean.sem or 0], color="black", zorder=3, **style)
        levels = {"optimum": (result.optimum, "--"), "pixel MEI": (result.pixel, ":")}
        for name, (level, style) in levels.items():
            if level is not None:
                axes.axhline(level, color=GREY, linestyle=style, linewidth=1.1, zorder=1)
                axes.text(-0.45, level, name, fontsize=8, color=GREY, va="bottom")
        axes.margins(y=0.12)
        axes.set(xlim=(-0.5, len(SUBSETS) - 0.5), xticks=[])
        axes.set_ylabel(_what(result), fontsize=9)
        axes.tick_params(axis="y", labelsize=8)
        axes.grid(axis="y", color="#eeeeee", zorder=0)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)

    @staticmethod
    def _matrix(axes, result: FactorsNeuron) -> None:
        """Which factors are free, and which fraction of the gain of all three the subset gains."""
        axes.set(xlim=(-0.5, len(SUBSETS) - 0.5), ylim=(3.75, -0.65))
        axes.set_axis_off()
        for row, factor in enumerate(FACTORS):
            axes.text(-0.6, row, factor, ha="right", va="center", fontsize=9, color=COLOURS[factor], weight="bold")
            for column, subset in enumerate(SUBSETS):
                axes.plot(column, row, "o", markersize=9, color=COLOURS[factor] if factor in subset else PALE)
        for column, subset in enumerate(SUBSETS):
            rows = [row for row, factor in enumerate(FACTORS) if factor in subset]
            if len(rows) > 1:
                axes.plot([column, column], [min(rows), max(rows)], color=GREY, linewidth=1.5, zorder=0)
            if subset == EMPTY:
                axes.text(column, 3.2, "nothing free:\nthe start", ha="center", va="center", fontsize=7.5)
                continue
            part = result.fraction_of_gain.get(named(subset))
            if part is not None:
                axes.text(column, 3.2, percent(part), ha="center", va="center", fontsize=8)
        axes.text(-0.6, 3.2, "of all's gain", ha="right", va="center", fontsize=8)

    @staticmethod
    def _split(axes, result: FactorsNeuron) -> None:
        """The Shapley values, beside what a factor gains alone and added last."""
        axes.axvline(0, color=GREY, linewidth=0.8)
        for row, factor in enumerate(FACTORS):
            worth = result.shapley[factor]
            if worth is not None:
                axes.barh(row, worth.mean, 0.5, color=COLOURS[factor], alpha=0.75, zorder=2)
                style = {"capsize": 3, "elinewidth": 1.4, "color": "black", "zorder": 3}
                axes.errorbar([worth.mean], [row], xerr=[worth.sem or 0], fmt="none", **style)
            for gains, marker, aside in ((result.alone, "o", -0.36), (result.last, "s", 0.36)):
                gain = gains[factor]
                if gain is not None:
                    style = {"fmt": marker, "markersize": 4.5, "capsize": 2, "elinewidth": 0.9}
                    error = [gain.sem or 0]
                    axes.errorbar(
                        [gain.mean], [row + aside], xerr=error, color=COLOURS[factor], mfc="white", zorder=4, **style
                    )
        labels = []
        for factor in FACTORS:
            share = result.share[factor]
            labels.append(factor if share is None else f"{factor}\n{percent(share)}")
        axes.set(ylim=(2.6, -0.6), yticks=range(len(FACTORS)))
        axes.set_yticklabels(labels, fontsize=10)
        axes.tick_params(axis="x", labelsize=8)
        axes.set_xlabel(f"gain in {_what(result)} over the start", fontsize=10)
        axes.set_title("Shapley value (bar), alone (○), added last (□)", fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)

    def _remarks(self, left: float, down: float, result: FactorsNeuron) -> None:
        """How the factors interact, and where more was free and less was reached."""
        lines = ["interaction (above 0: they help each other)"]
        lines += [f"   {pair}: {signed(value)}" for pair, value in result.interaction.items() if value is not None]
        lost = result.less_with_more
        if len(lines) == 1:
            lines = ["interrupted: not every subset is done"]
        if lost:
            lines += ["", "more free, but less reached (the optimizer's doing)"]
            lines += [f"   {each.more} less {each.less}: {signed(each)}" for each in lost[:5]]
            lines += [f"   and {len(lost) - 5} more"] if len(lost) > 5 else []
        for number, line in enumerate(lines):
            self._say(
                left, down + 0.2 * number, line, fontsize=9, color="black" if not line.startswith("   ") else GREY
            )
