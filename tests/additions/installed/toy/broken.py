from typing import Literal

from mitsuba_mei.config.card import Card
from mitsuba_mei.config.objective import ActivationObjective


class Nameless:
    class settings(ActivationObjective):  # noqa: N801
        type: Literal["other"] = "other"


class Unbuildable:
    class settings(Card):  # noqa: N801
        type: Literal["unbuildable"] = "unbuildable"

    @staticmethod
    def build(card, context):
        raise RuntimeError("no network today")


class UnbuildableObjective:
    class settings(ActivationObjective):  # noqa: N801
        type: Literal["unbuildable"] = "unbuildable"

    @staticmethod
    def build(settings, neurons, count):
        raise RuntimeError("no time")
