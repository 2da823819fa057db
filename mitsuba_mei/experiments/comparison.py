"""Metrics of a comparison: activations, similarity of the MEIs, and a row for each neuron."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config.load import Config, free_parameters
from ..config.sections import RENDERERS
from ..geometry.registration import surface_distance
from ..optimize.evaluate import Estimate, Mean
from ..scene.parameters import parameter_at, parameter_difference, set_parameters
from .base import ratio
from .history import posed_mesh
from .multistart import MultistartResult
from .pixel import PixelMEI
from .reevaluate import FrozenEvaluator
from .statistics import bootstrap_median, mean_difference

__all__ = ["NeuronComparison", "comparison_row", "comparison_statistics", "figures", "write_rows"]

PATH, RASTER = RENDERERS

ASIDE = 2**34
"""Added to a seed for renders of which nothing is wanted but noise of their own."""


@dataclass
class NeuronComparison:
    """Two optimizations, and what each object is worth under either renderer.

    Attributes
    ----------
    config : Config
    done : dict of str to MultistartResult
        By the renderer that they were made under; both, or less where the user did not want to wait.
    judges : dict of str to FrozenEvaluator
        By the renderer that they show under.
    pixel : PixelMEI or None
    ends : dict of str to dict
        The parameters of what was kept, by the renderer that it was made under.
    kept : dict of str to dict of str to Estimate
        What was kept, by the renderer that it was made under, then by the one that it is shown under.
    starts : dict of str to dict of str to list of Estimate
        The same for what every start ended with.
    """

    config: Config
    done: dict[str, MultistartResult]
    judges: dict[str, FrozenEvaluator]
    pixel: PixelMEI | None
    ends: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    kept: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    starts: dict[str, dict[str, list[Estimate]]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether there is an object of each renderer."""
        return len(self.kept) == len(RENDERERS)


def figures(contested: NeuronComparison) -> dict[str, Any]:
    """What ``comparison.json`` says.

    In tables the renderer that made an object comes first, then the one that shows it. What takes both objects is None
    where there is but one.
    """
    done, kept, pixel = contested.done, contested.kept, contested.pixel
    observer = contested.judges[PATH].pipeline.observer
    ended = [optimized.ended for optimized in done.values()]
    reached = None if pixel is None else pixel.activation
    whole = contested.whole
    return {
        "model": observer.model.name,
        "neurons": list(contested.config.neurons),
        "objective": contested.config.objective.type,
        "ended": "done" if whole and "interrupted" not in ended else "interrupted",
        "failed": {made: optimized.reason for made, optimized in done.items() if optimized.reason},
        "seed": contested.config.seed,
        "initial": {made: optimized.best.before.as_dict() for made, optimized in done.items()},
        **_tables(kept, reached),
        "pixel": reached,
        "gain": {shown: _gain(kept, shown) for shown in RENDERERS} if whole else None,
        "starts": {shown: _start_by_start(contested.starts, shown) for shown in RENDERERS} if whole else None,
        "stimuli": _stimuli(contested) if whole else None,
        "transport": {made: _transport(contested, made) for made in RENDERERS} if whole else None,
        "shape": _shape(done) if whole else None,
        "parameters": _parameters(contested) if whole else None,
        "validation": _validation(contested),
        "kept_start": {made: optimized.best.index for made, optimized in done.items()},
        "seconds": {made: sum(trial.seconds for trial in optimized.trials) for made, optimized in done.items()},
    }


def _tables(kept: dict[str, dict[str, Mean]], pixel: float | None) -> dict[str, Any]:
    """The activations, and their ratios to the pixel MEI."""
    activation = {made: {shown: Mean.as_dict(mean) for shown, mean in row.items()} for made, row in kept.items()}
    over = {made: {shown: ratio(mean, pixel) for shown, mean in row.items()} for made, row in activation.items()}
    return {"activation": activation, "ratio_to_pixel": over}


def _validation(contested: NeuronComparison) -> dict[str, Any] | None:
    """What the second model makes of the same stimuli."""
    validator = contested.judges[PATH].pipeline.observer.validator
    if validator is None:
        return None
    judged = {made: {shown: of.validation for shown, of in row.items()} for made, row in contested.kept.items()}
    reached = None if contested.pixel is None else contested.pixel.validation
    return {"model": validator.model.name, "pixel": reached, **_tables(judged, reached)}


