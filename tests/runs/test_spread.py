from __future__ import annotations

import math

import pytest

from mitsuba_mei.runs.results import Start
from mitsuba_mei.runs.spread import ends_of, spread


def test_mean_and_standard_deviation_are_those_of_the_starts():
    found = spread([1.0, 2.0, 6.0])
    assert found.n == 3 and found.mean == pytest.approx(3.0) and found.of == "activation"
    assert found.sd == pytest.approx(math.sqrt((4 + 1 + 9) / 2))  # of the sample, n - 1
    assert (found.lowest, found.highest) == (1.0, 6.0)


def test_one_start_has_no_spread():
    assert spread([1.0]) is None and spread([1.0, math.nan]) is None


def test_a_start_that_failed_or_was_interrupted_counts_for_nothing():
    ended = [("done", 1.0), ("no better", 3.0), ("failed", 100.0), ("interrupted", -50.0), ("done", None)]
    began = {"mean": 0.0}
    restarts = [
        Start.model_validate({"restart": i, "ended": how, "activation": {"initial": began, "final": {"mean": value}}})
        for i, (how, value) in enumerate(ended)
    ]
    assert spread(ends_of(restarts)).mean == 2.0 and spread(ends_of(restarts)).n == 2
    assert spread(ends_of(restarts, -1), "error").highest == -1.0
