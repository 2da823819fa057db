"""The commands that optimise: run, pixel, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    app,
    free_name,
    load,
    load_each,
    print_table,
    telling,
)

if TYPE_CHECKING:
    from ..experiments.session import RunResult

__all__: list[str] = []

DESCRIBED = {"image": describe_recovery, "metamer": describe_metamer, "diverse": describe_diverse}
"""What says how an objective went, where that is not an activation that rose."""


@app.command()
def run(
    scene: SceneFile,
    out: Out = None,
    overrides: Set = [],  # noqa: B006 (typer reads the default, nobody changes it)
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Optimise a scene, and write a run folder."""
    config = load(scene, overrides, free, frozen, seed)
    out = free_name(scene.stem) if out is None else out
    from ..experiments.dispatch import run_experiment

    with telling(quiet) as progress, about(scene):
        outcome = run_experiment(config, out, progress)
    _tell(outcome, config)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that was ended before its end.")],
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted or killed, from the last state that it kept."""
    from ..experiments.dispatch import run_experiment
    from ..experiments.resume import resumable

    config = resumable(run)
    with telling(quiet) as progress, about(run / "config.yaml"):
        outcome = run_experiment(config, run, progress, resumed=True)
    _tell(outcome, config)


def _tell(outcome: RunResult, config: Config) -> None:
    """Say how a run went; exit code 1 where it failed."""
    describe = DESCRIBED.get(config.objective.type, describe_result)
    print("\n".join(describe(outcome.folder, outcome.result)))
    if outcome.result.get("ended") == "failed":
        raise typer.Exit(1)


@app.command()
def pixel(
    scene: SceneFile,
    out: Out = None,
    overrides: Set = [],  # noqa: B006
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Find the pixel MEI: the best image of all under the scene file's constraint. Nothing is rendered."""
    config = load(scene, overrides, [], [], seed, rendered=False)
    out = free_name(f"{scene.stem}-pixel") if out is None else out
    from ..experiments.pixel_mei import run_pixel

    with telling(quiet) as progress, about(scene):
        outcome = run_pixel(config, out, progress)
    print("\n".join(describe_pixel(outcome.folder, outcome.result)))


@app.command()
def compare(
    scenes: SceneFiles,
    out: Out = None,
    neurons: Neurons = None,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Optimise path traced and rasterized, from the same starts, and evaluate both objects both ways."""
    configs = load_each(scenes, neurons, overrides, free, frozen, seed)
    out = free_name(f"compare-{scenes[0].stem}") if out is None else out
    from ..experiments.compare import run_comparison

    with telling(quiet) as progress:
        outcome = run_comparison(configs, out, progress)
    print_table(*comparison_rows(outcome.result))
    print("\n".join(describe_comparison(outcome.folder, outcome.result)))
