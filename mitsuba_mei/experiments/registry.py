"""From a scene file to its experiment, and what an experiment of many neurons was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.load import Config, dump, load_config
from ..config.registry import named
from ..errors import UserError, about, nearest
from ..runs.folder import RunFolder
from ..runs.results import ComparisonResult, FactorsResult, PopulationResult, read_result
from ..runs.results.populations import Request
from .base import Progress, RunResult, versions

__all__ = ["FOLDER", "ExperimentRequest", "read_request", "resume_experiment", "run_experiment", "write_request"]

FOLDER = "asked"
COMMANDS: dict[str, type[PopulationResult]] = {"compare": ComparisonResult, "factors": FactorsResult}
"""Commands whose experiments go on, and their results, which say how far each came."""


@dataclass(frozen=True)
class ExperimentRequest:
    """An experiment that can go on.

    Attributes
    ----------
    command : str
        ``compare`` or ``factors``.
    scenes : tuple of (Path, Config)
        As they were asked for; the paths are names only.
    starts : int or None
    """

    command: str
    scenes: tuple[tuple[Path, Config], ...]
    starts: int | None


def write_request(
    folder: RunFolder, command: str, scenes: Sequence[tuple[Path, Config]], starts: int | None = None
) -> None:
    """Keep it, each scene complete."""
    names = [f"{number:03d}.yaml" for number in range(len(scenes))]
    for name, (_, config) in zip(names, scenes):
        folder.write_text(f"{FOLDER}/{name}", dump(config, folder.path / FOLDER))
    names_given = tuple(str(scene) for scene, _ in scenes)
    folder.write_result(Request(command=command, scenes=names_given, starts=starts, versions=versions()))


def read_request(folder: Path, trust_code: bool = False) -> ExperimentRequest | None:
    """What the experiment in a folder was asked for; None where the folder is none of such an experiment.

    Raises
    ------
    UserError
        If it came to its end, is of another version, or something in it is damaged.
    """
    path = folder / Request.file
    if not path.is_file():
        return None
    request = read_result(path, Request)
    if request.command not in COMMANDS:
        hint = nearest(request.command, COMMANDS)
        raise UserError(f"{path}: there is no command '{request.command}' that goes on; {hint}")
    kind = COMMANDS[request.command]
    if (folder / kind.file).is_file() and read_result(folder / kind.file, kind).ended == "done":
        raise UserError(f"{folder} has come to its end (done); there is nothing to go on with")
    files = [folder / FOLDER / f"{number:03d}.yaml" for number in range(len(request.scenes))]
    configs = [load_config(file, rendered=request.command == "compare", trust_code=trust_code) for file in files]
    return ExperimentRequest(request.command, tuple(zip(map(Path, request.scenes), configs)), request.starts)


def run_experiment(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Do the experiment that ``objective.type`` names, and write a run folder.

    Parameters
    ----------
    config : Config
        A scene file.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    resumed : bool
        Whether the run in that folder goes on where it was ended.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step.
    """
    return named(config.objective.RUN)(config, out, progress, resumed)


def resume_experiment(folder: Path, progress: Progress, trust_code: bool = False) -> RunResult:
    """Go on with a run, a comparison or factors that was interrupted or killed, from the last state that was kept.

    Parameters
    ----------
    folder : Path
        That of the run.
    progress : Progress
        Told of every step.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load.load_config`.

    Raises
    ------
    UserError
        If there is nothing to go on with, or something in the folder is damaged.
    """
    request = read_request(folder, trust_code)
    if request is None:
        config = named("experiments.resume:resumable")(folder, trust_code)
        with about(folder / "config.yaml"):
            return run_experiment(config, folder, progress, resumed=True)
    if request.command == "compare":
        return named("experiments.compare:run_comparison")(request.scenes, folder, progress, resumed=True)
    return named("experiments.factors:run_factors")(request.scenes, folder, progress, request.starts, resumed=True)
