"""Time a step and resident memory over many steps: neither may grow."""

from __future__ import annotations

import dataclasses
import statistics
import time

from mitsuba_mei.optimize.loop import optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings

from .measure import resident_mb
from .report import Report, Target
from .setting import SIMPLE_CELL, experiment_of

__all__ = ["run"]

BLOCK = 50


def run(report: Report, steps: int = 500) -> None:
    """Optimize with all learning rates at zero, so that every step has the same work.

    Parameters
    ----------
    steps : int
        At least 150: those from 50 to 100 are compared with the last 50.
    """
    config, pipeline = experiment_of(SIMPLE_CELL)
    settings = OptimizerSettings.of(config.optimizer)
    settings = dataclasses.replace(settings, steps=steps, lr={name: 0.0 for name in settings.lr})
    stamps, memory = [time.perf_counter()], []

    def note(step) -> None:
        memory.append(resident_mb())
        stamps.append(time.perf_counter())

    optimize(ActivationLoss(pipeline), settings, config.seed, note)
    seconds = [later - earlier for earlier, later in zip(stamps, stamps[1:])]
    rows = [
        {
            "steps": f"{start} to {start + BLOCK}",
            "median ms a step": 1e3 * statistics.median(seconds[start : start + BLOCK]),
            "resident MB": statistics.median(memory[start : start + BLOCK]),
        }
        for start in range(0, steps - BLOCK + 1, BLOCK)
    ]
    report.table("All learning rates zero", rows, key="blocks")
    early, late = rows[1], rows[-1]
    report.targets(
        Target(
            "time a step, last 50 over steps 50 to 100", late["median ms a step"] / early["median ms a step"], 0.9, 1.1
        ),
        Target("resident memory, last 50 over steps 50 to 100", late["resident MB"] / early["resident MB"], 0.98, 1.02),
    )
