"""Check that a model is a function of its image: the same responses to it, whatever came before or beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

__all__ = ["Memory", "probes", "slopes_unlike", "unlike"]

REPEATED = 1e-4
"""How far two responses to the same image may differ, over the largest response: rounding, where threads sum."""

BESIDE = 1e-3
"""How far a response may differ where other images are in the batch: other kernels round otherwise."""


def probes(shape: tuple[int, int, int], count: int = 3) -> Tensor:
    """Standardised images ``(count, channels, h, w)``: noise of unit contrast, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn((count, *shape), generator=generator)


@torch.no_grad()
def unlike(neurons: Callable[[Tensor], Tensor], images: Tensor) -> str:
    """Describe a difference of the responses to the same image; empty where there is none.

    Parameters
    ----------
    neurons : callable
        From images ``(B, channels, h, w)`` to responses ``(B, n)``.
    images : Tensor
        At least two.
    """
    first = neurons(images[:1])[0]
    neurons(images[1:2])
    values = _largest_difference(first, neurons(images[:1])[0], REPEATED)
    if values:
        return f"it answers {values} to the same image"
    values = _largest_difference(first, neurons(images)[0], BESIDE)
    if values:
        return f"it answers {values} to an image alone and beside others"
    with torch.enable_grad():
        values = _largest_difference(first, neurons(images[:1])[0].detach(), BESIDE)
    return f"it answers {values} to an image without and with a gradient" if values else ""


def slopes_unlike(neurons: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """How far the gradient by an image alone is from that by the same image beside another, relative.

    It is 0 but for rounding where both are right.
    """
    slopes = []
    with torch.enable_grad():
        for shown in (images[:1], images[:2]):
            shown = shown.detach().requires_grad_()
            (slope,) = torch.autograd.grad(neurons(shown)[0].sum(), shown)
            slopes.append(slope[0])
    alone, beside = slopes
    return float((alone - beside).norm() / beside.norm().clamp_min(1e-12))


def _largest_difference(one: Tensor, other: Tensor, tolerance: float) -> str:
    """Two responses that are farther apart than rounding, the farthest of all; empty where none are."""
    difference = (one - other).abs()
    same = (one == other) | (one.isnan() & other.isnan())  # infinite ones too
    difference = torch.where(same, torch.zeros_like(difference), difference)
    worst = int(difference.nan_to_num(torch.inf).argmax())
    allowed = tolerance * max(float(one.nan_to_num(0, 0, 0).abs().max()), 1e-6)
    if not difference[worst] > allowed and not difference[worst].isnan():
        return ""
    return f"{float(one[worst]):.6g} and {float(other[worst]):.6g}"


def _tensors(neurons: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
    if isinstance(neurons, nn.Module):
        yield from neurons.parameters()
        yield from neurons.buffers()


class Memory:
    """Responses to a few images, by which it is told later whether a model is still the same function.

    Parameters
    ----------
    neurons : callable
        From images ``(B, channels, h, w)`` to responses ``(B, n)``.
    shape : (channels, h, w)
        Of an image.
    """

    def __init__(self, neurons: Callable[[Tensor], Tensor], shape: tuple[int, int, int]) -> None:
        self._images = probes(shape)
        device = next((part.device for part in _tensors(neurons)), torch.device("cpu"))
        self._responses = self._answered(neurons, self._images.to(device)).cpu()

    def changed(self, neurons: Callable[[Tensor], Tensor], image: Tensor) -> str:
        """Describe a change of the model's responses since the start, or at repetition; empty where there is none.

        ``image`` is one more ``(1, channels, h, w)`` that it is asked about: that of a result.
        """
        images = self._images.to(image.device)
        values = _largest_difference(self._responses, self._answered(neurons, images).cpu(), BESIDE)
        if values:
            return f"it answers {values} to the same image before and after the run"
        return unlike(neurons, torch.cat([image.detach(), images[:1]]))

    @staticmethod
    @torch.no_grad()
    def _answered(neurons: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        return torch.cat([neurons(image[None]).flatten() for image in images])
