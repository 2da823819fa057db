"""What is said of the factors' worth, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitsuba_mei.experiments.shapley import statistics
from mitsuba_mei.optimize.evaluate import Mean
from mitsuba_mei.report.tables import describe_factors, percent, signed, subset_rows, worth_rows
from mitsuba_mei.runs.factor_coalitions import FACTORS, SUBSETS, named
from mitsuba_mei.runs.results import FactorsResult
from mitsuba_mei.runs.results.factors import MeanOverStarts, Ratio


def result(values, ended: str = "done") -> FactorsResult:
    neuron = {"label": "neuron 3", "model": "V4", "neurons": [3], "ended": ended, **statistics(values)}
    said = {"factors": list(FACTORS), "subsets": [named(subset) for subset in SUBSETS]}
    return FactorsResult.model_validate(said | {"neurons": [neuron], "ended": ended, "asked": 2, "left_out": []})


def additive(starts) -> dict:
    """Shape gains 0.4 and 0.6 from two starts, pose loses 0.1, light nothing."""
    gains = {"shape": (0.4, 0.6), "pose": (-0.1, -0.1), "light": (0.0, 0.0)}
    return {s: [Mean(0.5 + sum(gains[f][i] for f in s), 0.0) for i in range(starts)] for s in SUBSETS}


@pytest.mark.parametrize(
    ("mean", "sem", "text"),
    [
        (0.1234, 0.0345, "+0.123 ± 0.035"),
        (-12.34, 3.45, "-12.3 ± 3.5"),
        (1234.0, 56.0, "+1234 ± 56"),
        (0.1234, None, "+0.123"),
        (2.0, 0.0, "+2"),
        (1.234e-9, 1e-10, "+1.2e-09 ± 1e-10"),
        (0.25, 1e-17, "+0.25"),
        (0.0, 0.0, "+0"),
    ],
)
def test_figures_are_rounded_to_their_errors(mean, sem, text):
    assert signed(MeanOverStarts(mean=mean, sem=sem)) == text


def test_percents():
    assert percent(Ratio(mean=0.831, sem=0.052)) == "83.1 ± 5.2 %"
    assert percent(Ratio(mean=1.0, sem=0.0)) == "100 %"


def test_the_tables_say_every_subset_and_factor():
    titles, rows = subset_rows(result(additive(2)).neurons)
    assert titles == ["neuron", "free", "activation", "of all", "gain", "of all's gain"]
    assert rows[0] == ["3", "nothing", "0.5", "0.556", "", ""]
    assert rows[1][:-1] == ["", "shape", "1.00 ± 0.10", "1.111", "+0.50 ± 0.10"]
    assert rows[1][-1].startswith("125.0 ± 6.")
    assert [row[1] for row in rows][-2:] == ["pose + light", "all"]
    titles, rows = worth_rows(result(additive(2)).neurons)
    # Of two starts, Student's 95 % quantile is 12.706.
    assert rows[0][:4] == ["3", "shape", "+0.50 ± 0.10", "-0.77 to +1.8"]
    assert rows[0][5:] == ["+0.50 ± 0.10", "+0.50 ± 0.10"]
    assert rows[1][1:4] == ["pose", "-0.1", "-0.1 to -0.1"]


def test_an_optimizer_that_did_worse_with_more_is_not_hidden():
    lines = describe_factors(Path("there"), result(additive(2)))
    (lost,) = [line for line in lines if "reached less" in line]
    assert "pose less nothing -0.1" in lost and "all less shape + light -0.1" in lost
    assert lines[-2:] == ["means over 2 starts ± s.e. over starts", "written to there"]


def test_one_start_and_what_is_not_done():
    values = {subset: trials for subset, trials in additive(1).items() if len(subset) < 2}
    said = result(values, "interrupted")
    titles, rows = subset_rows(said.neurons)
    assert rows[0][0] == "3 (interrupted)" and rows[1][2:] == ["0.9", "", "+0.4", ""] and rows[-1][2:] == [""] * 4
    assert worth_rows(said.neurons)[1][0] == ["3 (interrupted)", "shape", "", "", "", "+0.4", ""]
    lines = describe_factors(Path("there"), said)
    assert lines[-3:] == ["one start, no errors", "interrupted: 0 of 2 neurons are done", "written to there"]
