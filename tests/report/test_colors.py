"""What the ends of a response map's colours are, in a picture and in a report."""

from __future__ import annotations

import imageio.v3 as iio
import matplotlib
import numpy as np
import pytest

from mitsuba_mei.report.colors import COLOUR_MAP, colour_range
from mitsuba_mei.report.figures.tuning import TuningFigure, write_tuning
from mitsuba_mei.runs.results import Axis, TunedNeuron


@pytest.mark.parametrize(
    ("responses", "found"),
    [
        ([[0.2, 0.8]], (0.0, 0.8)),
        ([[-0.5, 0.8]], (-0.5, 0.8)),
        ([[-0.5, -0.1]], (-0.5, 0.0)),
        ([[np.nan, 0.3]], (0.0, 0.3)),
        ([[0.0, 0.0]], (0.0, 1.0)),
        ([[np.nan, np.nan]], (0.0, 1.0)),
    ],
)
def test_zero_is_always_among_the_colours(responses, found):
    assert colour_range(np.array(responses)) == found


def test_a_map_is_drawn_in_these_colours(tmp_path):
    scale = Axis(path="pose.scale", values=np.array([1.0, 2.0]), at=1.0)
    axes = (scale, Axis(path="camera.fov", unit="deg", values=np.array([10.0, 20.0]), at=10.0))
    mean = np.array([[0.3, 0.4], [0.5, 0.6]])
    neurons = [TunedNeuron(neuron=0, mean=mean, sem=0 * mean, low=mean, high=mean)]
    write_tuning(tmp_path / "map.png", TuningFigure("", axes, neurons, np.full((2, 2, 4, 4), 99.0)))
    pixels = iio.imread(tmp_path / "map.png")[..., :3].astype(int)
    low, high = colour_range(mean)
    for value in mean.ravel():
        colour = 255 * np.array(matplotlib.colormaps[COLOUR_MAP]((value - low) / (high - low))[:3])
        assert (np.abs(pixels - colour).max(axis=2) < 2).mean() > 0.03
