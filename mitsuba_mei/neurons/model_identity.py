"""Whether two models are one and the same, by whatever name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ..stimulus import gaussian_blur
from .repeatable import probes

__all__ = ["answer_alike", "share_weights", "varied_images"]

COUNT = 8
"""Images of each kind on which two models are compared: enough that two that differ rank some of them otherwise."""

BLURS = (0.0, 1 / 40, 1 / 10)
"""Standard deviations of the blur of noise, over the image's height."""

CONTRASTS = (1.0, 3.0)
"""Root mean square of standardised images."""

ROUNDING = 1e-4
"""How far two responses may be out of order, over the range of all."""


def varied_images(shape: tuple[int, int, int]) -> Tensor:
    """Standardised images (N, channels, h, w) of several contrasts and grains, the same at every call."""
    noise = probes(shape, COUNT * len(BLURS)).split(COUNT)
    grains = [gaussian_blur(part, blur * shape[1]) for part, blur in zip(noise, BLURS)]
    scaled = [grain / grain.std((1, 2, 3), keepdim=True) for grain in grains]
    return torch.cat([contrast * image for contrast in CONTRASTS for image in scaled])


@torch.no_grad()
def answer_alike(one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], images: Tensor) -> bool | None:
    """Whether two models rank all images alike, neuron by neuron, as a model and its multiples, or its power, do.

    None where all neurons of both answer the same to every image, which tells nothing.

    Parameters
    ----------
    one, other : callable
        From images ``(B, channels, h, w)`` to responses ``(B, n)`` of as many neurons.
    images : Tensor
        Shown one after the other.
    """
    pairs = [(one(image[None]), other(image[None])) for image in images]
    first, second = (torch.cat(responses).double() for responses in zip(*pairs))
    varies = (_range(first) > 0) & (_range(second) > 0)
    silent = (_range(first) == 0) & (_range(second) == 0)
    if silent.all():
        return None
    ordered = _ordered(first, second) & _ordered(second, first)
    return bool((ordered & varies | silent).all())


def share_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether some network of one model is a network of the other, weight by weight."""
    return any(_equal(first, second) for first in _networks(one) for second in _networks(other))


def _range(responses: Tensor) -> Tensor:
    return responses.amax(0) - responses.amin(0)


def _ordered(by: Tensor, responses: Tensor) -> Tensor:
    """For each neuron whether its responses never fall where they are sorted by another one's."""
    in_order = responses.gather(0, by.argsort(0))
    return (in_order.diff(dim=0) >= -ROUNDING * _range(responses)).all(0)


def _networks(module: nn.Module) -> Iterable[nn.Module]:
    """The members of an ensemble, or the one network."""
    return getattr(module, "members", [module])


def _equal(one: nn.Module, other: nn.Module) -> bool:
    first, second = ([*module.parameters(), *module.buffers()] for module in (one, other))
    if len(first) != len(second) or not any(tensor.numel() > 1 for tensor in first):
        return False
    return all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.cpu(), b.cpu()) for a, b in zip(first, second)
    )
