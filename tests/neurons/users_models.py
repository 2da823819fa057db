"""What tests of users' models share."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from mitsuba_mei.neurons.cards import NeuronModel, load_card

DEPRECATED = pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")
"""What newer torch says of TorchScript, which users have all the same."""


def built(scene: Path, on_message=lambda text: None) -> NeuronModel:
    """The model of the card beside a scene."""
    return load_card(scene.with_name("card.yaml"), trust_code=True, on_message=on_message)


def users_own(scene: Path) -> ModuleType:
    """The module that the card's file became."""
    mine = [module for name, module in sys.modules.items() if name.startswith("mine_")]
    return next(module for module in mine if Path(module.__file__).parent == scene.parent)
