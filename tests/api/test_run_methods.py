"""What can be done with a finished run from Python: report, evaluation, export, resumption; and sweeps."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
import torch

import mitsuba_mei as mm
from mitsuba_mei.errors import UserError
from mitsuba_mei.report.sentences import describe_run

from .networks import small

pytestmark = pytest.mark.slow


class Moved(torch.nn.Module):
    """A network whose class once stood elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def forward(self, images):
        return self.network(images)


def problem(**more):
    scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20, scale=0.4))
    image = mm.Input(size=32, mean=124.5, std=70.3)
    render = mm.Render(type="raster", resolution=32)
    return mm.MEI(small(), 1, input=image, scene=scene, renderer=render, evaluate={"spp": 16}, **more)


@pytest.fixture(scope="module")
def run():
    return problem().optimize(3, progress=False)


def test_the_report_and_the_evaluation_need_the_model_that_the_run_holds(run, tmp_path):
    page = run.report(tmp_path / "page.html")
    assert "<html" in page.read_text(encoding="utf-8")
    again = run.evaluate(out=tmp_path / "again.json")
    assert again.activation.final.mean == pytest.approx(run.activation.final.mean, rel=1e-6)
    other = run.evaluate("path", overrides=["evaluate.spp=64"], out=tmp_path / "path.json")
    assert other.activation.final.sem > 0


def test_stimuli_and_scene_are_exported(run, tmp_path):
    folder = run.export(tmp_path / "stimuli", size=64, mean=0.5, contrast=0.1, gamma=2.2)
    with open(folder / "stimuli.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and np.load(folder / "0001.npy").shape == (64, 64)
    assert (run.export(tmp_path / "blender", blender=True) / "scene.glb").is_file()
    with pytest.raises(UserError, match="contrast"):
        run.export(tmp_path / "wrong", contrast=-1)


def test_an_interrupted_run_goes_on_to_what_it_would_have_been(tmp_path, monkeypatch):
    from mitsuba_mei.experiments.history import History

    whole = problem(deterministic=True).optimize(6, progress=False)
    add, seen = History.add, []

    def stop(self, step):
        add(self, step)
        seen.append(step)
        if len(seen) == 3:
            raise KeyboardInterrupt

    mei = problem(deterministic=True)
    with monkeypatch.context() as patch:
        patch.setattr(History, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            mei.optimize(6, out=tmp_path / "run", progress=False)
    broken = mm.Run(tmp_path / "run", None, held=mei._held)
    done = broken.resume(progress=False)
    assert done.ended == "done" and done.activation == whole.activation
    with pytest.raises(UserError, match="nothing to go on with"):
        done.resume(progress=False)


def test_a_sweep_of_two_runs(tmp_path, root):
    scene = {
        "shape": {"template": {"type": "icosphere", "subdivisions": 2}, "rbf": {"control_points": 20}},
        "render": {"type": "raster", "resolution": 100},
        "optimizer": {"steps": 1},
        "model": {"card": str(root / "models" / "v4_curvature.yaml")},
        "evaluate": {"spp": 16},
    }
    (tmp_path / "scene.yaml").write_text(json.dumps(scene))
    (tmp_path / "sweep.yaml").write_text(json.dumps({"scene": "scene.yaml", "axes": {"model.neuron": [3, 25]}}))
    environment = dict(os.environ)
    outcome = mm.run_sweep(tmp_path / "sweep.yaml", out=tmp_path / "out", workers=1, progress=False)
    assert (outcome.done, outcome.failed, outcome.missing) == (2, 0, 0)
    assert dict(os.environ) == environment  # dask's nannies set threads for their workers
    runs = [mm.read_run(folder) for folder in sorted((outcome.folder / "runs").iterdir())]
    assert [run.neurons for run in runs] == [(3,), (25,)]


def test_results_of_several_neurons_say_what_they_come_to(tmp_path):
    tuning = mm.tune(
        problem().optimize(1, progress=False), {"pose.rotation.y": (-20, 20, 3)}, repeats=2, progress=False
    )
    assert "neuron 1" in repr(tuning) and str(tuning.folder) not in repr(tuning)
    factors = mm.factors(problem(seed=1, optimizer={"steps": 2}), starts=1, out=tmp_path / "factors", progress=False)
    assert "interactions" in repr(factors) and "factors.png" not in repr(factors)


def test_a_layer_is_titled_by_its_name_and_channel():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 5), torch.nn.ReLU())
    mei = mm.MEI(mm.layer(network, "1", channel=3), input=mm.Input(size=32, mean=124.5, std=70.3), renderer="raster")
    assert mei.config.model.card["name"] == "Sequential, layer 1, channel 3"


