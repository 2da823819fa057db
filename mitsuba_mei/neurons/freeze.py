"""A network made ready to be optimized for: nothing of it moves, and its gradient by an image is right."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["freeze"]


def freeze(module: nn.Module) -> nn.Module:
    """The same module in float32, in evaluation mode, its parameters without gradients; TorchScript too."""
    module.float()
    for part in module.modules():
        # A frozen TorchScript module has no mode that could be set: it was frozen in evaluation mode.
        with contextlib.suppress(AttributeError, RuntimeError):
            part.training = False
        if isinstance(part, _NormBase) and _gradient_made_contiguous not in part._forward_hooks.values():
            part.register_forward_hook(_gradient_made_contiguous)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def _gradient_made_contiguous(module: nn.Module, inputs: Any, output: Tensor) -> None:
    """Hand a normalization's backward pass a gradient whose memory lies in order.

    Of a single image, torch (2.13) computes another gradient for the same numbers in another order, such as
    ``einsum("bchw,nhw->bnc")`` leaves them: off by more than its own size.
    """
    if output.requires_grad:
        output.register_hook(lambda gradient: gradient.clone(memory_format=torch.contiguous_format))
