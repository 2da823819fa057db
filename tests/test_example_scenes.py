"""The scenes that come with the package: each can be read, and its files are there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.pipeline import build_scene

SCENES = Path(__file__).resolve().parent.parent / "scenes"
KINDS = {
    "recover_shape": "image",
    "recover_pose": "image",
    "metamer": "metamer",
    "diverse": "diverse",
}


@pytest.mark.parametrize(
    "path",
    sorted(SCENES.rglob("scene.yaml")) + sorted(p for p in SCENES.glob("*.yaml") if p.name != "sweep.yaml"),
    ids=lambda p: p.stem,
)
def test_a_scene_can_be_read(path):
    config = load_config(path, rendered=path.stem != "recover_truth")
    assert config.objective.type == KINDS.get(path.stem, config.objective.type)


def test_what_is_recovered_does_not_start_at_the_truth():
    truth = build_scene(load_config(SCENES / "recover_truth.yaml", rendered=False), 1)
    shape, pose, metamer = (
        build_scene(load_config(SCENES / f"{n}.yaml"), 1) for n in ("recover_shape", "recover_pose", "metamer")
    )
    with torch.no_grad():
        assert (shape.shape() - truth.shape()).square().sum(1).mean().sqrt() > 0.15
        assert (metamer.shape() - truth.shape()).square().sum(1).mean().sqrt() > 0.15
        # The pose's object is the truth's own, to the last bit.
        assert torch.equal(pose.shape(), truth.shape())
    assert list(shape.free_parameters()) == ["shape.offsets"]
    assert list(pose.free_parameters()) == ["pose.rotation", "lighting.0.direction"]
    assert not truth.free_parameters()
