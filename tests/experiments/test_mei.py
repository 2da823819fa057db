"""Whole runs, short ones."""

import csv
import json
import math
import signal
import threading

import imageio.v3 as iio
import numpy as np
import pytest
import torch
import trimesh

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments import outputs as leavings
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.io.images import read_image
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.report.video import STRIP
from mitsuba_mei.runs.results import Estimate
from tests.whole_runs import Interrupting, Silent, written

pytestmark = pytest.mark.slow

CONTRACT = {
    "activation", "fraction_of_optimum", "ratio_to_pixel", "validation", "steps", "seconds", "seconds_per_step",
    "peak_memory_mb", "skipped_steps", "mesh", "renderer", "variant", "seed",
}  # fmt: skip
FILES = {
    "config.yaml", "metrics.csv", "result.json", "stimulus.png", "stimulus.npy", "render.exr", "render.png", "mesh.ply",
    "mesh.glb", "summary.png", "progress.mp4", "parameters.npz", "initial_parameters.npz",
    "initial_stimulus.png", "initial_render.png", "frames",
}  # fmt: skip

SHORT = ["optimizer.steps=25", "optimizer.warmup=3", "evaluate.spp=32", "evaluate.repeats=2", "optimizer.lr=0.03"]
COARSE = ["shape.template.subdivisions=3", "shape.rbf.control_points=40"]


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    config = load_config(root / "scenes/simple_cell.yaml", SHORT + COARSE)
    progress = Silent()
    return run_mei(config, tmp_path_factory.mktemp("runs") / "one", progress), progress


def test_the_folder_holds_what_is_promised(run):
    outcome, _ = run
    assert {p.name for p in outcome.folder.iterdir()} == FILES
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result == written(outcome.result)
    assert CONTRACT <= set(result)
    assert set(result["activation"]["final"]) == {"mean", "sem"}


def test_the_activation_rises_and_the_fraction_is_of_the_known_optimum(run):
    result = run[0].result
    assert result.activation.final.mean > 5 + result.activation.initial.mean
    assert result.fraction_of_optimum == pytest.approx(result.activation.final.mean / 25, rel=1e-6)
    assert 0 < result.activation.final.sem < 0.5


def test_the_stimulus_is_what_the_neuron_saw(run, root):
    from mitsuba_mei.neurons.cards import load_card

    folder, result = run[0].folder, run[0].result
    seen = np.load(folder / "stimulus.npy")
    assert seen.shape == (1, 1, 100, 100)
    assert np.linalg.norm(seen) == pytest.approx(25, rel=1e-5)
    response = load_card(root / "models/simple_cell.yaml")(torch.from_numpy(seen))[0, 0].item()
    assert response == pytest.approx(result.activation.final.mean, rel=0.02)


def test_the_pictures_can_be_read_and_are_not_empty(run, read_video):
    folder = run[0].folder
    for name in ("render.png", "stimulus.png", "summary.png"):
        assert iio.imread(folder / name).std() > 5, name
    assert len(read_video(folder / "progress.mp4", 320 + STRIP, 640)) >= 20


def test_still_frames_say_their_step_and_show_how_the_stimulus_came_about(run):
    folder = run[0].folder
    names = sorted(path.name for path in (folder / "frames").iterdir())
    steps = sorted({int(name.split("-")[1]) for name in names})
    assert names == sorted(f"step-{step:05d}-{kind}.png" for step in steps for kind in ("render", "stimulus"))
    assert steps[0] == 1 and steps[-1] == 25 and len(steps) == 12
    last, first, final = (
        iio.imread(path).astype(float)
        for path in (
            folder / "frames/step-00025-stimulus.png",
            folder / "initial_stimulus.png",
            folder / "stimulus.png",
        )
    )
    assert np.abs(last - final).mean() < 0.5 * np.abs(first - final).mean()


def test_the_meshes_are_the_final_object(run):
    folder, result = run[0].folder, run[0].result
    for name in ("mesh.ply", "mesh.glb"):
        mesh = trimesh.load(folder / name, force="mesh", process=False)
        assert len(mesh.faces) == result.mesh.faces == 1280
        assert mesh.is_watertight


def test_the_metrics_have_a_row_for_every_step_and_progress_was_told(run):
    outcome, progress = run
    with open(outcome.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 26))
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert len(progress.steps) == progress.total == 25 and progress.stopped
    assert "activation" in progress.steps[0]


def test_the_resolved_config_runs_again(run, root):
    again = load_config(run[0].folder / "config.yaml")
    assert again == load_config(root / "scenes/simple_cell.yaml", SHORT + COARSE)


