"""What several runs come to, read of their folders and written into a page."""

import json
import math
from pathlib import Path

import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.report.html.results import read_result, result_of_seeds
from mitsuba_mei.report.html.write import write_report
from tests.report.html.result_folders import write_comparison, write_evaluation, write_factors, write_sweep
from tests.report.html.run_folders import write_run, write_tuning

WRITERS = {
    "comparison": (write_comparison, ("2.5 ± 0.02", "+25 %", "Path traced and rasterized")),
    "factors": (write_factors, ("+0.300 ± 0.020", "−0.01 ± 7×10⁻⁵", "Shapley value")),
    "sweep": (write_sweep, ("s.d. over seeds", "the disk is full", "Sweep: a model")),
    "evaluation": (write_evaluation, ("0.8528 ± 6.8×10⁻⁵", "path traced", "Evaluation: a model")),
}


def _result(folder: Path):
    return read_result(Place(folder, folder.name))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_report_shows_the_result_of_a_folder_before_its_runs(tmp_path, kind):
    write, said = WRITERS[kind]
    folder = write(tmp_path / kind)
    path = write_report([folder])
    text = path.read_text(encoding="utf-8")
    assert path.parent == folder
    result = text[text.index("<h2>The result</h2>") : text.index("</section>")]
    assert "<table" in result and 'class="plot"' in result
    for words in said:
        assert words in text[: text.index("</section>")], words
    if kind != "evaluation":
        assert text.index("The result") < text.index("All runs") and "python run.py" in text


def test_the_shapley_values_are_drawn_with_their_errors(tmp_path):
    worth, subsets = _result(write_factors(tmp_path / "factors")).figures
    assert {trace["name"]: (trace["y"], trace["error_y"]["array"]) for trace in worth["data"]} == {
        "shape": ([0.3], [0.02]),
        "pose": ([0.04], [0.01]),
        "light": ([-0.01], [6.8e-5]),
    }
    each, means = subsets["data"]
    assert means["x"][:2] == ["nothing", "shape"] and means["y"][:2] == pytest.approx([0.2, 0.3])
    assert len(each["x"]) == 3 * len(means["x"]) and each["y"][:3] == pytest.approx([0.17, 0.2, 0.23])


def test_both_objects_of_a_comparison_are_drawn_under_each_renderer(tmp_path):
    traced, rasterized, gains = _result(write_comparison(tmp_path / "comparison")).figures
    assert [trace["y"] for trace in traced["data"]] == [[2.0, 2.5], [2.0, 2.0]]
    assert [trace["y"] for trace in rasterized["data"]] == [[2.0, 2.0], [2.0, 2.0]]
    assert gains["data"][0]["y"] == [0.0, 25.0] and gains["data"][0]["error_y"]["array"] == [1.0, 1.0]


def test_one_neuron_of_a_comparison_and_of_factors_can_be_reported(tmp_path):
    for write, name in ((write_comparison, "comparison.json"), (write_factors, "factors.json")):
        folder = write(tmp_path / name.split(".")[0])
        (neuron, *_) = json.loads((folder / name).read_text())["neurons"]
        inner = next(path for path in folder.iterdir() if path.is_dir())
        (inner / name).write_text(json.dumps(neuron))
        assert _result(inner).tables[0].rows[0][0] == "3"
        assert write_report([inner]).parent == inner


def test_a_sweep_says_mean_and_deviation_over_seeds_of_each_neuron(tmp_path):
    result = _result(write_sweep(tmp_path / "sweep"))
    spread, failed = result.tables
    assert spread.rows[0] == ("3", "3", "2", "1", "1", "3", "0.01", "0.87", "12 %")
    assert spread.rows[1] == ("12", "2", "4.5", "0.71", "4", "5", "0.01", "–", "–")
    assert failed.rows == (("neuron-0012_seed-002", "the disk is full"),)
    each, means = result.figures[0]["data"]
    assert each["y"] == [1, 2, 3, 4, 5] and means["y"] == [2, 4.5]
    assert means["error_y"]["array"] == pytest.approx([1, math.sqrt(0.5)], rel=1e-4)
    assert "5 done, 1 failed" in result.lead


