"""Several models of the same neurons, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import UserError
from .encoders import Encoder

__all__ = ["Ensemble"]


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
