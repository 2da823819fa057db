"""One scene for several neurons, one after the other: a run folder each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..config import Config
from ..errors import UserError, about
from ..variants import for_each_neuron
from .common import results_in, telling
from .mishaps import Mishap

if TYPE_CHECKING:
    from ..experiments.session import RunResult
    from .progress import LiveProgress

__all__ = ["run_each"]


def run_each(
    scene: Path,
    config: Config,
    out: Path | None,
    quiet: bool,
    tell: Callable[[RunResult, Config, LiveProgress], None],
) -> None:
    """Optimise for each neuron that ``compare.neurons`` lists, into ``<out>/neuron-3`` or
    ``runs/<scene>-neuron-3-001``.

    A neuron that cannot be optimised for is told of at the end, and does not keep the others from it.

    Parameters
    ----------
    tell : callable
        Says how one went.

    Raises
    ------
    UserError
        If the model has no such neuron, before the first run; and where a neuron was refused, after the last.
    """
    configs, refused, code = for_each_neuron(config), [], 0
    for index, each in enumerate(configs):
        (neuron,) = each.neurons
        label = f"neuron {neuron} ({index + 1} of {len(configs)})"
        place = None if out is None else out / f"neuron-{neuron}"
        with results_in(place, f"{scene.stem}-neuron-{neuron}") as folder, telling(quiet, folder) as progress:
            from ..experiments.dispatch import run_experiment
            from ..experiments.session import Labelled

            if not index:
                with about(scene):
                    _check(config)
            try:
                with about(scene):
                    outcome = run_experiment(each, folder, Labelled(progress, label))
            except UserError as error:
                refused += [f"{label}: {sentence}" for sentence in error.sentences]
                continue
            try:
                tell(outcome, each, progress)
            except Mishap:
                left = [str(other.neurons[0]) for other in configs[index + 1 :]]
                if left:
                    progress.message(f"not begun: neuron{'s' * (len(left) > 1)} {', '.join(left)}")
                raise
            except typer.Exit as ended:
                code = ended.exit_code
    if refused:
        raise UserError(*refused)
    if code:
        raise typer.Exit(code)


def _check(config: Config) -> None:
    """Raise UserError where the model has not all of the neurons."""
    from ..neurons.cards import load_card

    load_card(config.model.card, trust_code=config.trusts_code).check_neurons(config.compare.neurons)
