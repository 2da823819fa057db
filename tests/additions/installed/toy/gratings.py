"""A neuron format of another package: responses to gratings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mitsuba_mei.config.card import Card


class GratingsCard(Card):
    """Neurons that answer to horizontal gratings."""

    type: Literal["gratings"] = "gratings"
    cycles: list[float] = Field([1.0, 2.0, 3.0], min_length=1, description="Per image, one for each neuron.")


settings = GratingsCard


def build(card, context):
    """The network."""
    from .networks import Gratings

    return Gratings(context.image_size, card.cycles)
