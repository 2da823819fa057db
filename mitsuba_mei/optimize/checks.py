"""Checks before the first step and while a scene is optimized."""

from __future__ import annotations

import torch

from ..errors import UserError
from ..geometry.quality import flipped_faces
from ..pipeline import Pipeline
from ..scene.state import SceneState, check_in_frustum

__all__ = ["FOLDED", "FailureMonitor", "check_start", "without_effect"]


def check_start(pipeline: Pipeline, seed: int, alone: bool = True, searched: bool = False) -> None:
    """Say before the first step what would be in vain: nothing seen, nothing lit, a parameter that nothing moves.

    Where it is ``alone``, without restarts that could do better, also that the neurons are silent. Where turns and
    directions are ``searched`` first, what these could mend is let through.

    Raises
    ------
    UserError
        With one sentence for the first of these that is found.
    """
    scene = pipeline.scene
    states = pipeline.states()
    for state in states:
        check_in_frustum(state)
    image = pipeline.render(seed)
    if not torch.isfinite(image).all():
        image = pipeline.render(seed + 1)  # a single sample may be to blame
    if not torch.isfinite(image).all():
        raise UserError(
            "the first render has values that are not finite; look for extreme numbers in lighting, material and camera"
        )
    elsewhere = scene.rotation_parameters() if searched else {}
    turned_on = any(name.startswith("lighting.") for name in elsewhere)
    if not turned_on and not any(_is_lit(pipeline, state, seed) for state in states):
        raise UserError(
            "no light reaches the part of the object that the camera sees; move a light, or add a constant one"
        )
    if not turned_on and not pipeline.observer.is_visible(image.detach()):
        raise UserError(
            "the image is uniform: the object cannot be told from the background; change background, lighting or "
            "material"
        )
    if not scene.free_parameters():
        return
    for name in _without_effect(pipeline, image, seed):
        if turned_on or name in elsewhere:
            continue
        raise UserError(
            f"{name} is free, but the image does not depend on it here; freeze it, or change what hides its effect"
        )
    observer = pipeline.observer
    look = observer.observe(image.detach().requires_grad_())
    if not look.activation.requires_grad:
        raise UserError(
            f"model '{observer.model.name}' gives responses without a gradient; its forward pass must not detach them"
        )
    if alone and not torch.isfinite(look.activation):
        raise UserError(
            f"model '{observer.model.name}' gives a response to the first render that is not finite; mend the model, or "
            "start elsewhere"
        )
    if alone and not elsewhere and observer.is_silent_at(image):
        raise UserError(
            f"model '{observer.model.name}' is silent at the start: the objective has no gradient there; start elsewhere "
            "(placement.on: receptive_field, pose, lighting, seed), or try several starts with optimizer.restarts"
        )


def without_effect(pipeline: Pipeline, seed: int) -> list[str]:
    """The free parameters on which the image does not depend where the scene stands."""
    return _without_effect(pipeline, pipeline.render(seed), seed)


def _without_effect(pipeline: Pipeline, image: torch.Tensor, seed: int) -> list[str]:
    """Of a random functional of the image they have no derivative."""
    free = pipeline.scene.free_parameters()
    probe = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
    gradients = torch.autograd.grad((image * probe).sum(), list(free.values()), allow_unused=True)
    return [name for name, gradient in zip(free, gradients) if gradient is None or not (gradient != 0).any()]


def _is_lit(pipeline: Pipeline, state: SceneState, seed: int) -> bool:
    """Whether the object, before a black background, is anything but black."""
    dark = SceneState(**{**vars(state), "background": torch.zeros_like(state.background)})
    with torch.no_grad():
        return bool((pipeline.renderer.render(dark, seed) > 0).any())


FOLDED = 0.02
"""The fraction of faces beyond the start's that may be folded over."""

SELDOM = 5
"""Steps between two looks."""


class FailureMonitor:
    """Looks after a scene.

    Parameters
    ----------
    pipeline : Pipeline
        As it starts.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._deforms = "shape" in pipeline.scene.parameter_groups()
        self._allowed = self._folded() + FOLDED if self._deforms else 1.0

    @torch.no_grad()
    def __call__(self, step: int) -> str | None:
        """What is wrong, in a few words; None where nothing is. It is looked for in some steps only."""
        if step % SELDOM:
            return None
        states = self._pipeline.states()
        if not all(torch.isfinite(state.vertices).all() for state in states):
            return "the object has vertices that are not finite"
        try:
            for state in states:
                check_in_frustum(state)
        except UserError:
            return "the object leaves the camera's view, or the camera stands in it"
        if self._deforms and self._folded() > self._allowed:
            return f"more than {100 * FOLDED:g} % of the mesh's faces are folded over"
        return None

    @torch.no_grad()
    def _folded(self) -> float:
        scene = self._pipeline.scene
        shape = scene.shape().cpu().double().numpy()
        return float(flipped_faces(shape, scene.faces.cpu().numpy(), scene.template.edge_faces.cpu().numpy()).mean())
