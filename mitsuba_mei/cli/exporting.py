"""The command that writes what other programs take: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import UserError, nearest
from ..file_kinds import check_given_run
from ..sentences_export import describe_scene, describe_stimuli
from .common import Trust, app, results_in

__all__: list[str] = []

PURPOSES = ("experiment", "blender")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    purpose: Annotated[str, typer.Option("--for", metavar="|".join(PURPOSES), help="Who takes it.")],
    size: Annotated[int | None, typer.Option(help="Pixels along the longer side; default the model's.")] = None,
    mean: Annotated[
        float | None, typer.Option(help="Mean luminance, 0 black to 1 white; default as the neuron saw it.")
    ] = None,
    contrast: Annotated[
        float | None, typer.Option(help="RMS contrast, a fraction of the display's range; default the same.")
    ] = None,
    gamma: Annotated[
        str | None,
        typer.Option(metavar="TABLE.csv|EXPONENT", help="The monitor's luminance by level; default proportional."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, a new one; default export-<number> in the run's.")
    ] = None,
    trust: Trust = False,
) -> None:
    """Write a run's stimuli for a monitor, or its scene for Blender."""
    check_given_run(run)
    if purpose not in PURPOSES:
        raise UserError(f"--for {purpose}: there is no such purpose; {nearest(purpose, PURPOSES)}")
    if purpose == "blender":
        given = {"--size": size, "--mean": mean, "--contrast": contrast, "--gamma": gamma}
        unused = [name for name, value in given.items() if value is not None]
        if unused:
            raise UserError(f"{unused[0]} is about stimuli; it goes with --for experiment")
    with results_in(out, "export", run) as folder:
        if purpose == "blender":
            from ..experiments.export_scene import export_scene

            scene = export_scene(run, folder)
            print("\n".join(describe_scene(scene.folder, scene.result)))
            return
        from ..experiments.export_stimuli import export_stimuli
        from ..export.display import read_display
        from ..export.picture import Look

        told = Console(stderr=True, soft_wrap=True).print
        stimuli = export_stimuli(run, Look(size, mean, contrast), read_display(gamma), folder, told, trust)
        print("\n".join(describe_stimuli(stimuli.folder, stimuli.result)))