def test_the_render_on_disk_is_the_converged_one(run):
    image = read_image(run[0].folder / "render.exr")
    assert image.shape[:2] == (100, 100)
    assert np.isfinite(image).all() and (image >= 0).all() and image.std() > 0.02


def test_a_run_is_never_overwritten(run, root):
    config = load_config(root / "scenes/simple_cell.yaml", SHORT + COARSE)
    with pytest.raises(UserError, match="exists already"):
        run_mei(config, run[0].folder, Silent())


def test_frozen_parameters_stay_and_free_ones_move(root, tmp_path, without_pictures):
    free = ["pose.rotation", "lighting.0.direction", "camera.distance", "material"]
    overrides = [*SHORT, *COARSE, "optimizer.steps=3", "optimizer.warmup=0"]
    config = load_config(root / "scenes/simple_cell.yaml", overrides, free)
    scene = run_mei(config, tmp_path / "run", Silent()).result.scene
    direction = np.array([-0.6, -0.5, -1.0]) / np.linalg.norm([-0.6, -0.5, -1.0])
    assert np.abs(np.array(scene["pose"]["rotation"])).max() > 0.1
    assert np.abs(np.array(scene["lighting"][0]["direction"]) - direction).max() > 1e-3
    assert abs(scene["camera"]["distance"] - 4.0) > 1e-3
    assert abs(scene["material"]["reflectance"] - 0.7) > 1e-4
    # The others to the last bit of single precision.
    assert scene["pose"]["translation"] == [0, 0, 0] and scene["pose"]["scale"] == 1
    assert scene["camera"]["azimuth"] == 0 and scene["camera"]["elevation"] == 0
    assert scene["lighting"][0]["irradiance"] == 3.0
    assert scene["lighting"][1]["radiance"] == np.float32(0.3)


@pytest.mark.parametrize(
    ("overrides", "free", "frozen"),
    [
        ([], ["pose", "lighting"], ["shape"]),
        ([], ["lighting.1"], ["shape"]),
        (["regularizers={smoothness: 0, area: 0, edge_length: 0, rigidity: 0}"], [], []),
    ],
)
def test_any_part_can_be_the_only_one_that_is_optimized(root, tmp_path, without_pictures, overrides, free, frozen):
    overrides = [*SHORT, *COARSE, "optimizer.steps=3", "optimizer.warmup=0", *overrides]
    config = load_config(root / "scenes/simple_cell.yaml", overrides, free, frozen)
    result = run_mei(config, tmp_path / "run", Silent()).result
    assert result.steps == 3 and result.skipped_steps == 0
    assert result.activation.final.mean != result.activation.initial.mean


def test_ctrl_c_finishes_the_step_and_writes_everything(root, tmp_path):
    config = load_config(root / "scenes/simple_cell.yaml", [*SHORT, *COARSE, "optimizer.steps=1000"])

    progress = Interrupting(4)
    before = signal.getsignal(signal.SIGINT)
    outcome = run_mei(config, tmp_path / "run", progress)
    assert outcome.result.ended == "interrupted"
    assert 4 <= outcome.result.steps <= 5
    assert {p.name for p in outcome.folder.iterdir()} == FILES | {"checkpoint"}
    assert any("interrupted" in text for text in progress.messages)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_run_works_outside_the_main_thread(root, tmp_path):
    config = load_config(root / "scenes/simple_cell.yaml", [*SHORT, *COARSE, "optimizer.steps=1"])
    found = []
    thread = threading.Thread(target=lambda: found.append(run_mei(config, tmp_path / "run", Silent())))
    thread.start()
    thread.join()
    assert found and found[0].result.steps == 1


def test_no_steps_evaluate_the_scene_as_it_is(root, tmp_path, without_pictures):
    config = load_config(root / "scenes/simple_cell.yaml", [*SHORT, *COARSE, "optimizer.steps=0"])
    result = run_mei(config, tmp_path / "run", Silent()).result
    assert result.activation.initial == result.activation.final


def test_the_documented_model_of_ones_own_is_driven(root, tmp_path, without_pictures):
    """scenes/own_model: an ON cell and an OFF cell like opposite contrasts."""
    images = {}
    for neuron in (0, 1):
        overrides = [f"model.neuron={neuron}", "optimizer.steps=20", "evaluate={spp: 64, repeats: 2}"]
        config = load_config(root / "scenes/own_model/scene.yaml", overrides, trust_code=True)
        outcome = run_mei(config, tmp_path / str(neuron), Silent())
        activation = outcome.result.activation
        assert outcome.result.model == "own model"
        assert activation.final.mean > 1.2 * activation.initial.mean
        images[neuron] = np.load(outcome.folder / "stimulus.npy")[0, 0]
    assert images[0][32, 32] > images[1][32, 32]


