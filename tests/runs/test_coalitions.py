"""Contrasts of games against closed forms, against orders counted one by one, and against the axioms."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.runs.factor_coalitions import added_last, coalitions, difference, interaction, main_effect, shapley

PLAYERS = ("a", "b", "c")
EVERY = coalitions(PLAYERS)

games = st.lists(st.integers(-1000, 1000), min_size=len(EVERY), max_size=len(EVERY)).map(
    lambda values: dict(zip(EVERY, values))
)


def value(contrast, game) -> float:
    return sum(weight * game[coalition] for coalition, weight in contrast.items())


def test_coalitions_go_from_nobody_to_everybody():
    assert EVERY[0] == frozenset() and EVERY[-1] == frozenset(PLAYERS)
    assert len(set(EVERY)) == 8 and [len(each) for each in EVERY] == [0, 1, 1, 1, 2, 2, 2, 3]


@given(games)
@settings(deadline=None)
def test_shapley_values_are_means_over_all_orders_of_coming(game):
    for player in PLAYERS:
        added = []
        for order in permutations(PLAYERS):
            before = frozenset(order[: order.index(player)])
            added.append(game[before | {player}] - game[before])
        assert value(shapley(PLAYERS, player), game) == pytest.approx(sum(added) / len(added), abs=1e-9)


@given(games)
@settings(deadline=None)
def test_shapley_values_add_up_to_what_all_gain(game):
    split = sum(value(shapley(PLAYERS, player), game) for player in PLAYERS)
    assert split == pytest.approx(game[EVERY[-1]] - game[EVERY[0]], abs=1e-9)


@given(games)
@settings(deadline=None)
def test_players_who_do_the_same_get_the_same(game):
    swap = {"a": "b", "b": "a", "c": "c"}
    alike = {each: game[each] + game[frozenset(swap[player] for player in each)] for each in EVERY}
    assert value(shapley(PLAYERS, "a"), alike) == pytest.approx(value(shapley(PLAYERS, "b"), alike), abs=1e-9)


@given(games)
@settings(deadline=None)
def test_who_adds_nothing_gets_nothing_and_interacts_with_nobody(game):
    without = {each: game[each - {"c"}] for each in EVERY}
    assert value(shapley(PLAYERS, "c"), without) == pytest.approx(0, abs=1e-9)
    assert value(interaction(PLAYERS, "a", "c"), without) == pytest.approx(0, abs=1e-9)
    both = without[frozenset("ab")] - without[frozenset("a")] - without[frozenset("b")] + without[frozenset()]
    assert value(interaction(PLAYERS, "a", "b"), without) == pytest.approx(both, abs=1e-9)


@given(st.tuples(*[st.integers(-50, 50)] * 3), st.integers(-50, 50))
@settings(deadline=None)
def test_where_gains_add_up_every_figure_is_the_gain_itself(gains, start):
    own = dict(zip(PLAYERS, gains))
    game = {each: start + sum(own[player] for player in each) for each in EVERY}
    for player in PLAYERS:
        for contrast in (main_effect(player), added_last(PLAYERS, player), shapley(PLAYERS, player)):
            assert value(contrast, game) == pytest.approx(own[player], abs=1e-9)
    for pair in ("ab", "ac", "bc"):
        assert value(interaction(PLAYERS, *pair), game) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("needed", "values", "pairs"),
    [
        ("ab", (1 / 2, 1 / 2, 0), {"ab": 1, "ac": 0, "bc": 0}),
        ("abc", (1 / 3, 1 / 3, 1 / 3), {"ab": 1 / 2, "ac": 1 / 2, "bc": 1 / 2}),
    ],
)
def test_where_all_of_some_are_needed_they_share(needed, values, pairs):
    """Unanimity games: 1 / |T| for each of T, and 1 / (|T| - 1) for each pair (Grabisch & Roubens 1999)."""
    game = {each: float(frozenset(needed) <= each) for each in EVERY}
    assert [value(shapley(PLAYERS, player), game) for player in PLAYERS] == pytest.approx(values)
    for pair, expected in pairs.items():
        assert value(interaction(PLAYERS, *pair), game) == pytest.approx(expected)
        assert interaction(PLAYERS, *pair) == pytest.approx(interaction(PLAYERS, *reversed(pair)))
    first = needed[0]
    assert value(main_effect(first), game) == 0 and value(added_last(PLAYERS, first), game) == 1


def test_where_one_of_them_does_for_all_they_replace_each_other():
    game = {each: float(bool(each)) for each in EVERY}
    assert value(main_effect("a"), game) == 1 and value(added_last(PLAYERS, "a"), game) == 0
    assert value(shapley(PLAYERS, "a"), game) == pytest.approx(1 / 3)
    assert value(interaction(PLAYERS, "a", "b"), game) == pytest.approx(-1 / 2)


def test_a_difference_of_the_same_is_none():
    assert difference(EVERY[3], EVERY[3]) == {}
