"""The commands that optimise: run, pixel, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config import Config
from ..errors import about
from ..sentences import comparison_rows, describe_comparison, describe_pixel, describe_result
from ..sentences_inverse import describe_recovery
from ..sentences_unlike import describe_diverse, describe_metamer
from .common import (
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
    load,
    load_each,
    print_table,
    results_in,
    telling,
)
from .each_neuron import run_each

if TYPE_CHECKING:
    from ..experiments.session import RunResult
    from .progress import LiveProgress

__all__ = ["tell", "tell_comparison"]

DESCRIBED = {"image": describe_recovery, "metamer": describe_metamer, "diverse": describe_diverse}
"""What says how an objective went, where that is not an activation that rose."""


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
    """Optimise a scene, and write a run folder. With --neurons, write one for each of them."""
    if neurons is not None:
        ((_, config),) = load_each([scene], neurons, overrides, free, frozen, seed, trust)
        run_each(scene, config, out, quiet, tell)
        return
    config = load(scene, overrides, free, frozen, seed, trust)
    with results_in(out, scene.stem) as folder, telling(quiet, folder) as progress:
        with about(scene):
            from ..experiments.dispatch import run_experiment

            outcome = run_experiment(config, folder, progress)
        tell(outcome, config, progress)


def tell(outcome: RunResult, config: Config, progress: LiveProgress) -> None:
    """Say how a run went, and what can be done next; see :func:`~mitsuba_mei.cli.common.finished`."""
    progress.stop()
    describe = DESCRIBED.get(config.objective.type, describe_result)
    print("\n".join(describe(outcome.folder, outcome.result)), flush=True)
    finished(progress, outcome.folder, outcome.result.get("ended"))


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
    with results_in(out, f"{scene.stem}-pixel") as folder, telling(quiet, folder) as progress:
        with about(scene):
            from ..experiments.pixel_mei import run_pixel

            outcome = run_pixel(config, folder, progress)
        progress.stop()
        print("\n".join(describe_pixel(outcome.folder, outcome.result)), flush=True)
        finished(progress, outcome.folder, outcome.result["ended"])


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
    """Optimise path traced and rasterized, from the same starts. Both objects are evaluated both ways."""
    configs = load_each(scenes, neurons, overrides, free, frozen, seed, trust)
    with results_in(out, f"compare-{scenes[0].stem}") as folder, telling(quiet, folder) as progress:
        from ..experiments.compare import run_comparison

        outcome = run_comparison(configs, folder, progress)
        tell_comparison(outcome, progress)


def tell_comparison(outcome: RunResult, progress: LiveProgress) -> None:
    """Say how a comparison went, and what can be done next."""
    progress.stop()
    print_table(*comparison_rows(outcome.result))
    print("\n".join(describe_comparison(outcome.folder, outcome.result)), flush=True)
    failed = [len(neuron.get("failed", {})) == len(neuron["kept_start"]) for neuron in outcome.result["neurons"]]
    finished(progress, outcome.folder, ended_of_all(outcome.result, failed))
