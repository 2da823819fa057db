"""A scene file made ready: everything between its free parameters and the activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import Config
from .errors import UserError
from .neurons.cards import NeuronModel, load_card
from .objectives import Activation
from .regularizers import Regularizers
from .render.backend import prepare
from .render.renderer import Renderer, build_renderer
from .scene.camera import Camera
from .scene.deformation import RBFDeformation
from .scene.lighting import EMITTERS, Lighting
from .scene.material import MATERIALS
from .scene.mesh import TEMPLATES
from .scene.pose import Pose
from .scene.scene import Scene
from .scene.state import SceneState
from .stimulus import Stimulus

__all__ = ["Experiment", "Look", "build_experiment", "build_scene", "check_files", "check_start"]


@dataclass(frozen=True)
class Look:
    """One look at a scene.

    Attributes
    ----------
    image : Tensor
        The render, (H, W, C).
    seen : Tensor
        The neurons' input, (1, channels, h, w).
    activation : Tensor
        The objective, scalar.
    """

    image: Tensor
    seen: Tensor
    activation: Tensor


@dataclass
class Experiment:
    """The chain from a scene to a neuron's activation.

    Attributes
    ----------
    scene : Scene
    renderer : Renderer
    stimulus : Stimulus
    model : NeuronModel
    objective : Activation
    regularizers : Regularizers
    variant : str
        Mitsuba's variant.
    """

    scene: Scene
    renderer: Renderer
    stimulus: Stimulus
    model: NeuronModel
    objective: Activation
    regularizers: Regularizers
    variant: str

    def look(self, state: SceneState, seed: int, spp: int | None = None) -> Look:
        """Render a scene and show it to the neurons."""
        image = self.renderer.render(state, seed, spp)
        seen = self.stimulus(image)
        return Look(image, seen, self.objective(self.model(seen)))

    def optimum(self) -> float | None:
        """The best activation that any image reaches under the stimulus' constraint, where it is known."""
        return self.model.optimum(self.objective.neurons, self.stimulus, self.objective.weights.tolist())


def _built(registry: Mapping, settings, **extra):
    """What a mapping of the scene file with a ``type`` describes."""
    return registry[settings.type](**settings.model_dump(exclude={"type"}), **extra)


def build_scene(config: Config, channels: int) -> Scene:
    """The scene of a scene file, in 1 or 3 channels. Free offsets start from small random ones, drawn from ``seed``."""
    template = _built(TEMPLATES, config.shape.template)
    generator = torch.Generator().manual_seed(config.seed) if "offsets" in config.shape.free else None
    shape = RBFDeformation(
        template.vertices, **config.shape.rbf.model_dump(), free=config.shape.free, generator=generator
    )
    return Scene(
        template,
        shape,
        Pose(**config.pose.model_dump()),
        Camera(**config.camera.model_dump()),
        Lighting([_built(EMITTERS, emitter) for emitter in config.lighting]),
        _built(MATERIALS, config.material),
        [config.background],
        channels,
    )


def check_files(config: Config) -> None:
    """Load what a scene file names (model, mesh, images) and build the scene, without rendering.

    Raises
    ------
    UserError
        For anything of it that cannot be used.
    """
    model = load_card(config.model.card)
    model.check_neurons(config.neurons)
    if any(getattr(light, "path", "").lower().endswith((".exr", ".hdr")) for light in config.lighting):
        prepare(config.render.variant, model.channels)
    build_scene(config, model.channels)


def build_experiment(config: Config) -> Experiment:
    """Load the model, choose the backend, build the scene and its renderer.

    Raises
    ------
    UserError
        For anything in the scene file or its files that cannot be used.
    """
    model = load_card(config.model.card)
    neurons = model.check_neurons(config.neurons)
    size = config.stimulus.size
    if size is not None and (size, size) != tuple(model.image_size):
        raise UserError(
            f"stimulus.size is {size}, but model '{model.name}' takes {model.image_size[1]} x {model.image_size[0]} "
            "pixels; leave it out"
        )
    constraint = {"norm": config.stimulus.norm, "contrast": config.stimulus.contrast, "clip": config.stimulus.clip}
    stimulus = Stimulus(
        model.image_size,
        model.channels,
        model.mean,
        model.std,
        **constraint,
        display_mean=0.5 if config.stimulus.mean is None else config.stimulus.mean,
        mask=None if config.stimulus.mask is None else config.stimulus.mask.model_dump(),
    )
    stimulus.check_resolution(config.render.resolution, config.render.resolution)
    variant = prepare(config.render.variant, model.channels)
    scene = build_scene(config, 1 if variant.endswith("mono") else 3)
    regularizers = Regularizers(scene.template, config.regularizers.model_dump())
    objective = Activation(neurons, config.objective.weights)
    device = "cuda" if variant.startswith("cuda") and torch.cuda.is_available() else "cpu"
    for module in (scene, stimulus, model.module, objective, regularizers):
        module.to(device)
    with torch.no_grad():
        renderer = build_renderer(config.render, scene())
    return Experiment(scene, renderer, stimulus, model, objective, regularizers, variant)


def check_start(experiment: Experiment, seed: int) -> None:
    """Say before the first step what would be in vain: nothing seen, nothing lit, a parameter that nothing moves.

    Raises
    ------
    UserError
        With one sentence for the first of these that is found.
    """
    scene = experiment.scene
    state = scene()
    depth = -state.vertices[:, 2].detach()
    place = state.vertices[:, :2].detach() / (depth * state.tan_half_fov.detach())[:, None]
    if not ((depth > 0) & (place.abs() < 1).all(dim=1)).any():
        raise UserError(
            "the object is outside the camera's view: none of its vertices falls on the image; "
            "change pose.translation, camera.distance or camera.fov"
        )
    if not (depth > 0).all():
        raise UserError("the camera stands inside or behind the object; increase camera.distance or reduce pose.scale")
    image = experiment.renderer.render(state, seed)
    if not _is_lit(experiment, state, seed):
        raise UserError(
            "no light reaches the part of the object that the camera sees; move a light, or add a constant one"
        )
    if experiment.stimulus.contrast_energy(image.detach()) == 0:
        raise UserError(
            "the image is uniform: the object cannot be told from the background; change background, lighting or "
            "material"
        )
    free = scene.free_parameters()
    if not free:
        return
    probe = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
    gradients = torch.autograd.grad((image * probe).sum(), list(free.values()), allow_unused=True)
    for name, gradient in zip(free, gradients):
        if gradient is None or not (gradient != 0).any():
            raise UserError(
                f"{name} is free, but the image does not depend on it here; freeze it, or change what hides its effect"
            )
    response = experiment.objective(experiment.model(experiment.stimulus(image.detach().requires_grad_())))
    if not response.requires_grad:
        raise UserError(
            f"model '{experiment.model.name}' gives responses without a gradient; its forward pass must not detach them"
        )


def _is_lit(experiment: Experiment, state: SceneState, seed: int) -> bool:
    """Whether the object, before a black background, is anything but black."""
    dark = SceneState(**{**vars(state), "background": torch.zeros_like(state.background)})
    with torch.no_grad():
        return bool((experiment.renderer.render(dark, seed) > 0).any())
