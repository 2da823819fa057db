"""The optimization loop: when to keep a state, when to go back to one, and when to end."""

from __future__ import annotations

from collections.abc import Callable

from .loss import Loss
from .optimizer import OptimizerSettings, Outcome, SceneOptimizer, Step
from .state import Snapshot

__all__ = ["CHECKPOINT_EVERY", "MAX_NONFINITE_STEPS", "MAX_ROLLBACKS", "optimize"]

CHECKPOINT_EVERY = 10
"""Steps between two states that are kept."""

MAX_ROLLBACKS = 5
"""How often a scene is brought back before its optimization has failed."""

MAX_NONFINITE_STEPS = 20
"""Steps in a row without anything finite that count as trouble."""

NOT_FINITE = "the loss or its gradient stays without a finite value"


def optimize(
    goal: Loss,
    settings: OptimizerSettings,
    seed: int,
    on_step: Callable[[Step], None] = lambda step: None,
    interrupted: Callable[[], bool] = lambda: False,
    keep: Callable[[Snapshot], None] = lambda snapshot: None,
    since: Snapshot | None = None,
) -> Outcome:
    """Maximise a goal over its free parameters, in place.

    Adam (Kingma & Ba 2015) takes the steps. A Monte Carlo gradient has heavy tails: one that is not finite is thrown
    away, one that is far longer than usual is shortened. Where the goal says that something is wrong with the scene, or
    nothing has been finite for long, the last good state is taken up again with steps half as long; after
    :data:`MAX_ROLLBACKS` of these the optimization has failed, and the last good state stays.

    Parameters
    ----------
    goal : Loss
    settings : OptimizerSettings
    seed : int
        Step i renders with a seed of its own.
    on_step : callable
        Told of every step.
    interrupted : callable
        Asked after every step whether to end; what it raises ends the optimization once its state is kept.
    keep : callable
        Given a snapshot every :data:`CHECKPOINT_EVERY` steps, and the last.
    since : Snapshot, optional
        Where to go on.
    """
    descent = SceneOptimizer(goal, settings, seed)
    if since is not None:
        if since.good is not None:
            descent.restore(since.good)  # damage in it is found now, not when it is needed
        descent.restore(since)
    outcome, good = descent.outcome, (since and since.good) or descent.snapshot()
    while descent.index < settings.steps and outcome.ended == "done":
        step = descent.step()
        on_step(step)
        failure = (
            goal.failure(descent.index)
            if not step.skipped
            else NOT_FINITE
            if descent.lost >= MAX_NONFINITE_STEPS
            else None
        )
        if failure is not None:
            descent.roll_back(good)
            outcome = descent.outcome
            if outcome.setbacks > MAX_ROLLBACKS:
                outcome.ended, outcome.reason = "failed", failure
                break
        elif not step.skipped and descent.index % CHECKPOINT_EVERY == 0:
            good = descent.snapshot()
            keep(good)
        try:
            asked = interrupted()
        except BaseException:
            keep(descent.snapshot(good))
            raise
        if asked:
            outcome.ended = "interrupted"
            break
        if failure is None and not step.skipped and descent.no_better():
            outcome.ended = "no better"
            break
    keep(descent.snapshot(good))
    return outcome
