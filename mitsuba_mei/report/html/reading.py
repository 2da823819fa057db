"""A run folder, read into a record."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from ...config.trust import trust_option
from ...config.yaml.text import read
from ...errors import UserError
from ...io.files import without_home
from ...runs.results import (
    DiverseResult,
    EvaluationResult,
    InverseResult,
    MetamerResult,
    OptimizationResult,
    PixelResult,
    TuningResult,
    read_result,
    read_run_result,
)
from ..grey_scale import DISPLAY, GreyScale
from .files import read_mesh, read_metrics, read_text
from .mesh import Viewpoint, pack_mesh, viewpoint
from .pictures import Picture, picture_of, read_picture, read_pixels
from .places import Place
from .record import Evaluated, Frame, Mesh, RunRecord, ScenePictures
from .stimuli import Levels, read_levels

__all__ = ["read_run_folder", "read_tunings"]

PICTURE, SCENE, THUMBNAIL, FRAME = 320, 240, 72, 160
"""The most pixels of a side."""

MAX_SCENES = 16

AnyRun = Union[OptimizationResult, PixelResult]

NEEDED = ("result.json", "config.yaml")


def read_run_folder(place: Place) -> RunRecord:
    """Read a finished run.

    Raises
    ------
    UserError
        If it is not finished, was written by a newer version, or a file in it is missing or damaged.
    """
    folder = place.folder
    for name in NEEDED:
        if not (folder / name).is_file():
            what = "holds no finished run" if name == "result.json" else "is no whole run folder"
            raise UserError(f"{folder} {what}: there is no {name} in it")
    result = read_run_result(folder)
    card = _card(folder)
    for name in _needed(result):
        if not any((folder / file).is_file() for file in (name, name.replace("stimulus.png", "stimulus.npy"))):
            raise UserError(f"{folder} is no whole run folder: there is no {name} in it")
    final = result.activation if isinstance(result, PixelResult) else result.activation.final.mean
    if not math.isfinite(final):
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the final activation")
    meshes = {name: read_mesh(path) for name, path in _mesh_files(folder, result).items()}
    metrics = read_metrics(folder / "metrics.csv") if (folder / "metrics.csv").is_file() else {}
    metrics = _with_value(metrics, isinstance(result, (InverseResult, MetamerResult)))
    moments = _moments(folder, result)
    beside = [read_pixels(stimulus_levels) for *_, stimulus_levels in moments]
    levels = _stimuli(folder, result, card)
    differences = isinstance(result, InverseResult) or levels.differences
    levels = levels.also([] if differences else beside)
    caption = levels.caption if levels.of or moments else ""
    scenes: tuple[ScenePictures, ...] = ()
    if isinstance(result, DiverseResult):
        scenes, scale = _scenes(folder, card)
        caption = scale.caption
    return RunRecord(
        place=place,
        result=result,
        evaluations=_evaluations(folder),
        solids=tuple(Mesh(name, pack_mesh(*mesh)) for name, mesh in meshes.items()),
        view=_view([mesh[0] for mesh in meshes.values()], getattr(result, "scene", {}).get("camera")),
        pictures=_pictures(folder, result, levels),
        scenes=scenes,
        frames=tuple(_frames(moments, beside, DISPLAY if differences else levels.scale)),
        grey_scale=caption,
        beside_is_difference=differences,
        metrics=metrics,
        tunings=read_tunings(folder),
        scene_file=without_home(read_text(folder / "config.yaml")),
        runs_code=result.runs_code or bool(trust_option(folder)),
    )


def read_tunings(folder: Path) -> tuple[tuple[str, TuningResult], ...]:
    """The tunings within a run folder, by the names of their folders.

    Raises
    ------
    UserError
        If one is damaged.
    """
    paths = sorted(folder.glob("tuning-*/tuning.json"))
    return tuple((path.parent.name, read_result(path, TuningResult)) for path in paths)


def scene_folders(folder: Path) -> list[Path]:
    """Where the scenes of a diverse set lie."""
    folders_found = [folder / f"scenes/{index}" for index in range(MAX_SCENES)]
    return [each for each in folders_found if each.is_dir()]


def _scenes(folder: Path, card: Path | None) -> tuple[tuple[ScenePictures, ...], GreyScale]:
    """Renders and stimuli of diverse scenes, and the grey scale of all their stimuli."""
    folders = scene_folders(folder)
    levels = [read_levels(each, ("stimulus",), card) for each in folders]
    scale = GreyScale.of(each for known in levels if known.known for each in known.of.values())
    return tuple(_of_scene(each, stimulus_levels, scale) for each, stimulus_levels in zip(folders, levels)), scale


def _of_scene(folder: Path, stimulus_levels: Levels, scale: GreyScale) -> ScenePictures:
    render = folder / "render.png"
    stimulus = (
        picture_of(scale(stimulus_levels.of["stimulus"]), SCENE)
        if stimulus_levels.known and stimulus_levels.of
        else None
    )
    return ScenePictures(read_picture(render, SCENE) if render.is_file() else None, stimulus)


def _card(folder: Path) -> Path | None:
    """The model card that a run folder's configuration names."""
    try:
        return folder / read(folder / "config.yaml").plain()["model"]["card"]
    except (UserError, KeyError, TypeError):
        return None


