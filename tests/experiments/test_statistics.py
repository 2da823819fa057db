"""Paired statistics against closed forms and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mitsuba_mei.experiments.statistics import (
    Interval,
    PairedDifference,
    bootstrap_median,
    mean_difference,
    mean_of_differences,
)

numbers = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))

# ---------------------------------------------------------------------------------------------------- median


@pytest.mark.parametrize(("n", "low"), [(9, 2), (13, 4), (21, 7), (31, 11)])
def test_the_ends_are_the_values_that_the_binomial_distribution_says(n, low):
    """A sample's median is at most the k-th value where at least half of its n draws are: binomial, k/n.

    The n are such that no such probability is near 2.5 per cent, and the sampling of samples cannot matter.
    """
    k = np.arange(n + 1)
    at_most = stats.binom.sf((n + 1) // 2 - 1, n, k / n)
    assert k[at_most > 0.025][0] == low
    assert np.abs(at_most - 0.025).min() > 0.004
    values = np.random.default_rng(n).lognormal(size=n)
    interval = bootstrap_median(values)
    ordered = np.sort(values)
    assert interval == Interval(np.median(values), ordered[low - 1], ordered[n - low], n)


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["normal", "lognormal", "standard_cauchy"])
@pytest.mark.parametrize(("n", "least"), [(8, 0.88), (12, 0.90), (25, 0.91)])
def test_the_interval_holds_the_true_median_about_as_often_as_it_says(n, least, draw):
    generator = np.random.default_rng(n)
    true = 1.0 if draw == "lognormal" else 0.0
    held = 0
    for seed in range(300):
        interval = bootstrap_median(getattr(generator, draw)(size=n), resamples=999, seed=seed)
        held += interval.low <= true <= interval.high
    assert least <= held / 300 <= 0.99


def test_the_interval_of_many_values_has_the_width_of_theory():
    """The median of n normal values has the standard error sqrt(pi / (2 n))."""
    generator = np.random.default_rng(0)
    widths = []
    for _ in range(20):
        interval = bootstrap_median(generator.normal(size=400), resamples=2000)
        widths.append(interval.high - interval.low)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * math.sqrt(math.pi / 800), rel=0.1)


def test_other_confidences():
    values = np.random.default_rng(1).normal(size=40)
    narrow, usual, wide = (bootstrap_median(values, confidence) for confidence in (0.5, 0.95, 0.999))
    assert wide.low < usual.low < narrow.low < usual.median < narrow.high < usual.high < wide.high


@pytest.mark.parametrize(("confidence", "fewest"), [(0.95, 6), (0.9, 5), (0.5, 2), (0.99, 8)])
def test_too_few_values_have_no_interval(confidence, fewest):
    values = np.arange(10.0)
    for n in range(1, fewest):
        assert bootstrap_median(values[:n], confidence) == Interval((n - 1) / 2, None, None, n)
    assert bootstrap_median(values[:fewest], confidence).low is not None


def test_equal_values_have_an_interval_without_width():
    assert bootstrap_median([2.5] * 8) == Interval(2.5, 2.5, 2.5, 8)
    assert bootstrap_median([2.5]) == Interval(2.5, None, None, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=15), st.randoms(use_true_random=False), numbers)
def test_order_does_not_matter_and_a_shift_shifts(values, random, shift):
    interval = bootstrap_median(values, resamples=300)
    ends = [min(values), interval.low, interval.median, interval.high, max(values)]
    assert min(np.diff(ends)) > -1e-9
    shuffled = random.sample(values, len(values))
    assert bootstrap_median(shuffled, resamples=300) == interval
    shifted = bootstrap_median(np.add(values, shift), resamples=300)
    for name in ("median", "low", "high"):
        assert getattr(shifted, name) == pytest.approx(getattr(interval, name) + shift, abs=1e-9)


def test_a_seed_decides():
    values = np.random.default_rng(2).normal(size=10)
    assert bootstrap_median(values, resamples=50, seed=1) == bootstrap_median(values, resamples=50, seed=1)
    assert len({bootstrap_median(values, resamples=50, seed=seed).low for seed in range(10)}) > 1


@pytest.mark.parametrize("values", [[], [1.0, math.nan, 2.0], [math.inf] * 7, [[1.0, 2.0]]])
def test_what_is_no_value_is_refused(values):
    with pytest.raises(ValueError, match="values must be"):
        bootstrap_median(values)


# ------------------------------------------------------------------------------------------------ mean difference


def test_the_standard_error_of_differences():
    difference = mean_difference([4.0, 6.0, 8.0], [3.0, 4.0, 5.0], [0, 0, 0], [0, 0, 0])
    assert difference == PairedDifference(2.0, pytest.approx(1 / math.sqrt(3)), 3)
    assert difference.in_errors == pytest.approx(2 * math.sqrt(3))


def test_what_pairs_have_in_common_is_no_error():
    """The starts differ by far more than the two members of each."""
    start = np.array([0.0, 100.0, -50.0, 7.0])
    difference = mean_difference(start + [1.1, 0.9, 1.0, 1.0], start, [0.01] * 4, [0.01] * 4)
    assert difference.mean == pytest.approx(1)
    assert difference.sem == pytest.approx(math.sqrt(0.02 / 3) / 2)


def test_one_pair_has_the_error_of_its_members():
    assert mean_difference(5.0, 3.5, 0.3, 0.4) == PairedDifference(1.5, pytest.approx(0.5), 1)
    assert mean_difference([5.0], [3.5], [0.3], [0.4]) == mean_difference(5.0, 3.5, 0.3, 0.4)


def test_pairs_that_agree_by_chance_have_at_least_the_error_of_their_members():
    difference = mean_difference([1.0] * 4, [0.0] * 4, [0.3] * 4, [0.4] * 4)
    assert difference.sem == pytest.approx(0.5 / 2)
    assert difference.in_errors == pytest.approx(4)


@pytest.mark.parametrize("between", [0.0, 0.5])
def test_the_error_is_that_of_the_mean_over_many_experiments(between):
    """Starts that differ by ``between`` and renders with noise: neither is counted twice."""
    generator = np.random.default_rng(0)
    n, noise = 12, 0.2
    found = []
    for _ in range(1000):
        common, effect = generator.normal(size=n), 1 + between * generator.normal(size=n)
        first = common + effect + noise * generator.normal(size=n)
        second = common + noise * generator.normal(size=n)
        found.append(mean_difference(first, second, [noise] * n, [noise] * n))
    expected = math.sqrt((between**2 + 2 * noise**2) / n)
    means = np.array([difference.mean for difference in found])
    assert means.mean() == pytest.approx(1, abs=4 * expected / math.sqrt(1000))
    assert means.std() == pytest.approx(expected, rel=0.1)
    sems = np.array([difference.sem for difference in found])
    if between:
        assert np.sqrt(np.square(sems).mean()) == pytest.approx(expected, rel=0.05)
    else:  # the larger of two equal estimates is a little too large, on purpose
        assert expected <= np.sqrt(np.square(sems).mean()) <= 1.2 * expected


pairs = st.lists(st.tuples(numbers, numbers, st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=8)


@settings(max_examples=100)
@given(pairs, st.randoms(use_true_random=False), numbers)
def test_sign_order_and_shift(rows, random, shift):
    first, second, sem_first, sem_second = np.array(rows).T
    difference = mean_difference(first, second, sem_first, sem_second)
    assert difference.n == len(rows)
    assert difference.mean == pytest.approx(first.mean() - second.mean(), abs=1e-9)
    opposite = mean_difference(second, first, sem_second, sem_first)
    assert (opposite.mean, opposite.sem) == (pytest.approx(-difference.mean), pytest.approx(difference.sem))
    shuffled = mean_difference(*np.array(random.sample(rows, len(rows))).T)
    assert shuffled.mean == pytest.approx(difference.mean, abs=1e-9)
    assert shuffled.sem == pytest.approx(difference.sem, abs=1e-9)
    shifted = mean_difference(first + shift, second, sem_first, sem_second)
    assert shifted.mean == pytest.approx(difference.mean + shift, abs=1e-9)
    assert shifted.sem == pytest.approx(difference.sem, abs=1e-6)
    assume(difference.sem > 1e-6)
    assert math.copysign(1, difference.in_errors) == math.copysign(1, difference.mean)


def test_in_errors_without_an_error():
    assert PairedDifference(0.0, 0.0, 1).in_errors == 0
    assert PairedDifference(0.1, 0.0, 1).in_errors == math.inf
    assert PairedDifference(-0.1, 0.0, 1).in_errors == -math.inf
    assert PairedDifference(-1.0, 0.5, 3).in_errors == -2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1], [0, 0], [0, 0]), "equally many"),
        (([1, 2], [1, 2], [0], [0, 0]), "equally many"),
        (([1], [1], [0], [-1]), "negative"),
        (([1, math.nan], [1, 2], [0, 0], [0, 0]), "first must be"),
        (([1], [1], [0], [math.inf]), "sem_second must be"),
        (([], [], [], []), "first must be"),
    ],
)
def test_pairs_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mean_difference(*arguments)


# ------------------------------------------------------------------------------------------------- of differences


def test_differences_that_were_taken_already():
    first, second = np.asarray([1.0, 2.5, 3.0]), np.asarray([0.5, 1.0, 4.0])
    errors = np.asarray([0.1, 0.2, 0.3]), np.asarray([0.4, 0.1, 0.2])
    assert mean_of_differences(first - second, np.hypot(*errors)) == mean_difference(first, second, *errors)
    with pytest.raises(ValueError, match="2 differences need as many"):
        mean_of_differences([1.0, 2.0], [0.1])
    with pytest.raises(ValueError, match="negative"):
        mean_of_differences([1.0], [-0.1])


def test_students_interval_holds_the_true_mean_as_often_as_it_says():
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(2000):
        low, high = mean_of_differences(generator.normal(1, 2, 4), np.zeros(4)).interval(0.9)
        held += low <= 1 <= high
    assert held / 2000 == pytest.approx(0.9, abs=0.02)
    # Of three values, 4.303 standard errors to either side (Student's table).
    low, high = PairedDifference(1.0, 0.5, 3).interval()
    assert (low, high) == pytest.approx((1 - 0.5 * 4.303, 1 + 0.5 * 4.303), abs=1e-3)
    assert PairedDifference(1.0, 0.5, 1).interval() is None
