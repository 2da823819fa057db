"""Inverse rendering: the scene whose images are the given ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..config import Config
from ..experiment import Experiment, build_experiment, each_start
from ..likeness import Likeness
from ..scene.scene import Scene
from ..targets import cameras_of, wanted_images
from .inverse_leavings import leave_recovered
from .session import LOADING, WRITING, Progress, RunResult, threads_beside
from .starts import optimise_from_starts
from .working import working

__all__ = ["build_inverse", "run_inverse"]


def build_inverse(config: Config, told: Callable[[str], None] = lambda text: None) -> tuple[Experiment, Scene | None]:
    """The chain from a scene to the error of its images, and the scene behind the target where it is known.

    Raises
    ------
    UserError
        For anything in the scene file or its files that cannot be used.
    """
    experiment = build_experiment(config, told)
    device = experiment.scene.background.device
    cameras = tuple(camera.to(device) for camera in cameras_of(config))
    said, viewer = config.objective, experiment.viewer
    own = [view.target for view in said.views]
    with threads_beside(experiment.renderer):
        wanted = wanted_images(said.target, own, config, experiment.scene.channels, cameras, told)
    likeness = Likeness(
        viewer.stimulus,
        viewer.model,
        viewer.neurons,
        viewer.objective,
        memory=viewer.memory if said.error == "responses" else None,
        target=wanted.images.to(device),
        views=max(1, len(cameras)),
        error=said.error,
    )
    return replace(experiment, viewer=likeness, cameras=cameras), wanted.truth


def run_inverse(config: Config, out: Path, progress: Progress, resumed: bool = False) -> RunResult:
    """Recover shape, pose, light or material from images, and write a run folder.

    Parameters
    ----------
    config : Config
        A scene file with ``objective.type: image``.
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
    progress.doing(LOADING)
    experiment, truth = build_inverse(config, progress.message)
    with working(experiment, config, out, progress, resumed) as (folder, interrupted):
        done = optimise_from_starts(each_start(experiment, config), config, folder, progress, interrupted)
        progress.doing(WRITING)
        result = leave_recovered(folder, config, done, truth)
    return RunResult(folder.path, result)
