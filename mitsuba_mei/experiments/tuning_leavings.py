"""What a tuning found, and its files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..report_tuning import TuningFigure, write_tuning
from ..responses import Responses
from ..run_folder import RunFolder
from ..tuning.grid import points
from ..tuning.summary import summarise
from .session import versions
from .tuning_plan import Plan

__all__ = ["Found", "result_of", "write_found"]


@dataclass
class Found:
    """What there is of the responses so far: (k, grid...) each, NaN where nothing is known."""

    mean: np.ndarray
    sem: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stimuli: np.ndarray

    @classmethod
    def nothing(cls, plan: Plan, stimulus: np.ndarray) -> Found:
        """Before the first point; ``stimulus`` is one of them."""
        numbers = [np.full((len(plan.neurons), *plan.shape), np.nan) for _ in range(4)]
        return cls(*numbers, np.full((*plan.shape, *stimulus.shape), np.nan, np.float32))

    def add(self, index: tuple[int, ...], responses: Responses, stimulus: np.ndarray) -> None:
        """One point more."""
        for name in ("mean", "sem", "low", "high"):
            getattr(self, name)[(slice(None), *index)] = getattr(responses, name)
        self.stimuli[index] = stimulus


def result_of(plan: Plan, own: Responses, found: Found, whole: bool) -> dict[str, Any]:
    """What ``tuning.json`` says."""
    subject = plan.subject
    return {
        "source": {
            "run": str(subject.source) if subject.is_run else None,
            "scene": None if subject.is_run else str(subject.source),
        },
        "model": subject.experiment.viewer.model.name,
        "renderer": subject.config.render.type,
        "variant": subject.experiment.variant,
        "seed": subject.config.seed,
        "evaluate": {"spp": plan.accuracy.spp, "repeats": plan.accuracy.repeats},
        "over": [axis.as_dict() for axis in plan.axes],
        "neurons": [
            {
                "neuron": neuron,
                "mean": found.mean[i].tolist(),
                "sem": found.sem[i].tolist(),
                "low": found.low[i].tolist(),
                "high": found.high[i].tolist(),
                "at_scene": {"mean": float(own.mean[i]), "sem": float(own.sem[i])},
                "summary": _summary(plan, found, i),
            }
            for i, neuron in enumerate(plan.neurons)
        ],
        "ended": "done" if whole else "interrupted",
        "versions": versions(),
    }


def _summary(plan: Plan, found: Found, i: int) -> dict[str, Any] | None:
    """Of a neuron whose responses are all known and finite; else None."""
    if not np.isfinite(found.mean[i]).all():
        return None
    return summarise(plan.axes, found.mean[i], found.sem[i], plan.subject.config.seed)


def write_found(folder: RunFolder, plan: Plan, found: Found, result: dict[str, Any]) -> None:
    folder.write("stimuli.npy", lambda path: np.save(path, found.stimuli))
    folder.write("tuning.csv", lambda path: _write_rows(path, plan, found))
    folder.write_json("tuning.json", result)
    title = f"{result['model']}, around {plan.subject.source.name}"
    title += " (path traced)" if result["renderer"] == "path" else " (rasterized)"
    if result["ended"] != "done":
        title += ", interrupted"
    figure = TuningFigure(title, plan.axes, result["neurons"], found.stimuli)
    folder.adorn("tuning.png", lambda path: write_tuning(path, figure))


def _write_rows(path: Path, plan: Plan, found: Found) -> None:
    """A row for each neuron and point of which something is known."""
    names = ("mean", "sem", "low", "high")
    known = [each for each in points(plan.axes) if not np.isnan(found.stimuli[each[0]]).all()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["neuron", *(axis.path for axis in plan.axes), *names])
        for i, neuron in enumerate(plan.neurons):
            for index, point in known:
                writer.writerow([neuron, *point.values(), *(getattr(found, name)[(i, *index)] for name in names)])
