"""Objectives by name: what a command takes, and what results call the value and the stimulus."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import UserError
from .objective import ACTIVATION_OBJECTIVES, EXPERIMENTS, ActivationObjective, ExperimentSettings

__all__ = [
    "check_activation_objective",
    "check_maximised",
    "experiment_of",
    "maximised_value",
    "named_objective",
    "stimulus_name",
]


def check_maximised(objective: ExperimentSettings, command: str) -> None:
    """Raise UserError where an objective is minimized, and a command compares gains."""
    if objective.sign < 0:
        raise UserError(f"{command} compares gains, and objective.direction is minimize; leave it at maximize")


def check_activation_objective(objective: str, command: str, also: Collection[str] = ()) -> None:
    """See to it that an objective is one that a single look at a single image answers.

    Parameters
    ----------
    objective : str
        ``objective.type`` of a scene file, or of a finished run.
    command : str
        That needs such a one, as ``compare``.
    also : collection of str
        Other types that it takes.

    Raises
    ------
    UserError
        If it is not.
    """
    taken = [*ACTIVATION_OBJECTIVES, *also]
    if objective not in taken:
        raise UserError(
            f"{command} works with objective.type {', '.join(taken[:-1])} or {taken[-1]}, not '{objective}', whose "
            f"result is no {'stimulus' if also else 'activation'}"
        )


def experiment_of(name: str) -> type[ExperimentSettings]:
    """The settings' class of an objective type; that of an activation where it is not known here."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    try:
        return ACTIVATION_OBJECTIVES[name]
    except (KeyError, UserError):  # a run of another computer, with other packages
        return ActivationObjective


def maximised_value(name: str) -> str:
    """Name of the value that an objective of that type maximises: ``activation``, or ``objective (discriminate)``."""
    return name if name == "activation" else f"objective ({name})"


def stimulus_name(kind: str, objective: str, direction: str = "maximize") -> str:
    """Name what an optimization of ``kind`` ('3D' or 'pixel') finds, as ``3D MEI``.

    What serves another objective than the activation is no MEI.
    """
    if direction == "minimize":
        return f"least exciting {kind} stimulus" if objective == "activation" else f"{kind} stimulus"
    return f"{kind} {'MEI' if objective == 'activation' else 'stimulus'}"


def named_objective(name: str) -> str:
    """Describe the objective of that type in a sentence; its name alone where that is not known here."""
    meaning = getattr(experiment_of(name), "MEANING", "")
    return f"The objective is {name}{f': {meaning}' if meaning else ''}."
