"""The commands about finished runs: evaluate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..file_kinds import check_given_run
from ..sentences import describe_evaluation
from .common import Render, Set, Trust, app, checked_renderer

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
    from ..experiments.evaluate_run import evaluate_run

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
    from ..html_report import write_report

    path = write_report(runs, out)
    print(f"written to {path}, {path.stat().st_size / 1e6:.1f} MB; it opens in any browser, without a network")
