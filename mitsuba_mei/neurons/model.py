"""Ensembles of models, and a layer of a model in place of its neurons."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest
from .nnvision_layers import Encoder

__all__ = ["Ensemble", "FeatureExtractor"]


class Ensemble(nn.Module):
    """The mean of the members' responses.

    Parameters
    ----------
    members : sequence of Encoder
        Models of the same neurons in the same order, for images of the same size.

    Raises
    ------
    UserError
        If there is no member, or they differ in their number of neurons.
    """

    def __init__(self, members: Sequence[Encoder]) -> None:
        super().__init__()
        counts = [member.n_neurons for member in members]
        if not counts:
            raise UserError("the ensemble has no members; it must have at least one")
        for place, count in enumerate(counts):
            if count != counts[0]:
                raise UserError(
                    f"the ensemble's member {place} has {count} neurons and member 0 has {counts[0]}; "
                    "all must be models of the same neurons"
                )
        self.members = nn.ModuleList(members)

    @property
    def n_neurons(self) -> int:
        return self.members[0].n_neurons

    def forward(self, image: Tensor) -> Tensor:
        """Responses ``(B, n)`` to standardised images ``(B, 1, h, w)``."""
        return torch.stack([member(image) for member in self.members]).mean(0)

    def select(self, neurons: Sequence[int]) -> Ensemble:
        """These neurons alone, in this order, as :meth:`Encoder.select`."""
        return Ensemble([member.select(neurons) for member in self.members])


class FeatureExtractor(nn.Module):
    """Activations of a layer of a model, as responses.

    Parameters
    ----------
    module : nn.Module
        The model.
    name : str
        Of the layer in it, as ``named_modules`` says it: ``core.features.layer3``.
    argument : str
        What names the layer, in messages.

    Raises
    ------
    UserError
        If the model has no such layer.
    """

    def __init__(self, module: nn.Module, name: str, argument: str = "objective.layer") -> None:
        super().__init__()
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            raise UserError(
                f"{argument}: the model is a TorchScript module, whose layers cannot be read; leave {argument} out, or "
                "give the module that it was made of"
            )
        known = {layer: inner for layer, inner in module.named_modules(remove_duplicate=False) if layer}
        if name not in known:
            raise UserError(f"{argument}: the model has no layer '{name}'; {nearest(name, known)}")
        self._name, self._argument = name, argument
        self._module = module

    def values(self, images: Tensor) -> Tensor:
        """The layer's output (B, ...) for inputs (B, channels, h, w)."""
        outputs: list[Tensor] = []

        def keep(layer: nn.Module, given: tuple, value: object) -> None:
            if isinstance(value, Tensor):
                outputs.append(value.clone())  # the next layer may work in place

        handle = self._module.get_submodule(self._name).register_forward_hook(keep)
        try:
            self._module(images)
        finally:
            handle.remove()
        if not outputs or outputs[0].shape[:1] != images.shape[:1]:
            raise UserError(
                f"{self._argument}: '{self._name}' gives no tensor with one row an image; name another layer"
            )
        return outputs[0]

    def forward(self, images: Tensor) -> Tensor:
        """The layer's values, (B, n), of inputs (B, channels, h, w)."""
        return self.values(images).flatten(1)
