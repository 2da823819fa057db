"""What an optimization makes large or small is called what it is: in progress, metrics and reports."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.experiments.inverse import run_inverse
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.metamer import run_metamer
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.sweep.summary import run_row
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Silent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

CELL = {
    "type": "simple_cell",
    "parameters": {"frequency": 1.0, "orientation": 90, "phase": [270, 0], "sigma": 0.4},
    "input": {"size": 32, "channels": 1, "mean": 124.54, "std": 70.28},
}
KINDS = {
    "image": (run_inverse, {"type": "image", "target": "truth.yaml"}, "error"),
    "metamer": (run_metamer, {"type": "metamer", "reference": "truth.yaml"}, "error"),
    "diverse": (run_diverse, {"type": "diverse", "count": 2, "differ": "shape"}, "objective"),
    "discriminate": (run_mei, {"type": "discriminate", "neurons": 0}, "objective"),
    "activation": (run_mei, {"type": "activation", "neurons": 0}, "activation"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_says_what_its_figure_is(kind, tmp_path):
    work, objective, name = KINDS[kind]
    write_scene(tmp_path, "truth", shape=LUMP)
    optimizer = {"steps": 3, "warmup": 0, "lr": 0.0}  # every step is of the scene that the optimization begins with
    path = write_scene(tmp_path, "scene", objective=objective, model={"card": CELL}, optimizer=optimizer)
    progress = Silent()
    outcome = work(load_config(path), tmp_path / "out", progress)
    with open(outcome.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {"activation", "objective", "error", "mean_activation"}
    assert names & set(rows[0]) == {name} | ({"mean_activation"} if kind == "diverse" else set())
    assert names & set(progress.steps[0]) == names & set(rows[0])
    assert float(rows[0][name]) == pytest.approx(progress.steps[0][name])
    # Nothing moves: the last scene's converged figure is that of every step.
    final = outcome.result.activation.final.mean
    said = {"error": -final, "activation": final, "objective": final}[name] if kind != "diverse" else None
    if kind == "diverse":
        assert list(progress.steps[0])[0] == "mean_activation"
        assert float(rows[0]["mean_activation"]) == pytest.approx(final, rel=1e-3) and float(rows[0]["objective"]) < 0
    else:
        assert list(progress.steps[0])[0] == name and float(rows[-1][name]) == pytest.approx(said, rel=1e-3)
    row = run_row(outcome.result)
    assert (row["error_final_mean"], row["activation_final_mean"]) == (
        (pytest.approx(-final), None) if name == "error" else (None, pytest.approx(final))
    )
    record = read_run_folder(Place(Path(outcome.folder), "out"))
    assert record.metrics["activation"][-1] == pytest.approx(float(rows[-1][name]))
    assert (record.metrics["activation"] > 0).all() or name != "error"


def test_a_run_that_an_earlier_version_began_goes_on_in_its_columns(tmp_path, monkeypatch):
    """There whatever was maximised was called activation; a file's columns are the same in all of its rows."""
    from mitsuba_mei.experiments import history as record
    from mitsuba_mei.runs.folder import RunFolder

    class Old(RunFolder):
        columns = ["restart", "step", "activation", "loss", "seconds"]

    write_scene(tmp_path, "truth", shape=LUMP)
    path = write_scene(tmp_path, "scene", objective=KINDS["image"][1], model={"card": CELL}, optimizer={"steps": 1})
    monkeypatch.setattr("mitsuba_mei.experiments.base.RunFolder", Old)
    outcome = run_inverse(load_config(path), tmp_path / "out", Silent())
    header, first = (outcome.folder / "metrics.csv").read_text().splitlines()
    assert "activation" in header.split(",") and "error" not in header.split(",")
    assert float(first.split(",")[2]) < 0
    assert record.named_value("image") == ("error", -1.0)