def test_a_colour_model_sees_colour(root, tmp_path):
    (tmp_path / "red.py").write_text(
        "import torch\n\n\nclass Red(torch.nn.Module):\n"
        "    def forward(self, image):\n"
        "        weights = torch.linspace(-1, 1, image.shape[-1])\n"
        "        red, green = ((image[:, channel] * weights).mean((1, 2))[:, None] for channel in (0, 1))\n"
        "        return red - 0.5 * green\n"
    )
    (tmp_path / "red.yaml").write_text(
        "name: red\nmodule: red.py:Red\ninput: {size: 32, channels: 3, mean: 124.5, std: 70}\n"
    )
    (tmp_path / "scene.yaml").write_text(
        "model: {card: red.yaml}\nrender: {resolution: 32, spp: 4}\n"
        "shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20}}\n"
        "material: {type: diffuse, reflectance: [0.8, 0.3, 0.1], free: [reflectance]}\n"
        "optimizer: {steps: 6, warmup: 0}\nevaluate: {spp: 64, repeats: 2}\n"
    )
    outcome = run_mei(load_config(tmp_path / "scene.yaml", trust_code=True), tmp_path / "run", Silent())
    result = outcome.result
    assert result.variant.endswith("rgb")
    assert result.activation.final.mean > result.activation.initial.mean
    assert np.load(outcome.folder / "stimulus.npy").shape == (1, 3, 32, 32)
    image = iio.imread(outcome.folder / "render.png")
    assert image.shape == (32, 32, 3)
    assert image[16, 16, 0] > image[16, 16, 2] + 30


def test_the_rasterizer_renders_a_whole_run_without_noise(root, tmp_path, request):
    config = load_config(root / "scenes/simple_cell.yaml", [*SHORT, *COARSE, "render.type=raster", "optimizer.steps=8"])
    progress = Silent()
    outcome = run_mei(config, tmp_path / "run", progress)
    result = outcome.result
    assert CONTRACT <= set(written(result)) and {p.name for p in outcome.folder.iterdir()} == FILES
    assert result.renderer == "raster" and result.variant == "torch_cpu_mono"
    assert result.activation.final.mean > result.activation.initial.mean
    assert result.activation.final.sem == 0 and len(progress.steps) == result.steps == 8
    request.getfixturevalue("without_pictures")
    again = run_mei(load_config(outcome.folder / "config.yaml"), tmp_path / "again", Silent()).result
    assert again.activation == result.activation


# -------------------------------------------------------------------------------- pixels, a second model, restarts

SECOND = {
    "type": "simple_cell",
    "name": "another bank",
    "parameters": {"frequency": [2.2] * 12, "orientation": 45.0, "phase": 90.0},
    "input": {"size": 100, "mean": 120.0, "std": 60.0},
}
COMPARED = [
    f"model={{card: models/simple_cell_bank.yaml, neuron: 5, validate: {json.dumps(SECOND)}}}",
    "compare_to=pixel",
    "pixel={steps: 40, restarts: 2}",
    "optimizer={steps: 10, restarts: 2, warmup: 3, lr: 0.03}",
    "pose.free=[rotation, scale]",
]


@pytest.fixture(scope="module")
def compared(root, tmp_path_factory):
    config = load_config(root / "scenes/simple_cell.yaml", [*SHORT, *COARSE, *COMPARED])
    progress = Silent()
    return run_mei(config, tmp_path_factory.mktemp("runs") / "compared", progress), progress


def test_the_ratio_to_pixels_carries_its_error(compared):
    result = compared[0].result
    final, pixel = result.activation.final, result.pixel.activation
    assert 0.98 * 25 < pixel <= 25 * (1 + 1e-5)
    assert result.ratio_to_pixel == Estimate(mean=final.mean / pixel, sem=final.sem / pixel)
    assert np.load(compared[0].folder / "pixel_stimulus.npy").shape == (1, 1, 100, 100)
    assert iio.imread(compared[0].folder / "pixel_stimulus.png").shape == (100, 100)


