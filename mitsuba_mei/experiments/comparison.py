"""Metrics of a comparison: activations, similarity of the MEIs, and a row for each neuron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from ..config.groups import RunSettings
from ..config.sections import RENDERERS
from ..geometry.registration import surface_distance
from ..optimize.evaluate import Mean, SceneEstimate
from ..optimize.pixel import PixelMEI
from ..runs.results import ComparedNeuron, Estimate
from ..runs.results.comparison import (
    ComparedParameter,
    ComparedValidation,
    ComparisonStatistics,
    Counted,
    MedianGain,
    Significant,
    StartByStart,
    StimulusSimilarity,
    SurfaceGap,
)
from ..scene.parameters import parameter_at, parameter_difference, set_parameters
from .base import versions
from .history import posed_mesh
from .multistart import MultistartResult
from .reevaluate import FrozenEvaluator
from .statistics import bootstrap_median, mean_difference

__all__ = ["NeuronComparison", "comparison_result", "comparison_statistics"]

PATH, RASTER = RENDERERS

ASIDE = 2**34
"""Added to a seed for renders of which nothing is wanted but noise of their own."""


@dataclass
class NeuronComparison:
    """Two optimizations, and what each object is worth under either renderer.

    Attributes
    ----------
    settings : RunSettings
    free : tuple of str
        The parameters that were free.
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

    settings: RunSettings
    free: tuple[str, ...]
    done: dict[str, MultistartResult]
    evaluators: dict[str, FrozenEvaluator]
    pixel: PixelMEI | None
    ends: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    kept: dict[str, dict[str, SceneEstimate]] = field(default_factory=dict)
    starts: dict[str, dict[str, list[SceneEstimate]]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether there is an object of each renderer."""
        return len(self.kept) == len(RENDERERS)


def comparison_result(comparison: NeuronComparison) -> ComparedNeuron:
    """The result of one neuron.

    In tables the renderer that made an object comes first, then the one that shows it. What takes both objects is None
    where there is but one.
    """
    done, kept, pixel = comparison.done, comparison.kept, comparison.pixel
    settings, observer = comparison.settings, comparison.evaluators[PATH].pipeline.observer
    ended = [optimized.ended for optimized in done.values()]
    reached = None if pixel is None else pixel.activation
    both: dict[str, Any] = {}
    if comparison.whole:
        both = {
            "gain": {shown: _gain(kept, shown) for shown in RENDERERS},
            "starts": {shown: _start_by_start(comparison.starts, shown) for shown in RENDERERS},
            "stimuli": _stimuli(comparison),
            "transport": {optimized_under: _transport(comparison, optimized_under) for optimized_under in RENDERERS},
            "shape": _shape(done),
            "parameters": _parameters(comparison),
        }
    return ComparedNeuron(
        model=observer.model.name,
        neurons=settings.neurons,
        objective=settings.objective.type,
        ended="done" if comparison.whole and "interrupted" not in ended else "interrupted",
        failed={optimized_under: optimized.reason for optimized_under, optimized in done.items() if optimized.reason},
        seed=settings.seed,
        initial={optimized_under: optimized.best.before for optimized_under, optimized in done.items()},
        **_tables(kept, reached),
        pixel=reached,
        **both,
        validation=_validation(comparison),
        kept_start={optimized_under: optimized.best.index for optimized_under, optimized in done.items()},
        seconds={
            optimized_under: sum(trial.seconds for trial in optimized.trials)
            for optimized_under, optimized in done.items()
        },
        versions=versions(),
    )


def _tables(kept: dict[str, dict[str, Mean]], pixel: float | None) -> dict[str, Any]:
    """The activations, and their ratios to the pixel MEI."""
    activation = {
        optimized_under: {shown: Estimate(mean=mean.mean, sem=mean.sem) for shown, mean in row.items()}
        for optimized_under, row in kept.items()
    }
    over = {
        optimized_under: {shown: mean.over(pixel) for shown, mean in row.items()}
        for optimized_under, row in activation.items()
    }
    return {"activation": activation, "ratio_to_pixel": over}


def _validation(comparison: NeuronComparison) -> ComparedValidation | None:
    """The second model's responses to the same stimuli."""
    validator = comparison.evaluators[PATH].pipeline.observer.validator
    if validator is None:
        return None
    judged = {
        optimized_under: {shown: of.validation for shown, of in row.items()}
        for optimized_under, row in comparison.kept.items()
    }
    reached = None if comparison.pixel is None else comparison.pixel.validation
    return ComparedValidation(model=validator.model.name, pixel=reached, **_tables(judged, reached))


def _gain(kept: dict[str, dict[str, SceneEstimate]], shown: str) -> Estimate | None:
    """By how much the MEI of a renderer exceeds, shown under it, the other renderer's; relative to the former."""
    (other,) = (renderer for renderer in RENDERERS if renderer != shown)
    own, foreign = kept[shown][shown], kept[other][shown]
    if not own.mean > 0:
        return None
    part = foreign.mean / own.mean
    return Estimate(mean=1 - part, sem=math.hypot(foreign.sem, part * own.sem) / own.mean)


def _start_by_start(starts: dict[str, dict[str, list[SceneEstimate]]], shown: str) -> StartByStart:
    """What was made under path less what was made under raster from the same start, over the starts."""
    first, second = starts[PATH][shown], starts[RASTER][shown]
    pairs = [pair for pair in zip(first, second) if all(math.isfinite(each.mean) for each in pair)]
    ends = {PATH: tuple(each.mean for each in first), RASTER: tuple(each.mean for each in second)}
    if not pairs:
        return StartByStart(**ends)
    means, errors = ([[getattr(each, part) for each in side] for side in zip(*pairs)] for part in ("mean", "sem"))
    return StartByStart(**asdict(mean_difference(*means, *errors)), **ends)


@torch.no_grad()
def _stimuli(comparison: NeuronComparison) -> StimulusSimilarity:
    """How far what the neuron saw of the two objects lies apart, both path traced; grey levels."""
    evaluator = comparison.evaluators[PATH]
    stimulus = evaluator.pipeline.observer.stimulus
    first, second = (
        stimulus(comparison.kept[optimized_under][PATH].image.to(evaluator.device)) for optimized_under in RENDERERS
    )
    difference = stimulus.to_grey(first, clip=False) - stimulus.to_grey(second, clip=False)
    return StimulusSimilarity(
        correlation=_correlation(first, second), rms_difference=difference.square().mean().sqrt().item()
    )


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


def _transport(comparison: NeuronComparison, optimized_under: str) -> float | None:
    """What simulated light adds to an object: its path-traced render less its rasterized one.

    The root mean square of the difference, over that of the path-traced render's deviation from its mean. For squares
    the products of two independent renders are taken, in which their noise adds up to nothing.
    """
    again = comparison.evaluators[PATH](comparison.ends[optimized_under], comparison.settings.seed + ASIDE).image
    traced, shaded = (comparison.kept[optimized_under][shown].image.to(again.device) for shown in (PATH, RASTER))
    square = ((traced - shaded) * (again - shaded)).mean().clamp_min(0)
    contrast = ((traced - traced.mean()) * (again - again.mean())).mean()
    return math.sqrt(square / contrast) if contrast > 0 else None


def _shape(done: dict[str, MultistartResult]) -> SurfaceGap | None:
    """How far the surfaces lie apart, as they stand in the scene but for a rigid motion; None where one is none."""
    try:
        distance = surface_distance(
            *(posed_mesh(done[optimized_under].best.pipeline.scene) for optimized_under in RENDERERS)
        )
    except ValueError:
        return None
    return SurfaceGap(**asdict(distance))


def _parameters(comparison: NeuronComparison) -> dict[str, ComparedParameter]:
    """What else was free than the shape: where it started, and where it ended under each renderer."""
    scene = comparison.evaluators[PATH].pipeline.scene
    set_parameters(scene, comparison.done[PATH].best.start)
    start = scene.to_settings()
    ends = {
        optimized_under: optimized.best.pipeline.scene.to_settings()
        for optimized_under, optimized in comparison.done.items()
    }
    compared = {}
    for path in comparison.free:
        if not path.startswith("shape."):
            values = {optimized_under: parameter_at(end, path) for optimized_under, end in ends.items()}
            difference = asdict(parameter_difference(scene.quantity(path), values[PATH], values[RASTER]))
            compared[path] = ComparedParameter(initial=parameter_at(start, path), **values, difference=difference)
    return compared


FAR = 3.0
"""Standard errors beyond which a difference is counted."""


def comparison_statistics(neurons: Sequence[ComparedNeuron]) -> ComparisonStatistics:
    """Paired statistics over the neurons whose comparison is done.

    The gain is, by the renderer that shows, the median over neurons of what is gained by optimizing under it, with its
    bootstrap interval. Neurons whose two objects differ by more than three standard errors are counted: of the renders
    (where those have noise), and of the differences over starts (of neurons with several).
    """
    done = [neuron for neuron in neurons if neuron.ended == "done"]
    return ComparisonStatistics(
        neurons=len(done),
        gain={shown: _median([neuron.gain[shown] for neuron in done]) for shown in RENDERERS},
        ratio_to_pixel={
            optimized_under: {
                shown: _median([neuron.ratio_to_pixel[optimized_under][shown] for neuron in done])
                for shown in RENDERERS
            }
            for optimized_under in RENDERERS
        },
        apart={shown: _significant(done, shown) for shown in RENDERERS},
    )


def _median(values: Sequence[Estimate | None]) -> MedianGain | None:
    known = [value.mean for value in values if value is not None and math.isfinite(value.mean)]
    return MedianGain(**asdict(bootstrap_median(known))) if known else None


def _significant(done: Sequence[ComparedNeuron], shown: str) -> Significant:
    renders = []
    for neuron in done:
        first, second = (neuron.activation[optimized_under][shown] for optimized_under in RENDERERS)
        renders.append((first.mean - second.mean, math.hypot(first.sem, second.sem)))
    starts = [neuron.starts[shown] for neuron in done]
    several = [(each.mean, each.sem) for each in starts if each.n > 1]
    return Significant(of_renders=_counted(renders), of_starts=_counted(several))


def _counted(differences: Sequence[tuple[float, float]]) -> Counted | None:
    known = [(mean, sem) for mean, sem in differences if sem]
    return Counted(neurons=sum(abs(mean) > FAR * sem for mean, sem in known), of=len(known)) if known else None
