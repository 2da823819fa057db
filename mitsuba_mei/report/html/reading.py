"""A run folder, read into a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...config.trust import trust_option
from ...config.yaml.text import read
from ...errors import UserError
from ...io.files import without_home
from ...runs.read import check_version
from ..grey_scale import DISPLAY, GreyScale
from .aims import Aim, DiverseSet, Metamer, Recovered, read_aim, scene_folders
from .files import Figure, Said, read_json, read_mesh, read_metrics, read_text
from .mesh import Viewpoint, pack_mesh, viewpoint
from .pictures import Picture, picture_of, read_picture, read_pixels
from .places import Place
from .record import Evaluated, Frame, MeshFigures, Response, RunRecord, Second, Solid, Start
from .stimuli import Levels, read_levels
from .tuning import read_tunings

__all__ = ["read_run_folder"]

PICTURE, THUMBNAIL, FRAME = 320, 72, 160
"""The most pixels of a side."""

SAID = frozenset(
    """activation fraction_of_optimum ratio_to_pixel validation seconds steps seconds_per_step peak_memory_mb
    skipped_steps shortened_gradients mesh renderer variant seed optimum objective neurons responses against runs_code
    outside_display model ended reason restart restarts over_starts initial_scene pixel scene versions
    exposure""".split()
)
"""The keys of ``result.json`` that have a place of their own in a report; others are shown as they are."""

SAID_OF = {"image": {"error", "difference", "truth", "views"}, "metamer": {"metamer"}, "diverse": {"diverse"}}
"""The same of the objectives that have more to say."""

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
    result = read_json(folder / "result.json")
    check_version(folder, {"versions": result.raw("versions")})
    is_pixel = "mesh" not in result and isinstance(result.raw("activation"), (int, float))
    card = _card(folder)
    aim = None if is_pixel else read_aim(folder, result, card)
    for name in _needed(is_pixel, aim):
        if not any((folder / file).is_file() for file in (name, name.replace("stimulus.png", "stimulus.npy"))):
            raise UserError(f"{folder} is no whole run folder: there is no {name} in it")
    activation = result.part("activation")
    final = result.figure("activation") if is_pixel else activation.figure("final")
    if final is None:
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the final activation")
    meshes = {} if is_pixel else {name: read_mesh(path) for name, path in _mesh_files(folder, aim).items()}
    metrics = read_metrics(folder / "metrics.csv") if (folder / "metrics.csv").is_file() else {}
    # What was maximised is minus an error.
    turned = _minus if isinstance(aim, (Recovered, Metamer)) else lambda figure: figure
    metrics = _with_value(metrics, isinstance(aim, (Recovered, Metamer)))
    moments = _moments(folder, aim)
    beside = [read_pixels(seen) for *_, seen in moments]
    levels = _stimuli(folder, aim, card)
    differences = isinstance(aim, Recovered) or levels.differences
    levels = levels.also([] if differences else beside)
    pictures = _pictures(folder, aim, levels)
    known = SAID | (set() if aim is None else SAID_OF[result.text("objective")])
    kept = result.count("restart") or 0
    pixel = result.part("pixel").number("activation")
    return RunRecord(
        place=place,
        kind="pixel" if is_pixel else "3d",
        model=result.text("model") or "a model without a name",
        neurons=tuple(int(neuron) for neuron in result.numbers("neurons")),
        objective=result.text("objective") or "activation",
        initial=None if is_pixel else turned(activation.figure("initial")),
        initial_scene=result.text("initial_scene"),
        final=turned(final),
        optimum=result.number("optimum"),
        fraction=result.number("fraction_of_optimum"),
        pixel=pixel,
        ratio=result.figure("ratio_to_pixel"),
        validation=_second(result.part("validation")) if "validation" in result else None,
        responses=_responses(result, "responses"),
        against=_responses(result, "against"),
        runs_code=result.flag("runs_code") is True or bool(trust_option(folder)),
        starts=() if isinstance(aim, DiverseSet) else _starts(result, kept, is_pixel, turned),
        evaluations=_evaluations(folder),
        kept_start=kept,
        steps=result.count("steps"),
        seconds=result.number("seconds"),
        skipped=result.count("skipped_steps"),
        renderer=result.text("renderer"),
        variant=result.text("variant"),
        seed=result.count("seed"),
        ended=result.text("ended") or "done",
        reason=result.text("reason"),
        outside_display=result.number("outside_display"),
        quality=_quality(result.part("mesh")) if "mesh" in result else None,
        solids=tuple(Solid(name, pack_mesh(*mesh)) for name, mesh in meshes.items()),
        view=_view([mesh[0] for mesh in meshes.values()], result.part("scene").part("camera")),
        pictures=pictures,
        frames=tuple(_frames(moments, beside, DISPLAY if differences else levels.scale)),
        grey_scale=levels.caption if levels.of or moments else "",
        beside_is_difference=differences,
        exposure=result.number("exposure") or 1.0,
        metrics=metrics,
        tunings=read_tunings(folder),
        aim=aim,
        scene_file=without_home(read_text(folder / "config.yaml")),
        versions={name: said for name, said in result.part("versions").items() if isinstance(said, str)},
        further={key: value for key, value in result.items() if key not in known and value is not None},
    )


def _card(folder: Path) -> Path | None:
    """The model card that a run folder's configuration names."""
    try:
        return folder / read(folder / "config.yaml").plain()["model"]["card"]
    except (UserError, KeyError, TypeError):
        return None