def _gain(kept: dict[str, dict[str, Estimate]], shown: str) -> dict[str, float] | None:
    """By how much what was made under a renderer exceeds, shown under it, what was not; relative to the former."""
    (other,) = (renderer for renderer in RENDERERS if renderer != shown)
    own, foreign = kept[shown][shown], kept[other][shown]
    if not own.mean > 0:
        return None
    part = foreign.mean / own.mean
    return {"mean": 1 - part, "sem": math.hypot(foreign.sem, part * own.sem) / own.mean}


def _start_by_start(starts: dict[str, dict[str, list[Estimate]]], shown: str) -> dict[str, Any]:
    """What was made under path less what was made under raster from the same start, over the starts."""
    first, second = starts[PATH][shown], starts[RASTER][shown]
    pairs = [pair for pair in zip(first, second) if all(math.isfinite(each.mean) for each in pair)]
    found: dict[str, Any] = {"mean": None, "sem": None, "n": 0}
    if pairs:
        means, errors = ([[getattr(each, part) for each in side] for side in zip(*pairs)] for part in ("mean", "sem"))
        found = asdict(mean_difference(*means, *errors))
    return found | {PATH: [each.mean for each in first], RASTER: [each.mean for each in second]}


@torch.no_grad()
def _stimuli(contested: NeuronComparison) -> dict[str, float]:
    """How far what the neuron saw of the two objects lies apart, both path traced; grey levels."""
    judge = contested.judges[PATH]
    stimulus = judge.pipeline.observer.stimulus
    first, second = (stimulus(contested.kept[made][PATH].image.to(judge.device)) for made in RENDERERS)
    difference = stimulus.to_grey(first, clip=False) - stimulus.to_grey(second, clip=False)
    return {"correlation": _correlation(first, second), "rms_difference": difference.square().mean().sqrt().item()}


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


def _transport(contested: NeuronComparison, made: str) -> float | None:
    """What simulated light adds to an object: its path-traced render less its rasterized one.

    The root mean square of the difference, over that of the path-traced render's deviation from its mean. For squares
    the products of two independent renders are taken, in which their noise adds up to nothing.
    """
    again = contested.judges[PATH](contested.ends[made], contested.config.seed + ASIDE).image
    traced, shaded = (contested.kept[made][shown].image.to(again.device) for shown in (PATH, RASTER))
    square = ((traced - shaded) * (again - shaded)).mean().clamp_min(0)
    contrast = ((traced - traced.mean()) * (again - again.mean())).mean()
    return math.sqrt(square / contrast) if contrast > 0 else None


def _shape(done: dict[str, MultistartResult]) -> dict[str, float] | None:
    """How far the surfaces lie apart, as they stand in the scene but for a rigid motion; None where one is none."""
    try:
        return asdict(surface_distance(*(posed_mesh(done[made].best.pipeline.scene) for made in RENDERERS)))
    except ValueError:
        return None


def _parameters(contested: NeuronComparison) -> dict[str, Any]:
    """What else was free than the shape: where it started, and where it ended under each renderer."""
    scene = contested.judges[PATH].pipeline.scene
    set_parameters(scene, contested.done[PATH].best.start)
    start = scene.to_settings()
    ends = {made: optimized.best.pipeline.scene.to_settings() for made, optimized in contested.done.items()}
    found = {}
    for path in free_parameters(contested.config):
        if not path.startswith("shape."):
            values = {made: parameter_at(end, path) for made, end in ends.items()}
            difference = asdict(parameter_difference(scene.quantity(path), values[PATH], values[RASTER]))
            found[path] = {"initial": parameter_at(start, path), **values, "difference": difference}
    return found


PATH, RASTER = RENDERERS

FAR = 3.0
"""Standard errors beyond which a difference is counted."""


