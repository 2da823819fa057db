"""Result files: read, brought to the present version, and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ... import __version__
from ...config.objective_names import experiment_of
from ...config.registry import named
from ...errors import UserError
from ...io.files import read_json
from .optimization import SCHEMA_VERSION, OptimizationResult, PixelResult, Result
from .populations import PopulationResult

__all__ = [
    "check_version",
    "has_ended",
    "parse_result",
    "read_population",
    "read_result",
    "read_run_result",
    "result_json",
    "result_type",
]

AnyResult = TypeVar("AnyResult", bound=Result)
AnyNeuron = TypeVar("AnyNeuron", bound=Result)


def result_type(objective: str) -> type[OptimizationResult]:
    """The result of an optimization with an objective."""
    return named(experiment_of(objective).RESULT)


def result_json(result: Result) -> dict[str, Any]:
    """What a result's file says; of several neurons, the versions stand there once."""
    once = {"neurons": {"__all__": {"schema_version", "versions"}}} if isinstance(result, PopulationResult) else None
    return result.model_dump(by_alias=True, exclude=once)


def read_result(path: Path, kind: type[AnyResult]) -> AnyResult:
    """Read a result file of this or an earlier version.

    Parameters
    ----------
    path : Path
    kind : type of Result

    Raises
    ------
    UserError
        If it cannot be read, is damaged, or was written by a newer version.
    """
    return parse_result(path, read_json(path), kind)


def read_run_result(folder: Path) -> OptimizationResult | PixelResult:
    """Read the ``result.json`` of a run folder, whatever its objective.

    Raises
    ------
    UserError
        As :func:`read_result`.
    """
    path = folder / "result.json"
    data = read_json(path)
    if "mesh" not in data and isinstance(data.get("activation"), (int, float)):
        return parse_result(path, data, PixelResult)
    return parse_result(path, data, result_type(str(data.get("objective", "activation"))))


def read_population(path: Path, of_all: type[AnyResult], of_one: type[AnyNeuron]) -> AnyResult | AnyNeuron:
    """Read the result of several neurons, or of one of them alone; raises UserError as :func:`read_result`."""
    data = read_json(path)
    return parse_result(path, data, of_all if "asked" in data else of_one)


def has_ended(folder: Path) -> bool:
    """Whether a folder holds a result that was not interrupted."""
    for name in ("result.json", "comparison.json", "factors.json", "tuning.json"):
        if (folder / name).is_file():
            try:
                return read_json(folder / name).get("ended") != "interrupted"
            except UserError:
                return False
    return False


def parse_result(path: Path, data: dict[str, Any], kind: type[AnyResult]) -> AnyResult:
    """A result from what its file ``path`` says; raises UserError as :func:`read_result`."""
    check_version(path.parent, data)
    try:
        return kind.model_validate(upgrade(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        reason = (
            f"it does not say {where}" if first["type"] == "missing" else f"{where}: {message[:1].lower()}{message[1:]}"
        )
        raise UserError(f"{path} is damaged: {reason.removeprefix(': ')}") from None


def upgrade(data: dict[str, Any]) -> dict[str, Any]:
    """What a file of an earlier version says, in the present version's form.

    Version 0 is that of mitsuba_mei 0.1.0, whose files name no version. Early ones of it gave preferred values of a
    tuning without their errors, and no ``low`` and ``high``.
    """
    if data.get("schema_version", 0) == SCHEMA_VERSION:
        return data
    data = {**data, "schema_version": SCHEMA_VERSION}
    for key in [key for key, value in data.items() if value is None and key in ("ended", "exposure", "restart")]:
        del data[key]
    if "over" in data and isinstance(data.get("neurons"), list):
        data["neurons"] = [_with_preferred_errors(each) for each in data["neurons"]]
    return data


def _with_preferred_errors(neuron: Any) -> Any:
    summary = neuron.get("summary") if isinstance(neuron, dict) else None
    if not isinstance(summary, dict) or not isinstance(summary.get("preferred"), list):
        return neuron
    preferred = [each if isinstance(each, dict) else {"value": each} for each in summary["preferred"]]
    return {**neuron, "summary": {**summary, "preferred": preferred}}


def check_version(folder: Path, data: Mapping[str, Any]) -> None:
    """Raise UserError where a folder was written by a newer version."""
    versions = data.get("versions")
    wrote = versions.get("mitsuba_mei") if isinstance(versions, Mapping) else None
    schema = data.get("schema_version", 0)
    if isinstance(wrote, str) and _release(wrote) > _release(__version__):
        raise UserError(
            f"{folder} was written by mitsuba_mei {wrote}, and this is {__version__}, which may not understand it; use "
            "that version or a newer one"
        )
    if not isinstance(schema, int) or schema > SCHEMA_VERSION:
        raise UserError(
            f"{folder} was written by a newer version{f' ({wrote})' if isinstance(wrote, str) else ''}: its results "
            f"have schema version {schema}, and mitsuba_mei {__version__} reads up to {SCHEMA_VERSION}"
        )


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, as many as count: ``0.2.0rc1`` is (0, 2, 0)."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part[:9]) for part in release.group().split(".")) if release else ()