def test_a_second_model_answers_to_the_same_grey_levels(compared):
    folder, second = compared[0].folder, compared[0].result.validation
    evaluator = load_card(SECOND)

    def response(name):
        grey = torch.from_numpy(np.load(folder / name)) * 70.28 + 124.54
        return evaluator((grey - 120) / 60)[0, 5].item()

    assert second.model == "another bank"
    assert second.pixel == pytest.approx(response("pixel_stimulus.npy"), rel=1e-4)
    final = second.activation.final.mean
    assert final == pytest.approx(response("stimulus.npy"), rel=0.05)  # of noisy renders, and their mean
    assert second.ratio_to_pixel.mean == pytest.approx(final / second.pixel, rel=1e-12)


def test_the_best_restart_is_kept_and_all_are_recorded(compared):
    (folder, result), progress = (compared[0].folder, compared[0].result), compared[1]
    finals = [trial.activation.final.mean for trial in result.restarts]
    assert len(set(finals)) == 2
    # A cell that is silent at the file's own scene may be at another too: what each began with is said, not seen.
    assert [trial.initial_scene for trial in result.restarts] == ["scene file", "random start"]
    assert result.restart == finals.index(max(finals))
    # From other renders than those that it was chosen by.
    assert result.activation.final.mean != max(finals)
    assert result.activation.final.mean == pytest.approx(max(finals), rel=0.05)
    over = {"of": "activation", "n": 2, "mean": sum(finals) / 2, "sd": abs(finals[0] - finals[1]) / math.sqrt(2)}
    assert dict(result.over_starts) == pytest.approx(over | {"lowest": min(finals), "highest": max(finals)})
    assert result.steps == 20 and result.seconds == sum(trial.seconds for trial in result.restarts)
    with open(folder / "metrics.csv", newline="") as file:
        rows = [(int(row["restart"]), int(row["step"])) for row in csv.DictReader(file)]
    assert rows == [(restart, step) for restart in (0, 1) for step in range(1, 11)]
    for restart in ("0", "1"):
        assert {path.name for path in (folder / "restarts" / restart).iterdir()} == {
            "stimulus.png",
            "mesh.ply",
            "parameters.npz",
        }
    kept = trimesh.load(folder / "restarts" / str(result.restart) / "mesh.ply", process=False)
    np.testing.assert_array_equal(kept.vertices, trimesh.load(folder / "mesh.ply", process=False).vertices)
    assert any("start 2 of 2" in text for text in progress.messages)


def test_responses_of_every_neuron_are_reported(root, tmp_path, without_pictures):
    overrides = [*SHORT, *COARSE, "optimizer.steps=2", "model={card: models/simple_cell_bank.yaml}"]
    objective = "objective={type: target, neurons: [3, 5], responses: [4, 2]}"
    result = run_mei(load_config(root / "scenes/simple_cell.yaml", [*overrides, objective]), tmp_path / "run", Silent())
    final = {row.neuron: row.final.mean for row in result.result.responses}
    assert list(final) == [3, 5] and result.result.objective == "target"
    assert result.result.fraction_of_optimum is None
    # The mean over renders of a root mean square is about that of the means.
    expected = -np.sqrt(((final[3] - 4) ** 2 + (final[5] - 2) ** 2) / 2)
    assert result.result.activation.final.mean == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("stop_at", ["optimization", "pixels"])
def test_half_a_pixel_mei_is_no_reference(root, tmp_path, stop_at):
    """Ctrl-C before the pixel MEI is found: everything is written, without a ratio."""
    overrides = [*SHORT, *COARSE, "optimizer.steps=6", "compare_to=pixel", "pixel={steps: 1000, restarts: 1}"]
    config = load_config(root / "scenes/simple_cell.yaml", overrides)

    progress = Interrupting(4 if stop_at == "optimization" else 10)
    outcome = run_mei(config, tmp_path / "run", progress)
    kept = {"checkpoint"} if stop_at == "optimization" else set()
    assert {p.name for p in outcome.folder.iterdir()} == FILES | kept
    assert outcome.result.pixel is None and outcome.result.ratio_to_pixel is None
    assert outcome.result.ended == ("interrupted" if stop_at == "optimization" else "done")
    assert any("there is no ratio" in text for text in progress.messages)


def test_the_title_says_what_the_renders_and_the_starts_are_wrong_by(compared):
    """Beside each other: neither stands for the other, and the ratio is the kept start's."""
    result = compared[0].result
    config = load_config(compared[0].folder / "config.yaml")
    title = leavings._title(config, build_pipeline(config), result)
    over, final = result.over_starts, result.activation.final
    assert "±" not in title
    assert f"{final.mean:.4g} (render s.e. {final.sem:.2g})" in title
    assert f"of the pixel MEI; mean over 2 starts {over.mean:.4g} (s.d. {over.sd:.2g})" in title
