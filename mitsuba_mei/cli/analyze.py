"""Commands about finished runs: factors, tune, evaluate, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..config.file_kinds import check_given_run
from ..config.sections import MAX_RESTARTS
from ..errors import UserError, nearest
from ..report.sentences import describe_evaluation
from ..report.tables import describe_factors, describe_scene, describe_stimuli, describe_tuning, subset_rows, worth_rows
from .errors import interrupted
from .options import (
    Neurons,
    Out,
    Quiet,
    Render,
    SceneFiles,
    Seed,
    Set,
    Trust,
    app,
    checked_renderer,
    ended_of_all,
    finished,
    live_progress,
    load_each,
    print_table,
    results_in,
)

__all__ = ["tell_factors"]

if TYPE_CHECKING:
    from ..experiments.base import RunResult
    from .progress import LiveProgress


@app.command()
def factors(
    scenes: SceneFiles,
    out: Out = None,
    neurons: Neurons = None,
    starts: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_RESTARTS, help="Starts, over which the errors are; default the scene file's, at least 3."
        ),
    ] = None,
    overrides: Set = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Optimize shape, pose and light alone, in pairs and together. From the same starts: what each is worth."""
    configs = load_each(scenes, neurons, overrides, [], [], seed, trust, rendered=False)
    with results_in(out, f"factors-{scenes[0].stem}") as folder, live_progress(quiet, folder) as progress:
        from ..experiments.factors import run_factors

        outcome = run_factors(configs, folder, progress, starts)
        tell_factors(outcome, progress)


def tell_factors(outcome: RunResult, progress: LiveProgress) -> None:
    """Say what the factors are worth, and what can be done next."""
    progress.stop()
    print_table(*subset_rows(outcome.result.neurons), left=2)
    print()
    print_table(*worth_rows(outcome.result.neurons), left=2)
    print()
    print("\n".join(describe_factors(outcome.folder, outcome.result)), flush=True)
    optimized = len(outcome.result.subsets) - 1  # all but the one in which nothing is free
    failed = [len(neuron.failed) == optimized for neuron in outcome.result.neurons]
    finished(progress, outcome.folder, ended_of_all(outcome.result, failed))


__all__: list[str] = []


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    render: Render = None,
    overrides: Set = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="A folder, or a .json file's name, for the results; default the run's folder.")
    ] = None,
    trust: Trust = False,
) -> None:
    """Evaluate what a run ended with once more, under either renderer."""
    check_given_run(run)
    renderer = checked_renderer(render)
    from ..experiments.reevaluate import evaluate_run

    outcome = evaluate_run(run, renderer, overrides, out, Console(stderr=True, soft_wrap=True).print, trust)
    print("\n".join(describe_evaluation(outcome.path, outcome.result)))


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folders of finished runs, or of compare, factors, sweep, tune and evaluate."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="A new file; default report.html in the folder of a single one, else runs/report-<run>-<number>.html.",
        ),
    ] = None,
) -> None:
    """Write one HTML file about one run or several. It opens anywhere without a network."""
    for run in runs:
        check_given_run(run)
    from ..report.html.write import write_report

    path = write_report(runs, out)
    print(f"written to {path}, {path.stat().st_size / 1e6:.1f} MB; it opens in any browser, without a network")


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
    with numbered as folder, live_progress(quiet, folder) as progress:
        from ..experiments.tune import TuningRequest, run_tuning

        request = TuningRequest(over, neurons, relative, repeats)
        outcome = run_tuning(source, renderer, overrides, request, folder, progress, trust)
        progress.stop()
        print("\n".join(describe_tuning(outcome.folder, outcome.result)), flush=True)
        if outcome.result.ended == "interrupted":
            raise interrupted(outcome.folder)
        if source.is_dir():
            progress.message(f"'report {source}' writes a page about the run, with this tuning in it")


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
            from ..experiments.export import export_scene

            print("\n".join(describe_scene(*export_scene(run, folder))))
            return
        from ..experiments.export import export_stimuli
        from ..report.export.display import read_display
        from ..report.export.stimuli import DisplaySettings

        on_message = Console(stderr=True, soft_wrap=True).print
        stimuli = export_stimuli(
            run, DisplaySettings(size, mean, contrast), read_display(gamma), folder, on_message, trust
        )
        print("\n".join(describe_stimuli(stimuli)))
