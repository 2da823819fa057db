"""Shape, pose and light: one neuron's MEI with every subset of them free, from the same starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..config.load import Config, dump
from ..config.objective_names import check_activation_objective, check_maximised
from ..errors import about
from ..optimize.evaluate import SceneEstimate
from ..optimize.pixel import PixelMEI
from ..report.figures.factors import FactorsFigure, write_factors
from ..runs.factor_coalitions import EMPTY, FACTORS, SUBSETS, Coalition, named
from ..runs.folder import RunFolder
from ..runs.results import FactorsNeuron, FactorsResult
from ..runs.results.factors import KeptStart, Trial
from .base import LabelledProgress, Progress, RunResult, versions
from .factor_starts import Prepared, prepare
from .history import frame
from .multistart import MultistartResult
from .outputs import optimize_and_write
from .per_neuron import NeuronResults, Task, one_by_one
from .pixel import find_for_reference
from .registry import write_request
from .shapley import factor_rows, statistics
from .tables import write_rows

__all__ = ["run_coalitions", "run_factors"]

NOTE = """\
# One of {count} optimizations with common starts, which were drawn with shape, pose and light free ({starts} of them).
# Its own start is initial_parameters.npz; run again, this file starts elsewhere where less than all is free.
"""


def run_coalitions(
    prepared: Prepared, folder: RunFolder, progress: Progress, interrupted: Callable[[], bool], label: str
) -> FactorsFigure:
    """Optimize with every subset of the factors free, and write all of it.

    Parameters
    ----------
    prepared : Prepared
    folder : RunFolder
        Gets a run folder for each subset as soon as it is done, ``factors.json`` and ``factors.png``.
    progress : Progress
    interrupted : callable
        Asked after every optimization whether to end; what there is then is written.
    label : str
        What is optimized, for the picture's title.

    Returns
    -------
    FactorsFigure
        Its result is what ``factors.json`` says.
    """
    config, observer = prepared.config, prepared.starts[0].observer
    pixel = None
    if config.compare_to == "pixel":
        pixel = find_for_reference(observer, config.pixel, config.seed, config.objective.type, progress)
    game = _Game(prepared, pixel)
    for subset in SUBSETS[1:]:
        if interrupted():
            break
        labelled = LabelledProgress(progress, named(subset))
        game.add(subset, _run(prepared, subset, folder, labelled, interrupted, pixel))
        folder.write_result(game.result())
    starts = prepared.starts
    starts[0].observer.check_unaltered(starts[0].render(prepared.config.seed))
    figure_data = game.figure(label)
    folder.adorn("factors.png", lambda path: write_factors(path, [figure_data]))
    folder.tell_missing(progress.message)
    return figure_data


def _run(
    prepared: Prepared,
    subset: Coalition,
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    pixel: PixelMEI | None,
) -> MultistartResult:
    """Optimize with some factors free, and leave an ordinary run folder of the best start."""
    config, starts = prepared.variant(subset)
    run = folder.inside(named(subset).replace(" + ", "-"))
    note = NOTE.format(count=len(SUBSETS) - 1, starts=len(starts))
    # Of one start: its file could not draw the others where neither shape nor pose is free.
    alone = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"restarts": 1})})
    run.write_text("config.yaml", note + dump(alone, run.path))
    return optimize_and_write(run, config.run, starts, starts[0].renderer, progress, interrupted, pixel)


@dataclass
class _Game:
    """What there is so far.

    Attributes
    ----------
    prepared : Prepared
    pixel : PixelMEI or None
    values : dict of frozenset to list of Estimate
        By the subset that was free, start by start; for nothing the start itself.
    trials : dict of str to tuple of Trial
        The same by name.
    best : dict of str to KeptStart
        Which start was kept, and its activation by renders that no choice was made by.
    failed : dict of str to str
        Why the optimization whose end was kept failed, where it did.
    """

    prepared: Prepared
    pixel: PixelMEI | None
    values: dict[Coalition, list[SceneEstimate]] = field(default_factory=dict)
    trials: dict[str, tuple[Trial, ...]] = field(default_factory=dict)
    best: dict[str, KeptStart] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, subset: Coalition, done: MultistartResult) -> None:
        """One subset more; the first gives the starts too."""
        if not self.values:
            starts = [trial.before for trial in done.trials]
            index = max(range(len(starts)), key=lambda i: -math.inf if math.isnan(starts[i].mean) else starts[i].mean)
            at_first = [Trial(start=i, activation=start, seconds=0.0) for i, start in enumerate(starts)]
            self._keep(EMPTY, starts, at_first, index, starts[index])
        trials = [
            Trial(
                start=trial.index,
                activation=trial.after,
                steps=trial.outcome.steps,
                seconds=trial.seconds,
                ended=trial.outcome.ended,
            )
            for trial in done.trials
        ]
        self._keep(subset, [trial.after for trial in done.trials], trials, done.best.index, done.final)
        if done.reason:
            self.failed[named(subset)] = done.reason

    def _keep(
        self,
        subset: Coalition,
        values: list[SceneEstimate],
        trials: list[Trial],
        index: int,
        kept: SceneEstimate,
    ) -> None:
        name = named(subset)
        self.values[subset], self.trials[name] = values, tuple(trials)
        self.best[name] = KeptStart(start=index, activation=kept)

    def shown_start(self) -> int | None:
        """The start whose pictures are shown: the best with all factors free, or as much as there is so far."""
        if not self.values:
            return None
        common = min(map(len, self.values.values()))
        ends = list(self.values.values())[-1][:common]
        return max(range(common), key=lambda i: -math.inf if math.isnan(ends[i].mean) else ends[i].mean)

    def figure(self, label: str) -> FactorsFigure:
        """What is drawn of it; of one start alone, so that every subset begins with the same object."""
        start = self.shown_start()
        pipeline = self.prepared.starts[0]
        frames = {named(subset): frame(pipeline, each[start].image) for subset, each in self.values.items()}
        renders, stimuli = ({name: both[i] for name, both in frames.items()} for i in range(2))
        return FactorsFigure(label, self.result(), renders, stimuli)

    def result(self) -> FactorsNeuron:
        """The neuron's result so far."""
        prepared = self.prepared
        config, observer = prepared.config, prepared.starts[0].observer
        asked = len(prepared.starts)
        whole = all(len(self.values.get(subset, ())) == asked for subset in SUBSETS)
        return FactorsNeuron(
            model=observer.model.name,
            neurons=config.neurons,
            objective=config.objective.type,
            renderer=config.render.type,
            ended="done" if whole else "interrupted",
            seed=config.seed,
            asked_starts=asked,
            parameters=prepared.parameters,
            optimum=observer.optimum(),
            pixel=None if self.pixel is None else self.pixel.activation,
            **statistics(self.values),
            best=self.best,
            failed=self.failed,
            shown_start=self.shown_start(),
            trials=self.trials,
            versions=versions(),
        )


