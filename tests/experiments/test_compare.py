"""A whole comparison between the renderers, a small one, through the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments import compare
from mitsuba_mei.experiments.reevaluate import evaluate_run
from mitsuba_mei.runs.results import ComparedNeuron, read_result
from tests.whole_runs import Interrupting, Silent, called, read_json

pytestmark = pytest.mark.slow

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20}}
pose: {free: [rotation]}
lighting:
  - {type: sun, free: [direction, irradiance]}
  - {type: constant, radiance: 0.3}
model:
  card: {type: v4_curvature, input: {size: 48, mean: 124.5, std: 70}}
  validate: {type: v4_curvature, input: {size: 48, mean: 100, std: 50}}
render: {resolution: 48, spp: 4}
optimizer: {steps: 5, warmup: 0, restarts: 2}
evaluate: {spp: 16, repeats: 2}
pixel: {steps: 4, restarts: 1}
compare: {neurons: [3, 25]}
"""
CELLS = [(made, shown) for made in ("path", "raster") for shown in ("path", "raster")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "small.yaml"
    path.write_text(SCENE)
    return path


@pytest.fixture(scope="module")
def comparison(scene) -> tuple[Path, str, str]:
    """The folder, and what was printed."""
    folder = scene.parent / "comparison"
    code, out, err = called("compare", str(scene), "--out", str(folder))
    assert code == 0, err
    return folder, out, err


def test_the_folder_holds_ordinary_runs_under_each_renderer(comparison):
    folder = comparison[0]
    tops = {"asked", "comparison.csv", "comparison.json", "comparison.png", "small-neuron-3", "small-neuron-25"}
    assert {path.name for path in folder.iterdir()} == tops
    for neuron in (3, 25):
        names = {path.name for path in (folder / f"small-neuron-{neuron}").iterdir()}
        assert names == {"path", "raster", "comparison.json", "comparison.png"}
        for renderer in ("path", "raster"):
            run = folder / f"small-neuron-{neuron}" / renderer
            result, config = read_json(run / "result.json"), load_config(run / "config.yaml")
            assert result["renderer"] == config.render.type == renderer
            assert result["neurons"] == [neuron] == list(config.neurons)
            assert config.compare.neurons is None and config.compare_to == "pixel"
            assert result["pixel"]["activation"] == read_json(run.parent / "comparison.json")["pixel"]
            assert (run / "summary.png").is_file() and (run / "mesh.ply").is_file()
    assert read_json(folder / "small-neuron-3/raster/result.json")["variant"].startswith("torch_")


def test_tables_agree_wherever_they_are_written(comparison):
    folder = comparison[0]
    top = read_json(folder / "comparison.json")
    with open(folder / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["neurons"] for row in rows] == ["3", "25"]
    for row, said in zip(rows, top["neurons"]):
        own = read_json(folder / said["folder"] / "comparison.json")
        place = {name: said[name] for name in ("scene", "folder", "label")}
        assert own | place == said | {name: top[name] for name in ("schema_version", "versions")}
        for made, shown in CELLS:
            cell, ratio = own["activation"][made][shown], own["ratio_to_pixel"][made][shown]
            assert float(row[f"{made}_mei_under_{shown}"]) == cell["mean"]
            assert float(row[f"{made}_mei_under_{shown}_sem"]) == cell["sem"]
            assert float(row[f"{made}_mei_under_{shown}_over_pixel"]) == pytest.approx(cell["mean"] / own["pixel"])
            assert ratio["mean"] == pytest.approx(cell["mean"] / own["pixel"])
            judged = own["validation"]["activation"][made][shown]
            assert float(row[f"validation_{made}_mei_under_{shown}"]) == judged["mean"]
            assert judged["mean"] == pytest.approx(cell["mean"], rel=0.5)
            assert (cell["sem"] == 0) == (shown == "raster")
            if made == shown:
                result = read_json(folder / said["folder"] / made / "result.json")
                assert cell == result["activation"]["final"]
                assert own["initial"][made] == result["activation"]["initial"]
                assert own["kept_start"][made] == result["restart"]
                each = [trial["activation"]["final"]["mean"] for trial in result["restarts"]]
                assert own["starts"][shown][made] == each
        assert (
            float(row["lighting.0.direction [degrees]"])
            == own["parameters"]["lighting.0.direction"]["difference"]["value"]
        )


def test_gains_and_differences_are_those_of_the_table(comparison):
    for own in read_json(comparison[0] / "comparison.json")["neurons"]:
        table, starts = own["activation"], own["starts"]
        for shown, other in (("path", "raster"), ("raster", "path")):
            mine, foreign = table[shown][shown]["mean"], table[other][shown]["mean"]
            assert own["gain"][shown]["mean"] == pytest.approx((mine - foreign) / mine)
            differences = np.subtract(starts[shown]["path"], starts[shown]["raster"])
            assert starts[shown]["mean"] == pytest.approx(differences.mean(), abs=1e-6)
            assert starts[shown]["n"] == len(differences) == 2
        assert -1 <= own["stimuli"]["correlation"] <= 1 and own["stimuli"]["rms_difference"] > 0
        assert all(0 <= own["transport"][made] < 1 for made in ("path", "raster"))
        assert 0 <= own["shape"]["mean"] <= own["shape"]["greatest"] < 1
        assert set(own["parameters"]) == {"pose.rotation", "lighting.0.direction", "lighting.0.irradiance"}
        assert [own["parameters"][name]["difference"]["unit"] for name in own["parameters"]] == ["degrees"] * 2 + [
            "relative"
        ]


@pytest.mark.parametrize(("made", "shown"), CELLS)
def test_every_cell_can_be_had_again_from_the_run(comparison, tmp_path, made, shown):
    run = comparison[0] / "small-neuron-3" / made
    own = read_json(run.parent / "comparison.json")
    found = evaluate_run(run, shown, out=tmp_path / "again.json").result
    assert found.activation.final.model_dump() == own["activation"][made][shown]
    assert found.validation.activation.final.model_dump() == own["validation"]["activation"][made][shown]
    if made == shown:
        assert found.activation.initial.model_dump() == own["initial"][made]


def test_the_statistics_are_of_both_neurons(comparison):
    folder, out, err = comparison
    top = read_json(folder / "comparison.json")
    assert top["ended"] == "done" and top["asked"] == 2 and top["left_out"] == []
    statistics = top["statistics"]
    assert statistics["neurons"] == 2
    for shown in ("path", "raster"):
        gains = [own["gain"][shown]["mean"] for own in top["neurons"]]
        assert statistics["gain"][shown]["median"] == pytest.approx(np.median(gains))
        assert f"{100 * np.median(gains):+.2g} %" in out
    assert statistics["apart"]["raster"]["of_renders"] is None
    assert statistics["apart"]["path"]["of_starts"]["of"] == 2
    assert out.splitlines()[-1] == f"written to {folder}"
    assert "neuron 25 (2 of 2), raster, start 2 of 2" in err


def test_the_pictures_are_not_empty(comparison):
    for path in comparison[0].glob("**/comparison.png"):
        pixels = iio.imread(path)[..., :3]
        assert pixels.shape[1] > 900 and (pixels < 200).any(axis=2).mean() > 0.02


def test_both_renderers_start_from_the_same_objects(scene, tmp_path, without_pictures):
    """Without a step, every start ends as it began."""
    words = ("--neurons", "3", "--set", "optimizer.steps=0", "optimizer.restarts=3", "--quiet", "--seed", "5")
    code, out, err = called("compare", str(scene), "--out", str(tmp_path / "still"), *words)
    assert (code, err) == (0, "")
    run = tmp_path / "still" / "small-neuron-3"
    for name in [f"restarts/{index}/parameters.npz" for index in range(3)]:
        first, second = (np.load(run / renderer / name) for renderer in ("path", "raster"))
        assert set(first) == set(second)
        for key in first:
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    shapes = [np.load(run / "path" / "restarts" / str(index) / "parameters.npz")["shape.offsets"] for index in range(3)]
    assert not np.array_equal(shapes[0], shapes[1])
    own = read_json(run / "comparison.json")
    assert own["initial"]["raster"]["mean"] == own["activation"]["raster"]["raster"]["mean"]
    if own["kept_start"]["path"] == own["kept_start"]["raster"]:
        assert own["shape"]["mean"] == pytest.approx(0, abs=1e-5) and own["stimuli"]["correlation"] > 0.999
        assert own["parameters"]["lighting.0.direction"]["difference"]["value"] == pytest.approx(0, abs=1e-3)


def test_an_interruption_keeps_what_is_done_and_finishes_the_optimization_under_way(
    scene, tmp_path, without_run_pictures
):
    progress = Interrupting(label="neuron 25 (2 of 2), path")
    config = load_config(scene, ["optimizer.steps=3", "evaluate.spp=4", "model.validate=null"])
    compare.run_comparison([(scene, config)], tmp_path / "cut", progress)
    top = read_json(tmp_path / "cut" / "comparison.json")
    assert any("this optimization is finished first" in text for text in progress.messages)
    assert top["ended"] == "interrupted" and top["asked"] == 2 and top["statistics"]["neurons"] == 1
    first, second = top["neurons"]
    assert (first["ended"], second["ended"]) == ("done", "interrupted")
    assert set(second["activation"]) == {"path"} and second["gain"] is None
    path = read_json(tmp_path / "cut/small-neuron-25/path/result.json")
    assert path["ended"] == "interrupted" and path["steps"] == 3 and len(path["restarts"]) == 1
    assert not (tmp_path / "cut/small-neuron-25/raster").exists()
    with open(tmp_path / "cut/comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ended"] for row in rows] == ["done", "interrupted"]
    assert rows[1]["raster_mei_under_raster"] == "" and float(rows[1]["path_mei_under_raster"]) > 0
    assert iio.imread(tmp_path / "cut/comparison.png").std() > 5
    # What is done is not done again, and the rest goes on from where it was.
    before = (tmp_path / "cut/small-neuron-25/path/metrics.csv").read_text()
    code, out, err = called("resume", str(tmp_path / "cut"))
    assert code == 0 and "neuron 3 (1 of 2), done before" in err
    top = read_json(tmp_path / "cut" / "comparison.json")
    assert top["ended"] == "done" and top["neurons"][0] == first
    assert len(top["neurons"]) == 2 and top["neurons"][1]["ended"] == "done"
    after = (tmp_path / "cut/small-neuron-25/path/metrics.csv").read_text()
    assert after.startswith(before) and len(before.splitlines()) == 4 and len(after.splitlines()) == 7
    assert not list((tmp_path / "cut").rglob("checkpoint")) and not list((tmp_path / "cut").rglob(".lock"))
    code, _, err = called("resume", str(tmp_path / "cut"))
    assert code == 2 and "has come to its end" in err


