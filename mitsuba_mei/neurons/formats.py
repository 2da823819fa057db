"""The formats of neuron models: what builds the model of a card, by the card's ``type``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from torch import nn

from ..config.card import CARDS, Card
from ..config.registry import Registry
from ..errors import Place, UserError
from .wrappers import explained

__all__ = ["FORMATS", "Builder", "CardContext", "build_model"]


@dataclass(frozen=True)
class CardContext:
    """Context of a builder beside the card.

    Attributes
    ----------
    image_size : (h, w)
        Pixels.
    at : callable
        From a key, as ``("weights",)``, to the place where the card says it; its ``folder`` is what paths are relative
        to, and sentences begin with it.
    on_message : callable
        Told of downloads, as sentences.
    trust_code : bool
        Whether code that the card names may be run.
    """

    image_size: tuple[int, int]
    at: Callable[[tuple[str | int, ...]], Place]
    on_message: Callable[[str], None]
    trust_code: bool


Builder = Callable[[Card, CardContext], nn.Module]
"""From a card to a module from standardised images ``(B, channels, h, w)`` to responses ``(B, n_neurons)``."""


def _own(named: str) -> Builder:
    """A builder of this room, imported when it is called."""
    module, _, path = named.partition(":")

    def build(card: Card, context: CardContext) -> nn.Module:
        return reduce(getattr, path.split("."), importlib.import_module(f".{module}", __package__))(card, context)

    return build


FORMATS: Registry[Builder] = CARDS.builders({name: _own(card.BUILDER) for name, card in CARDS.own.items()})


def build_model(card: Card, context: CardContext) -> nn.Module:
    """The module that a card describes.

    Raises
    ------
    UserError
        If its images have channels that the format does not take, or it cannot be built.
    """
    if card.input.channels not in card.CHANNELS:
        place, only = context.at(("input", "channels")), "1, luminance" if card.CHANNELS == (1,) else "3"
        raise UserError(f"{place}: input.channels must be {only}, for type {card.type}")
    build = FORMATS[card.type]
    try:
        return build(card, context)
    except UserError as error:
        if str(error).startswith(context.at(()).source):
            raise
        raise UserError(f"{context.at(('parameters',))}: parameters: {error}") from None
    except (Exception, SystemExit) as error:
        if card.type in FORMATS.own:
            raise
        raise UserError(f"{context.at(('type',))}: the model of type {card.type} fails: {explained(error)}") from None
