"""Exports of runs that do more than drive neurons, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.io.images import read_image
from mitsuba_mei.neurons.observer import build_observer
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import called, read_json

pytestmark = pytest.mark.slow

CELL = {
    "type": "simple_cell",
    "parameters": {"frequency": 1.0, "orientation": 90, "phase": [270, 0], "sigma": 0.4},
    "input": {"size": 32, "channels": 1, "mean": 124.54, "std": 70.28},
}
SET = {"type": "diverse", "count": 2, "differ": "shape"}
SAME = {"type": "metamer", "reference": "truth.yaml"}
TRUE = {"type": "image", "target": "truth.yaml"}


def run(folder: Path, objective: dict, command: str = "run", **model) -> Path:
    write_scene(folder, "truth", shape=LUMP)
    path = write_scene(folder, "scene", objective=objective, model={"card": CELL, **model}, optimizer={"steps": 2})
    assert called(command, str(path), "--out", str(folder / "run"), "-q")[0] == 0
    return folder / "run"


def exported(folder: Path) -> list[dict[str, str]]:
    code, said, error = called("export", str(folder), "--for", "experiment")
    assert code == 0, error
    with open(folder / "export-001" / "stimuli.csv", newline="") as file:
        return list(csv.DictReader(file))


def grey_as_shown(folder: Path, row: dict[str, str]) -> np.ndarray:
    return 255 * np.load(folder / "export-001" / row["npy"])


def test_a_metamer_goes_with_its_reference_and_what_each_neuron_answers(tmp_path):
    folder = run(tmp_path, SAME)
    rows = exported(folder)
    assert [row["what"] for row in rows] == ["stimulus", "reference", "initial stimulus"]
    observer = build_observer(load_config(folder / "config.yaml"))
    found = torch.from_numpy(np.load(folder / "stimulus.npy"))
    reference = observer.stimulus(torch.from_numpy(read_image(folder / "reference.exr")[..., :1]))
    for row, seen in zip(rows, (found, reference)):
        grey = (seen[0, 0] * 70.28 + 124.54).clamp(0, 255).numpy()
        np.testing.assert_allclose(grey_as_shown(folder, row), grey, atol=0.01)
        assert row["neurons"] == "0;1"
        answers = [float(value) for value in row["activation"].split(";")]
        assert answers == pytest.approx(observer.neurons(seen)[0].tolist(), rel=1e-4, abs=1e-5)
    told = read_json(folder / "result.json")["metamer"]["responses"]["neurons"]
    assert [each["neuron"] for each in told] == [0, 1]
    for key, row in (("final", rows[0]), ("reference", rows[1])):
        answers = [float(value) for value in row["activation"].split(";")]
        assert [each[key] for each in told] == pytest.approx(answers, rel=1e-4, abs=1e-5)


def test_of_diverse_scenes_every_one_is_written(tmp_path):
    folder = run(tmp_path, SET, neuron=0)
    rows = exported(folder)
    assert [row["what"] for row in rows] == ["stimulus"] * 2 + ["initial stimulus"] * 2
    scenes = read_json(folder / "result.json")["diverse"]["scenes"]
    for index, scene in enumerate(scenes):
        assert rows[index]["source"] == f"scenes/{index}/stimulus.npy"
        grey = np.load(folder / rows[index]["source"])[0, 0] * 70.28 + 124.54
        np.testing.assert_allclose(grey_as_shown(folder, rows[index]), grey.clip(0, 255), atol=0.01)
        for row, when in ((rows[index], "final"), (rows[2 + index], "initial")):
            assert float(row["activation"]) == pytest.approx(scene["activation"][when]["mean"], rel=1e-4, abs=1e-4)


def test_a_pixel_mei_is_a_stimulus_too(tmp_path):
    folder = run(tmp_path, {"type": "activation"}, "pixel")
    (row,) = exported(folder)
    assert row["what"] == "pixel MEI"
    assert float(row["activation"]) == pytest.approx(read_json(folder / "result.json")["activation"], rel=1e-4)


def refused(*words: str) -> str:
    code, said, error = called(*words)
    assert (code, said, error.count("\n")) == (2, "", 1)
    return error


def test_what_is_refused_names_the_command_that_was_called(tmp_path):
    folder = str(run(tmp_path, TRUE))
    error = refused("export", folder, "--for", "experiment")
    assert "export --for experiment works with" in error and "not 'image', whose result is no stimulus" in error
    assert called("export", folder, "--for", "blender")[0] == 0  # it has a scene
    for words in (["evaluate"], ["tune", "--over", "pose.scale=0.8:1:2"]):
        assert f"{words[0]} works with objective.type" in refused(words[0], folder, *words[1:])


def test_a_folder_of_several_runs_or_of_none_is_named_as_what_it_is(tmp_path):
    sweep, tuning = tmp_path / "sweep", tmp_path / "tuning"
    (sweep / "runs" / "seed-000").mkdir(parents=True)
    (sweep / "plan.json").write_text("{}")
    (sweep / "runs" / "seed-000" / "result.json").write_text("{}")
    tuning.mkdir()
    (tuning / "tuning.json").write_text("{}")
    for purpose in ("experiment", "blender"):
        assert f"such as {sweep / 'runs' / 'seed-000'}" in refused("export", str(sweep), "--for", purpose)
        assert "is a tuning, and no run" in refused("export", str(tuning), "--for", purpose)
