"""What the figure is called that an optimisation maximises, or makes small."""

from __future__ import annotations

__all__ = ["named_value"]

NAMES = {"activation": ("activation", 1.0), "image": ("error", -1.0), "metamer": ("error", -1.0)}
"""By ``objective.type``; all others are an ``objective``."""


def named_value(objective: str) -> tuple[str, float]:
    """The figure's name, and its sign over what is maximised: minus where that is minus an error."""
    return NAMES.get(objective, ("objective", 1.0))
