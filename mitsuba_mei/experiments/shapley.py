"""What each factor is worth to a neuron, of what the optimizations with every subset of them ended with."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ..optimize.evaluate import Mean
from ..runs.factor_coalitions import (
    EMPTY,
    FACTORS,
    SUBSETS,
    Coalition,
    Contrast,
    added_last,
    difference,
    interaction,
    main_effect,
    named,
    shapley,
)
from ..runs.results import FactorsNeuron
from ..runs.results.factors import LessWithMore, MeanOverStarts, Ratio
from .statistics import PairedDifference, mean_of_differences

__all__ = ["Values", "factor_rows", "statistics"]

Values = Mapping[Coalition, Sequence[Mean]]
"""The converged activation that each subset of free factors ended with, start by start."""

PLAYERS = tuple(FACTORS)
ALL = SUBSETS[-1]


def statistics(values: Values) -> dict[str, Any]:
    """A neuron's statistics over its starts, each of them paired: every start is seen with every subset.

    Parameters
    ----------
    values : mapping of frozenset to sequence of Mean
        For the subsets that are done, and for nothing free the start itself. Starts that are not done with all of
        these, or not finite, do not count.

    Returns
    -------
    dict
        Fields of :class:`~mitsuba_mei.runs.results.FactorsNeuron`: ``starts``, how many count; ``activation`` and
        ``gain`` (over the start) by subset; ``fraction_of_all``, ratios to the mean activation with all factors free,
        and ``fraction_of_gain`` to its gain, with standard errors of ratios (Cochran 1977, Sampling Techniques,
        section 6.4). By factor: ``alone``, its gain over the start; ``last``, what it adds to the other two;
        ``shapley``, its share of the gain of all, and ``share`` the same over that gain. By pair: ``interaction``.
        What takes subsets that are not done is None; ``less_with_more`` lists pairs of subsets of which the larger was
        worth less on average, which the true optimum cannot be.
    """
    counted = _counted(values)
    over = {subset: [trials[start] for start in counted] for subset, trials in values.items()}
    game = _Game(over, len(counted))
    whole = {ALL: 1.0}
    gained = difference(ALL, EMPTY)
    return {
        "starts": len(counted),
        "activation": {named(subset): game.mean({subset: 1.0}) for subset in SUBSETS},
        "gain": {named(subset): game.mean(difference(subset, EMPTY)) for subset in SUBSETS if subset},
        "fraction_of_all": {named(subset): game.ratio({subset: 1.0}, whole) for subset in SUBSETS},
        "fraction_of_gain": {
            named(subset): game.ratio(difference(subset, EMPTY), gained) for subset in SUBSETS if subset
        },
        "alone": {factor: game.mean(main_effect(factor)) for factor in FACTORS},
        "last": {factor: game.mean(added_last(PLAYERS, factor)) for factor in FACTORS},
        "shapley": {factor: game.mean(shapley(PLAYERS, factor)) for factor in FACTORS},
        "share": {factor: game.ratio(shapley(PLAYERS, factor), gained) for factor in FACTORS},
        "interaction": {
            named(frozenset(pair)): game.mean(interaction(PLAYERS, *pair)) for pair in combinations(PLAYERS, 2)
        },
        "less_with_more": tuple(
            LessWithMore(more=named(more), less=named(less), **dict(lost))
            for more in SUBSETS
            for less in SUBSETS
            if less < more and (lost := game.mean(difference(more, less))) is not None and lost.mean < 0
        ),
    }


def _counted(values: Values) -> list[int]:
    """The starts that every subset is done with."""
    done = min((len(trials) for trials in values.values()), default=0)
    return [start for start in range(done) if all(math.isfinite(trials[start].mean) for trials in values.values())]


class _Game:
    """A game that is played once a start.

    Parameters
    ----------
    values : mapping of frozenset to sequence of Mean
        As many for each coalition.
    starts : int
        How many.
    """

    def __init__(self, values: Values, starts: int) -> None:
        self._values, self._starts = values, starts

    def mean(self, contrast: Contrast) -> MeanOverStarts | None:
        """The mean of a contrast over the starts; None where it takes what is not known."""
        paired = self._over_starts(contrast)
        if paired is None:
            return None
        low, high = paired.interval() or (None, None)
        return MeanOverStarts(
            mean=paired.mean, sem=paired.sem if paired.n > 1 else None, low=low, high=high, n=paired.n
        )

    def ratio(self, above: Contrast, below: Contrast) -> Ratio | None:
        """The ratio of the means of two contrasts; None where something is not known, or the lower is no more than 0
        within the rounding of the activations."""
        first, second = self._over_starts(above), self._over_starts(below)
        if first is None or second is None:
            return None
        coalitions = [*above, *(each for each in below if each not in above)]  # in one order, for the last bit
        largest = max(abs(each.mean) for coalition in coalitions for each in self._values[coalition])
        if not second.mean > largest * sys.float_info.epsilon:
            return None
        ratio = first.mean / second.mean
        rest = {each: above.get(each, 0.0) - ratio * below.get(each, 0.0) for each in coalitions}
        error = self._over_starts(rest).sem / second.mean
        return Ratio(mean=ratio, sem=error if self._starts > 1 else None)

    def _over_starts(self, contrast: Contrast) -> PairedDifference | None:
        if not self._starts or not contrast.keys() <= self._values.keys():
            return None
        weights = [(weight, self._values[coalition]) for coalition, weight in contrast.items()]
        values = [sum(weight * of[start].mean for weight, of in weights) for start in range(self._starts)]
        errors = [
            math.sqrt(sum((weight * of[start].sem) ** 2 for weight, of in weights)) for start in range(self._starts)
        ]
        return mean_of_differences(values, errors)


def factor_rows(neuron: FactorsNeuron) -> list[dict[str, Any]]:
    """A neuron's trials as rows: one a start and subset, with 1 for each factor that is free; gains over the start."""
    about = {name: getattr(neuron, name) for name in ("scene", "folder", "model", "objective")}
    about |= {"neurons": " ".join(map(str, neuron.neurons)), "renderer": neuron.renderer}
    rows = []
    for subset in SUBSETS:
        for trial in neuron.trials.get(named(subset), ()):
            started = neuron.trials[named(EMPTY)][trial.start].activation
            row = about | {"seed": neuron.seed, "start": trial.start, "subset": named(subset)}
            row |= {factor: int(factor in subset) for factor in FACTORS}
            row |= {"activation": trial.activation.mean, "activation_sem": trial.activation.sem}
            row["gain"] = trial.activation.mean - started.mean
            rows.append(row | {name: getattr(trial, name) for name in ("steps", "seconds", "ended")})
    return rows
