"""A model file of a user's, with whatever users' files do, and a scene beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

MODULE = Path(__file__).with_name("users_code.py").read_text()

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20, scale: 0.4}, free: [offsets]}
lighting: [{type: directional, direction: [-0.6, -0.5, -1], irradiance: 3}, {type: constant, radiance: 0.3}]
render: {type: raster, resolution: 32}
model: {card: card.yaml}
optimizer: {steps: 2, warmup: 0}
evaluate: {spp: 4, repeats: 2}
pixel: {steps: 3, restarts: 2}
"""


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Writes module and card beside a scene, and starts in its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MODULE)

    def write(
        name: str, image: str = "{size: 32, mean: 124.5, std: 70.3}", scene: str = "", arguments: str = "{}"
    ) -> Path:
        (tmp_path / "card.yaml").write_text(f"module: mine.py:{name}\ninput: {image}\narguments: {arguments}\n")
        (tmp_path / "scene.yaml").write_text(SCENE + scene)
        return tmp_path / "scene.yaml"

    return write