def comparison_row(figures: Mapping[str, Any]) -> dict[str, Any]:
    """A neuron's ``comparison.json`` in flat columns; what it does not say is empty.

    ``path_mei_under_raster`` is the activation of the object that was optimized under ``path``, evaluated under
    ``raster``; ``_sem`` its standard error, ``_over_pixel`` its ratio to the pixel MEI.
    """
    row: dict[str, Any] = {name: figures[name] for name in ("scene", "folder", "model", "objective", "ended", "seed")}
    row["neurons"] = " ".join(map(str, figures["neurons"]))
    row["starts"] = None if figures["starts"] is None else figures["starts"][PATH]["n"]
    row |= {f"seconds_{made}": figures["seconds"].get(made) for made in RENDERERS}
    row["pixel"] = figures["pixel"]
    for made in RENDERERS:
        row |= _spread(f"initial_under_{made}", figures["initial"].get(made))
    row |= _cells(figures, "")
    for shown in RENDERERS:
        row |= _spread(f"gain_under_{shown}", (figures["gain"] or {}).get(shown))
        row |= _spread(f"path_less_raster_over_starts_under_{shown}", (figures["starts"] or {}).get(shown))
    row |= _prefixed("stimuli", figures["stimuli"], ("correlation", "rms_difference"))
    row |= _prefixed("transport", figures["transport"], RENDERERS, "_mei")
    row |= _prefixed("shape", figures["shape"], ("mean", "rms", "greatest", "relative", "rotation", "translation"))
    if figures["validation"] is not None:
        row["validation_pixel"] = figures["validation"]["pixel"]
        row |= _cells(figures["validation"], "validation_")
    for name, parameter in (figures["parameters"] or {}).items():
        difference = parameter["difference"]
        row[f"{name} [{difference['unit']}]"] = difference["value"]
    return row


def _cells(figures: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for made in RENDERERS:
        for shown in RENDERERS:
            name = f"{prefix}{made}_mei_under_{shown}"
            cells |= _spread(name, figures["activation"].get(made, {}).get(shown))
            over = figures["ratio_to_pixel"].get(made, {}).get(shown)
            cells[f"{name}_over_pixel"] = None if over is None else over["mean"]
    return cells


def _spread(name: str, value: Mapping[str, float] | None) -> dict[str, float | None]:
    mean, sem = (None, None) if value is None else (value["mean"], value["sem"])
    return {name: mean, f"{name}_sem": sem}


def _prefixed(prefix: str, values: Mapping[str, Any] | None, names: Sequence[str], suffix: str = "") -> dict[str, Any]:
    return {f"{prefix}_{name}{suffix}": (values or {}).get(name) for name in names}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of different columns as CSV; a cell that is unknown, or no finite number, is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: _said(value) for name, value in row.items()} for row in rows)


def _said(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def comparison_statistics(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Paired statistics over the neurons whose comparison is done.

    Returns
    -------
    dict
        ``neurons``, how many; ``gain``, by the renderer that shows, the median over neurons of what is gained by
        optimizing under it, with its bootstrap interval; ``ratio_to_pixel``, medians of every cell; and ``apart``, how
        many neurons' two objects differ by more than three standard errors: of the renders (None where nothing is
        noisy), and of the differences over starts (of those with several).
    """
    done = [figures for figures in every if figures["ended"] == "done"]
    return {
        "neurons": len(done),
        "gain": {shown: _median([figures["gain"][shown] for figures in done]) for shown in RENDERERS},
        "ratio_to_pixel": {
            made: {shown: _median([figures["ratio_to_pixel"][made][shown] for figures in done]) for shown in RENDERERS}
            for made in RENDERERS
        },
        "apart": {shown: _apart(done, shown) for shown in RENDERERS},
    }


def _median(values: Sequence[Mapping[str, float] | None]) -> dict[str, float] | None:
    known = [value["mean"] for value in values if value is not None and math.isfinite(value["mean"])]
    return asdict(bootstrap_median(known)) if known else None


def _apart(done: Sequence[Mapping[str, Any]], shown: str) -> dict[str, dict[str, int] | None]:
    renders = []
    for figures in done:
        first, second = (figures["activation"][made][shown] for made in RENDERERS)
        renders.append((first["mean"] - second["mean"], math.hypot(first["sem"], second["sem"])))
    starts = [figures["starts"][shown] for figures in done]
    return {
        "of_renders": _counted(renders),
        "of_starts": _counted([(each["mean"], each["sem"]) for each in starts if each["n"] > 1]),
    }


def _counted(differences: Sequence[tuple[float, float]]) -> dict[str, int] | None:
    known = [(mean, sem) for mean, sem in differences if sem]
    return {"neurons": sum(abs(mean) > FAR * sem for mean, sem in known), "of": len(known)} if known else None
