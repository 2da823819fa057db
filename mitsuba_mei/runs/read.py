"""A run folder, read again."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config.load import Config, load_config
from ..errors import UserError, about, nearest
from ..optimize.evaluate import Mean
from ..io.files import read_json
from ..scene.parameters import read_parameters
from ..config.sections import RENDERERS
from ..config.variants import check_activation_objective

__all__ = ["FinishedRun", "check_version", "read_run"]


@dataclass(frozen=True)
class FinishedRun:
    """What a finished run says of itself.

    Attributes
    ----------
    folder : Path
    config : Config
        Its configuration, varied.
    renderer : str
        Which it was optimized under.
    initial, final : Mean
        The activations that it reported.
    starts : int
        From how many it was optimized.
    """

    folder: Path
    config: Config
    renderer: str
    initial: Mean
    final: Mean
    starts: int

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
        (:func:`~mitsuba_mei.config.variants.check_activation_objective`), or something in it cannot be read or used.
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
    result = read_json(folder / "result.json")
    with about(folder):
        check_activation_objective(str(result.get("objective", "activation")), command, also)
    if isinstance(result.get("activation"), (int, float)) and "mesh" not in result:
        raise UserError(f"{folder} is of a pixel MEI, an image without a scene, and {command} needs one")
    if not (folder / "parameters.npz").is_file() and result.get("objective") != "diverse":
        raise UserError(f"{folder} holds no parameters.npz: it is of a version that left none, or the file was removed")
    check_version(folder, result)
    config = load_config(folder / "config.yaml", overrides, rendered=False, trust_code=trust_code)
    with about(folder / "config.yaml"):
        check_activation_objective(config.objective.type, command, also)
    try:
        activation, renderer = result["activation"], result["renderer"]
        initial, final = (_mean(activation[when]) for when in ("initial", "final"))
        starts = len(result.get("restarts", [None]))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the activations") from None
    if renderer not in RENDERERS:
        raise UserError(f"{folder / 'result.json'} names an unknown renderer; {nearest(str(renderer), RENDERERS)}")
    return FinishedRun(folder, config, renderer, initial, final, starts)


def check_version(folder: Path, said: Mapping[str, Any]) -> None:
    """Raise UserError where a folder was written by a newer version, by what it says of its ``versions``."""
    versions = said.get("versions")
    wrote = versions.get("mitsuba_mei") if isinstance(versions, Mapping) else None
    if isinstance(wrote, str) and _release(wrote) > _release(__version__):
        raise UserError(
            f"{folder} was written by mitsuba_mei {wrote}, and this is {__version__}, which may not understand it; use "
            "that version or a newer one"
        )


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, as many as count: ``0.2.0rc1`` is (0, 2, 0)."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part[:9]) for part in release.group().split(".")) if release else ()


def _mean(said: Mapping[str, float | None]) -> Mean:
    """A figure of ``result.json``, in which null is what is no finite number."""
    return Mean(*(math.nan if said[name] is None else float(said[name]) for name in ("mean", "sem")))
