"""What inverse rendering leaves in its folder, and how near it came to the truth where that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import trimesh
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from ..config import Config, free_parameters
from ..evaluate import Mean
from ..experiment import Experiment, build_scene
from ..images import exposure, to_srgb, write_exr, write_png
from ..over_starts import describe_spread
from ..parameter_difference import parameter_at, parameter_difference
from ..parameters import parameters_of, set_parameters
from ..report import displayed
from ..report_recovery import LEAST, Recovery, signed_difference, write_recovery
from ..run_folder import RunFolder
from ..scene.scene import Scene
from ..sentences_inverse import describe_truth
from ..surface_distance import surface_distance
from ..variants import frozen
from ..views import portrait
from .leavings import over_starts, run_facts, write_course, write_object, write_result
from .record import frame, posed_mesh
from .starts import Optimised

__all__ = ["distance_to_truth", "leave_recovered"]


def leave_recovered(folder: RunFolder, config: Config, done: Optimised, truth: Scene | None) -> dict[str, Any]:
    """Write everything; gives what ``result.json`` says."""
    best = done.best
    experiment = best.experiment
    result = {
        "activation": {"initial": best.before.as_dict(), "final": done.final.as_dict()},
        "error": {
            "kind": config.objective.error,
            "initial": _positive(best.before),
            "final": _positive(done.final),
        },
        "difference": _difference(experiment, done),
        "truth": None if truth is None else distance_to_truth(config, experiment.scene, best.start, truth),
        **run_facts(config, experiment, done.trials, done.ended, done.reason),
        "initial_scene": done.best.experiment.begins,
        "over_starts": over_starts(done, config),
        "neurons": None if config.named_neurons is None else list(config.named_neurons),
        "restart": best.index,
        "views": experiment.viewer.views,
    }
    _write_pictures(folder, config, done, result)
    write_object(folder, best)
    if truth is not None:
        folder.write("true_mesh.ply", lambda path: posed_mesh(truth).export(path, file_type="ply"))
    write_result(folder, config, result)
    return result


def _difference(experiment: Experiment, done: Optimised) -> dict[str, Any]:
    """How large the largest difference of a pixel from the target's is: the ends of ``difference.png``'s colours."""
    left = done.final.image.to(experiment.viewer.target) - experiment.viewer.target
    return {"reach": max(left.mean(dim=-1).abs().max().item(), LEAST), "unit": "radiance"}


def _positive(estimate: Mean) -> dict[str, float]:
    return {"mean": -estimate.mean, "sem": estimate.sem}


@torch.no_grad()
def distance_to_truth(
    config: Config, scene: Scene, start: Mapping[str, np.ndarray], truth: Scene
) -> dict[str, dict[str, Any] | None]:
    """How far a recovered scene, and the one that it started from, lie from the truth.

    Parameters
    ----------
    config : Config
        Of the scene.
    scene : Scene
        As it ended.
    start : mapping of str to ndarray
        Its parameters at first.
    truth : Scene

    Returns
    -------
    dict
        ``surface``, None where the shape is frozen: the ``diameter`` of the true surface (scene units), the distances
        of the surfaces as they stand in the scene, ``initial`` and ``final``
        (:class:`~mitsuba_mei.surface_distance.SurfaceDistance`), and the final one after ``alignment``; each with its
        mean ``of_diameter``. ``parameters``, of each that is free and that the true scene has: ``true``, ``initial``
        and ``final`` values as a scene file says them, and how far the latter two are ``off``, in ``unit``.
    """
    copy = build_scene(frozen(config), scene.channels)
    stages = {}
    for when, values in {"initial": start, "final": parameters_of(scene)}.items():
        set_parameters(copy, values)
        stages[when] = posed_mesh(copy), copy.in_file_units()
    free = list(scene.free_parameters())
    meshes = {when: mesh for when, (mesh, _) in stages.items()}
    surface = _surface(meshes, posed_mesh(truth)) if any(name.startswith("shape.") for name in free) else None
    said = {when: values for when, (_, values) in stages.items()} | {"true": truth.in_file_units()}
    others = [name for name in free if not name.startswith("shape.")]
    found = {name: _off({when: _at(values, name) for when, values in said.items()}, name) for name in others}
    return {"surface": surface, "parameters": {name: value for name, value in found.items() if value is not None}}


def _surface(found: Mapping[str, trimesh.Trimesh], true: trimesh.Trimesh) -> dict[str, Any]:
    diameter = float(pdist(true.vertices[ConvexHull(true.vertices).vertices]).max())
    distances = {when: surface_distance(mesh, true, aligned=False) for when, mesh in found.items()}
    distances["alignment"] = surface_distance(found["final"], true)
    said = {when: asdict(each) | {"of_diameter": each.mean / diameter} for when, each in distances.items()}
    return {"diameter": diameter, **said}


def _at(values: dict[str, Any], name: str) -> Any:
    try:
        return parameter_at(values, name)
    except (KeyError, IndexError):
        return None


def _off(values: dict[str, Any], name: str) -> dict[str, Any] | None:
    """How far a parameter was and is from the truth; None where the true scene has no such parameter."""
    if values["true"] is None or np.shape(values["true"]) != np.shape(values["final"]):
        return None
    off = {when: parameter_difference(name, values["true"], values[when]) for when in ("initial", "final")}
    return {**values, "off": {when: each.value for when, each in off.items()}, "unit": off["final"].unit}


def _write_pictures(folder: RunFolder, config: Config, done: Optimised, result: dict[str, Any]) -> None:
    experiment = done.best.experiment
    first, last = (frame(experiment, estimate.image) for estimate in (done.best.before, done.final))
    with torch.no_grad():
        state = experiment.scene()
        vertices = experiment.scene.pose(experiment.scene.shape())
        portraits = [portrait(experiment.renderer, vertices, state, azimuth) for azimuth in (-60, 0, 60)]
    target = experiment.viewer.target.cpu().numpy()
    images = {"target": target, "initial": first[0], "final": last[0]}
    folder.write("target.exr", lambda path: write_exr(path, target))
    folder.write("render.exr", lambda path: write_exr(path, last[0]))
    factor = exposure(target)  # for all three, which are to be compared
    for name, image in zip(("target", "initial_render", "render"), images.values()):
        folder.write(f"{name}.png", lambda path: write_png(path, to_srgb(image * factor)))
    left = signed_difference(last[0] - target, result["difference"]["reach"])
    folder.write("difference.png", lambda path: write_png(path, left))
    folder.write("frames/final-difference.png", lambda path: write_png(path, displayed(last[1])))
    views = experiment.viewer.views
    what = ", ".join(free_parameters(config)) or "nothing free"
    recovery = Recovery(
        title=f"{what}: {result['error']['kind']} error {_said(result['error']['final'])}",
        views={name: np.split(image, views, axis=1) for name, image in images.items()},
        portraits=portraits,
        errors=[-value for value in done.best.record.history["activation"]],
        initial=(-done.best.before.mean, done.best.before.sem),
        final=(-done.final.mean, done.final.sem),
        truth=[*describe_spread(result["over_starts"]), *describe_truth(result["truth"])],
    )
    folder.write("summary.png", lambda path: write_recovery(path, recovery))
    write_course(folder, done.best.record, last, "difference")


def _said(error: Mapping[str, float]) -> str:
    return f"{error['mean']:.3g}" + (f" (render s.e. {error['sem']:.1g})" if error["sem"] else "")
