"""Commands that optimize: run, pixel, compare, resume; and several neurons one after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config.file_kinds import check_given_run
from ..config.groups import ObserverSettings
from ..config.load import Config
from ..config.objective_names import experiment_of
from ..config.registry import named
from ..errors import UserError, about
from ..report.sentences import comparison_rows, describe_comparison, describe_run
from .analyze import tell_factors
from .errors import Mishap
from .options import (
    Free,
    Frozen,
    Neurons,
    Out,
    Quiet,
    SceneFile,
    SceneFiles,
    Seed,
    Set,
    Trust,
    app,
    ended_of_all,
    finished,
    live_progress,
    load,
    load_each,
    print_table,
    results_in,
)

__all__ = ["run_each", "tell", "tell_comparison"]

if TYPE_CHECKING:
    from ..experiments.base import RunResult
    from .progress import LiveProgress


def run_each(
    scene: Path,
    config: Config,
    out: Path | None,
    quiet: bool,
    tell: Callable[[RunResult, LiveProgress], None],
) -> None:
    """Optimize for each neuron that ``compare.neurons`` lists, into ``<out>/neuron-3`` or
    ``runs/<scene>-neuron-3-001``.

    A neuron that cannot be optimized for is told of at the end, and does not keep the others from it.

    Parameters
    ----------
    tell : callable
        Says how one went.

    Raises
    ------
    UserError
        If the model has no such neuron, before the first run; and where a neuron was refused, after the last.
    """
    configs, refused, code = config.for_each_neuron(), [], 0
    for index, each in enumerate(configs):
        (neuron,) = each.neurons
        label = f"neuron {neuron} ({index + 1} of {len(configs)})"
        place = None if out is None else out / f"neuron-{neuron}"
        with results_in(place, f"{scene.stem}-neuron-{neuron}") as folder, live_progress(quiet, folder) as progress:
            from ..experiments.base import LabelledProgress
            from ..experiments.registry import run_experiment

            if not index:
                with about(scene):
                    _check(config.observer)
            try:
                with about(scene):
                    outcome = run_experiment(each, folder, LabelledProgress(progress, label))
            except UserError as error:
                refused += [f"{label}: {sentence}" for sentence in error.sentences]
                continue
            try:
                tell(outcome, progress)
            except Mishap:
                left = [str(other.neurons[0]) for other in configs[index + 1 :]]
                if left:
                    progress.message(f"not begun: neuron{'s' * (len(left) > 1)} {', '.join(left)}")
                raise
            except typer.Exit as ended:
                code = ended.exit_code
    if refused:
        raise UserError(*refused)
    if code:
        raise typer.Exit(code)


def _check(settings: ObserverSettings) -> None:
    """Raise UserError where the model has not all of the neurons."""
    from ..neurons.cards import load_card

    load_card(settings.model.card, trust_code=settings.trusts_code).check_neurons(settings.compare.neurons)


if TYPE_CHECKING:
    from ..experiments.base import RunResult
    from .progress import LiveProgress


@app.command()
def run(
    scene: SceneFile,
    out: Out = None,
    neurons: Neurons = None,
    overrides: Set = [],  # noqa: B006 (typer reads the default, nobody changes it)
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Optimize a scene, and write a run folder. With --neurons, write one for each of them."""
    if neurons is not None:
        ((_, config),) = load_each([scene], neurons, overrides, free, frozen, seed, trust)
        run_each(scene, config, out, quiet, tell)
        return
    config = load(scene, overrides, free, frozen, seed, trust)
    with results_in(out, scene.stem) as folder, live_progress(quiet, folder) as progress:
        with about(scene):
            from ..experiments.registry import run_experiment

            outcome = run_experiment(config, folder, progress)
        tell(outcome, progress)


def tell(outcome: RunResult, progress: LiveProgress) -> None:
    """Say how a run went, and what can be done next; see :func:`~mitsuba_mei.cli.options.finished`."""
    progress.stop()
    describe = named(experiment_of(outcome.result.objective).DESCRIBE)
    print("\n".join(describe(outcome.folder, outcome.result)), flush=True)
    finished(progress, outcome.folder, outcome.result.ended)


@app.command()
def pixel(
    scene: SceneFile,
    out: Out = None,
    overrides: Set = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Find the pixel MEI: the best image under the scene's constraint. Nothing is rendered."""
    config = load(scene, overrides, [], [], seed, trust, rendered=False)
    with results_in(out, f"{scene.stem}-pixel") as folder, live_progress(quiet, folder) as progress:
        with about(scene):
            from ..experiments.pixel import run_pixel

            outcome = run_pixel(config, folder, progress)
        progress.stop()
        print("\n".join(describe_run(outcome.folder, outcome.result)), flush=True)
        finished(progress, outcome.folder, outcome.result.ended)


@app.command()
def compare(
    scenes: SceneFiles,
    out: Out = None,
    neurons: Neurons = None,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Optimize path traced and rasterized, from the same starts. Both objects are evaluated both ways."""
    configs = load_each(scenes, neurons, overrides, free, frozen, seed, trust)
    with results_in(out, f"compare-{scenes[0].stem}") as folder, live_progress(quiet, folder) as progress:
        from ..experiments.compare import run_comparison

        outcome = run_comparison(configs, folder, progress)
        tell_comparison(outcome, progress)


def tell_comparison(outcome: RunResult, progress: LiveProgress) -> None:
    """Say how a comparison went, and what can be done next."""
    progress.stop()
    print_table(*comparison_rows(outcome.result.neurons))
    print("\n".join(describe_comparison(outcome.folder, outcome.result)), flush=True)
    failed = [len(neuron.failed) == len(neuron.kept_start) for neuron in outcome.result.neurons]
    finished(progress, outcome.folder, ended_of_all(outcome.result, failed))


__all__: list[str] = []


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of run, compare or factors that has no end.")],
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Go on with what was interrupted or killed. It begins with the last state that was kept."""
    check_given_run(run)
    with live_progress(quiet, run) as progress:
        from ..experiments.registry import resume_experiment
        from ..runs.results import ComparisonResult, FactorsResult

        outcome = resume_experiment(run, progress, trust)
        {ComparisonResult: tell_comparison, FactorsResult: tell_factors}.get(type(outcome.result), tell)(
            outcome, progress
        )
