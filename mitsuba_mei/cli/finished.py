"""The commands about finished runs: evaluate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import UserError, nearest
from ..schema import RENDERERS
from ..sentences import describe_evaluation
from .common import Set, app

__all__: list[str] = []


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    render: Annotated[
        str | None, typer.Option(metavar="|".join(RENDERERS), help="Which renderer; default the run's own.")
    ] = None,
    overrides: Set = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="A folder, or a .json file's name, for the results; default the run's folder.")
    ] = None,
) -> None:
    """Evaluate what a run ended with once more, under either renderer."""
    if render is not None and render not in RENDERERS:
        raise UserError(f"--render {render}: there is no such renderer; {nearest(render, RENDERERS)}")
    from ..experiments.evaluate_run import evaluate_run

    outcome = evaluate_run(run, render, overrides, out, Console(stderr=True, soft_wrap=True).print)
    print("\n".join(describe_evaluation(outcome.path, outcome.result)))


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs, or of compare and factors.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="A new file; default report.html in a single run's folder, else runs/report-<run>-<number>.html.",
        ),
    ] = None,
) -> None:
    """Write one HTML file about one run or several, which opens anywhere without a network."""
    from ..html_report import write_report

    path = write_report(runs, out)
    print(f"written to {path}, {path.stat().st_size / 1e6:.1f} MB; it opens in any browser, without a network")