MAX_DRAWN = 8
"""Neurons in the picture of all; each has one of its own."""


def run_factors(
    scenes: Sequence[tuple[Path, Config]],
    out: Path,
    progress: Progress,
    starts: int | None = None,
    resumed: bool = False,
) -> RunResult:
    """Optimize every neuron of every scene with each subset of the factors free, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the experiment after the optimization under
    way; a second Ctrl-C ends it at once. It can go on after any end.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    starts : int, optional
        For each neuron; by default what the scene file asks for, and at least three.
    resumed : bool
        Whether the experiment in that folder goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step, such as a factor of a scene that nothing can be
        moved of. A later neuron that cannot be optimized is left out, and the reason is recorded.
    """
    shown: list[FactorsFigure] = []

    def work(
        task: Task, prepared: Prepared, folder: RunFolder, progress: Progress, interrupted: Callable[[], bool]
    ) -> FactorsNeuron:
        shown.append(run_coalitions(prepared, folder, progress, interrupted, task.label))
        return shown[-1].result

    def asked(folder: RunFolder) -> None:
        write_request(folder, "factors", scenes, starts)

    for scene, config in scenes:
        with about(scene):
            check_activation_objective(config.objective.type, "factors")
            check_maximised(config.objective, "factors")
    for scene, config in scenes[1:]:  # the first is made ready before the first step anyway
        with about(scene):
            prepare(config.for_each_neuron()[0], starts=starts)

    def gather(folder: RunFolder, asked: int) -> _OverallResults:
        return _OverallResults(folder, asked, shown)

    return one_by_one(scenes, out, progress, partial(prepare, starts=starts), work, gather, asked, resumed)


class _OverallResults(NeuronResults):
    """What there is so far, and its files."""

    kind = FactorsResult

    def __init__(self, folder: RunFolder, asked: int, shown: list[FactorsFigure]) -> None:
        super().__init__(folder, asked)
        self._shown = shown

    def is_done(self, task: Task) -> bool:
        """Those in the picture of all are evaluated once more: their renders are not kept."""
        return len(self._shown) >= MAX_DRAWN and super().is_done(task)

    def discard_checkpoints(self, folder: RunFolder) -> None:
        """But for those."""
        if len(self._shown) > MAX_DRAWN:
            super().discard_checkpoints(folder)

    def result(self) -> FactorsResult:
        return FactorsResult(
            factors=tuple(FACTORS),
            subsets=tuple(named(subset) for subset in SUBSETS),
            ended=self.ended,
            asked=self.asked,
            neurons=self.neurons,
            left_out=self.left_out,
            versions=versions(),
        )

    def write(self) -> None:
        """The table, the picture and ``factors.json``."""
        rows = [row for neuron in self.neurons for row in factor_rows(neuron)]
        self.folder.write("factors.csv", lambda path: write_rows(path, rows))
        self.folder.write_result(self.result())
        if self._shown:
            self.folder.adorn("factors.png", lambda path: write_factors(path, self._shown[:MAX_DRAWN]))
