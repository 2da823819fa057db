"""The command that goes on with what was ended before its end: resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import about
from ..file_kinds import check_given_run
from .common import Quiet, Trust, app, telling
from .factors import tell_factors
from .optimise import tell, tell_comparison

__all__: list[str] = []


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of run, compare or factors that has no end.")],
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Go on with what was interrupted or killed. It begins with the last state that was kept."""
    check_given_run(run)
    with telling(quiet, run) as progress:
        from ..experiments.asked import read_asked
        from ..experiments.compare import run_comparison
        from ..experiments.dispatch import run_experiment
        from ..experiments.factors import run_factors
        from ..experiments.resume import resumable

        asked = read_asked(run, trust)
        if asked is None:
            config = resumable(run, trust)
            with about(run / "config.yaml"):
                outcome = run_experiment(config, run, progress, resumed=True)
            tell(outcome, config, progress)
        elif asked.command == "compare":
            tell_comparison(run_comparison(asked.scenes, run, progress, resumed=True), progress)
        else:
            tell_factors(run_factors(asked.scenes, run, progress, asked.starts, resumed=True), progress)