def _needed(result: AnyRun) -> tuple[str, ...]:
    """The files of a run's folder that are there for certain, but for those that all have."""
    if isinstance(result, PixelResult):
        return ("stimulus.png",)
    if isinstance(result, DiverseResult):
        return ()
    return ("mesh.ply",) if isinstance(result, InverseResult) else ("stimulus.png", "mesh.ply")


def _mesh_files(folder: Path, result: AnyRun) -> dict[str, Path]:
    """What objects there are to be seen."""
    if isinstance(result, PixelResult):
        return {}
    if isinstance(result, DiverseResult):
        files = {f"scene {int(each.name) + 1}": each / "mesh.ply" for each in scene_folders(folder)}
        return {name: path for name, path in files.items() if path.is_file()}
    files = {"the final object": folder / "mesh.ply"}
    if isinstance(result, InverseResult):
        files["the true object"] = folder / "true_mesh.ply"
    if isinstance(result, MetamerResult):
        files["the reference"] = folder / "reference_mesh.ply"
    return {name: path for name, path in files.items() if path.name == "mesh.ply" or path.is_file()}


def _with_value(metrics: dict[str, np.ndarray], is_error: bool) -> dict[str, np.ndarray]:
    """The metrics, what was optimized under the name of activation, whatever the version that wrote them calls it."""
    if is_error and "activation" in metrics:
        metrics["activation"] = 0.0 - metrics["activation"]
    for name in ("error", "objective"):
        if name in metrics:
            metrics["activation"] = metrics.pop(name)
    return metrics


def _evaluations(folder: Path) -> tuple[Evaluated, ...]:
    paths = sorted(folder.glob("evaluation-*.json"))
    return tuple(Evaluated(path.name, read_result(path, EvaluationResult)) for path in paths)


def _view(objects: list[np.ndarray], camera: Any) -> Viewpoint | None:
    """From where all objects are seen, none of them cut off; what a camera says that is no number is unknown."""
    if not objects:
        return None
    known = {name: _finite(value) for name, value in camera.items()} if isinstance(camera, Mapping) else {}
    azimuth, elevation = known.get("azimuth") or 0.0, known.get("elevation") or 0.0
    return viewpoint(np.concatenate(objects), known.get("distance"), azimuth, elevation)


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) <= sys.float_info.max else None


def _stimuli(folder: Path, result: AnyRun, card: Path | None) -> Levels:
    """What the neurons saw; of several scenes nothing, for they have their own."""
    names = ["stimulus", "initial_stimulus", "pixel_stimulus"]
    if isinstance(result, (InverseResult, DiverseResult)):
        return Levels({})
    return read_levels(folder, names + ["reference_stimulus"] * isinstance(result, MetamerResult), card)


def _pictures(folder: Path, result: AnyRun, levels: Levels) -> dict[str, Picture]:
    names = ["render", "initial_render"]
    if isinstance(result, InverseResult):
        names = ["target", "initial_render", "render", "difference"]
    elif isinstance(result, MetamerResult):
        names += ["reference"]
    elif isinstance(result, DiverseResult):
        names = []  # its scenes have their own
    folders_found = {name: folder / f"{name}.png" for name in names if (folder / f"{name}.png").is_file()}
    pictures = {name: picture_of(levels.scale(grey), PICTURE) for name, grey in levels.of.items()}
    pictures |= {name: read_picture(path, PICTURE) for name, path in folders_found.items()}
    grey = levels.of.get("stimulus") if levels.known else None
    render = folder / "render.png"
    if isinstance(result, DiverseResult):
        render = folder / "scenes/0/render.png"
        first = folder / "scenes/0/stimulus.png"
        grey = read_pixels(first) if first.is_file() else None
    if grey is not None:
        pictures["stimulus_thumbnail"] = picture_of(DISPLAY(grey), THUMBNAIL, lossless=False)
    if render.is_file():
        pictures["render_thumbnail"] = read_picture(render, THUMBNAIL, lossless=False)
    return pictures


def _moments(folder: Path, result: AnyRun) -> list[tuple[str, Path, Path]]:
    """What each moment that the run kept is called, its render and what is beside it; the converged end is the last."""
    moments = []
    beside = "difference" if isinstance(result, InverseResult) else "stimulus"
    for render in sorted(folder.glob("frames/step-*-render.png")):
        stimulus_levels = render.with_name(render.name.replace("-render", f"-{beside}"))
        step = re.fullmatch(r"step-(\d+)-render\.png", render.name)
        if step and stimulus_levels.is_file():
            moments.append((f"step {int(step.group(1))}", render, stimulus_levels))
    stimulus_levels = "frames/final-difference.png" if isinstance(result, InverseResult) else "stimulus.png"
    last = folder / "render.png", folder / stimulus_levels
    if moments and all(path.is_file() for path in last):
        moments.append(("final, converged render", *last))
    return moments


def _frames(moments: Sequence[tuple[str, Path, Path]], beside: Sequence[np.ndarray], scale: GreyScale) -> list[Frame]:
    return [
        Frame(label, read_picture(render, FRAME, lossless=False), picture_of(scale(grey), FRAME, lossless=False))
        for (label, render, _), grey in zip(moments, beside)
    ]