def test_a_run_keeps_its_network_whatever_else_held_it(tmp_path):
    network = small()
    image = mm.Input(size=32, mean=124.5, std=70.3)
    folder = mm.MEI(network, 1, input=image, renderer="raster").optimize(0, progress=False).save(tmp_path / "run")
    run = mm.read_run(folder, model=network)
    other = mm.MEI(network, 2, input=image)
    del other
    assert len(mm.tune(run, {"pose.rotation.y": (-5, 5, 3)}, neurons=[1, 4], progress=False).neurons) == 2
    with pytest.raises(UserError, match="no neuron 99"):
        mm.tune(run, {"pose.rotation.y": (-5, 5, 3)}, neurons=99, progress=False)
    assert [path.name for path in folder.glob("tuning-*")] == ["tuning-001"]


def test_a_class_that_moved_is_the_same_network_and_other_weights_are_not(tmp_path):
    network = Moved()
    image = mm.Input(size=32, mean=124.5, std=70.3)
    folder = mm.MEI(network, 1, input=image, renderer="raster").optimize(0, progress=False).save(tmp_path / "run")
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace(f"{__name__}.Moved", "__main__.Moved"))
    run = mm.read_run(folder, model=network)
    assert run.evaluate(out=tmp_path / "again.json").activation == run.activation
    with torch.no_grad():
        network.network[0].bias += 1
    with pytest.raises(UserError, match="has other weights or buffers than the run's __main__.Moved"):
        mm.read_run(folder, model=network)


def test_a_run_that_ended_below_its_start_says_so():
    def wrong_gradient(responses):
        return 2 * responses.mean().detach() - responses.mean()

    run = problem(objective=wrong_gradient).optimize(5, progress=False)
    assert run.activation.final.mean < run.activation.initial.mean
    assert "ended worse than it began" in " ".join(describe_run(run.folder, run.result))


def test_two_channels_of_a_layer_are_two_models():
    network, image = small(), mm.Input(size=32, mean=124.5, std=70.3)
    channels = [mm.MEI(mm.layer(network, "1", channel=c), input=image, renderer="raster") for c in (3, 5)]
    first, second = (mei.optimize(0, progress=False) for mei in channels)
    for run, channel in ((first, 3), (second, 5)):
        answer = mm.layer(network.eval(), "1", channel=channel)(torch.from_numpy(run.model_input))
        assert run.activation.final.mean == pytest.approx(answer.item(), rel=1e-4)


def test_models_that_differ_in_a_plain_attribute_are_two(tmp_path):
    class Scaled(Moved):
        factor = 1.0

        def forward(self, images):
            return self.factor * self.network(images)

    one, two = Scaled(), Scaled()
    two.factor = 2.0
    image = mm.Input(size=32, mean=124.5, std=70.3)
    first, second = (mm.MEI(each, 1, input=image, renderer="raster") for each in (one, two))
    runs = [mei.optimize(0, progress=False) for mei in (first, second)]
    assert runs[1].activation.final.mean == pytest.approx(2 * runs[0].activation.final.mean, rel=1e-4)
    folder = runs[1].save(tmp_path / "second")
    again = mm.read_run(folder, model=two)
    assert again.evaluate(out=tmp_path / "again.json").activation == runs[1].activation
    with pytest.raises(UserError, match="has other weights or buffers"):
        mm.read_run(folder, model=one)
