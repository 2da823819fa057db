"""Coalitions of the factors shape, pose and light, and Shapley values of a cooperative game."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from ..config.groups import SceneSettings
from ..config.load import free_parameters, freeable_parameters
from ..config.quantities import range_of
from ..errors import UserError

__all__ = [
    "FACTORS",
    "EMPTY",
    "SUBSETS",
    "Coalition",
    "Contrast",
    "added_last",
    "chosen_parameters",
    "coalitions",
    "difference",
    "factor_of",
    "factor_parameters",
    "interaction",
    "main_effect",
    "named",
    "shapley",
]

Coalition = frozenset[str]
Contrast = dict[Coalition, float]
EMPTY: Coalition = frozenset()


def coalitions(players: Sequence[str]) -> list[Coalition]:
    """Every set of players, from nobody to all of them, by size and then by the players' order."""
    return [frozenset(some) for size in range(len(players) + 1) for some in combinations(players, size)]


def difference(first: Coalition, second: Coalition) -> Contrast:
    """The value of the first coalition less that of the second."""
    return {first: 1.0, second: -1.0} if first != second else {}


def main_effect(player: str) -> Contrast:
    """What a player gains alone, over nobody."""
    return difference(frozenset({player}), EMPTY)


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


FACTORS = {"shape": "shape", "pose": "pose", "light": "lighting"}
"""Each factor's name, and its group's in the scene file."""

SUBSETS = coalitions(tuple(FACTORS))
"""Which factors are free: none, each alone, each pair, all three."""


def named(subset: Coalition) -> str:
    """``nothing``, ``shape``, ``shape + pose``, ``all``."""
    if len(subset) == len(FACTORS):
        return "all"
    return " + ".join(factor for factor in FACTORS if factor in subset) or "nothing"


def factor_of(path: str) -> str | None:
    """The factor that a parameter belongs to; None of the camera's and the material's."""
    group = path.partition(".")[0]
    return next((factor for factor, its in FACTORS.items() if its == group), None)


def chosen_parameters(scene: SceneSettings) -> frozenset[str]:
    """The parameters of the factors that the scene file frees itself."""
    return frozenset(path for path in free_parameters(scene) if factor_of(path) is not None)


def factor_parameters(scene: SceneSettings) -> dict[str, tuple[str, ...]]:
    """The parameters that each factor frees.

    Those that the scene file lists as free in the factor's group; where it lists none there, all that can be free in
    it: the shape's offsets and scales, the pose's rotation, translation and scale, and everything of every light but
    what stands at an end of its range, as powers of zero, which have no logarithm to move.

    Raises
    ------
    UserError
        If there are none for a factor.
    """
    freed = {}
    for factor in FACTORS:
        own = tuple(path for path in free_parameters(scene) if factor_of(path) == factor)
        every = tuple(path for path in freeable_parameters(scene) if factor_of(path) == factor)
        freed[factor] = own or tuple(path for path in every if not _is_dark(scene, path))
        if not freed[factor]:
            raise UserError(
                f"{factor} has no parameter that can be free, so what it is worth cannot be said: every light has a "
                "power of zero; give one of them a power"
            )
    return freed


def _is_dark(scene: SceneSettings, path: str) -> bool:
    """Whether a parameter of a light stands at an end of its range, as a power that is zero in one channel or more."""
    *where, name = path.split(".")
    if where[0] != "lighting":
        return False
    light = scene.lighting[int(where[1])]
    low, high, *_ = range_of(type(light), name)
    value = getattr(light, name)
    return not all(low < number < high for number in (value if isinstance(value, tuple) else (value,)))
