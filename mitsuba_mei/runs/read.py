"""A run folder, read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config.load import Config, load_config
from ..config.objective_names import check_activation_objective
from ..config.sections import RENDERERS
from ..errors import UserError, about, nearest
from ..scene.parameters import read_parameters
from .results import DiverseResult, OptimizationResult, PixelResult, read_run_result

__all__ = ["FinishedRun", "read_run"]


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: its configuration and its result.

    Attributes
    ----------
    folder : Path
    config : Config
        Its configuration, varied.
    result : OptimizationResult
    """

    folder: Path
    config: Config
    result: OptimizationResult

    def parameters(self, like: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Of the initial and of the final scene, in the names and shapes of ``like``.

        Raises
        ------
        UserError
            If the files cannot be read, or do not fit.
        """
        first, last = (self.folder / name for name in ("initial_parameters.npz", "parameters.npz"))
        return read_parameters(first, like), read_parameters(last, like)


def read_run(
    folder: Path,
    overrides: Sequence[str] = (),
    command: str = "evaluate",
    trust_code: bool = False,
    also: Collection[str] = (),
) -> FinishedRun:
    """Read a run folder's configuration, varied, and its result.

    Parameters
    ----------
    folder : Path
    overrides : sequence of str
        Changes of its configuration, as ``evaluate.spp=2048``.
    command : str
        For which it is read, and which is named where it cannot do with the run.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load.load_config`.
    also : collection of str
        Types of objective that the command takes beside those that drive neurons.

    Raises
    ------
    UserError
        If it is no run folder, the run was not finished or served an objective without an activation
        (:func:`~mitsuba_mei.config.objective_names.check_activation_objective`), or something in it cannot be read or used.
    """
    if not folder.is_dir():
        hint = nearest(folder.name, (other.name for other in folder.parent.glob("*") if other.is_dir()))
        raise UserError(f"there is no folder '{folder}'" + (f"; {hint}" if hint.startswith("did you mean") else ""))
    runs = sorted(file.parent for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}/parameters.npz"))
    if any((folder / name).is_file() for name in ("comparison.json", "factors.json")) and runs:
        raise UserError(f"{folder} is a comparison of several runs; name one of them, such as {runs[0]}")
    if (folder / "plan.json").is_file():
        done = sorted(file.parent for file in folder.glob("runs/*/result.json"))
        which = f", such as {done[0]}" if done else ", once one is done"
        raise UserError(f"{folder} is a sweep of several runs; name one of them{which}")
    if (folder / "tuning.json").is_file() and not (folder / "result.json").is_file():
        raise UserError(f"{folder} is a tuning, and no run; name the folder of a run")
    for name, what in {"config.yaml": "is no run folder", "result.json": "is no finished run"}.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder} {what}: there is no {name} in it")
    result = read_run_result(folder)
    with about(folder):
        check_activation_objective(result.objective, command, also)
    if isinstance(result, PixelResult):
        raise UserError(f"{folder} is of a pixel MEI, an image without a scene, and {command} needs one")
    if not (folder / "parameters.npz").is_file() and not isinstance(result, DiverseResult):
        raise UserError(f"{folder} holds no parameters.npz: it is of a version that left none, or the file was removed")
    config = load_config(folder / "config.yaml", overrides, rendered=False, trust_code=trust_code)
    with about(folder / "config.yaml"):
        check_activation_objective(config.objective.type, command, also)
    if result.renderer not in RENDERERS:
        hint = nearest(str(result.renderer), RENDERERS)
        raise UserError(f"{folder / 'result.json'} names an unknown renderer; {hint}")
    return FinishedRun(folder, config, result)
