"""The commands that optimise: run, pixel, compare."""

from __future__ import annotations

from collections.abc import Callable
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
    experiment, describe = _experiment(config)
    with telling(quiet) as progress, about(scene):
        outcome = experiment(config, out, progress)
    print("\n".join(describe(outcome.folder, outcome.result)))


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that was ended before its end.")],
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted or killed, from the last state that it kept."""
    from ..experiments.resume import resumable

    config = resumable(run)
    experiment, describe = _experiment(config)
    with telling(quiet) as progress, about(run / "config.yaml"):
        outcome = experiment(config, run, progress, resumed=True)
    print("\n".join(describe(outcome.folder, outcome.result)))


def _experiment(config: Config) -> tuple[Callable[..., RunResult], Callable[..., list[str]]]:
    """What runs an objective, and what says how it went."""
    kind = config.objective.type
    if kind == "image":
        from ..experiments.inverse import run_inverse

        return run_inverse, describe_recovery
    if kind == "metamer":
        from ..experiments.metamer import run_metamer

        return run_metamer, describe_metamer
    if kind == "diverse":
        from ..experiments.diverse import run_diverse

        return run_diverse, describe_diverse
    from ..experiments.mei import run_mei

    return run_mei, describe_result


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
