"""What factors are worth, on small scenes: common starts, a scene in which one factor matters, the whole command."""

from __future__ import annotations

import csv
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import Config, free_parameters, load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments import factors
from mitsuba_mei.experiments.factor_starts import prepare
from mitsuba_mei.experiments.reevaluate import evaluate_run
from mitsuba_mei.optimize.evaluate import evaluate
from mitsuba_mei.report.tables import describe_factors
from mitsuba_mei.runs.factor_coalitions import SUBSETS, named
from mitsuba_mei.runs.results import FactorsNeuron
from mitsuba_mei.scene.parameters import get_parameters
from tests.whole_runs import Interrupting, Silent, called, leave_out_run_pictures, read_json

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20}}
pose: {rotation: [20, 30, 0], scale: 0.9}
lighting:
  - {type: sun, direction: [0.6, 0.5, -1]}
  - {type: constant, radiance: 0.3}
model: {card: {type: v4_curvature, input: {size: 48, mean: 124.5, std: 70}}, neuron: 25}
render: {type: raster, resolution: 48}
optimizer: {steps: 3, warmup: 0}
"""
PAIRS = ["shape", "pose", "light", "shape-pose", "shape-light", "pose-light", "all"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "small.yaml"
    path.write_text(SCENE)
    return path


def loaded(scene: Path, *overrides: str) -> Config:
    return load_config(scene, list(overrides), rendered=False, trust_code=True)


@pytest.fixture(scope="module")
def whole(scene) -> tuple[Path, str, str]:
    """The folder of two neurons from two starts, and what was printed."""
    folder = scene.parent / "whole"
    with pytest.MonkeyPatch.context() as patch:  # the runs' own pictures take most of the time
        leave_out_run_pictures(patch)
        code, out, err = called("factors", str(scene), "--neurons", "3,25", "--starts", "2", "--out", str(folder))
    assert code == 0, err
    return folder, out, err


# ---------------------------------------------------------------------------------------------------------- starts


def test_every_variant_starts_from_the_same_scene_to_the_last_bit(scene):
    prepared = prepare(loaded(scene), starts=3)
    first = [get_parameters(start.scene) for start in prepared.starts]
    images = [start.renderer.render(start.scene(), 0).detach() for start in prepared.starts]
    for subset in SUBSETS[1:]:
        config, starts = prepared.variant(subset)
        for start, same, image in zip(starts, first, images):
            found = get_parameters(start.scene)
            assert all(np.array_equal(found[name], same[name]) for name in same)
            assert torch.equal(start.renderer.render(start.scene(), 0).detach(), image)
            assert set(start.scene.free_parameters()) == set(free_parameters(config)) == set(prepared.paths(subset))
    assert np.abs(first[0]["shape.offsets"]).max() > 0
    for name in ("shape.offsets", "pose.start", "pose.translation", "pose.scale"):
        assert not np.array_equal(first[0][name], first[1][name]) and not np.array_equal(first[1][name], first[2][name])
    np.testing.assert_array_equal(first[0]["lighting.0.direction"], first[1]["lighting.0.direction"])


def test_what_a_variant_moves_moves_no_start(scene):
    prepared = prepare(loaded(scene), starts=1)
    before = get_parameters(prepared.starts[0].scene)
    for subset in SUBSETS[1:]:
        (moved,) = prepared.variant(subset)[1]
        with torch.no_grad():
            for parameter in moved.scene.free_parameters().values():
                parameter.add_(0.1)
    after = get_parameters(prepared.starts[0].scene)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_number_of_starts(scene):
    assert len(prepare(loaded(scene)).starts) == 3
    assert len(prepare(loaded(scene, "optimizer.restarts=4")).starts) == 4
    assert len(prepare(loaded(scene, "optimizer.restarts=4"), starts=1).starts) == 1


HIDDEN = "lighting.1={type: spot, position: [0, 0, 4], target: [0, 9, 4], cutoff: 10, beam: 5}"


def test_what_the_image_does_not_depend_on_is_left_frozen_and_said(scene):
    told = []
    config = loaded(scene, HIDDEN, "camera.free=[azimuth]")
    prepared = prepare(config, told.append, 1)
    assert prepared.parameters["light"] == ("lighting.0.direction", "lighting.0.irradiance")
    assert set(prepared.starts[0].scene.free_parameters()) == set(prepared.paths(SUBSETS[-1]))
    assert told[0].startswith("camera.azimuth of the scene file stay")
    assert told[1].endswith("here: lighting.1.position, lighting.1.target, lighting.1.intensity")


def test_a_factor_that_cannot_be_optimized_is_a_mistake_before_anything_is_written(scene, tmp_path):
    dark = (HIDDEN.replace(".1=", ".0="), "lighting.1={type: constant, radiance: 0}")
    dim = tmp_path / "dim.yaml"
    dim.write_text(SCENE.replace("radiance: 0.3", "radiance: 0"))
    words = ("--out", str(tmp_path / "no"), "--quiet", "--set")
    code, _, err = called("factors", str(dim), *words, "lighting.0.irradiance=0")
    assert code == 2 and err.startswith(f"error: {dim}: ") and err.count("\n") == 1
    with pytest.raises(UserError, match="light"):
        prepare(loaded(scene, *dark))
    constant = "{type: constant, radiance: 0.3}"
    spot = HIDDEN.partition("=")[2].replace("beam: 5}", "beam: 5, free: [target]}")
    (tmp_path / "spot.yaml").write_text(SCENE.replace(constant, f"{constant}\n  - {spot}"))
    code, _, err = called("factors", str(scene), str(tmp_path / "spot.yaml"), *words[:3])
    assert code == 2 and "spot.yaml: lighting.2.target is free, but the image does not depend on it" in err
    assert not (tmp_path / "no").exists()


# ------------------------------------------------------------------------------------------------------- the worth


def figures(scene: Path, folder: Path, *overrides: str) -> FactorsNeuron:
    """Of a single neuron from a single start."""
    outcome = factors.run_factors([(scene, loaded(scene, *overrides))], folder, Silent(), 1)
    (found,) = outcome.result.neurons
    return found


@pytest.mark.slow
def test_where_only_the_light_matters_the_others_are_worth_nothing(scene, tmp_path, without_pictures):
    """In even light a matte object is as bright everywhere, whatever its shape and pose, and this neuron looks at its
    middle alone; the image depends on shape and pose, by the outlines."""
    (scene.parent / "middle.py").write_text(
        "import torch\n"
        "class Middle(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x[:, 0, 14:18, 14:18].mean(dim=(1, 2))[:, None]\n"
    )
    card = "{module: middle.py:Middle, input: {size: 32, mean: 0, std: 255}}"
    overrides = (f"model={{card: {card}}}", "render.resolution=32", "stimulus={norm: null, clip: true}")
    light = "lighting=[{type: constant, radiance: 0.3}]"
    found = figures(scene, tmp_path / "one", *overrides, light, "optimizer.steps=6", "optimizer.lr_lighting=0.1")
    gained = found.gain["all"].mean
    assert gained > 0.01
    for kind in ("alone", "last", "shapley"):
        assert getattr(found, kind)["light"].mean == pytest.approx(gained, rel=1e-3)
        for other in ("shape", "pose"):
            assert getattr(found, kind)[other].mean == pytest.approx(0, abs=1e-3 * gained)
    assert all(value.mean == pytest.approx(0, abs=1e-3 * gained) for value in found.interaction.values())


@pytest.mark.slow
def test_where_the_light_cannot_matter_it_is_worth_nothing(scene, tmp_path, without_pictures):
    """The brightness of a silhouette in even light is what a fixed norm takes out; and that of a sphere hardly turns,
    but for its small displacement."""
    overrides = ("lighting=[{type: constant, radiance: 0.1}]", "pose={free: [rotation]}", "optimizer.steps=15")
    found = figures(scene, tmp_path / "one", *overrides)
    gained = found.gain["all"].mean
    assert gained > 0.1
    for kind in ("alone", "last", "shapley"):
        assert getattr(found, kind)["light"].mean == pytest.approx(0, abs=2e-3 * gained)
    assert found.share["shape"].mean > 0.8 and abs(found.share["pose"].mean) < 0.2


# ------------------------------------------------------------------------------------------------ the whole command


@pytest.mark.slow
def test_the_folder_holds_an_ordinary_run_for_each_subset(whole):
    folder = whole[0]
    tops = {"asked", "factors.csv", "factors.json", "factors.png", "small-neuron-3", "small-neuron-25"}
    assert {path.name for path in folder.iterdir()} == tops
    for neuron in (3, 25):
        names = {path.name for path in (folder / f"small-neuron-{neuron}").iterdir()}
        assert names == {*PAIRS, "factors.json", "factors.png"}
    own = read_json(folder / "small-neuron-25" / "factors.json")
    for name, subset in zip(PAIRS, SUBSETS[1:]):
        run = folder / "small-neuron-25" / name
        result, config = read_json(run / "result.json"), load_config(run / "config.yaml")
        free = [path for factor in own["parameters"] if factor in subset for path in own["parameters"][factor]]
        assert set(free_parameters(config)) == set(free) and config.neurons == (25,)
        assert [trial["activation"]["final"] for trial in result["restarts"]] == [
            trial["activation"] for trial in own["trials"][named(subset)]
        ]
        starts = [trial["activation"]["initial"] for trial in result["restarts"]]
        assert starts == [trial["activation"] for trial in own["trials"]["nothing"]]
        assert own["best"][named(subset)] == {"start": result["restart"], "activation": result["activation"]["final"]}
        ends, began = np.load(run / "parameters.npz"), np.load(run / "initial_parameters.npz")
        moved = {key for key in began if not np.array_equal(began[key], ends[key])}
        assert moved == set(free)


@pytest.mark.slow
def test_a_run_of_the_light_alone_can_be_evaluated_again(whole, tmp_path):
    run = whole[0] / "small-neuron-25" / "light"
    found = evaluate_run(run, out=tmp_path / "again.json").result
    assert found.activation.model_dump() == read_json(run / "result.json")["activation"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "small-neuron-25"])
def test_a_folder_of_several_runs_is_no_run(whole, name):
    with pytest.raises(UserError, match="several runs; name one of them, such as .*small-neuron-25/all"):
        evaluate_run(whole[0] / name)


@pytest.mark.slow
def test_tables_agree_wherever_they_are_written(whole):
    folder, out, _ = whole
    top = read_json(folder / "factors.json")
    assert top["ended"] == "done" and top["asked"] == 2 and top["left_out"] == []
    with open(folder / "factors.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 8
    for said in top["neurons"]:
        own = read_json(folder / said["folder"] / "factors.json")
        place = {name: said[name] for name in ("scene", "folder", "label")}
        assert own | place == said | {name: top[name] for name in ("schema_version", "versions")}
        assert own["ended"] == "done" and own["starts"] == 2
        for name in top["subsets"]:
            mine = [row for row in rows if row["folder"] == said["folder"] and row["subset"] == name]
            values = [float(row["activation"]) for row in mine]
            assert np.mean(values) == pytest.approx(own["activation"][name]["mean"])
            if name != "nothing":
                assert np.mean([float(row["gain"]) for row in mine]) == pytest.approx(own["gain"][name]["mean"])
        split = sum(own["shapley"][factor]["mean"] for factor in top["factors"])
        assert split == pytest.approx(own["gain"]["all"]["mean"])
        for pair in own["less_with_more"]:
            assert f"{pair['more']} less {pair['less']}" in out
    for word in ("Shapley value", "added last", "shape + light", "means over 2 starts", f"written to {folder}"):
        assert word in out


@pytest.mark.slow
def test_progress_says_what_is_under_way(whole):
    assert "neuron 25 (2 of 2), shape + pose, start 2 of 2, step 3/3  activation" in whole[2]


@pytest.mark.slow
def test_the_pictures_are_not_empty(whole):
    sizes = []
    for path in sorted(whole[0].glob("**/factors.png")):
        pixels = iio.imread(path)[..., :3].astype(int)
        sizes.append(pixels.shape[0])
        coloured = np.ptp(pixels, axis=2) > 60
        assert (pixels < 200).any(axis=2).mean() > 0.05 and coloured.mean() > 0.002
    assert sizes[0] == 2 * sizes[1] == 2 * sizes[2]


@pytest.mark.slow
def test_an_interruption_finishes_the_optimization_under_way_and_keeps_what_is_done(
    scene, tmp_path, without_run_pictures
):
    progress = Interrupting(label="pose, start 1 of 2")
    outcome = factors.run_factors([(scene, loaded(scene))], tmp_path / "cut", progress, 2)
    assert any("this optimization is finished first" in text for text in progress.messages)
    top = read_json(tmp_path / "cut" / "factors.json")
    assert top["ended"] == outcome.result.ended == "interrupted"
    (own,) = top["neurons"]
    assert [len(own["trials"][name]) for name in ("nothing", "shape", "pose")] == [2, 2, 1]
    assert own["trials"]["pose"][0]["steps"] == 3 and "light" not in own["trials"]
    assert own["starts"] == 1 and own["shapley"]["shape"] is None and own["alone"]["pose"]["n"] == 1
    assert read_json(tmp_path / "cut/small-neuron-25/pose/result.json")["ended"] == "interrupted"
    assert not (tmp_path / "cut/small-neuron-25/light").exists()
    assert iio.imread(tmp_path / "cut/factors.png").std() > 5
    assert "interrupted: 0 of 1 neurons are done" in describe_factors(tmp_path, outcome.result)
    # It goes on: what was optimized is only evaluated once more, and the starts are the same.
    shape = (tmp_path / "cut/small-neuron-25/shape/metrics.csv").read_bytes()
    code, _, err = called("resume", str(tmp_path / "cut"))
    assert code == 0, err
    (again,) = read_json(tmp_path / "cut" / "factors.json")["neurons"]
    assert again["ended"] == "done" and again["starts"] == 2
    assert (tmp_path / "cut/small-neuron-25/shape/metrics.csv").read_bytes() == shape
    for name in ("nothing", "shape"):
        for one, other in zip(own["trials"][name], again["trials"][name]):
            assert one["activation"]["mean"] == pytest.approx(other["activation"]["mean"], rel=1e-3)
    assert not list((tmp_path / "cut").rglob("checkpoint"))


def test_one_start_is_evaluated_as_the_start_of_every_run(scene):
    prepared = prepare(loaded(scene), starts=1)
    values = {evaluate(prepared.variant(subset)[1][0], 4, 2, 0).mean for subset in SUBSETS[1:]}
    assert len(values) == 1
