"""What is to be recovered: target images, from files or from a scene whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config.load import load_config
from ..config.objective import Objective, View
from ..config.scene import Camera as CameraSettings
from ..config.sections import Render
from ..errors import UserError, about
from ..geometry.input_flaws import input_sentences
from ..io.images import read_image
from ..neurons.observer import build_observer
from ..pipeline import build_scene
from ..render.renderer import build_renderer, prepare_backend
from ..scene.camera import Camera
from ..scene.color import to_channels
from ..scene.parameters import get_parameters, read_parameters, set_parameters
from ..scene.scene import Scene

__all__ = ["TargetImages", "cameras_of", "check_targets", "target_images"]

SEED = 2**61
"""Renders of a target share no seed with any other."""


@dataclass(frozen=True)
class TargetImages:
    """Target images.

    Attributes
    ----------
    images : Tensor
        (H, V W, C) linear radiance, one view beside the other.
    truth : Scene or None
        Where they come from a scene, that scene.
    """

    images: Tensor
    truth: Scene | None = None


def cameras_of(views: Sequence[View], camera: CameraSettings) -> tuple[Camera, ...]:
    """The cameras of an image objective's views; none where the scene's own is the only one."""
    own = camera.model_dump(exclude={"free"})
    placed = [view.model_dump(exclude={"target"}, exclude_none=True) for view in views]
    if not any(placed) and len(views) == 1:
        return ()
    return tuple(Camera(**(own | there)) for there in placed)


def target_images(
    name: str | None,
    own: Sequence[str | None],
    render: Render,
    channels: int,
    cameras: Sequence[Camera] = (),
    on_message: Callable[[str], None] = lambda text: None,
    trust_code: bool = False,
) -> TargetImages:
    """Read or render the target.

    A scene is rendered as its own file says, at this run's resolution and variant, with as many samples as its
    converged evaluation has. A finished run's ``config.yaml`` stands for what the run ended with.

    Parameters
    ----------
    name : str or None
        A scene file (``.yaml``), or an image of the only view.
    own : sequence of str or None
        An image of every view, where there is no ``name``.
    render : Render
        Of this run.
    channels : int
        1 or 3.
    cameras : sequence of Camera
        From where; none for the scene's own camera, which is then the target scene's own too.

    Raises
    ------
    UserError
        For files that cannot be used, images of another size, or as many images as there are not views.
    """
    if name is not None and _is_scene(name):
        return _of_scene(Path(name), render, channels, cameras, on_message, trust_code)
    views = max(1, len(cameras))
    if name is not None and views > 1:
        raise UserError(f"objective.target is one image, and there are {views} views; give each view its own target")
    files = [name] if name is not None else own
    return TargetImages(
        torch.cat([_of_file(Path(file), render.resolution, channels, on_message) for file in files], dim=1)
    )


def check_targets(
    objective: Objective,
    render: Render,
    trust_code: bool = False,
    on_message: Callable[[str], None] = lambda text: None,
) -> None:
    """Read what a scene file's objective names, without rendering.

    Raises
    ------
    UserError
        For files that cannot be used.
    """
    names = [objective.reference] if objective.type == "metamer" else []
    if objective.type == "image":
        names = [objective.target, *(view.target for view in objective.views)]
    for name in filter(None, names):
        if _is_scene(name):
            load_config(Path(name), rendered=False, trust_code=trust_code)
            continue
        if Path(name).suffix.lower() != ".png":
            prepare_backend(render, 1)
        _of_file(Path(name), render.resolution, 1, on_message)


def _is_scene(name: str) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def _of_file(path: Path, resolution: int, channels: int, on_message: Callable[[str], None]) -> Tensor:
    image = torch.from_numpy(read_image(path, "target", on_message))
    height, width = image.shape[:2]
    if (height, width) != (resolution, resolution):
        raise UserError(
            f"target image {path} has {width} x {height} pixels, and render.resolution is {resolution}; both must "
            "be the same, and the image square"
        )
    return to_channels(image, channels)


@torch.no_grad()
def _of_scene(
    path: Path,
    render: Render,
    channels: int,
    cameras: Sequence[Camera],
    on_message: Callable[[str], None],
    trust_code: bool,
) -> TargetImages:
    theirs = load_config(path, rendered=False, trust_code=trust_code).with_free(())
    with about(path):
        observer = build_observer(theirs.observer, on_message) if theirs.placement.on is not None else None
        scene = build_scene(theirs.scene, channels, observer)
        for sentence in input_sentences(scene.template):
            on_message(f"mesh of {path}: {sentence}")
        result = path.parent / "parameters.npz"
        if path.name == "config.yaml" and result.is_file():
            set_parameters(scene, read_parameters(result, get_parameters(scene)))
        own = render.model_dump(include={"resolution", "variant"})
        settings = theirs.render.model_copy(update=own)
        prepare_backend(settings, channels)
        renderer = build_renderer(settings, scene())
        states = [scene(camera=camera) for camera in cameras] or [scene()]
        repeats = theirs.evaluate.repeats if renderer.noisy else 1
        images = [renderer.render_batch(states, SEED + i, theirs.evaluate.spp) for i in range(repeats)]
    return TargetImages(torch.cat(tuple(torch.stack(images).mean(0)), dim=1), scene)
