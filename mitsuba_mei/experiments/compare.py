"""Path tracer against rasterizer: one neuron's MEI under each, from the same starts, evaluated under both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..config.load import Config, dump, free_parameters
from ..config.objective_names import check_activation_objective, check_maximised
from ..config.sections import RENDERERS
from ..errors import UserError, about
from ..optimize.checks import check_start
from ..pipeline import Pipeline, build_pipeline, each_start
from ..render.preview import object_of, previews
from ..report.figures.comparison import MEI, ComparedMEIs, write_comparison, write_overview
from ..runs.folder import RunFolder
from ..runs.results import ComparedNeuron, ComparisonResult
from ..scene.parameters import get_parameters, set_parameters
from .base import LabelledProgress, Progress, RunResult, threads_beside, versions
from .comparison import NeuronComparison, comparison_result, comparison_statistics
from .history import frame
from .multistart import MultistartResult, final_seed
from .outputs import optimize_and_write
from .per_neuron import NeuronResults, Task, one_by_one
from .pixel import find_for_reference
from .reevaluate import FrozenEvaluator
from .registry import write_request
from .tables import comparison_row, write_rows

__all__ = ["compare_neuron", "prepare", "run_comparison"]

PATH, RASTER = RENDERERS


def prepare(config: Config, on_message: Callable[[str], None] = lambda text: None) -> dict[str, Pipeline]:
    """A scene file's experiment under each renderer, each at the same first start.

    Raises
    ------
    UserError
        For anything that the user can mend.
    """
    pipelines = {}
    for renderer in RENDERERS:
        try:
            pipeline = build_pipeline(config.with_renderer(renderer), on_message)
            with threads_beside(pipeline.renderer):
                check_start(pipeline, config.seed, config.optimizer.restarts == 1, config.optimizer.search > 0)
        except UserError as error:
            if renderer == PATH:
                raise
            raise UserError(f"under render.type {renderer}: {error}") from None
        pipelines[renderer] = pipeline
    return pipelines


def compare_neuron(
    config: Config,
    experiments: dict[str, Pipeline],
    folder: RunFolder,
    progress: Progress,
    interrupted: Callable[[], bool],
    label: str,
) -> ComparedNeuron:
    """Optimize a scene under each renderer, evaluate what it ended with under both, and write all of it.

    Parameters
    ----------
    config : Config
        For one objective.
    experiments : dict of str to Pipeline
        By renderer, from :func:`prepare`.
    folder : RunFolder
        Gets a run folder for each renderer, ``comparison.json`` and ``comparison.png``.
    progress : Progress
    interrupted : callable
        Asked after every optimization whether to end; what there is then is written.
    label : str
        What is compared, for the picture's title.
    """
    config = config.model_copy(update={"compare_to": "pixel"})
    observer = experiments[PATH].observer
    pixel = find_for_reference(observer, config.pixel, config.seed, config.objective.type, progress)
    done: dict[str, MultistartResult] = {}
    for renderer, pipeline in experiments.items():
        if interrupted():
            break
        rendered, labelled = config.with_renderer(renderer), LabelledProgress(progress, renderer)
        run = folder.inside(renderer)
        run.write_text("config.yaml", dump(rendered, run.path))
        starts = each_start(pipeline, rendered.scene, rendered.optimizer.restarts)
        done[renderer] = optimize_and_write(run, rendered.run, starts, pipeline.renderer, labelled, interrupted, pixel)
        pipeline.observer.check_unaltered(done[renderer].best.after.image)
    still = config.with_nothing_free().scene
    evaluators = {name: FrozenEvaluator.of(pipeline, still, config.evaluate) for name, pipeline in experiments.items()}
    comparison = NeuronComparison(config.run, free_parameters(config.scene), done, evaluators, pixel)
    _evaluate(comparison)
    result = comparison_result(comparison)
    folder.write_result(result)
    if comparison.whole:
        folder.adorn("comparison.png", lambda path: write_comparison(path, _picture(label, comparison, result)))
        folder.tell_missing(progress.message)
    return result


def _evaluate(comparison: NeuronComparison) -> None:
    """Add what was kept under every renderer, and what every start ended with."""
    evaluators, seed = comparison.evaluators, comparison.settings.seed
    for optimized_under, optimized in comparison.done.items():
        ends = [get_parameters(trial.pipeline.scene) for trial in optimized.trials]
        comparison.ends[optimized_under] = ends[optimized.best.index]
        comparison.kept[optimized_under] = {optimized_under: optimized.final}
        comparison.starts[optimized_under] = {optimized_under: [trial.after for trial in optimized.trials]}
        for shown in RENDERERS:
            if shown != optimized_under:
                each = [evaluators[shown](end, seed) for end in ends]
                comparison.starts[optimized_under][shown] = each
                again = final_seed(seed, len(ends))
                comparison.kept[optimized_under][shown] = (
                    each[0] if len(ends) == 1 else evaluators[shown](comparison.ends[optimized_under], again)
                )


@torch.no_grad()
def _picture(label: str, comparison: NeuronComparison, result: ComparedNeuron) -> ComparedMEIs:
    evaluator = comparison.evaluators[PATH]
    traced = evaluator.pipeline
    meis, objects = {}, []
    for optimized_under, end in comparison.ends.items():
        set_parameters(traced.scene, end)
        objects.append(object_of(traced.scene))
        renders = {shown: comparison.kept[optimized_under][shown].image.cpu().numpy() for shown in RENDERERS}
        stimulus = frame(traced, comparison.kept[optimized_under][PATH].image.to(evaluator.device))[1]
        meis[optimized_under] = renders, stimulus
    sides = previews(traced.renderer, objects, (0,))
    meis = {optimized_under: MEI(*pictures, side) for (optimized_under, pictures), (side,) in zip(meis.items(), sides)}
    pixel_stimulus = None if comparison.pixel is None else comparison.pixel.grey(traced.observer.stimulus)
    return ComparedMEIs(f"{result.model}, {label}", meis, pixel_stimulus, result)


def run_comparison(
    scenes: Sequence[tuple[Path, Config]], out: Path, progress: Progress, resumed: bool = False
) -> RunResult:
    """Optimize every neuron of every scene under each renderer, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the comparison after the optimization under
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
        For anything that the user can mend, before the first step. A later neuron that cannot be optimized is left
        out, and the reason is recorded.
    """

    def work(
        task: Task,
        experiments: dict[str, Pipeline],
        folder: RunFolder,
        progress: Progress,
        interrupted: Callable[[], bool],
    ) -> ComparedNeuron:
        return compare_neuron(task.config, experiments, folder, progress, interrupted, task.label)

    for scene, config in scenes:
        with about(scene):
            check_activation_objective(config.objective.type, "compare")
            check_maximised(config.objective, "compare")

    def asked(folder: RunFolder) -> None:
        write_request(folder, "compare", scenes)

    return one_by_one(scenes, out, progress, prepare, work, _OverallResults, asked, resumed)


class _OverallResults(NeuronResults):
    """The neurons compared so far, and their files."""

    kind = ComparisonResult

    def result(self) -> ComparisonResult:
        return ComparisonResult(
            ended=self.ended,
            asked=self.asked,
            statistics=comparison_statistics(self.neurons),
            neurons=self.neurons,
            left_out=self.left_out,
            versions=versions(),
        )

    def write(self) -> None:
        """The table, the picture and ``comparison.json``."""
        result = self.result()
        self.folder.write("comparison.csv", lambda path: write_rows(path, [comparison_row(n) for n in self.neurons]))
        self.folder.write_result(result)
        if any(neuron.ended == "done" for neuron in self.neurons):
            self.folder.adorn("comparison.png", lambda path: write_overview(path, result))
