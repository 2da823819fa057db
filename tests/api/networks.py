"""Networks that a test holds in memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def small(channels: int = 1, neurons: int = 5) -> nn.Sequential:
    """A convolutional network with a linear readout, in training mode, with random weights that are always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 8, 7, stride=3),
            nn.Softplus(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(128, neurons),
        )


class Returning(nn.Module):
    """The same responses within a mapping or a tuple."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.network, self.kind = small(), kind

    def forward(self, images: Tensor):
        responses = self.network(images)
        return {"mean": responses, "log": responses.exp()} if self.kind is dict else (responses.exp(), responses)


class Transformer(nn.Module):
    """A vision transformer of two blocks: 8 x 8 patches of 4 x 4 pixels, after a class token."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.patches = nn.Conv2d(1, 16, 4, stride=4)
            self.token = nn.Parameter(torch.randn(1, 1, 16))
            self.places = nn.Parameter(torch.randn(1, 65, 16))
            self.blocks = nn.Sequential(
                *(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True) for _ in range(2))
            )

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], dim=1) + self.places
        return self.blocks(tokens)[:, 0]
