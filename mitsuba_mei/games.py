"""What each player of a cooperative game is worth: how the worth of all together is split among them.

A game gives every coalition, every set of players, a value. What is asked of a game here (a player's Shapley value, how
two players interact) is a weighted sum of these values: a contrast, the weight of each coalition. So its error over
repetitions of the game is that of one number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

__all__ = [
    "NOBODY",
    "Coalition",
    "Contrast",
    "added_last",
    "alone",
    "coalitions",
    "difference",
    "interaction",
    "shapley",
]

Coalition = frozenset[str]
Contrast = dict[Coalition, float]
NOBODY: Coalition = frozenset()


def coalitions(players: Sequence[str]) -> list[Coalition]:
    """Every set of players, from nobody to all of them, by size and then by the players' order."""
    return [frozenset(some) for size in range(len(players) + 1) for some in combinations(players, size)]


def difference(first: Coalition, second: Coalition) -> Contrast:
    """The value of the first coalition less that of the second."""
    return {first: 1.0, second: -1.0} if first != second else {}


def alone(player: str) -> Contrast:
    """What a player gains alone, over nobody."""
    return difference(frozenset({player}), NOBODY)


def added_last(players: Sequence[str], player: str) -> Contrast:
    """What a player adds to all the others."""
    return difference(frozenset(players), frozenset(players) - {player})


def shapley(players: Sequence[str], player: str) -> Contrast:
    r"""A player's Shapley value: what it adds to those who came before it, the mean over all orders of coming.

    :math:`\phi_i = \sum_{T \subseteq N \setminus i} \frac{t! (n - t - 1)!}{n!} (v(T \cup i) - v(T))`. It is the only
    split of :math:`v(N) - v(\emptyset)` that adds up to it, gives nothing to a player who never adds anything, the
    same to players who always add the same, and is linear in the game (Shapley 1953, A value for n-person games,
    Contributions to the Theory of Games II, Annals of Mathematics Studies 28:307-317).
    """
    others, n = [other for other in players if other != player], len(players)
    contrast: Contrast = {}
    for some in coalitions(others):
        weight = math.factorial(len(some)) * math.factorial(n - len(some) - 1) / math.factorial(n)
        contrast |= {some | {player}: weight, some: -weight}
    return contrast


def interaction(players: Sequence[str], first: str, second: str) -> Contrast:
    r"""How much more two players add together than each on its own, the mean over whom they may meet there.

    The Shapley interaction index, :math:`I_{ij} = \sum_{T \subseteq N \setminus ij} \frac{t! (n - t - 2)!}{(n - 1)!}
    (v(T \cup ij) - v(T \cup i) - v(T \cup j) + v(T))`: above 0 where they help each other, below where one does what
    the other would, and 0 where they add up (Grabisch & Roubens 1999, An axiomatic approach to the concept of
    interaction among players in cooperative games, International Journal of Game Theory 28:547-565).
    """
    others, n = [other for other in players if other not in (first, second)], len(players)
    contrast: defaultdict[Coalition, float] = defaultdict(float)
    for some in coalitions(others):
        weight = math.factorial(len(some)) * math.factorial(n - len(some) - 2) / math.factorial(n - 1)
        for members, sign in (({first, second}, 1), ({first}, -1), ({second}, -1), (set(), 1)):
            contrast[some | members] += sign * weight
    return dict(contrast)
