"""A run folder, read into a record."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..finished_run import check_version
from .files import Figure, Said, read_json, read_mesh, read_metrics, read_text
from .mesh_data import Viewpoint, pack_mesh, viewpoint
from .pictures import Picture, read_picture
from .places import Place
from .record import Evaluated, Frame, MeshFigures, Response, RunRecord, Second, Start
from .tuning import read_tunings

__all__ = ["read_run_folder"]

PICTURE, THUMBNAIL, FRAME = 320, 72, 160
"""The most pixels of a side."""

SAID = frozenset(
    """activation fraction_of_optimum ratio_to_pixel validation seconds steps seconds_per_step peak_memory_mb
    skipped_steps shortened_gradients mesh renderer variant seed optimum objective neurons responses outside_display
    model ended restart restarts pixel scene versions""".split()
)
"""The keys of ``result.json`` that have a place of their own in a report; others are shown as they are."""

NEEDED = ("result.json", "config.yaml", "stimulus.png")


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
    check_version(folder, result.part("versions").text("mitsuba_mei"))
    is_pixel = "mesh" not in result and isinstance(result.raw("activation"), (int, float))
    if not is_pixel and not (folder / "mesh.ply").is_file():
        raise UserError(f"{folder} is no whole run folder: there is no mesh.ply in it")
    activation = result.part("activation")
    final = result.figure("activation") if is_pixel else activation.figure("final")
    if final is None:
        raise UserError(f"{folder / 'result.json'} is damaged: it does not say the final activation")
    vertices, faces = (None, None) if is_pixel else read_mesh(folder / "mesh.ply")
    metrics = read_metrics(folder / "metrics.csv") if (folder / "metrics.csv").is_file() else {}
    pictures = _pictures(folder)
    kept = result.count("restart") or 0
    pixel = result.part("pixel").number("activation")
    return RunRecord(
        place=place,
        kind="pixel" if is_pixel else "3d",
        model=result.text("model") or "a model without a name",
        neurons=tuple(int(neuron) for neuron in result.numbers("neurons")),
        objective=result.text("objective") or "activation",
        initial=None if is_pixel else activation.figure("initial"),
        final=final,
        optimum=result.number("optimum"),
        fraction=result.number("fraction_of_optimum"),
        pixel=pixel,
        ratio=result.figure("ratio_to_pixel"),
        validation=_second(result.part("validation")) if "validation" in result else None,
        responses=tuple(
            Response(each.count("neuron"), each.figure("initial"), each.figure("final"))
            for each in result.parts("responses")
        ),
        starts=_starts(result, kept, is_pixel),
        evaluations=_evaluations(folder),
        kept_start=kept,
        steps=result.count("steps"),
        seconds=result.number("seconds"),
        skipped=result.count("skipped_steps"),
        renderer=result.text("renderer"),
        variant=result.text("variant"),
        seed=result.count("seed"),
        ended=result.text("ended") or "done",
        outside_display=result.number("outside_display"),
        quality=_quality(result.part("mesh")) if "mesh" in result else None,
        mesh=None if vertices is None else pack_mesh(vertices, faces),
        view=None if vertices is None else _view(vertices, result.part("scene").part("camera")),
        pictures=pictures,
        frames=_frames(folder),
        metrics=metrics,
        tunings=read_tunings(folder),
        scene_file=read_text(folder / "config.yaml"),
        versions={name: said for name, said in result.part("versions").items() if isinstance(said, str)},
        further={key: value for key, value in result.items() if key not in SAID and value is not None},
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


def _starts(result: Said, kept: int, is_pixel: bool) -> tuple[Start, ...]:
    if is_pixel:
        ends = result.numbers("restarts")
        best = ends.index(max(ends)) if ends else 0
        return tuple(Start(i + 1, None, Figure(end), None, "done", i == best) for i, end in enumerate(ends))
    starts = []
    for position, each in enumerate(result.parts("restarts")):
        index, activation = each.count("restart"), each.part("activation")
        index = position if index is None else index
        figures = activation.figure("initial"), activation.figure("final")
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
    watertight = said.raw("watertight")
    return MeshFigures(
        vertices=said.count("vertices"),
        faces=said.count("faces"),
        flipped=said.count("flipped_faces"),
        degenerate=said.count("degenerate_faces"),
        intersecting=said.count("intersecting_faces"),
        watertight=watertight if isinstance(watertight, bool) else None,
        smallest_angle=said.number("smallest_angle"),
    )


def _view(vertices: np.ndarray, camera: Said) -> Viewpoint:
    azimuth, elevation = camera.number("azimuth") or 0.0, camera.number("elevation") or 0.0
    return viewpoint(vertices, camera.number("distance"), azimuth, elevation)


def _pictures(folder: Path) -> dict[str, Picture]:
    names = ("stimulus", "initial_stimulus", "pixel_stimulus", "render", "initial_render")
    found = {name: folder / f"{name}.png" for name in names if (folder / f"{name}.png").is_file()}
    pictures = {name: read_picture(path, PICTURE) for name, path in found.items()}
    for name in ("stimulus", "render"):
        if name in found:
            pictures[f"{name}_thumbnail"] = read_picture(found[name], THUMBNAIL, lossless=False)
    return pictures


def _frames(folder: Path) -> tuple[Frame, ...]:
    """The moments that the run kept, and the converged end."""
    frames = []
    for render in sorted(folder.glob("frames/step-*-render.png")):
        seen = render.with_name(render.name.replace("-render", "-stimulus"))
        step = re.fullmatch(r"step-(\d+)-render\.png", render.name)
        if step and seen.is_file():
            pair = [read_picture(path, FRAME, lossless=False) for path in (render, seen)]
            frames.append(Frame(f"step {int(step.group(1))}", *pair))
    last = [folder / "render.png", folder / "stimulus.png"]
    if frames and all(path.is_file() for path in last):
        pair = [read_picture(path, FRAME, lossless=False) for path in last]
        frames.append(Frame("final, converged render", *pair))
    return tuple(frames)
