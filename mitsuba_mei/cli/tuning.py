"""The command about what neurons answer around a scene: tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ..sentences_tuning import describe_tuning
from .common import Quiet, Render, Set, Trust, app, checked_renderer, results_in, telling
from .mishaps import interrupted

__all__: list[str] = []


@app.command()
def tune(
    source: Annotated[Path, typer.Argument(metavar="RUN|SCENE", help="The folder of a finished run, or a scene file.")],
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="PATH=FIRST:LAST:POINTS",
            help="What is varied, as pose.rotation.y=-90:90:19; once or twice.",
        ),
    ],
    neurons: Annotated[
        str | None, typer.Option(metavar="LIST", help="Which neurons, as 3,25-28, or all; default the objective's.")
    ] = None,
    render: Render = None,
    overrides: Set = [],  # noqa: B006
    repeats: Annotated[
        int | None, typer.Option(help="Over how many renders a point's samples are split; default 32.")
    ] = None,
    relative: Annotated[bool, typer.Option("--relative", help="Ranges are about the scene's own values.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, a new one; default tuning-<number> in the run's.")
    ] = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Measure tuning: responses over one or two numbers of the scene. These are curves or maps of any neurons."""
    renderer = checked_renderer(render)
    if not source.exists() and source.suffix.lower() not in (".yaml", ".yml"):
        raise UserError(f"there is no run folder or scene file '{source}'")
    numbered = results_in(out, "tuning", source) if source.is_dir() else results_in(out, f"tune-{source.stem}")
    with numbered as folder, telling(quiet, folder) as progress:
        from ..experiments.tune import Wanted, run_tuning

        wanted = Wanted(over, neurons, relative, repeats)
        outcome = run_tuning(source, renderer, overrides, wanted, folder, progress, trust)
        progress.stop()
        print("\n".join(describe_tuning(outcome.folder, outcome.result)), flush=True)
        if outcome.result["ended"] == "interrupted":
            raise interrupted(outcome.folder)
        if source.is_dir():
            progress.message(f"'report {source}' writes a page about the run, with this tuning in it")
