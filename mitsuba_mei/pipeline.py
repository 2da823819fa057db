"""A scene file made ready: everything between its free parameters and the activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch

from .config.functions import HeldFunction, held_function
from .config.groups import SceneSettings
from .config.load import Config
from .config.objective import Objective
from .config.scene import Shape
from .config.sections import MAX_RESTARTS
from .errors import UserError
from .geometry.mesh import TEMPLATES, TriangleMesh
from .neurons.observer import Observation, Observer, build_observer
from .neurons.receptive_field import find_receptive_field, place_on
from .regularizers import Regularizers
from .render.memory import check_memory
from .render.renderer import Renderer, build_renderer, prepare_backend
from .scene.camera import Camera
from .scene.deformation import RBFDeformation
from .scene.emitters import EMITTERS, Lighting
from .scene.initial import FILE, RANDOM
from .scene.material import MATERIALS
from .scene.pose import Pose
from .scene.scene import Scene
from .scene.state import SceneState, check_in_frustum

__all__ = [
    "Pipeline",
    "build_pipeline",
    "build_scene",
    "build_template",
    "check_files",
    "each_start",
    "restarted",
]

START_STD, RESTART_STD = 0.02, 0.06
"""Root mean square of the random displacement that the first optimization, and every other one, begins with; object
units. That of the first breaks the object's symmetry, and is no part of the scene that the file says.
"""

DRAWS = 20
"""How often another start is drawn before none is found that can be seen."""


@dataclass
class Pipeline:
    """The chain from a scene to a neuron's activation.

    Attributes
    ----------
    scene : Scene
    renderer : Renderer
    observer : Observer
    regularizers : Regularizers
    variant : str
        What the renderer computes with (:class:`~mitsuba_mei.render.renderer.Backend`).
    cameras : tuple of Camera
        From where the scene is seen; where there are none, by its own camera.
    penalties : tuple of HeldFunction
        Functions of the scene's state that are added to the loss.
    begins : str
        What its initial scene is, as :mod:`~mitsuba_mei.scene.initial` has it.
    """

    scene: Scene
    renderer: Renderer
    observer: Observer
    regularizers: Regularizers
    variant: str
    cameras: tuple[Camera, ...] = ()
    penalties: tuple[HeldFunction, ...] = ()
    begins: str = FILE

    def render(self, seed: int, spp: int | None = None, shape: torch.Tensor | None = None) -> torch.Tensor:
        """The scene's image (H, W, C); what several cameras see lies side by side, (H, V W, C).

        Parameters
        ----------
        seed, spp : int
            As for the renderer.
        shape : Tensor, optional
            Deformed vertices, where they are known already.
        """
        if not self.cameras:
            return self.renderer.render(self.scene(shape), seed, spp)
        return torch.cat(tuple(self.renderer.render_batch(self.states(shape), seed, spp)), dim=1)

    def states(self, shape: torch.Tensor | None = None) -> list[SceneState]:
        """The scene as each camera sees it."""
        shape = self.scene.shape() if shape is None else shape
        return [self.scene(shape, camera) for camera in self.cameras or (None,)]

    def regularization(self, shape: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The unweighted regularizers and penalties of deformed vertices by name, and their weighted sum."""
        terms = self.regularizers(shape)
        cost = self.regularizers.total(terms)
        if self.penalties:
            state = self.scene(shape)
            penalties = dict(zip(_labels(self.penalties), (_penalty(held, state) for held in self.penalties)))
            terms, cost = terms | penalties, cost + sum(penalties.values())
        return terms, cost

    def observe(self, seed: int, spp: int | None = None, shape: torch.Tensor | None = None) -> Observation:
        """Render the scene and show it to the neurons."""
        return self.observer.observe(self.render(seed, spp, shape))


def _labels(penalties: tuple[HeldFunction, ...]) -> list[str]:
    """Their functions' own names; the names that they are held under where those are not of one each."""
    full = [held.name.rpartition(".")[2] for held in penalties]
    short = [getattr(held.function, "__name__", name) for held, name in zip(penalties, full)]
    return short if len({*short}) == len(short) else full


def _penalty(held: HeldFunction, state: SceneState) -> torch.Tensor:
    """A penalty's value.

    Raises
    ------
    UserError
        If it is no scalar, or has no path of gradients to the scene.
    """
    value = held.function(state)
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.is_floating_point():
        raise UserError(f"the penalty {held.name} returns no scalar; return a tensor of one real number")
    if torch.is_grad_enabled() and not value.requires_grad:
        raise UserError(
            f"the penalty {held.name} does not depend on what is free of the scene; compute it with torch from the "
            "state's tensors, as state.vertices"
        )
    return value.reshape(())


def _built(registry: Mapping, settings, **extra):
    """Build the object of a mapping with a ``type``."""
    return registry[settings.type](**settings.model_dump(exclude={"type"}), **extra)


def build_template(shape: Shape) -> TriangleMesh:
    """The mesh that a scene file deforms, as it is before."""
    return _built(TEMPLATES, shape.template)


