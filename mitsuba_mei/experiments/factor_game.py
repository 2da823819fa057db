"""One neuron's MEI with every subset of the factors free, from the same starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..config import Config, dump
from ..evaluate import Estimate
from ..factors import SUBSETS, named
from ..games import NOBODY, Coalition
from ..report_factors import Played, write_factors
from ..run_folder import RunFolder
from .factor_starts import Prepared
from .factor_table import statistics
from .leavings import optimise_and_leave
from .pixel_mei import PixelMEI, find_for_reference
from .record import frame
from .session import Labelled, Progress
from .starts import Optimised, Trial

__all__ = ["play"]

NOTE = """\
# One of {count} optimisations with common starts, which were drawn with shape, pose and light free ({starts} of them).
# Its own start is initial_parameters.npz; run again, this file starts elsewhere where less than all is free.
"""


def play(
    prepared: Prepared, folder: RunFolder, progress: Progress, interrupted: Callable[[], bool], label: str
) -> Played:
    """Optimise with every subset of the factors free, and write all of it.

    Parameters
    ----------
    prepared : Prepared
    folder : RunFolder
        Gets a run folder for each subset as soon as it is done, ``factors.json`` and ``factors.png``.
    progress : Progress
    interrupted : callable
        Asked after every optimisation whether to end; what there is then is written.
    label : str
        What is optimised, for the picture's title.

    Returns
    -------
    Played
        Its figures are what ``factors.json`` says.
    """
    config, viewer = prepared.config, prepared.starts[0].viewer
    pixel = None
    if config.compare_to == "pixel":
        pixel = find_for_reference(viewer, config, progress)
    game = _Game(prepared, pixel)
    for subset in SUBSETS[1:]:
        if interrupted():
            break
        told = Labelled(progress, named(subset))
        game.add(subset, _run(prepared, subset, folder, told, interrupted, pixel))
        folder.write_json("factors.json", game.figures())
    starts = prepared.starts
    starts[0].viewer.check_unaltered(starts[0].render(prepared.config.seed))
    played = game.played(label)
    folder.adorn("factors.png", lambda path: write_factors(path, [played]))
    folder.tell_missing(progress.message)
    return played


def _run(
    prepared: Prepared,
    subset: Coalition,
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    pixel: PixelMEI | None,
) -> Optimised:
    """Optimise with some factors free, and leave an ordinary run folder of the best start."""
    config, starts = prepared.variant(subset)
    run = folder.inside(named(subset).replace(" + ", "-"))
    note = NOTE.format(count=len(SUBSETS) - 1, starts=len(starts))
    run.write_text("config.yaml", note + dump(_alone(config), run.path))
    return optimise_and_leave(run, config, starts, starts[0].renderer, progress, interrupted, pixel)


def _alone(config: Config) -> Config:
    """The configuration of one start: it could not draw the others where neither shape nor pose is free."""
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"restarts": 1})})


@dataclass
class _Game:
    """What there is so far.

    Attributes
    ----------
    prepared : Prepared
    pixel : PixelMEI or None
    values : dict of frozenset to list of Estimate
        By the subset that was free, start by start; for nothing the start itself.
    trials : dict of str to list of dict
        The same by name, as ``factors.json`` says it.
    best : dict of str to dict
        Which start was kept, and its activation by renders that no choice was made by.
    failed : dict of str to str
        Why the optimisation whose end was kept failed, where it did.
    """

    prepared: Prepared
    pixel: PixelMEI | None
    values: dict[Coalition, list[Estimate]] = field(default_factory=dict)
    trials: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    best: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, subset: Coalition, done: Optimised) -> None:
        """One subset more; the first gives the starts too."""
        if not self.values:
            starts = [trial.before for trial in done.trials]
            index = max(range(len(starts)), key=lambda i: -math.inf if math.isnan(starts[i].mean) else starts[i].mean)
            at_first = [
                _trial(i, start) | {"steps": 0, "seconds": 0.0, "ended": "done"} for i, start in enumerate(starts)
            ]
            self._keep(NOBODY, starts, at_first, index, starts[index])
        ends = [trial.after for trial in done.trials]
        trials = [_trial(trial.index, trial.after) | _outcome(trial) for trial in done.trials]
        self._keep(subset, ends, trials, done.best.index, done.final)
        if done.reason:
            self.failed[named(subset)] = done.reason

    def _keep(
        self,
        subset: Coalition,
        values: list[Estimate],
        trials: list[dict[str, Any]],
        index: int,
        kept: Estimate,
    ) -> None:
        name = named(subset)
        self.values[subset], self.trials[name] = values, trials
        self.best[name] = {"start": index, "activation": kept.as_dict()}

    def shown_start(self) -> int | None:
        """The start whose pictures are shown: the best with all factors free, or as much as there is so far."""
        if not self.values:
            return None
        common = min(map(len, self.values.values()))
        ends = list(self.values.values())[-1][:common]
        return max(range(common), key=lambda i: -math.inf if math.isnan(ends[i].mean) else ends[i].mean)

    def played(self, label: str) -> Played:
        """What is drawn of it; of one start alone, so that every subset begins with the same object."""
        start = self.shown_start()
        experiment = self.prepared.starts[0]
        frames = {named(subset): frame(experiment, each[start].image) for subset, each in self.values.items()}
        renders, stimuli = ({name: both[i] for name, both in frames.items()} for i in range(2))
        return Played(label, self.figures(), renders, stimuli)

    def figures(self) -> dict[str, Any]:
        """What ``factors.json`` says."""
        prepared = self.prepared
        config, viewer = prepared.config, prepared.starts[0].viewer
        asked = len(prepared.starts)
        whole = all(len(self.values.get(subset, ())) == asked for subset in SUBSETS)
        return {
            "model": viewer.model.name,
            "neurons": list(config.neurons),
            "objective": config.objective.type,
            "renderer": config.render.type,
            "ended": "done" if whole else "interrupted",
            "seed": config.seed,
            "asked_starts": asked,
            "parameters": prepared.parameters,
            "optimum": viewer.optimum(),
            "pixel": None if self.pixel is None else self.pixel.activation,
            **statistics(self.values),
            "best": self.best,
            "failed": self.failed,
            "shown_start": self.shown_start(),
            "trials": self.trials,
        }


def _trial(start: int, activation: Estimate) -> dict[str, Any]:
    return {"start": start, "activation": activation.as_dict()}


def _outcome(trial: Trial) -> dict[str, Any]:
    return {"steps": trial.outcome.steps, "seconds": trial.seconds, "ended": trial.outcome.ended}
