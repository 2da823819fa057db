"""Who looks: models from standardised images to responses, and the cards that describe them."""

from .cards import NeuronModel, load_card

__all__ = ["NeuronModel", "load_card"]
