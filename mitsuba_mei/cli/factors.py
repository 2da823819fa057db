"""The command that weighs a scene's factors: factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..factor_sentences import describe_factors, subset_rows, worth_rows
from ..schema import MOST_RESTARTS
from .common import (
    Neurons,
    Out,
    Quiet,
    SceneFiles,
    Seed,
    Set,
    Trust,
    app,
    ended_of_all,
    finished,
    load_each,
    print_table,
    results_in,
    telling,
)

if TYPE_CHECKING:
    from ..experiments.session import RunResult
    from .progress import LiveProgress

__all__ = ["tell_factors"]


@app.command()
def factors(
    scenes: SceneFiles,
    out: Out = None,
    neurons: Neurons = None,
    starts: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_RESTARTS, help="Starts, over which the errors are; default the scene file's, at least 3."
        ),
    ] = None,
    overrides: Set = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Optimise shape, pose and light alone, in pairs and together. From the same starts: what each is worth."""
    configs = load_each(scenes, neurons, overrides, [], [], seed, trust, rendered=False)
    with results_in(out, f"factors-{scenes[0].stem}") as folder, telling(quiet, folder) as progress:
        from ..experiments.factors import run_factors

        outcome = run_factors(configs, folder, progress, starts)
        tell_factors(outcome, progress)


def tell_factors(outcome: RunResult, progress: LiveProgress) -> None:
    """Say what the factors are worth, and what can be done next."""
    progress.stop()
    print_table(*subset_rows(outcome.result), left=2)
    print()
    print_table(*worth_rows(outcome.result), left=2)
    print()
    print("\n".join(describe_factors(outcome.folder, outcome.result)), flush=True)
    optimised = len(outcome.result["subsets"]) - 1  # all but the one in which nothing is free
    failed = [len(neuron.get("failed", {})) == optimised for neuron in outcome.result["neurons"]]
    finished(progress, outcome.folder, ended_of_all(outcome.result, failed))