def build_scene(settings: SceneSettings, channels: int, observer: Observer | None = None, restart: int = 0) -> Scene:
    """The scene of a scene file, in 1 or 3 channels.

    Parameters
    ----------
    settings : SceneSettings
    channels : int
    observer : Observer, optional
        On whose receptive field the object is put, where ``placement.on`` says so.
    restart : int
        Free offsets are displaced by small random ones, drawn from the seed, which
        :meth:`~mitsuba_mei.scene.deformation.RBFDeformation.undisplaced` takes away: the scene as the file says it.
        Every restart from 1 on draws others, larger ones, and another start of what is free of the pose.
    """
    template = build_template(settings.shape)
    generator = _generator(settings.seed, restart)
    shape = RBFDeformation(template.vertices, **settings.shape.rbf.model_dump(), free=settings.shape.free)
    if settings.shape.random is not None:
        shape.initialize(settings.shape.random.size, torch.Generator().manual_seed(settings.shape.random.seed))
    if "offsets" in settings.shape.free:
        if restart == 0:
            shape.displace(START_STD, generator)
        else:
            shape.initialize(RESTART_STD, generator)
    camera = Camera(**settings.camera.model_dump())
    pose = settings.pose.model_dump()
    if settings.placement.on is not None and observer is not None:
        field = find_receptive_field(observer, settings.seed)
        extent = template.vertices.norm(dim=1).max().item()
        pose |= place_on(field, camera, extent, settings.placement.size)
    if restart:
        pose |= _elsewhere(pose, camera, generator)
    return Scene(
        template,
        shape,
        Pose(**pose),
        camera,
        Lighting([_built(EMITTERS, emitter) for emitter in settings.lighting]),
        _built(MATERIALS, settings.material),
        [settings.background],
        channels,
    )


def _generator(seed: int, restart: int) -> torch.Generator:
    """Random generator of a start: the seed's own for the first, an independent one for every other."""
    if restart == 0:
        return torch.Generator().manual_seed(seed)
    # torch looks at 32 bits of a seed alone.
    return torch.Generator().manual_seed(int(np.random.SeedSequence((seed, restart)).generate_state(1)[0]))


def _elsewhere(pose: dict, camera: Camera, generator: torch.Generator) -> dict:
    """Another start of what is free of a pose: any rotation, about a quarter of its radius aside in the image, larger
    or smaller.
    """
    rotation = roma.random_rotmat(generator=generator, dtype=torch.float64)
    aside, wider = torch.randn(2, generator=generator), torch.randn((), generator=generator).item()
    with torch.no_grad():
        moved = 0.25 * pose["scale"] * aside @ camera.rotation_matrix()[:2]
    values = {
        "rotation": roma.rotmat_to_euler("xyz", rotation, degrees=True).tolist(),
        "scale": pose["scale"] * math.exp(0.25 * wider),
    }
    values["translation"] = [start + step for start, step in zip(pose["translation"], moved.tolist())]
    return {name: value for name, value in values.items() if name in pose["free"]}


def check_files(config: Config, on_message: Callable[[str], None] = lambda text: None) -> Scene:
    """Load what a scene file names (models, mesh, images) and build the scene, without rendering; gives the scene.

    Raises
    ------
    UserError
        For anything of it that cannot be used.
    """
    observer = build_observer(config.observer, on_message)
    _check_resolution(config.objective, config.render.resolution, observer)
    if any(getattr(light, "path", "").lower().endswith((".exr", ".hdr")) for light in config.lighting):
        prepare_backend(config.render, observer.model.channels)
    scene = build_scene(config.scene, observer.model.channels, observer)
    _tell_of_pictures(scene, on_message)
    return scene


def _tell_of_pictures(scene: Scene, on_message: Callable[[str], None]) -> None:
    """Report omissions and conversions of the pictures that light the scene."""
    for emitter in scene.lighting.emitters:
        for note in getattr(emitter, "notes", ()):
            on_message(note)


def _check_resolution(objective: Objective, resolution: int, observer: Observer) -> None:
    """Raise UserError where the model would see a render of fewer pixels than it takes."""
    if objective.type != "image" or objective.error == "responses":
        observer.stimulus.check_resolution(resolution, resolution)


def build_pipeline(config: Config, on_message: Callable[[str], None] = lambda text: None) -> Pipeline:
    """Load the model, choose the backend, build the scene and its renderer; downloads are told of.

    Raises
    ------
    UserError
        For anything in the scene file or its files that cannot be used.
    """
    observer = build_observer(config.observer, on_message)
    _check_resolution(config.objective, config.render.resolution, observer)
    backend = prepare_backend(config.render, observer.model.channels, config.deterministic)
    if config.render.type == "path" and backend.device == "cpu":
        check_memory(config.render, backend.channels)
    observer.to(backend.device)
    scene = build_scene(config.scene, backend.channels, observer).to(backend.device)
    _tell_of_pictures(scene, on_message)
    regularizers = Regularizers(scene.template, config.regularizers.model_dump()).to(backend.device)
    with torch.no_grad():
        renderer = build_renderer(config.render, scene())
    renderer.own_threads |= config.deterministic  # so that torch computes with one
    penalties = tuple(held_function(name, "penalties") for name in config.penalties)
    pipeline = Pipeline(scene, renderer, observer, regularizers, backend.name, penalties=penalties)
    if penalties:  # what they return is checked before the first step
        pipeline.regularization(scene.shape())
    return pipeline


def restarted(pipeline: Pipeline, settings: SceneSettings, restart: int) -> Pipeline:
    """The experiment from another start; everything but the scene is shared.

    Raises
    ------
    UserError
        If no start was found at which the object is in view.
    """
    for draw in range(DRAWS):
        scene = build_scene(settings, pipeline.scene.channels, pipeline.observer, restart + draw * MAX_RESTARTS)
        scene = scene.to(pipeline.scene.background.device)
        try:
            check_in_frustum(scene())
        except UserError:
            if draw == DRAWS - 1:
                raise
            continue
        return replace(pipeline, scene=scene, begins=RANDOM if restart else FILE)


def each_start(pipeline: Pipeline, settings: SceneSettings, count: int) -> Iterator[Pipeline]:
    """The experiment at each of so many starts, one after the other; the first is its own."""
    yield pipeline
    for restart in range(1, count):
        yield restarted(pipeline, settings, restart)