def _needed(is_pixel: bool, aim: Aim | None) -> tuple[str, ...]:
    """What a run's folder has for certain, but for what all have."""
    if is_pixel:
        return ("stimulus.png",)
    if isinstance(aim, DiverseSet):
        return ()
    return ("mesh.ply",) if isinstance(aim, Recovered) else ("stimulus.png", "mesh.ply")


def _mesh_files(folder: Path, aim: Aim | None) -> dict[str, Path]:
    """What objects there are to be seen."""
    if isinstance(aim, DiverseSet):
        files = {f"scene {int(each.name) + 1}": each / "mesh.ply" for each in scene_folders(folder)}
        return {name: path for name, path in files.items() if path.is_file()}
    files = {"what was found": folder / "mesh.ply"}
    if isinstance(aim, Recovered):
        files["the true object"] = folder / "true_mesh.ply"
    if isinstance(aim, Metamer):
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


def _minus(figure: Figure | None) -> Figure | None:
    return None if figure is None or figure.mean is None else Figure(0.0 - figure.mean, figure.sem)


def _responses(result: Said, name: str) -> tuple[Response, ...]:
    return tuple(
        Response(each.count("neuron"), each.figure("initial"), each.figure("final")) for each in result.parts(name)
    )


def _second(said: Said) -> Second:
    activation = said.part("activation")
    alone = said.figure("activation")  # of a pixel MEI's folder
    return Second(
        model=said.text("model") or "a second model",
        initial=activation.figure("initial"),
        final=activation.figure("final") or alone,
        pixel=said.number("pixel"),
        ratio=said.figure("ratio_to_pixel"),
    )


def _starts(
    result: Said, kept: int, is_pixel: bool, turned: Callable[[Figure | None], Figure | None]
) -> tuple[Start, ...]:
    if is_pixel:
        ends = result.numbers("restarts")
        best = ends.index(max(ends)) if ends else 0
        return tuple(Start(i + 1, None, Figure(end), None, "done", i == best) for i, end in enumerate(ends))
    starts = []
    for position, each in enumerate(result.parts("restarts")):
        index, activation = each.count("restart"), each.part("activation")
        index = position if index is None else index
        figures = turned(activation.figure("initial")), turned(activation.figure("final"))
        starts.append(Start(index + 1, *figures, each.count("steps"), each.text("ended") or "done", index == kept))
    return tuple(starts)


def _evaluations(folder: Path) -> tuple[Evaluated, ...]:
    found = []
    for path in sorted(folder.glob("evaluation-*.json")):
        said = read_json(path)
        activation = said.part("activation")
        figures = activation.figure("initial"), activation.figure("final")
        found.append(Evaluated(path.name, said.text("renderer") or "", *figures))
    return tuple(found)


