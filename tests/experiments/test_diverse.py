"""Whole searches for scenes that differ and all drive the neurons."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
import trimesh

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.geometry.quality import assess
from mitsuba_mei.report.sentences import describe_run
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Interrupting, Silent, written

pytestmark = pytest.mark.slow

IN_ALL = {"config.yaml", "metrics.csv", "result.json", "summary.png", "scenes"}
OF_EACH = {
    "stimulus.npy", "stimulus.png", "render.exr", "render.png", "mesh.ply", "mesh.glb", "parameters.npz",
    "initial_parameters.npz",
}  # fmt: skip
NEURON = {"model": {"card": "net.yaml", "neuron": 1}}
CELL = {
    "card": {
        "name": "edge",
        "type": "simple_cell",
        "parameters": {"frequency": 1.0, "orientation": 90, "phase": 90, "sigma": 0.4},
        "input": {"size": 32, "channels": 1, "mean": 124.54, "std": 70.28},
    }
}
LIGHTS = [
    {"type": "sun", "direction": [-0.6, -0.5, -1.0], "free": ["direction"]},
    {"type": "constant", "radiance": 0.3},
]


def configured(folder: Path, objective: dict | None = None, **parts):
    said = {"type": "diverse", "count": 2, **(objective or {})}
    return load_config(
        write_scene(folder, "run", **({"objective": said, "optimizer": {"steps": 2}} | NEURON | parts)), trust_code=True
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three poses of a lump."""
    folder = tmp_path_factory.mktemp("diverse")
    config = configured(
        folder, {"count": 3, "differ": "pose", "apart": 20}, shape=LUMP, pose={"free": ["rotation"]}, lighting=LIGHTS
    )
    progress = Silent()
    return run_diverse(config, folder / "out", progress), progress


def test_the_folder_holds_every_scene(run):
    outcome, _ = run
    assert {path.name for path in outcome.folder.iterdir()} >= IN_ALL
    assert {path.name for path in (outcome.folder / "scenes").iterdir()} == {"0", "1", "2"}
    for index in range(3):
        assert {path.name for path in (outcome.folder / "scenes" / str(index)).iterdir()} == OF_EACH
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result == written(outcome.result)
    assert result["objective"] == "diverse" and result["ended"] == "done" and result["steps"] == 2
    assert iio.imread(outcome.folder / "summary.png").std() > 5


def test_steps_are_those_of_one_scene_alone_and_of_all_together(run):
    outcome, progress = run
    assert len(progress.steps) == 4 and progress.stopped
    assert sum("difference" in step for step in progress.steps) == 2
    assert outcome.result.seconds_per_step == pytest.approx(outcome.result.seconds / 2)


def test_figures_are_of_the_scenes_that_were_written(run):
    result, found = run[0].result, run[0].result.diverse
    maximum = found.maximum
    assert maximum.source == "one scene alone" and maximum.value > 0
    for index, scene in enumerate(found.scenes):
        assert scene.folder == f"scenes/{index}"
        assert scene.of_maximum == pytest.approx(scene.activation.final.mean / maximum.value)
        assert scene.reached == (scene.of_maximum >= 0.9)
    means = [scene.activation.final.mean for scene in found.scenes]
    assert result.activation.final.mean == pytest.approx(np.mean(means))
    seen = [np.load(run[0].folder / f"scenes/{index}/stimulus.npy").ravel() for index in range(3)]
    np.testing.assert_allclose(found.pairs["image"], 1 - np.corrcoef(seen), atol=1e-5)


def test_scenes_lie_as_far_apart_as_is_said(run):
    found = run[0].result.diverse
    for kind, each in found.pairs.items():
        pairs = np.array(each)
        assert pairs.shape == (3, 3) and (pairs == pairs.T).all() and (np.diag(pairs) == 0).all()
        assert found.differences[kind].mean == pytest.approx(pairs[np.triu_indices(3, 1)].mean())
    # One shape in three poses.
    assert found.differences["shape"].mean < 1e-3
    assert found.difference == found.differences["pose"].mean > 20
    assert found.far and found.unit == "degrees"


