"""A neuron model of your own, as small as one can be: see card.yaml, which names it, and scene.yaml.

It is run with ``--trust-code`` alone.
"""

import torch
from torch import nn


class CenterSurround(nn.Module):
    """An ON and an OFF cell whose receptive field is a difference of gaussians."""

    def __init__(self, center: float, surround: float, size: int = 64):
        super().__init__()
        x = torch.linspace(-1, 1, size)
        r2 = x**2 + x[:, None] ** 2

        def gaussian(sigma):
            blob = torch.exp(-r2 / (2 * sigma**2))
            return blob / blob.sum()

        field = gaussian(center) - gaussian(surround * center)
        self.register_buffer("field", field / field.norm())

    def forward(self, image):
        """Images (B, 1, h, w), standardised, to responses (B, 2): that is all that is asked of a model."""
        drive = (image[:, 0] * self.field).sum((1, 2))
        return nn.functional.softplus(torch.stack([drive, -drive], dim=1))


def build(center: float = 0.2, surround: float = 2.0) -> nn.Module:
    """The callable that the card names. Load weights here, if there are any."""
    return CenterSurround(center, surround)
