"""The initial scene of a run is the one that its file says, of which ``tune`` speaks too."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.experiments.factor_starts import prepare
from mitsuba_mei.experiments.inverse import run_inverse
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.metamer import run_metamer
from mitsuba_mei.experiments.multistart import optimize_from_starts
from mitsuba_mei.experiments.reevaluate import evaluate_run
from mitsuba_mei.report.sentences import describe_run
from mitsuba_mei.runs.folder import RunFolder
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Silent, called, read_json

pytestmark = pytest.mark.slow

TRUE = {"type": "image", "target": "truth.yaml"}
SAME = {"type": "metamer", "reference": "truth.yaml"}
SET = {"type": "diverse", "count": 2, "differ": "shape"}
CELL = {
    "type": "simple_cell",
    "parameters": {"frequency": 1.0, "orientation": 90, "phase": 270, "sigma": 0.4},
    "input": {"size": 32, "channels": 1, "mean": 124.54, "std": 70.28},
}
RUNS = {"activation": run_mei, "metamer": run_metamer, "diverse": run_diverse, "image": run_inverse}


def configured(folder: Path, steps: int, objective: dict | None = None, **optimizer):
    write_scene(folder, "truth", shape=LUMP)
    parts = {} if objective is None else {"objective": objective}
    parts["optimizer"] = {"steps": steps, "warmup": 1, **optimizer}
    path = write_scene(folder, "scene", model={"card": CELL}, **parts)
    return load_config(path, trust_code=True)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> float:
    """What ``tune`` says of the scene file."""
    folder = tmp_path_factory.mktemp("tuned")
    configured(folder, 0)
    words = ["tune", str(folder / "scene.yaml"), "--over", "pose.scale=0.8:1:2", "--trust-code", "--out"]
    assert called(*words, str(folder / "out"))[0] == 0
    return read_json(folder / "out" / "tuning.json")["neurons"][0]["at_scene"]["mean"]


@pytest.mark.parametrize("objective", [None, TRUE, SAME, SET], ids=["activation", "image", "metamer", "diverse"])
@pytest.mark.parametrize("steps", [0, 2])
def test_a_run_begins_with_the_scene_of_its_file(tmp_path, tuned, objective, steps, request):
    if steps:  # without any, the pictures before and after are compared
        request.getfixturevalue("without_pictures")
    config = configured(tmp_path, steps, objective)
    outcome = RUNS[config.objective.type](config, tmp_path / "out", Silent())
    folder = outcome.folder / "scenes/0" if config.objective.type == "diverse" else outcome.folder
    assert (np.load(folder / "initial_parameters.npz")["shape.offsets"] == 0).all()
    moved = np.abs(np.load(folder / "parameters.npz")["shape.offsets"]).max()
    assert moved == 0 if steps == 0 else moved > 1e-3  # the optimization itself begins beside the template
    first = outcome.result.restarts[0]
    assert first.initial_scene == "scene file"
    if config.objective.type in ("activation", "diverse"):
        assert first.activation.initial.mean == pytest.approx(tuned, rel=1e-5)
    if steps == 0:
        assert first.activation.final == first.activation.initial
        assert outcome.result.activation.final == outcome.result.activation.initial
        names = [("initial_render.png", "render.png"), ("initial_stimulus.png", "stimulus.png")]
        for before, after in names:
            if (outcome.folder / before).is_file():
                assert np.array_equal(iio.imread(outcome.folder / before), iio.imread(outcome.folder / after)), before


def test_the_first_step_is_taken_beside_it(tmp_path, tuned, without_pictures):
    """A symmetric object has places where no gradient leads away from it."""
    outcome = run_mei(configured(tmp_path, 1, warmup=0), tmp_path / "out", Silent())
    line = (outcome.folder / "metrics.csv").read_text().splitlines()
    first = dict(zip(line[0].split(","), line[1].split(",")))
    value = float(next(value for name, value in first.items() if name in ("objective", "activation")))
    assert value != pytest.approx(tuned, rel=1e-4)
    assert outcome.result.activation.initial.mean == pytest.approx(tuned, rel=1e-5)
    assert evaluate_run(outcome.folder, trust_code=True).result.activation.initial.mean == pytest.approx(
        tuned, rel=1e-5
    )


def test_another_start_is_said_to_be_one(tmp_path, without_pictures):
    config = configured(tmp_path, 2, restarts=3)
    outcome = run_mei(config, tmp_path / "out", Silent())
    begun = [trial.initial_scene for trial in outcome.result.restarts]
    assert begun == ["scene file", "random start", "random start"]
    kept = outcome.result.restart
    assert outcome.result.initial_scene == begun[kept]
    for initial in ("scene file", "random start"):
        lines = describe_run(outcome.folder, outcome.result.model_copy(update={"initial_scene": initial}))
        assert ("The start is the random start that was kept." in lines) == (initial == "random start")


def test_all_subsets_of_the_factors_begin_with_the_same_scene(tmp_path):
    """That of the file is displaced for all of them, even where the shape is frozen; this is said."""
    prepared = prepare(configured(tmp_path, 1), starts=1)
    found = []
    for index, subset in enumerate((frozenset({"shape"}), frozenset({"pose"}))):
        config, starts = prepared.variant(subset)
        folder = RunFolder(tmp_path / str(index))
        trial = optimize_from_starts(starts, config, folder, Silent(), lambda: False, to_the_end=True).trials[0]
        folder.close()
        assert trial.as_record().initial_scene == "drawn start"
        found.append((trial.before.mean, trial.start["shape.offsets"]))
    assert found[0][0] == found[1][0] and np.array_equal(found[0][1], found[1][1])
    assert np.abs(found[0][1]).max() > 0
