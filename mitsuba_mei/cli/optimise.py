"""The commands that optimise: run, pixel, compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import UserError, about
from ..schema import listed_neurons
from ..sentences import comparison_rows, describe_comparison, describe_pixel, describe_result
from .common import Free, Frozen, Out, Quiet, SceneFile, Seed, Set, app, free_name, load, telling

__all__: list[str] = []

WIDE = 160
"""Columns of a table that is written into a file."""


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
    from ..experiments.mei import run_mei

    with telling(quiet) as progress, about(scene):
        outcome = run_mei(config, out, progress)
    print("\n".join(describe_result(outcome.folder, outcome.result)))


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
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE...", help="Scene files (YAML).")],
    out: Out = None,
    neurons: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Which neurons, one after the other, as 3,25-28; default the scene file's."),
    ] = None,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Optimise path traced and rasterized, from the same starts, and evaluate both objects both ways."""
    if neurons is not None:
        try:
            overrides = [*overrides, f"compare.neurons={listed_neurons(neurons)}"]
        except ValueError as error:
            raise UserError(f"--neurons {neurons}: {error}") from None
    configs = [(scene, load(scene, overrides, free, frozen, seed)) for scene in scenes]
    out = free_name(f"compare-{scenes[0].stem}") if out is None else out
    from ..experiments.compare import run_comparison

    with telling(quiet) as progress:
        outcome = run_comparison(configs, out, progress)
    titles, rows = comparison_rows(outcome.result)
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title == titles[0] else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(table)
    print("\n".join(describe_comparison(outcome.folder, outcome.result)))
