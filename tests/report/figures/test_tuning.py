"""The picture of a tuning: every kind of it can be drawn, and shows what it should."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.figures.tuning import TuningFigure, write_tuning
from mitsuba_mei.report.tables import describe_tuning, preferred_text
from mitsuba_mei.runs.results import Axis, TunedNeuron, TuningResult
from mitsuba_mei.runs.tuning_summary import summarize

pytestmark = pytest.mark.slow

ANGLE = Axis(path="pose.rotation.z", unit="deg", values=np.linspace(-90, 90, 19), at=20.0)
SCALE = Axis(path="pose.scale", values=np.linspace(0.5, 2, 4), at=9.0)


def figure(axes, count: int, colour: bool = False, known: bool = True) -> TuningFigure:
    shape = tuple(len(axis.values) for axis in axes)
    generator = np.random.default_rng(0)
    neurons = []
    for number in range(count):
        mean = generator.random(shape) * (number + 1)
        summary = summarize(axes, mean, 0 * mean + 0.01)
        if not known:
            mean.reshape(-1)[3:] = np.nan
            summary = None
        values = {"mean": mean, "sem": 0 * mean + 0.01, "low": mean - 0.02, "high": mean + 0.02}
        neurons.append(TunedNeuron(neuron=number, **values, summary=summary))
    stimuli = generator.random((*shape, 12, 12, 3) if colour else (*shape, 12, 12)) * 255
    if not known:
        stimuli.reshape(-1, *stimuli.shape[len(shape) :])[3:] = np.nan
    return TuningFigure("a model", axes, neurons, stimuli)


@pytest.mark.parametrize("axes", [(ANGLE,), (ANGLE, SCALE)])
@pytest.mark.parametrize(
    ("count", "colour", "known"), [(1, False, True), (2, True, True), (11, False, True), (1, False, False)]
)
def test_every_kind_is_drawn(axes, count, colour, known, tmp_path):
    write_tuning(tmp_path / "tuning.png", figure(axes, count, colour, known))
    pixels = iio.imread(tmp_path / "tuning.png")
    assert pixels.shape[1] > 700 and (pixels.reshape(-1, pixels.shape[2]).std(0)[:3] > 10).all()


def test_values_are_told_no_finer_than_the_grid_can_say():
    assert preferred_text(10, "deg", 45.123456, 0.0213) == "45.12 deg (render s.e. 0.02)"
    assert preferred_text(10, "deg", 45.123456, 2.13) == "45 deg (render s.e. 2)"
    assert preferred_text(10, "deg", 45.6, 21.3) == "46 deg (render s.e. 21)"
    assert preferred_text(10, "deg", 45.123456, 1e-7) == "45.12 deg (render s.e. 1e-07)"
    assert preferred_text(10, "deg", -1e-9, 0) == "0.00 deg"
    assert preferred_text(0.05, "", 1.23456789, 0) == "1.2346"
    assert preferred_text(5000, "", 12345.6, 0) == "12346"


def test_sentences():
    axes = (ANGLE,)
    mean = np.exp(-0.5 * ((ANGLE.values - 30) / 20) ** 2)
    neurons = [
        TunedNeuron(neuron=n, mean=m, sem=0 * m, summary=summarize(axes, m, 0 * m))
        for n, m in enumerate((mean, 0 * mean, ANGLE.values))
    ]
    neurons += [TunedNeuron(neuron=3, mean=mean, sem=0 * mean)] * 8
    said = describe_tuning("there", TuningResult(over=axes, neurons=neurons, ended="interrupted"))
    assert said[0].startswith("neuron 0: prefers pose.rotation.z 30.00 deg, bandwidth 23.")
    assert said[1] == "neuron 1: answers alike everywhere"
    assert said[2].startswith("neuron 2: prefers pose.rotation.z 90.00 deg (the end of the range), no bandwidth (")
    assert said[3] == "neuron 3: not known at every point" and said[8].startswith("and 3 more neurons")
    assert said[9] == "bandwidth: half width at half height above the least response"
    assert said[10].startswith("interrupted") and said[11] == "written to there"
