"""Initial placement of the object: centred on the receptive field, and scaled to its width."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..scene.camera import Camera
from ..stimulus import gaussian_blur, image_coordinates
from .observer import Observer

__all__ = ["ReceptiveField", "find_receptive_field", "place_on"]

IMAGES = 8
"""Noise images that the receptive field is found with."""

BLUR = 1.6
"""Standard deviation of the noise's and the map's blur, hundredths of the image's width."""

MAP_FLOOR = 0.1
"""What lies below this fraction of the map's peak is not counted."""

MIN_SIZE, MAX_SIZE = 0.1, 0.95
"""Radius of the object's outline, half image widths."""


@dataclass(frozen=True)
class ReceptiveField:
    """Region of the image that the objective depends on.

    Attributes
    ----------
    x, y : float
        Its centre, half image widths; x to the right, y up.
    radius : float
        Root mean square distance from the centre, half image widths.
    sensitivity : Tensor
        The map that they are of, (h, w), of sum 1.
    """

    x: float
    y: float
    radius: float
    sensitivity: Tensor


def find_receptive_field(observer: Observer, seed: int) -> ReceptiveField:
    """Find where the objective's gradient has its energy, over stimuli of smooth noise.

    Each noise image is brought under the stimulus' constraint; the squared gradient by its pixels is divided by its
    sum, averaged over images, and blurred.

    Raises
    ------
    UserError
        If the objective has no gradient at any of the images.
    """
    stimulus = observer.stimulus
    h, w = stimulus.image_size
    device = stimulus.mask.device
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((IMAGES, stimulus.channels, h, w), generator=generator).to(device)
    blur = BLUR / 100 * w
    noise = gaussian_blur(noise, blur)
    noise = 0.5 + 0.1 * noise / noise.std()
    energy = torch.zeros((h, w), device=device)
    for image in noise:
        model_input = stimulus(image.permute(1, 2, 0)).requires_grad_()
        (slope,) = torch.autograd.grad(
            observer.objective.value(observer.neurons(model_input), model_input).sum(), model_input
        )
        square = slope[0].square().sum(0)
        if torch.isfinite(square).all() and square.sum() > 0:
            energy += square / square.sum()
    if not energy.sum() > 0:
        raise UserError(
            "placement.on: no receptive field was found, since no noise image has a gradient; leave it out, and give "
            "pose.translation and pose.scale"
        )
    energy = gaussian_blur(energy[None, None], blur)[0, 0]
    energy = (energy - MAP_FLOOR * energy.max()).clamp_min(0)
    energy = (energy / energy.sum()).cpu()
    x, y = image_coordinates((h, w))
    center = [(energy * axis).sum() for axis in (x, y)]
    spread = (energy * ((x - center[0]).square() + (y - center[1]).square())).sum().sqrt()
    return ReceptiveField(center[0].item(), center[1].item(), spread.item(), energy)


def place_on(field: ReceptiveField, camera: Camera, extent: float, size: float) -> dict[str, list[float] | float]:
    """The translation and scale that put an object on a receptive field.

    Parameters
    ----------
    field : ReceptiveField
    camera : Camera
    extent : float
        The object's radius about its own origin, scene units.
    size : float
        Radius of its outline in the image over the receptive field's; the outline is kept between 0.1 and 0.95 half
        image widths.

    Returns
    -------
    dict
        ``translation`` and ``scale``, as :class:`~mitsuba_mei.scene.pose.Pose` takes them.
    """
    with torch.no_grad():
        h, w = field.sensitivity.shape
        # A model taller than wide sees the middle of a render, which is square.
        distance, tangent = camera.get("distance"), min(1.0, w / h) * camera.tan_half_fov()
        outline = min(max(size * field.radius, MIN_SIZE), MAX_SIZE) * tangent
        scale = distance * torch.sin(torch.atan(outline)) / extent
        across = torch.stack([field.x * tangent * distance, field.y * tangent * distance, torch.zeros_like(distance)])
        translation = across @ camera.rotation_matrix()
    return {"translation": translation.tolist(), "scale": scale.item()}
