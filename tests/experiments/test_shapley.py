"""The worth of factors, of activations that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mitsuba_mei.experiments.shapley import factor_rows, statistics
from mitsuba_mei.optimize.evaluate import Mean
from mitsuba_mei.runs.factor_coalitions import FACTORS, SUBSETS, named
from mitsuba_mei.runs.results import FactorsNeuron

GAINS = {"shape": 0.5, "pose": 0.3, "light": 0.1}


def played(starts, together: float = 0.0, sem: float = 0.0) -> dict:
    """An additive game from starts of these activations, but for what shape and pose gain together."""
    return {
        subset: [
            Mean(start + sum(GAINS[factor] for factor in subset) + together * ({"shape", "pose"} <= subset), sem)
            for start in starts
        ]
        for subset in SUBSETS
    }


def test_an_additive_game_is_split_as_it_was_made_whatever_its_starts():
    found = statistics(played([0.1, 0.4, 0.7]))
    for kind in ("alone", "last", "shapley"):
        for factor, gain in GAINS.items():
            assert found[kind][factor].mean == pytest.approx(gain)
            assert found[kind][factor].sem == pytest.approx(0, abs=1e-12)  # starts differ, gains do not
            assert found[kind][factor].n == 3
    assert all(value.mean == pytest.approx(0, abs=1e-12) for value in found["interaction"].values())
    assert found["activation"]["all"].mean == pytest.approx(1.3)
    assert found["activation"]["all"].sem == pytest.approx(0.3 / math.sqrt(3))
    assert found["fraction_of_gain"]["shape + light"].mean == pytest.approx(6 / 9)
    assert found["fraction_of_all"]["nothing"].mean == pytest.approx(0.4 / 1.3)
    assert dict(found["share"]["pose"]) == pytest.approx({"mean": 1 / 3, "sem": 0}, abs=1e-12)
    assert found["less_with_more"] == ()


def test_what_two_factors_do_together_is_shared_and_said():
    found = statistics(played([0.0, 1.0], together=0.4))
    means = {factor: found["shapley"][factor].mean for factor in FACTORS}
    assert means == pytest.approx({"shape": 0.7, "pose": 0.5, "light": 0.1})
    assert found["alone"]["shape"].mean == pytest.approx(0.5)
    assert found["last"]["shape"].mean == pytest.approx(0.9)
    pairs = {pair: value.mean for pair, value in found["interaction"].items()}
    assert pairs == pytest.approx({"shape + pose": 0.4, "shape + light": 0, "pose + light": 0}, abs=1e-12)


@given(st.lists(st.tuples(*[st.floats(-10, 10)] * len(SUBSETS)), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_errors_are_those_of_the_differences_within_starts(table):
    values = {subset: [Mean(row[i], 0.0) for row in table] for i, subset in enumerate(SUBSETS)}
    found = statistics(values)
    each = np.asarray(table)
    gain = each[:, SUBSETS.index(frozenset({"pose"}))] - each[:, 0]
    error = gain.std(ddof=1) / math.sqrt(len(gain))
    assert found["alone"]["pose"].mean == pytest.approx(gain.mean(), abs=1e-9)
    assert found["alone"]["pose"].sem == pytest.approx(error, abs=1e-9)
    reach = stats.t.ppf(0.975, len(gain) - 1) * error
    assert found["alone"]["pose"].high == pytest.approx(gain.mean() + reach, abs=1e-6)
    assert found["alone"]["pose"].low == pytest.approx(gain.mean() - reach, abs=1e-6)
    whole = (each[:, -1] - each[:, 0]).mean()
    assert sum(value.mean for value in found["shapley"].values()) == pytest.approx(whole, abs=1e-9)
    worse = {(lost.more, lost.less) for lost in found["less_with_more"]}
    for more in SUBSETS:
        for less in SUBSETS:
            if less < more:
                lost = (each[:, SUBSETS.index(more)] - each[:, SUBSETS.index(less)]).mean()
                if abs(lost) > 1e-9:
                    assert ((named(more), named(less)) in worse) == (lost < 0)


def test_of_a_whole_that_is_only_rounding_there_is_no_ratio():
    values = {subset: [Mean(0.0, 0.0), Mean(4.0 if len(subset) == 2 else 0.0, 0.0)] for subset in SUBSETS}
    values[SUBSETS[-1]] = [Mean(0.0, 0.0), Mean(2.2250738585072014e-308, 0.0)]
    fractions = statistics(values)["fraction_of_all"]
    assert [fractions[named(subset)] for subset in SUBSETS if len(subset) == 2] == [None] * 3


@pytest.mark.slow
def test_a_share_has_the_error_of_a_ratio():
    """Against the spread of the ratio over many experiments of as many starts."""
    generator, shares, errors = np.random.default_rng(0), [], []
    for _ in range(150):
        values = played([0.0] * 12)
        whole = values[SUBSETS[-1]]
        values[SUBSETS[-1]] = [Mean(each.mean + noise, 0.0) for each, noise in zip(whole, generator.normal(0, 0.1, 12))]
        share = statistics(values)["share"]["light"]
        shares.append(share.mean)
        errors.append(share.sem)
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.2)


def test_a_single_start_has_no_errors_over_starts():
    found = statistics(played([0.2], sem=0.01))
    assert found["starts"] == 1
    assert dict(found["shapley"]["shape"]) == {
        "mean": pytest.approx(0.5), "sem": None, "low": None, "high": None, "n": 1,
    }  # fmt: skip
    assert dict(found["share"]["shape"]) == {"mean": pytest.approx(5 / 9), "sem": None}


def test_noise_of_the_renders_is_the_least_error():
    found = statistics(played([0.2, 0.2, 0.2], sem=0.03))
    assert found["alone"]["shape"].sem == pytest.approx(0.03 * math.sqrt(2) / math.sqrt(3))
    # Shapley values of three players weigh the values by 1/3, 1/6, 1/6 and 1/3, each twice.
    weights = 2 * (2 / 9 + 2 / 36)
    assert found["shapley"]["shape"].sem == pytest.approx(0.03 * math.sqrt(weights) / math.sqrt(3))


def test_starts_count_where_every_subset_has_a_finite_activation():
    values = played([0.0, 1.0, 2.0, 3.0])
    values[SUBSETS[4]][1] = Mean(math.nan, 0.0)
    values[SUBSETS[-1]] = values[SUBSETS[-1]][:3]
    found = statistics(values)
    assert found["starts"] == 2 and found["activation"]["nothing"].mean == pytest.approx(1.0)


def test_what_takes_subsets_that_are_not_done_is_not_said():
    values = played([0.0, 1.0])
    found = statistics({subset: values[subset] for subset in SUBSETS[:3]})
    assert found["alone"]["shape"].mean == pytest.approx(0.5) and found["alone"]["light"] is None
    assert found["shapley"]["shape"] is found["share"]["shape"] is found["fraction_of_gain"]["shape"] is None
    assert found["activation"]["all"] is None and found["less_with_more"] == ()
    assert statistics({})["activation"]["nothing"] is None


def test_there_is_no_fraction_of_what_is_not_positive():
    values = played([-5.0, -6.0])
    found = statistics(values)
    assert found["fraction_of_all"]["shape"] is None
    assert found["fraction_of_gain"]["shape"].mean == pytest.approx(5 / 9)


def test_a_row_for_every_start_and_subset():
    names = ("scene", "folder", "model", "objective", "renderer", "seed")
    said = {**dict.fromkeys(names, "x"), "neurons": [3, 4], "trials": {}, "seed": 2}
    for subset, trials in played([0.25, 0.75], sem=0.5).items():
        said["trials"][named(subset)] = [
            {"start": i, "activation": each, "steps": 7, "seconds": 1.5, "ended": "done"}
            for i, each in enumerate(trials)
        ]
    rows = factor_rows(FactorsNeuron.model_validate(said | statistics(played([0.25, 0.75], sem=0.5))))
    assert len(rows) == 16 and {row["neurons"] for row in rows} == {"3 4"}
    (row,) = [row for row in rows if row["subset"] == "shape + light" and row["start"] == 1]
    assert (row["shape"], row["pose"], row["light"]) == (1, 0, 1)
    assert row["activation"] == pytest.approx(1.35) and row["gain"] == pytest.approx(0.6) and row["steps"] == 7
