"""Path tracer against rasterizer: one neuron's MEI under each, from the same starts, evaluated under both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ..config.load import Config, dump
from ..config.sections import RENDERERS
from ..config.variants import check_drives, rendered_by
from ..errors import UserError, about
from ..optimize.checks import check_start
from ..pipeline import Experiment, build_experiment, each_start
from ..render.preview import object_of, portraits
from ..report.figures.comparison import MEI, Contest, write_contest, write_overview
from ..runs.folder import RunFolder
from ..scene.parameters import parameters_of, set_parameters
from .base import Labelled, Progress, RunResult, threads_beside, versions
from .comparison import Contested, comparison_row, comparison_statistics, figures, write_rows
from .history import frame
from .multistart import Optimised, final_seed
from .outputs import optimise_and_leave
from .per_neuron import Gathered, Task, one_by_one
from .pixel import PixelMEI, find_for_reference
from .reevaluate import Judge
from .registry import COMMANDS, write_asked

__all__ = ["compare_neuron", "prepare", "run_comparison"]

PATH, RASTER = RENDERERS


def prepare(config: Config, told: Callable[[str], None] = lambda text: None) -> dict[str, Experiment]:
    """A scene file's experiment under each renderer, each at the same first start.

    Raises
    ------
    UserError
        For anything that the user can mend.
    """
    traced = _ready(rendered_by(config, PATH), told)
    try:
        return {PATH: traced, RASTER: _ready(rendered_by(config, RASTER), told)}
    except UserError as error:
        raise UserError(f"under render.type {RASTER}: {error}") from None


def _ready(config: Config, told: Callable[[str], None]) -> Experiment:
    experiment = build_experiment(config, told)
    with threads_beside(experiment.renderer):
        check_start(experiment, config.seed, config.optimizer.restarts == 1, config.optimizer.search > 0)
    return experiment


def compare_neuron(
    config: Config,
    experiments: dict[str, Experiment],
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    label: str,
) -> dict[str, Any]:
    """Optimise a scene under each renderer, evaluate what it ended with under both, and write all of it.

    Parameters
    ----------
    config : Config
        For one objective.
    experiments : dict of str to Experiment
        By renderer, from :func:`prepare`.
    folder : RunFolder
        Gets a run folder for each renderer, ``comparison.json`` and ``comparison.png``.
    progress : Progress
    interrupted : callable
        Asked after every optimisation whether to end; what there is then is written.
    label : str
        What is compared, for the picture's title.

    Returns
    -------
    dict
        What ``comparison.json`` says.
    """
    config = config.model_copy(update={"compare_to": "pixel"})
    pixel = find_for_reference(experiments[PATH].viewer, config, progress)
    done: dict[str, Optimised] = {}
    for renderer, experiment in experiments.items():
        if interrupted():
            break
        rendered, told = rendered_by(config, renderer), Labelled(progress, renderer)
        run = folder.inside(renderer)
        run.write_text("config.yaml", dump(rendered, run.path))
        starts = each_start(experiment, rendered)
        done[renderer] = optimise_and_leave(run, rendered, starts, experiment.renderer, told, interrupted, pixel)
        experiment.viewer.check_unaltered(done[renderer].best.after.image)
    judges = {renderer: Judge.of(experiment, config) for renderer, experiment in experiments.items()}
    contested = _evaluated(config, done, judges, pixel)
    result = figures(contested)
    folder.write_json("comparison.json", result)
    if contested.whole:
        folder.adorn("comparison.png", lambda path: write_contest(path, _picture(label, contested, result)))
        folder.tell_missing(progress.message)
    return result


def _evaluated(
    config: Config, done: dict[str, Optimised], judges: dict[str, Judge], pixel: PixelMEI | None
) -> Contested:
    """What was kept under every renderer, and what every start ended with."""
    contested = Contested(config, done, judges, pixel)
    for made, optimised in done.items():
        ends = [parameters_of(trial.experiment.scene) for trial in optimised.trials]
        contested.ends[made] = ends[optimised.best.index]
        contested.kept[made] = {made: optimised.final}
        contested.starts[made] = {made: [trial.after for trial in optimised.trials]}
        for shown in RENDERERS:
            if shown != made:
                each = [judges[shown](end, config.seed) for end in ends]
                contested.starts[made][shown] = each
                alone = len(ends) == 1
                seed = final_seed(config.seed, len(ends))
                contested.kept[made][shown] = each[0] if alone else judges[shown](contested.ends[made], seed)
    return contested


@torch.no_grad()
def _picture(label: str, contested: Contested, result: dict[str, Any]) -> Contest:
    judge = contested.judges[PATH]
    traced = judge.experiment
    meis, objects = {}, []
    for made, end in contested.ends.items():
        set_parameters(traced.scene, end)
        objects.append(object_of(traced.scene))
        renders = {shown: contested.kept[made][shown].image.cpu().numpy() for shown in RENDERERS}
        stimulus = frame(traced, contested.kept[made][PATH].image.to(judge.device))[1]
        meis[made] = renders, stimulus
    sides = portraits(traced.renderer, objects, (0,))
    meis = {made: MEI(*seen, side) for (made, seen), (side,) in zip(meis.items(), sides)}
    seen = None if contested.pixel is None else contested.pixel.grey(traced.viewer.stimulus)
    return Contest(f"{result['model']}, {label}", meis, seen, result)


def run_comparison(
    scenes: Sequence[tuple[Path, Config]], out: Path, progress: Progress, resumed: bool = False
) -> RunResult:
    """Optimise every neuron of every scene under each renderer, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the comparison after the optimisation under
    way; a second Ctrl-C ends it at once. It can go on after any end.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    resumed : bool
        Whether the comparison in that folder goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step. A later neuron that cannot be optimised is left
        out, and the reason is recorded.
    """

    def work(
        task: Task,
        experiments: dict[str, Experiment],
        folder: RunFolder,
        told: Progress,
        interrupted: Callable[[], bool],
    ) -> dict[str, Any]:
        return compare_neuron(task.config, experiments, folder, told, interrupted, task.label)

    for scene, config in scenes:
        with about(scene):
            check_drives(config.objective.type, "compare")

    def asked(folder: RunFolder) -> None:
        write_asked(folder, "compare", scenes)

    return one_by_one(scenes, out, progress, prepare, work, _Overall, asked, resumed)


class _Overall(Gathered):
    """What there is of a comparison so far, and its files."""

    file = COMMANDS["compare"]

    def result(self) -> dict[str, Any]:
        """What ``comparison.json`` says."""
        return {
            "renderers": list(RENDERERS),
            "ended": self.ended,
            "asked": self.asked,
            "statistics": comparison_statistics(self.neurons),
            "neurons": self.neurons,
            "left_out": self.left_out,
            "versions": versions(),
        }

    def write(self) -> None:
        """The table, the picture and ``comparison.json``."""
        result = self.result()
        self.folder.write("comparison.csv", lambda path: write_rows(path, [comparison_row(n) for n in self.neurons]))
        self.folder.write_json(self.file, result)
        shown = [neuron for neuron in self.neurons if neuron["ended"] == "done"]
        if shown:
            title = ", ".join(dict.fromkeys(neuron["model"] for neuron in shown)) + ": MEIs path traced and rasterized"
            labels = [neuron["label"].replace("neuron ", "") for neuron in shown]
            statistics = result["statistics"]
            self.folder.adorn("comparison.png", lambda path: write_overview(path, title, labels, shown, statistics))
