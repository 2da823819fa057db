"""The commands that optimise: run, pixel, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    Trust,
    app,
    free_name,
    load,
    load_each,
    print_table,
    telling,
)

if TYPE_CHECKING:
    from ..experiments.session import RunResult

__all__ = ["tell", "tell_comparison"]

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
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Optimise a scene, and write a run folder."""
    config = load(scene, overrides, free, frozen, seed, trust)
    out = free_name(scene.stem) if out is None else out
    from ..experiments.dispatch import run_experiment

    with telling(quiet, out) as progress, about(scene):
        outcome = run_experiment(config, out, progress)
    tell(outcome, config)


def tell(outcome: RunResult, config: Config) -> None:
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
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Find the pixel MEI: the best image of all under the scene file's constraint. Nothing is rendered."""
    config = load(scene, overrides, [], [], seed, trust, rendered=False)
    out = free_name(f"{scene.stem}-pixel") if out is None else out
    from ..experiments.pixel_mei import run_pixel

    with telling(quiet, out) as progress, about(scene):
        outcome = run_pixel(config, out, progress)
    print("\n".join(describe_pixel(outcome.folder, outcome.result)))
    if outcome.result["ended"] == "failed":
        raise typer.Exit(1)


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
    """Optimise path traced and rasterized, from the same starts, and evaluate both objects both ways."""
    configs = load_each(scenes, neurons, overrides, free, frozen, seed, trust)
    out = free_name(f"compare-{scenes[0].stem}") if out is None else out
    from ..experiments.compare import run_comparison

    with telling(quiet, out) as progress:
        outcome = run_comparison(configs, out, progress)
    tell_comparison(outcome)


def tell_comparison(outcome: RunResult) -> None:
    """Say how a comparison went."""
    print_table(*comparison_rows(outcome.result))
    print("\n".join(describe_comparison(outcome.folder, outcome.result)))
