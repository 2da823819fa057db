"""An objective of another package: a mean in which strong responses count more."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mitsuba_mei.config.objective import ActivationObjective


class PowerMean(ActivationObjective):
    """A mean of the responses in which strong ones count more."""

    MEANING = "it is a mean of the responses in which strong ones count more"

    type: Literal["power_mean"] = "power_mean"
    exponent: float = Field(3.0, ge=1, description="1 is the mean.")

    def summary(self, neurons):
        return f"the mean of power {self.exponent:g} of {len(neurons)} neurons"


settings = PowerMean


def build(settings, neurons, count):
    """The objective."""
    from .objectives import PowerMean

    return PowerMean.from_settings(settings, neurons, count)
