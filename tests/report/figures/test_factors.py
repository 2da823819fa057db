"""The picture of the factors holds what it is to show."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.experiments.shapley import statistics
from mitsuba_mei.optimize.evaluate import Mean
from mitsuba_mei.report.figures.factors import FactorsFigure, write_factors
from mitsuba_mei.runs.factor_coalitions import SUBSETS, named
from mitsuba_mei.runs.results import FactorsNeuron

pytestmark = pytest.mark.slow


def played(subsets, starts: int = 3, best: str = "shape", **more) -> FactorsFigure:
    """One factor gains 1, the others a tenth; ``more`` says the result."""
    gains = {factor: 1.0 if factor == best else 0.1 for factor in ("shape", "pose", "light")}
    values = {s: [Mean(0.1 * i + sum(gains[f] for f in s), 0.01) for i in range(starts)] for s in subsets}
    trials = {
        named(s): [{"start": i, "activation": {"mean": each.mean, "sem": each.sem}} for i, each in enumerate(v)]
        for s, v in values.items()
    }
    said = {
        "model": "V4",
        "neurons": [3],
        "objective": "activation",
        "renderer": "raster",
        "optimum": 1.5,
        "pixel": 1.4,
        "shown_start": 0,
        "trials": trials,
    }
    renders = {name: np.full((20, 20, 1), 0.2, np.float32) for name in trials}
    stimuli = {name: np.linspace(0, 255, 400).reshape(20, 20) for name in trials}
    result = FactorsNeuron.model_validate(said | statistics(values) | more)
    return FactorsFigure("neuron 3", result, renders, stimuli)


def drawn(path, every) -> np.ndarray:
    write_factors(path, every)
    return iio.imread(path)[..., :3].astype(int)


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(pixels - np.asarray(colour)) < 12).all(axis=2)


BAR = {"shape": (64, 149, 197), "pose": (224, 134, 64), "light": (64, 182, 150)}
"""The factors' colours, three quarters opaque on white."""


@pytest.mark.parametrize("best", ["shape", "pose", "light"])
def test_the_longest_bar_is_of_the_factor_that_gains_most(tmp_path, best):
    pixels = drawn(tmp_path / "one.png", [played(SUBSETS, best=best)])
    lengths = {factor: near(pixels, colour).any(axis=0).sum() for factor, colour in BAR.items()}
    for factor, length in lengths.items():
        assert length > 5
        assert factor == best or lengths[best] > 5 * length


def test_neurons_lie_below_one_another(tmp_path):
    alone = drawn(tmp_path / "one.png", [played(SUBSETS)])
    both = drawn(tmp_path / "two.png", [played(SUBSETS), played(SUBSETS, best="light")])
    assert both.shape[0] == 2 * alone.shape[0] and both.shape[1] == alone.shape[1]
    upper, lower = both[: alone.shape[0]], both[alone.shape[0] :]
    blue, green = BAR["shape"], BAR["light"]
    assert near(upper, blue).sum() > near(lower, blue).sum() and near(lower, green).sum() > near(upper, green).sum()


@pytest.mark.parametrize(("subsets", "starts"), [(SUBSETS[:3], 2), (SUBSETS, 1), ((), 0)])
def test_what_is_not_there_is_no_obstacle(tmp_path, subsets, starts):
    pixels = drawn(tmp_path / "part.png", [played(subsets, starts, optimum=None, pixel=None)])
    assert (pixels < 200).any(axis=2).mean() > 0.002
