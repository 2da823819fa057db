"""A network in memory, its MEI, and what can be done with the result."""

from __future__ import annotations

import copy
import gc
import signal
import threading

import matplotlib.figure
import numpy as np
import pytest
import torch
import trimesh
from torch import nn

import mitsuba_mei as mm
from mitsuba_mei.errors import UserError
from tests.api.networks import Returning, Transformer, small
from tests.whole_runs import called

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

INPUT = {"size": 32, "mean": 124.5, "std": 70.3}
RENDER = {"type": "raster", "resolution": 32}


def problem(model=None, **more) -> mm.MEI:
    scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(control_points=20, scale=0.4))
    more = {"neuron": 2, "input": mm.Input(**INPUT), "scene": scene, "renderer": mm.Render(**RENDER)} | more
    return mm.MEI(small() if model is None else model, evaluate={"spp": 8, "repeats": 2}, **more)


@pytest.mark.pictured
def test_the_example_of_the_readme(capsys, tmp_path):
    my_network = small()
    scene = mm.Scene(
        mm.icosphere(4),
        emitters=[mm.Sun(direction=(-0.6, -0.5, -1)), mm.Constant(0.3)],
        free=["shape.offsets", "shape.scales"],
    )
    mei = mm.MEI(my_network, neuron=2, input=mm.Input(size=93, mean=124.5, std=70.3), scene=scene, renderer="raster")
    result = mei.optimize(steps=3)
    assert result.activation.final.mean > result.activation.initial.mean
    assert isinstance(result.mesh, trimesh.Trimesh) and len(result.mesh.faces) == 5120
    assert result.stimulus.shape == (93, 93) and result.image.shape[:2] == (100, 100)
    assert isinstance(result.plot(), matplotlib.figure.Figure)
    assert "data:image/png;base64" in result._repr_html_() and "activation" in repr(result)
    assert (result.save(tmp_path / "mine") / "result.json").is_file()
    out, err = capsys.readouterr()
    assert out == "" and "optimizing" in err


