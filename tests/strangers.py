"""What comes from a stranger: a model that leaves a mark where its code runs, and a scene before it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Marking", "mark_of", "write_stranger"]

MODULE = """
from pathlib import Path

import torch

Path(__file__).with_name("mark").touch()


class Mean(torch.nn.Module):
    def forward(self, images):
        return images[:, 0, 8:24, 8:24].mean((1, 2))[:, None].repeat(1, 3)


class Other(torch.nn.Module):
    def forward(self, images):
        return images[:, 0, 4:24, 8:20].mean((1, 2))[:, None].repeat(1, 3)
"""

CARD = """name: stranger
module: stranger.py:Mean
input: {size: 32, channels: 1, mean: 124.5, std: 70.3}
"""

SCENE = """
shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 8}, free: [offsets]}
pose: {rotation: [20, 30, 0], free: [rotation]}
lighting: [{type: directional, direction: [-0.6, -0.5, -1], irradiance: 3}, {type: constant, radiance: 0.3}]
background: 0.2
render: {type: raster, resolution: 32}
stimulus: {norm: null, clip: true}
model: {card: card.yaml}
optimizer: {steps: 2, warmup: 0}
evaluate: {spp: 4, repeats: 2}
pixel: {steps: 2, restarts: 1}
"""


def write_stranger(folder: Path) -> Path:
    """The scene file, with the card and the module that it names beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"stranger.py": MODULE, "card.yaml": CARD, "scene.yaml": SCENE}.items():
        (folder / name).write_text(text)
    return folder / "scene.yaml"


def mark_of(scene: Path) -> Path:
    """The file that is there once the stranger's code has run."""
    return scene.with_name("mark")


class Marking:
    """Whoever unpickles it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
