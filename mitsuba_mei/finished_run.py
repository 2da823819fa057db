"""A run folder, read again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import Config, load_config
from .errors import UserError, nearest
from .evaluate import Mean
from .parameters import read_parameters
from .schema import RENDERERS

__all__ = ["FinishedRun", "read_run"]


@dataclass(frozen=True)
class FinishedRun:
    """What a finished run says of itself.

    Attributes
    ----------
    folder : Path
    config : Config
        Its configuration, varied.
    renderer : str
        Which it was optimised under.
    initial, final : Mean
        The activations that it reported.
    starts : int
        From how many it was optimised.
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


def read_run(folder: Path, overrides: Sequence[str] = ()) -> FinishedRun:
    """Read a run folder's configuration, varied, and its result.

    Raises
    ------
    UserError
        If it is no run folder, the run was not finished, or something in it cannot be read or used.
    """
    if not folder.is_dir():
        hint = nearest(folder.name, (other.name for other in folder.parent.glob("*") if other.is_dir()))
        raise UserError(f"there is no folder '{folder}'" + (f"; {hint}" if hint.startswith("did you mean") else ""))
    runs = sorted(file.parent for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}/parameters.npz"))
    if any((folder / name).is_file() for name in ("comparison.json", "factors.json")) and runs:
        raise UserError(f"{folder} is a comparison of several runs; name one of them, such as {runs[0]}")
    for name, what in {"config.yaml": "is no run folder", "result.json": "is no finished run"}.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder} {what}: there is no {name} in it")
    if not (folder / "parameters.npz").is_file():
        raise UserError(
            f"{folder} holds no parameters.npz: it is of a pixel MEI, of diverse scenes, or of a version that left none"
        )
    config = load_config(folder / "config.yaml", overrides, rendered=False)
    result = _result(folder / "result.json")
    try:
        activation, renderer = result["activation"], result["renderer"]
        initial, final = (_mean(activation[when]) for when in ("initial", "final"))
        starts = len(result.get("restarts", [None]))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the activations") from None
    if renderer not in RENDERERS:
        raise UserError(f"{folder / 'result.json'} names an unknown renderer; {nearest(str(renderer), RENDERERS)}")
    return FinishedRun(folder, config, renderer, initial, final, starts)


def _result(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not JSON") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _mean(said: Mapping[str, float | None]) -> Mean:
    """A figure of ``result.json``, in which null is what is no finite number."""
    return Mean(*(math.nan if said[name] is None else float(said[name]) for name in ("mean", "sem")))