@pytest.mark.parametrize("kind", ["shape", "light"])
def test_scenes_can_differ_in_every_respect(tmp_path, kind, without_pictures):
    config = configured(tmp_path, {"differ": kind, "apart": 1e-3, "level": 1e-3}, lighting=LIGHTS, model=CELL)
    found = run_diverse(config, tmp_path / "out", Silent()).result.diverse
    assert found.differ == kind and found.difference > 1e-3
    assert found.found == (found.far and all(scene.reached for scene in found.scenes))


def test_without_any_direction_of_light_nothing_is_said_of_it(tmp_path, without_pictures):
    config = configured(tmp_path, lighting=[{"type": "constant"}])
    outcome = run_diverse(config, tmp_path / "out", Silent())
    said = json.loads((outcome.folder / "result.json").read_text())["diverse"]
    assert said["differences"]["light"]["mean"] is None and said["differences"]["image"]["mean"] > 0


def test_scenes_of_which_light_alone_is_free_start_unlike(tmp_path, without_pictures):
    config = configured(tmp_path, {"count": 3}, shape=LUMP, lighting=LIGHTS, optimizer={"steps": 0}, model=CELL)
    found = run_diverse(config, tmp_path / "out", Silent()).result.diverse
    pairs = np.array(found.pairs["light"])[np.triu_indices(3, 1)]
    assert (pairs > 3).all() and found.differences["image"].mean > 1e-3


def test_a_level_that_is_out_of_reach_is_said_to_be(tmp_path, without_pictures):
    outcome = run_diverse(configured(tmp_path, {"level": 1.0}, model=CELL), tmp_path / "out", Silent())
    found = outcome.result.diverse
    assert found.maximum.model_dump(by_alias=True) == {"value": pytest.approx(25), "sem": 0.0, "from": "optimum"}
    assert not found.found and not any(scene.reached for scene in found.scenes)
    lines = describe_run(outcome.folder, outcome.result)
    assert lines[0] == "No such set of scenes was found."
    assert lines[1].startswith("0 of 2 drive the neurons to at least 1 of the known optimum (25);")


def test_a_maximum_that_is_not_above_0_is_refused(tmp_path):
    config = configured(tmp_path, model={"card": "net.yaml", "neuron": 0}, optimizer={"steps": 0})
    with pytest.raises(UserError, match="one scene alone drives the neurons to -.*no level"):
        run_diverse(config, tmp_path / "out", Silent())


def test_ctrl_c_finishes_the_step_and_writes_everything(tmp_path):
    config = configured(tmp_path, optimizer={"steps": 900}, model=CELL)
    before = signal.getsignal(signal.SIGINT)
    outcome = run_diverse(config, tmp_path / "out", Interrupting(3))
    assert outcome.result.ended == "interrupted" and outcome.result.steps <= 4
    assert {path.name for path in outcome.folder.iterdir()} >= IN_ALL
    assert signal.getsignal(signal.SIGINT) == before
    with pytest.raises(UserError, match="exists already"):
        run_diverse(config, outcome.folder, Silent())


def test_every_scenes_mesh_is_assessed(run):
    """Counted from the files; together they are added up."""
    outcome, _ = run
    scenes = outcome.result.diverse.scenes
    assert len(scenes) == 3
    for scene in scenes:
        mesh = trimesh.load(outcome.folder / scene.folder / "mesh.ply", process=False)
        found = assess(torch.tensor(mesh.vertices), torch.tensor(mesh.faces))
        assert {name: getattr(scene.mesh, name) for name in ("vertices", "faces")} == {
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
        }
        assert scene.mesh.intersecting_faces == found.intersecting_faces
    assert outcome.result.mesh.faces == sum(scene.mesh.faces for scene in scenes)
