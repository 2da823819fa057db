"""What a finished run ended with, as a scene for a modelling program."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import UserError, about
from ..experiment import build_scene
from ..export.gltf import gltf_of, left_out, write_glb
from ..finished_run import read_run
from ..parameters import parameters_of, set_parameters
from ..picture_files.bitmaps import prepare_files
from ..run_folder import RunFolder
from ..variants import frozen
from .session import RunResult

__all__ = ["export_scene"]

CHANNELS = 3


def export_scene(folder: Path, out: Path) -> RunResult:
    """Write ``scene.glb``: object, camera, lights and material of what a run ended with.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    out : Path
        The folder, a new one.

    Raises
    ------
    UserError
        For anything that the user can mend; nothing is written then.
    """
    run = read_run(folder, command="export --for blender", also=("metamer", "image", "diverse"))
    if run.config.objective.type == "diverse":
        raise UserError(f"{folder} holds several scenes; the object of each is in scenes/<number>/mesh.glb")
    prepare_files()
    with about(folder / "config.yaml"):
        scene = build_scene(frozen(run.config), CHANNELS)
    set_parameters(scene, run.parameters(parameters_of(scene))[1])
    with torch.no_grad():
        if not torch.isfinite(scene().vertices).all():
            raise UserError(f"{folder}: its parameters make no object; they may be damaged")
    gltf, data = gltf_of(scene, [light.model_dump(exclude={"free"}) for light in run.config.lighting])
    written = RunFolder(out)
    written.write("scene.glb", lambda path: write_glb(path, gltf, data))
    return RunResult(written.path, {"left_out": left_out(scene)})