def test_the_network_stays_as_it_is_and_the_activation_is_its_own():
    network = small()
    before = copy.deepcopy(network.state_dict())
    result = problem(network).optimize(steps=2, progress=False)
    assert network.training and all(each.requires_grad and each.grad is None for each in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    own = network.eval()(torch.from_numpy(result.model_input))[0, 2].item()
    assert result.activation.final.mean == pytest.approx(own, rel=1e-5)
    grey = result.model_input[0, 0] * INPUT["std"] + INPUT["mean"]
    assert result.stimulus == pytest.approx(grey)
    assert len(result.mesh.vertices) == 162 and result.parameters["shape.offsets"].shape == (20, 3)


@pytest.mark.parametrize(
    ("model", "output"),
    [
        (small().eval(), None),
        (Returning(dict), "mean"),
        (Returning(tuple), 1),
        (lambda images, network=small().eval(): network(images), None),
        (lambda images, network=small().eval(): {"r": network(images)}, "r"),
    ],
    ids=["module", "mapping", "tuple", "function", "function of a mapping"],
)
def test_whatever_holds_the_responses(model, output):
    result = problem(model, output=output).optimize(steps=1, progress=False)
    own = small().eval()(torch.from_numpy(result.model_input))[0, 2].item()
    assert result.activation.final.mean == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize(
    ("network", "name", "channel", "position", "read"),
    [
        (small(), "1", 3, "centre", lambda values: values[0, 3, 4, 4]),
        (small(), "1", 3, (0, 2), lambda values: values[0, 3, 0, 2]),
        (small(), "1", 3, "mean", lambda values: values[0, 3].mean()),
        (Transformer(), "blocks.0", 5, "centre", lambda values: values[0, 1 + 4 * 8 + 4, 5]),
        (Transformer(), "blocks.1", 5, 0, lambda values: values[0, 0, 5]),
        (Transformer(), "blocks.0", 5, "mean", lambda values: values[0, :, 5].mean()),
    ],
)
def test_a_channel_of_a_layer(network, name, channel, position, read):
    result = problem(mm.layer(network, name, channel, position), neuron=0).optimize(steps=4, progress=False)
    kept = []
    network.eval().get_submodule(name).register_forward_hook(lambda module, given, value: kept.append(value))
    network(torch.from_numpy(result.model_input))
    assert result.activation.final.mean == pytest.approx(read(kept[0]).item(), rel=1e-4)
    assert result.activation.final.mean > result.activation.initial.mean


def test_a_saved_run_is_an_ordinary_one(tmp_path):
    network = small()
    result = problem(network).optimize(steps=2, progress=False)
    folder = result.save(tmp_path / "run")
    code, out, err = called("report", str(folder))
    assert code == 0, err
    code, out, err = called("evaluate", str(folder))
    assert code == 0, err  # the model is still there
    del result
    gc.collect()
    code, out, err = called("tune", str(folder), "--over", "pose.scale=0.9:1.1:3", "--out", str(tmp_path / "no"))
    assert code == 2 and "give it again in Python" in err and not (tmp_path / "no").exists()
    again = mm.read_run(folder, model=network)
    tuning = mm.tune(again, {"pose.scale": (0.9, 1.1, 3)}, progress=False)
    assert tuning.neurons[0].mean[1] == pytest.approx(again.activation.final.mean, rel=1e-5)
    assert tuning.folder.parent == folder
    with torch.no_grad():
        network[-1].bias += 1
    with pytest.raises(UserError, match="config.yaml: the model that is given has other weights"):
        mm.read_run(folder, model=network)
    with pytest.raises(UserError, match="exists already, and a run is never overwritten"):
        again.save(folder)


def test_a_second_call_goes_on():
    mei = problem()
    first = mei.optimize(steps=6, progress=False)
    second = mei.optimize(steps=6, progress=False)
    assert second.activation.initial.mean == pytest.approx(first.activation.final.mean, rel=1e-4)
    assert second.activation.final.mean > first.activation.final.mean
    assert second.initial_scene == "earlier run"
    with pytest.raises(UserError, match="call restart"):
        mei.optimize(steps=1, restarts=2, progress=False)
    mei.restart()
    assert mei.optimize(steps=1, progress=False).activation.initial == first.activation.initial


class Stopping(nn.Module):
    """Sends Ctrl-C at one of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.calls = small(), []

    def forward(self, images):
        self.calls.append(1)
        if len(self.calls) == 60:
            signal.raise_signal(signal.SIGINT)
        return self.network(images)

    def __deepcopy__(self, memo):
        copied = Stopping()
        copied.calls = self.calls
        return copied


def test_an_interrupt_gives_what_was_reached(tmp_path):
    mei = problem(Stopping())
    result = mei.optimize(steps=400, progress=False)
    assert result.ended == "interrupted" and 1 <= result.steps < 400
    assert result.activation.final.mean > result.activation.initial.mean
    on = mei.optimize(steps=2, progress=False)
    assert on.ended == "done" and on.activation.initial.mean == pytest.approx(result.activation.final.mean, rel=1e-4)


def test_grey_and_colour_and_both_renderers_in_one_process_and_in_a_thread():
    results = {}

    def work() -> None:
        for channels in (1, 3, 1):
            for kind in ("path", "raster"):
                image = mm.Input(channels=channels, **INPUT)
                render = mm.Render(type=kind, resolution=32, spp=4)
                mei = problem(small(channels), input=image, renderer=render)
                results[channels, kind] = mei.optimize(steps=1, progress=False)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert {key: result.stimulus.ndim for key, result in results.items()} == {
        (channels, kind): 2 if channels == 1 else 3 for channels in (1, 3) for kind in ("path", "raster")
    }
    assert all(np.isfinite(result.activation.final.mean) for result in results.values())
    assert results[3, "path"].variant.endswith("rgb") and results[1, "path"].variant.endswith("mono")


class Bad(nn.Module):
    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images):
        return self.answer(images)


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (Bad(lambda images: [1.0]), {}, "the model returns list; it must return a tensor"),
        (Bad(lambda images: images.mean((2, 3))[0]), {}, "it must be (2, number of neurons)"),
        (Bad(lambda images: images.mean((2, 3)) / 0 * 0), {"neuron": 0}, "is not finite"),
        (Bad(lambda images: images.mean((2, 3)).detach()), {"neuron": 0}, "carry no gradient"),
        (Bad(lambda images: images.mean((2, 3)).half()), {"neuron": 0}, "responses must be float32 or float64"),
        (nn.Sequential(nn.Flatten(), nn.Linear(100, 3)), {}, "the model fails on an image (2, 1, 32, 32)"),
        (small(), {"neuron": 7}, "there is no neuron 7; allowed: 0..4"),
        (small(), {"input": None}, "needs input=mitsuba_mei.Input"),
        (small(), {"output": "mean"}, "output is 'mean', but the model returns a Tensor; leave it out"),
        (Returning(dict), {"output": "man"}, "the model returns no 'man'; did you mean 'mean'?"),
        (Returning(tuple), {"output": 2}, "the model returns 2 values: give 0..1"),
        ([1, 2], {}, "model is a list; give a torch.nn.Module"),
        (nn.Linear, {}, "model is the class Linear"),
        (small(), {"renderer": "rasta"}, "there is no renderer 'rasta'; did you mean 'raster'?"),
        (small(), {"scene": "scene.yaml"}, "scene is a str; give a mitsuba_mei.Scene"),
        (small(), {"regularisers": {}}, "MEI takes no argument 'regularisers'; did you mean 'regularizers'?"),
        (small(), {"regularizers": {"areas": 1.0}}, "MEI: regularizers.areas: unknown key; did you mean 'area'?"),
        ("models/v4_curvature.yaml", {}, "input and output are of a network in memory"),
    ],
)
def test_a_mistake_is_one_sentence_before_the_first_step(model, more, said):
    with pytest.raises(ValueError, match=".") as caught:
        problem(model, **more)
    assert isinstance(caught.value, UserError) and said in str(caught.value), caught.value


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: mm.layer(small(), "11"), "layer: the model has no layer '11'"),
        (lambda: problem(mm.layer(small(), "1", 9), neuron=0), "layer '1' has no channel 9; allowed: 0..7"),
        (lambda: problem(mm.layer(small(), "1", 1, (9, 0)), neuron=0), "position (9, 0) lies outside"),
        (lambda: problem(mm.layer(small(), "1", 1, "center"), neuron=0), "position is 'center'; give 'centre'"),
        (lambda: mm.Sun(irradance=3), "Sun: irradance: unknown key; did you mean 'irradiance'?"),
        (lambda: mm.Constant(0.3, (), 5), "Constant takes at most"),
        (lambda: mm.Constant(0.3, radiance=1.0), "Constant: radiance is given twice"),
        (lambda: mm.icosphere(9), "icosphere: subdivisions: must be at most 7, not 9"),
        (lambda: mm.Scene(free="pose"), "free is 'pose'; give a list, as in free=['pose']"),
        (lambda: mm.Scene(pose=(0, 0, 0)), "Scene: pose is a tuple; give a part"),
        (lambda: problem(scene=mm.Scene(free=["pose.rotatoin"])), "there is no such parameter"),
        (lambda: problem(scene=mm.Scene(free=[])).optimize(steps=1), "nothing is free"),
        (lambda: mm.read_run("nowhere"), "there is no folder 'nowhere'"),
        (lambda: mm.pixel_mei(3), "scene is a int; give a scene file"),
    ],
)
def test_so_is_one_in_a_part(make, said):
    with pytest.raises(UserError) as caught:
        make()
    assert said in str(caught.value), caught.value
