"""A small scene before a small network, for tests of whole experiments: 32 x 32 pixels, rasterized, some ms a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Conv2d(1, 6, 7, stride=2, bias=False)
        self.bend = nn.ReLU(inplace=True)
        self.last = nn.Linear(6 * 13 * 13, 5, bias=False)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5)

    def forward(self, images):
        return self.last(self.bend(self.first(images)).flatten(1))
"""

CARD = """
name: net
module: net.py:Net
input: {size: 32, channels: 1, mean: 124.5, std: 70.3}
"""

SMALL = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20, scale: 0.4}, free: [offsets]}
lighting:
  - {type: sun, direction: [-0.6, -0.5, -1.0], irradiance: 3.0, sharpness: 50}
  - {type: constant, radiance: 0.3}
render: {type: raster, resolution: 32}
model: {card: net.yaml}
optimizer: {steps: 4, warmup: 1}
evaluate: {spp: 8, repeats: 2}
"""

LUMP = {"random": {"size": 0.2, "seed": 3}, "free": []}
"""A shape that no turn leaves the same."""


def write_scene(folder: Path, name: str, **parts: Any) -> Path:
    """Write the scene with some parts in place of its own, and the network beside it."""
    for file, text in {"net.py": NETWORK, "net.yaml": CARD, "small.yaml": SMALL}.items():
        (folder / file).write_text(text)
    path = folder / f"{name}.yaml"
    path.write_text(
        "\n".join(["extends: small.yaml", *(f"{key}: {json.dumps(value)}" for key, value in parts.items())])
    )
    return path
