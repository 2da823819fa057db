"""A layer of a model in place of its neurons."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest

__all__ = ["Layer"]


class Layer(nn.Module):
    """What a layer of a model says, as responses.

    Parameters
    ----------
    module : nn.Module
        The model.
    name : str
        Of the layer in it, as ``named_modules`` says it: ``core.features.layer3``.

    Raises
    ------
    UserError
        If the model has no such layer.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            raise UserError(
                "objective.layer: the model is a TorchScript module, whose layers cannot be read; leave objective.layer "
                "out, or give the module that it was made of"
            )
        known = {layer: inner for layer, inner in module.named_modules(remove_duplicate=False) if layer}
        if name not in known:
            raise UserError(f"objective.layer: the model has no layer '{name}'; {nearest(name, known)}")
        self._name = name
        self._module = module
        self._layer = known[name]

    def forward(self, images: Tensor) -> Tensor:
        """The layer's values, (B, n), of inputs (B, channels, h, w)."""
        kept: list[Tensor] = []

        def keep(layer: nn.Module, given: tuple, value: object) -> None:
            if isinstance(value, Tensor):
                kept.append(value.clone())  # the next layer may work in place

        handle = self._layer.register_forward_hook(keep)
        try:
            self._module(images)
        finally:
            handle.remove()
        if not kept or kept[0].shape[:1] != images.shape[:1]:
            raise UserError(
                f"objective.layer: '{self._name}' gives no tensor with one row an image; name another layer"
            )
        return kept[0].flatten(1)