def test_an_error_of_a_sweep_is_no_negative_activation(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    table = (folder / "summary.csv").read_text().replace(",activation,", ",metamer,")
    (folder / "summary.csv").write_text(
        table.replace(",1.0,", ",-1.0,").replace(",2.0,", ",-2.0,").replace(",3.0,", ",-3.0,")
    )
    spread = _result(folder).tables[0]
    assert spread.titles[2] == "mean error" and spread.rows[0][2:6] == ("2", "1", "1", "3")


def test_runs_that_differ_in_their_seeds_alone_are_told_together(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    runs = [read_run_folder(Place(each, each.name)) for each in sorted((folder / "runs").iterdir())]
    (spread,) = result_of_seeds(runs).tables
    assert [row[1:4] for row in spread.rows] == [("3", "3", "2"), ("12", "2", "4.5")]
    (folder / "runs/neuron-0003_seed-001/config.yaml").write_text("seed: 1\nother: things\n")
    again = [read_run_folder(Place(run.place.folder, run.place.name)) for run in runs]
    assert [row[1:3] for row in result_of_seeds(again).tables[0].rows] == [("3", "2"), ("12", "2")]
    assert result_of_seeds(runs[:1]) is None


def test_a_tuning_of_a_scene_is_reported_by_itself(tmp_path):
    text = write_report([write_tuning(tmp_path, axes=2).parent]).read_text(encoding="utf-8")
    assert "Tuning of a model" in text and "this MEI" not in text and "at the scene" in text


@pytest.mark.parametrize("name", ["comparison.json", "factors.json", "plan.json", "summary.csv"])
@pytest.mark.parametrize(
    "damage", ["", "[]", '{"neurons": 3, "statistics": 1}', '{"neurons": [{"model": 1}], "asked": 1}']
)
def test_damaged_results_are_refused_in_a_sentence(tmp_path, name, damage):
    writers = {"comparison.json": write_comparison, "factors.json": write_factors}
    folder = writers.get(name, write_sweep)(tmp_path / "folder")
    (folder / name).write_text(damage)
    if name == "plan.json" and damage.startswith("{") or name == "summary.csv" and damage:
        _result(folder)  # says less, and nothing wrong
    elif name == "summary.csv":
        assert _result(folder).tables == ()
    else:
        with pytest.raises(UserError, match="is damaged"):
            _result(folder)


@pytest.mark.parametrize(("write", "table"), [(write_comparison, "gain"), (write_factors, "activation")])
def test_a_table_without_its_columns_is_refused_in_a_sentence(tmp_path, write, table):
    folder = write(tmp_path / "folder")
    path = next(folder.glob("*.json"))
    told = json.loads(path.read_text())
    told.get("statistics", told["neurons"][0])[table] = {}
    path.write_text(json.dumps(told))
    with pytest.raises(UserError, match=f"{path.name} is damaged, or of another version: it does not say what it"):
        _result(folder)


@pytest.mark.parametrize("axes", [None, 3, [1], {"seed": 3}])
def test_a_sweep_whose_axes_are_none_has_none(tmp_path, axes):
    folder = write_sweep(tmp_path / "sweep")
    (folder / "plan.json").write_text(json.dumps({"axes": axes}))
    assert "5 done, 1 failed" in _result(folder).lead


def test_a_sweep_without_its_table_is_refused(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    (folder / "summary.csv").unlink()
    with pytest.raises(UserError, match="start the sweep again"):
        _result(folder)


def test_a_run_stays_a_run(tmp_path):
    folder = write_run(tmp_path / "run")
    path = folder / "evaluation-path.json"
    path.write_text(json.dumps({"renderer": "path", "activation": {}}))
    with pytest.raises(UserError, match="evaluation-path.json is damaged: it does not say activation.initial"):
        write_report([folder])
    activation = {when: {"mean": None, "sem": None} for when in ("initial", "final")}
    path.write_text(json.dumps({"renderer": "path", "activation": activation}))
    assert "The result" not in write_report([folder]).read_text(encoding="utf-8")