def _quality(said: Said) -> MeshFigures:
    watertight, given = said.raw("watertight"), said.part("input")
    closed, lines = given.raw("watertight"), given.raw("said")
    return MeshFigures(
        vertices=said.count("vertices"),
        faces=said.count("faces"),
        flipped=said.count("flipped_faces"),
        degenerate=said.count("degenerate_faces"),
        intersecting=said.count("intersecting_faces"),
        watertight=watertight if isinstance(watertight, bool) else None,
        smallest_angle=said.number("smallest_angle"),
        new_intersecting=said.count("new_intersecting_faces"),
        input_intersecting=given.count("intersecting_faces"),
        input_watertight=closed if isinstance(closed, bool) else None,
        input_said=tuple(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else (),
    )


def _view(objects: list[np.ndarray], camera: Said) -> Viewpoint | None:
    """From where all objects are seen, none of them cut off."""
    if not objects:
        return None
    azimuth, elevation = camera.number("azimuth") or 0.0, camera.number("elevation") or 0.0
    return viewpoint(np.concatenate(objects), camera.number("distance"), azimuth, elevation)


def _stimuli(folder: Path, aim: Aim | None, card: Path | None) -> Levels:
    """What the neurons saw; of several scenes nothing, for they have their own."""
    names = ["stimulus", "initial_stimulus", "pixel_stimulus"]
    if isinstance(aim, (Recovered, DiverseSet)):
        return Levels({})
    return read_levels(folder, names + ["reference_stimulus"] * isinstance(aim, Metamer), card)


def _pictures(folder: Path, aim: Aim | None, levels: Levels) -> dict[str, Picture]:
    names = ["render", "initial_render"]
    if isinstance(aim, Recovered):
        names = ["target", "initial_render", "render", "difference"]
    elif isinstance(aim, Metamer):
        names += ["reference"]
    elif isinstance(aim, DiverseSet):
        names = []  # its scenes have their own
    found = {name: folder / f"{name}.png" for name in names if (folder / f"{name}.png").is_file()}
    pictures = {name: picture_of(levels.scale(grey), PICTURE) for name, grey in levels.of.items()}
    pictures |= {name: read_picture(path, PICTURE) for name, path in found.items()}
    grey = levels.of.get("stimulus") if levels.known else None
    render = folder / "render.png"
    if isinstance(aim, DiverseSet):
        render = folder / "scenes/0/render.png"
        first = folder / "scenes/0/stimulus.png"
        grey = read_pixels(first) if first.is_file() else None
    if grey is not None:
        pictures["stimulus_thumbnail"] = picture_of(DISPLAY(grey), THUMBNAIL, lossless=False)
    if render.is_file():
        pictures["render_thumbnail"] = read_picture(render, THUMBNAIL, lossless=False)
    return pictures


def _moments(folder: Path, aim: Aim | None) -> list[tuple[str, Path, Path]]:
    """What each moment that the run kept is called, its render and what is beside it; the converged end is the last."""
    moments = []
    beside = "difference" if isinstance(aim, Recovered) else "stimulus"
    for render in sorted(folder.glob("frames/step-*-render.png")):
        seen = render.with_name(render.name.replace("-render", f"-{beside}"))
        step = re.fullmatch(r"step-(\d+)-render\.png", render.name)
        if step and seen.is_file():
            moments.append((f"step {int(step.group(1))}", render, seen))
    seen = "frames/final-difference.png" if isinstance(aim, Recovered) else "stimulus.png"
    last = folder / "render.png", folder / seen
    if moments and all(path.is_file() for path in last):
        moments.append(("final, converged render", *last))
    return moments


def _frames(moments: Sequence[tuple[str, Path, Path]], beside: Sequence[np.ndarray], scale: GreyScale) -> list[Frame]:
    return [
        Frame(label, read_picture(render, FRAME, lossless=False), picture_of(scale(grey), FRAME, lossless=False))
        for (label, render, _), grey in zip(moments, beside)
    ]
