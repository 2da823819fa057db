"""Every scene that comes with us, run for two steps."""

from pathlib import Path

import numpy as np
import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.mei import run_mei
from tests.whole_runs import Silent

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "scenes"
OTHERS = {"sweep.yaml", "recover_shape.yaml", "recover_pose.yaml", "recover_truth.yaml", "diverse.yaml", "metamer.yaml"}
"""Scenes that no single activation is maximised in; see ``test_example_scenes``."""

SCENES = sorted(
    str(path.relative_to(FOLDER))
    for path in [*FOLDER.glob("*.yaml"), *FOLDER.glob("*/scene.yaml")]
    if path.name not in OTHERS
)


PICTURED = {"all_free.yaml", "file_mesh.yaml", "own_model/scene.yaml"}
"""Of these the pictures are written too: everything moves, a mesh that is no sphere, a model of another size."""


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_that_comes_with_us_runs(name, root, tmp_path, published_weights, request):
    if name not in PICTURED:
        request.getfixturevalue("without_pictures")
    short = ["optimizer={steps: 2}", "evaluate={spp: 8, repeats: 2}", "pixel={steps: 2, restarts: 1}"]
    result = run_mei(load_config(root / "scenes" / name, short, trust_code=True), tmp_path / "run", Silent()).result
    assert result.steps == 2 and result.skipped_steps == 0
    assert np.isfinite(result.activation.final.mean)
