"""Scene files of the benchmarks, and what they ask of the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mitsuba_mei.config.load import Config, load_config
from mitsuba_mei.pipeline import Pipeline, build_pipeline, build_scene
from mitsuba_mei.render.renderer import Renderer, build_renderer, prepare_backend
from mitsuba_mei.scene.scene import Scene

__all__ = ["BUMPY", "SCENES", "SIMPLE_CELL", "Silent", "experiment_of", "make_bumpy", "scene_of"]

HERE = Path(__file__).resolve().parent
SCENES = HERE.parent / "scenes"
SIMPLE_CELL = SCENES / "simple_cell.yaml"
BUMPY = HERE / "scenes" / "bumpy.yaml"


class Silent:
    """Tells nobody."""

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...
    def doing(self, text: str) -> None: ...

    def step(self, info: dict) -> None: ...

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


def experiment_of(scene: Path, overrides: Sequence[str] = ()) -> tuple[Config, Pipeline]:
    """A scene file, varied, and its experiment."""
    config = load_config(scene, overrides)
    return config, build_pipeline(config)


def scene_of(scene: Path, overrides: Sequence[str] = ()) -> tuple[Config, Scene, Renderer]:
    """A scene file, varied, in one channel, without who looks at it."""
    config = load_config(scene, overrides)
    prepare_backend(config.render, 1)
    built = build_scene(config, 1)
    with torch.no_grad():
        return config, built, build_renderer(config.render, built())


def make_bumpy(scene: Scene, height: float, seed: int = 0) -> None:
    """Hills and hollows that shadow each other, on a template about the origin.

    Control points move outwards or inwards by normal random amounts; the vertices by ``height`` (root mean square). A
    template that is star-shaped stays so, and does not intersect itself.
    """
    shape = scene.shape
    outwards = torch.nn.functional.normalize(shape.vertices[shape.control_indices], dim=1)
    with torch.no_grad():
        shape.offsets.copy_(torch.randn(len(outwards), 1, generator=torch.Generator().manual_seed(seed)) * outwards)
        moved = (shape() - shape.vertices).norm(dim=1).square().mean().sqrt()
        shape.offsets.mul_(height / moved)
