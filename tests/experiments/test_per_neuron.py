"""A scene for several neurons, folders that are numbered, and objectives that name neurons of their own."""

from __future__ import annotations

import json
import math
import signal
import threading
from pathlib import Path

import pytest

import mitsuba_mei.experiments.registry as dispatch
from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.runs.folder import numbered_folder, remove_empty
from tests.whole_runs import Silent, called

pytestmark = pytest.mark.usefixtures("without_pictures")

BANK = "{type: simple_cell, parameters: {frequency: [1, 2, 3, 4]}, input: {size: 32, mean: 124, std: 70}}"
SMALL = """
shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 8}}
render: {type: raster, resolution: 32}
optimizer: {steps: 3}
evaluate: {repeats: 2}
"""


@pytest.fixture
def scene(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(f"model: {{card: {BANK}, neuron: 1}}\n{SMALL}")
    return Path("scene.yaml")


def result(folder: str | Path) -> dict:
    return json.loads((Path(folder) / "result.json").read_text())


# ---------------------------------------------------------------------------------------------------- several neurons


@pytest.mark.slow
def test_each_neuron_has_an_ordinary_run_of_its_own(scene, monkeypatch):
    code, out, err = called("run", "scene.yaml", "--neurons", "0,2-3")
    assert code == 0 and err.count("'report runs/scene-neuron-") == 3
    for neuron in (0, 2, 3):
        folder = f"runs/scene-neuron-{neuron}-001"
        assert f"written to {folder}" in out
        assert result(folder)["neurons"] == [neuron]
        assert f"neuron {neuron} ({(0, 2, 3).index(neuron) + 1} of 3), step 3/3" in err
    alone = run_mei(load_config("scene.yaml", ["model.neuron=2"]), Path("alone"), Silent()).result
    assert result("runs/scene-neuron-2-001")["activation"]["final"]["mean"] == pytest.approx(
        alone.activation.final.mean, rel=1e-4
    )
    assert called("scene.yaml", "--neurons", "2", "--out", "there", "-q")[0] == 0
    assert [each.name for each in Path("there").iterdir()] == ["neuron-2"]


def test_neurons_that_the_model_has_not_are_refused_before_the_first_run(scene):
    code, _, err = called("run", "scene.yaml", "--neurons", "0,4")
    assert code == 2 and "scene.yaml: model" in err and "there is no neuron 4; allowed: 0..3" in err
    assert not Path("runs").exists()


def test_a_neuron_that_is_refused_keeps_no_other_from_its_run(scene, monkeypatch):
    whole = dispatch.run_experiment

    def run_experiment(config, out, progress):
        if config.neurons == (1,):
            raise UserError("this one does not answer")
        return whole(config, out, progress)

    monkeypatch.setattr(dispatch, "run_experiment", run_experiment)
    code, _, err = called("run", "scene.yaml", "--neurons", "0-2")
    assert code == 2 and err.splitlines()[-1] == "error: neuron 1 (2 of 3): scene.yaml: this one does not answer"
    assert sorted(each.name for each in Path("runs").iterdir()) == ["scene-neuron-0-001", "scene-neuron-2-001"]


def test_ctrl_c_ends_all_and_names_those_that_were_not_begun(scene, monkeypatch):
    whole = dispatch.run_experiment

    def run_experiment(config, out, progress):
        class Pressing(Silent):
            def step(self, info):
                signal.raise_signal(signal.SIGINT)

        return whole(config, out, Pressing() if config.neurons == (1,) else progress)

    monkeypatch.setattr(dispatch, "run_experiment", run_experiment)
    code, _, err = called("run", "scene.yaml", "--neurons", "0-3")
    assert code == 130
    assert err.splitlines()[-2:] == [
        "not begun: neurons 2, 3",
        "interrupted; the state is kept, and 'resume runs/scene-neuron-1-001' goes on from there",
    ]


# ------------------------------------------------------------------------------------------------- numbered folders


def test_two_runs_that_begin_at_the_same_moment_take_two_folders(scene, monkeypatch):
    """The second begins before the first has written anything."""
    taken = []

    def run_experiment(config, out, progress):
        taken.append(out)
        if len(taken) == 1:
            assert called("run", "scene.yaml", "-q")[0] == 2
        raise UserError("enough")

    monkeypatch.setattr(dispatch, "run_experiment", run_experiment)
    assert called("run", "scene.yaml", "-q")[0] == 2
    assert taken == [Path("runs/scene-001"), Path("runs/scene-002")]
    assert not Path("runs").exists()  # nothing was written into either


def test_nobody_else_has_a_number(tmp_path):
    taken, together = [], threading.Barrier(8)

    def take():
        together.wait()
        taken.extend(numbered_folder("scene", tmp_path / "runs") for _ in range(5))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [tmp_path / f"runs/scene-{number:03d}" for number in range(1, 41)]


def test_what_is_no_folder_is_passed_over_or_said(tmp_path):
    (tmp_path / "scene-001").write_text("a file")
    (tmp_path / "scene-002").symlink_to(tmp_path / "nowhere")
    assert numbered_folder("scene", tmp_path).name == "scene-003"
    with pytest.raises(UserError, match="cannot write to the output folder .*scene-001: .*; choose another --out"):
        numbered_folder("x", tmp_path / "scene-001")


def test_only_an_empty_folder_is_removed(tmp_path):
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".lock").touch()
    (tmp_path / "full/mine.txt").write_text("mine")
    for name in ("empty", "full", "nowhere"):
        remove_empty(tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["full"]
    assert sorted(each.name for each in (tmp_path / "full").iterdir()) == [".lock", "mine.txt"]


# ------------------------------------------------------------------------------------ neurons that the objective names


@pytest.mark.parametrize(
    "objective",
    [
        "{type: discriminate, neurons: 3, against: [0, 2]}",
        "{type: target, neurons: [3, 0], responses: [0.8, 0.1]}",
        "{type: activation, neurons: [3, 0], weights: [2, 1]}",
    ],
)
def test_an_objective_names_its_neurons_in_a_file_that_names_the_models(scene, objective):
    """As in the quickstart, whose model names a neuron; in the file, in one above it, or on the command line."""
    text = scene.read_text()
    Path("same.yaml").write_text(f"{text}objective: {objective}\n")
    Path("above.yaml").write_text(f"extends: scene.yaml\nobjective: {objective}\n")
    asked = [load_config("same.yaml"), load_config("above.yaml"), load_config(scene, [f"objective={objective}"])]
    assert {config.neurons[0] for config in asked} == {3}
    assert asked[0] == asked[1] == asked[2]
    assert all(config.model.neuron is None for config in asked)


def test_what_names_a_neuron_later_than_the_objective_is_no_silent_change(scene):
    Path("same.yaml").write_text(f"{scene.read_text()}objective: {{type: discriminate, neurons: 3}}\n")
    Path("above.yaml").write_text("extends: same.yaml\nmodel: {neuron: 2}\n")
    for path, more in (("same.yaml", ["model.neuron=2"]), ("above.yaml", [])):
        with pytest.raises(UserError, match="model.neuron and objective.neurons name different neurons"):
            load_config(path, more)


def test_what_neurons_are_told_from_is_listed(scene):
    words = ["--set", "objective={type: discriminate, neurons: 3, against: [0, 2]}", "--out", "run"]
    code, out, _ = called("run", "scene.yaml", *words)
    assert code == 0
    told = {row["neuron"]: row["final"]["mean"] for row in result("run")["against"]}
    assert list(told) == [0, 2] and [row["neuron"] for row in result("run")["responses"]] == [3]
    listed = ", ".join(f"neuron {each} {told[each]:.4g}" for each in sorted(told, key=lambda each: -told[each]))
    assert f"told from: {listed}\n" in out
    (driven,) = (row["final"]["mean"] for row in result("run")["responses"])
    soft = math.log(sum(math.exp(value) for value in told.values()) / 2)
    assert result("run")["activation"]["final"]["mean"] == pytest.approx(driven - soft, abs=1e-4)
    assert called("report", "run")[0] == 0
    page = Path("run/report.html").read_text()
    assert all(f'<th scope="row">{each}, told from</th>' in page for each in told)
