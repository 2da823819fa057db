"""The factors of a scene that a neuron may like, shape, pose and light, and which parameters each of them is."""

from __future__ import annotations

from .config import Config, free_parameters, freeable_parameters
from .errors import UserError
from .games import Coalition, coalitions

__all__ = ["FACTORS", "SUBSETS", "chosen_parameters", "factor_of", "factor_parameters", "named"]

FACTORS = {"shape": "shape", "pose": "pose", "light": "lighting"}
"""Each factor's name, and its group's in the scene file."""

SUBSETS = coalitions(tuple(FACTORS))
"""Which factors are free: none, each alone, each pair, all three."""

POWERS = ("irradiance", "radiance", "intensity")


def named(subset: Coalition) -> str:
    """``nothing``, ``shape``, ``shape + pose``, ``all``."""
    if len(subset) == len(FACTORS):
        return "all"
    return " + ".join(factor for factor in FACTORS if factor in subset) or "nothing"


def factor_of(path: str) -> str | None:
    """The factor that a parameter belongs to; None of the camera's and the material's."""
    group = path.partition(".")[0]
    return next((factor for factor, its in FACTORS.items() if its == group), None)


def chosen_parameters(config: Config) -> frozenset[str]:
    """The parameters of the factors that the scene file frees itself."""
    return frozenset(path for path in free_parameters(config) if factor_of(path) is not None)


def factor_parameters(config: Config) -> dict[str, tuple[str, ...]]:
    """The parameters that each factor frees.

    Those that the scene file lists as free in the factor's group; where it lists none there, all that can be free in
    it: the shape's offsets and scales, the pose's rotation, translation and scale, and everything of every light but
    powers of zero, which have no logarithm to move.

    Raises
    ------
    UserError
        If there are none for a factor.
    """
    found = {}
    for factor in FACTORS:
        own = tuple(path for path in free_parameters(config) if factor_of(path) == factor)
        every = tuple(path for path in freeable_parameters(config) if factor_of(path) == factor)
        found[factor] = own or tuple(path for path in every if not _is_dark(config, path))
        if not found[factor]:
            raise UserError(
                f"{factor} has no parameter that can be free, so what it is worth cannot be said: every light has a "
                "power of zero; give one of them a power"
            )
    return found


def _is_dark(config: Config, path: str) -> bool:
    """Whether a parameter is a light's power that is zero in one channel or more."""
    *where, name = path.split(".")
    if name not in POWERS:
        return False
    power = getattr(config.lighting[int(where[1])], name)
    return not all(power) if isinstance(power, tuple) else not power