def test_a_second_interruption_ends_at_once_and_loses_nothing_that_is_done(comparison, scene, tmp_path, monkeypatch):
    done = read_result(comparison[0] / "small-neuron-3" / "comparison.json", ComparedNeuron)
    neurons = iter([done])

    def cut_short(*arguments):
        for neuron in neurons:
            return neuron
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "prepare", lambda config, told: {})
    monkeypatch.setattr(compare, "compare_neuron", cut_short)
    with pytest.raises(KeyboardInterrupt):
        compare.run_comparison([(scene, load_config(scene))], tmp_path / "cut", Silent())
    top = read_json(tmp_path / "cut" / "comparison.json")
    assert top["ended"] == "interrupted" and top["asked"] == 2
    assert [own["ended"] for own in top["neurons"]] == ["done"]
    assert iio.imread(tmp_path / "cut" / "comparison.png").std() > 5


def test_scenes_and_objectives_share_a_table_and_who_cannot_be_optimized_is_left_out(
    scene, tmp_path, monkeypatch, without_pictures
):
    prepare = compare.prepare

    def refusing(config, told):
        if config.neurons == (25,):
            raise UserError("the model is silent at the start")
        return prepare(config, told)

    monkeypatch.setattr(compare, "prepare", refusing)
    other = tmp_path / "other.yaml"
    objective = "objective: {type: discriminate, neurons: 3, against: [4]}"
    other.write_text(SCENE.replace("compare: {neurons: [3, 25]}", objective))
    words = ("--set", "optimizer={steps: 1}", "model.validate=null", "pixel.steps=2")
    code, out, err = called("compare", str(scene), str(other), "--out", str(tmp_path / "both"), *words)
    assert code == 0, err
    top = read_json(tmp_path / "both" / "comparison.json")
    assert top["ended"] == "done"
    assert [own["label"] for own in top["neurons"]] == ["small neuron 3", "other discriminate 3"]
    assert (tmp_path / "both/other-discriminate-3/raster/result.json").is_file()
    assert top["neurons"][1]["objective"] == "discriminate" and top["neurons"][1]["starts"]["path"]["n"] == 1
    assert top["neurons"][1]["validation"] is None
    assert top["left_out"] == [
        {"scene": str(scene), "label": "small neuron 25", "reason": "the model is silent at the start"}
    ]
    assert "small neuron 25 was left out: the model is silent at the start" in out
