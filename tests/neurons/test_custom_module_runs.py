"""Modules as other people's code makes them: what they hold on to, answer and share."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.cli.main import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.neurons.model import FeatureExtractor
from tests.neurons import checkpoints
from tests.neurons.users_models import DEPRECATED, built, users_own

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

# ---------------------------------------------------------------------------------------- what is the user's stays so


@pytest.mark.parametrize("name", ["DEEP", "the_same"])
def test_a_module_is_left_as_it_is_in_every_part(scene, name, capsys):
    path = scene(name, scene="stimulus: {norm: 12}\n")
    assert main([str(path), "--trust-code", "--out", "run", "-q"]) == 0
    own = users_own(path).DEEP
    assert [part.training for part in (own, own.one, own.other, own.drop)] == [True, True, False, True]
    assert [own.one.gain.requires_grad, own.other.gain.requires_grad] == [False, True]
    assert own.one.gain.grad is None and torch.equal(own.other.gain.grad, torch.full((3,), 7.0, dtype=torch.float64))
    assert all(parameter.dtype == torch.float64 for parameter in own.parameters())


@pytest.mark.parametrize(("name", "said"), [("HOOKED", "has hooks"), ("HELD", "cannot be copied")])
def test_what_cannot_be_copied_whole_is_not_taken(scene, name, said):
    with pytest.raises(UserError, match=rf"card.yaml:1: mine.py:{name} {said}.*name a function that builds it"):
        built(scene(name))


def test_a_new_object_may_have_hooks_of_its_own(scene):
    image = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(built(scene("Hooked")).select([2])(image), built(scene("Cells")).select([2])(image))


def test_a_model_that_works_in_place_leaves_the_stimulus(scene):
    image = torch.randn(1, 1, 32, 32)
    expected, kept = users_cells(scene)(2 * (image - 0.3)), image.clone()
    found = built(scene("InPlace")).select([0, 1, 2])(image)
    torch.testing.assert_close(found, expected)
    assert torch.equal(image, kept)


def users_cells(scene):
    return built(scene("Cells")).select([0, 1, 2])


@pytest.mark.parametrize(
    ("name", "said", "state"),
    [
        ("environment", "environment variables", lambda: dict(os.environ)),
        ("path", "sys.path", lambda: list(sys.path)),
        ("arguments", "sys.argv", lambda: list(sys.argv)),
        ("deterministic", "deterministic algorithms", torch.are_deterministic_algorithms_enabled),
        ("anomalies", "anomaly detection", torch.is_anomaly_enabled),
        ("hook", "sys.excepthook", lambda: sys.excepthook),
    ],
)
def test_what_else_a_model_file_changes_is_put_back_and_said(scene, name, said, state):
    usual, told = state(), []
    built(scene(name), told.append)
    assert state() == usual
    assert any(said in sentence and "put back" in sentence for sentence in told)


def test_a_default_device_is_put_back_though_the_model_is_refused(scene):
    with pytest.raises(UserError):
        built(scene("device"))
    assert torch.zeros(1).device == torch.device("cpu")


def test_what_the_model_changes_as_it_answers_is_put_back_every_time(scene, tmp_path, monkeypatch):
    path, told = scene("Restless"), []
    (tmp_path / "started").mkdir()
    monkeypatch.chdir(tmp_path / "started")

    def state():
        return torch.get_default_dtype(), os.getcwd(), sys.stdout

    usual = state()
    model = built(path, told.append)
    assert state() == usual and any("default dtype" in each and "working directory" in each for each in told)
    model.select([1])(torch.zeros(1, 1, 32, 32))
    assert state() == usual


# ------------------------------------------------------------------------------------------------ answers that can't be


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Whole", "the model returns int64 numbers; responses must be float32 or float64"),
        ("Half", "the model returns bfloat16 numbers"),
        ("Undefined", "the response of neuron 1 to a uniform image is not finite"),
        ("Backless", "the gradient of the model's responses fails: RuntimeError"),
        ("Modal", "the model is no function of its image: it answers .* to an image without and with a gradient"),
    ],
)
def test_answers_that_cannot_be_optimized_are_refused(scene, name, said):
    with pytest.raises(UserError, match=f"card.yaml:1: {said}"):
        built(scene(name))


@DEPRECATED
def test_of_torchscript_the_error_itself_is_said(scene):
    with pytest.raises(UserError, match="fails on an image .*: RuntimeError: .*32.*16") as refused:
        built(scene("too_small"))
    assert "interpreter" not in str(refused.value)


@DEPRECATED
def test_a_layer_of_torchscript_cannot_be_read(scene):
    with pytest.raises(UserError, match=r"objective.layer: .* TorchScript module, whose layers cannot be read"):
        FeatureExtractor(torch.jit.script(torch.nn.Sequential(torch.nn.ReLU())), "0")


def test_a_stimulus_too_faint_for_a_picture_is_said(scene, capsys):
    words = ["--trust-code", "--set", "optimizer.steps=0", "--set", "stimulus.norm=0.3", "--out", "run"]
    assert main([str(scene("Cells")), *words]) == 0
    expected = 0.3 / 32 * 70.3  # RMS of the standardised image, in grey levels
    assert f"norm 0.3 is a contrast of {expected:.2g} of 255 grey levels" in capsys.readouterr().err


@pytest.mark.pictured
def test_a_colour_models_stimulus_is_the_picture_that_it_saw(scene):
    """Each channel in the model's own units: what is shown, standardised as the card says it, was an input."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    image = f"{{size: 32, channels: 3, mean: {mean.tolist()}, std: {std.tolist()}, range: [0, 1]}}"
    colours = "material: {type: diffuse, reflectance: [0.8, 0.3, 0.1]}\nstimulus: {clip: true}\nbackground: 0.3\n"
    path = scene("Recording", image, colours)
    assert main([str(path), "--trust-code", "--out", "run", "-q"]) == 0
    shown = iio.imread("run/stimulus.png") / 255
    assert np.ptp(shown) > 0.5 and np.ptp(shown, axis=2).max() > 0.2
    standardised = ((shown - mean) / std).transpose(2, 0, 1)
    inputs = torch.stack(users_own(path).SHOWN).numpy()
    assert np.abs(inputs - standardised).max((1, 2, 3)).min() <= 0.5 / 255 / std.min() + 1e-5


COMPACT = """
import torch
import torch.nn.functional as F
from torch import nn


class Compact(nn.Module):
    def __init__(self, weights):
        super().__init__()
        state = torch.load(weights, weights_only=True)
        self.state = {key.removeprefix("layers."): state[key].float() for key in state}

    def layer(self, index, images):
        if index:
            depth = self.state[f"layer{index}_conv_depth.weight"]
            halved = index < 3
            images = F.pad(images, (1, 2, 1, 2) if halved else (2, 2, 2, 2))
            images = F.conv2d(images, depth, stride=1 + halved, groups=len(depth))
        name = f"layer{index}_conv_point" if index else "layer0_conv"
        images = F.conv2d(images, self.state[f"{name}.weight"], self.state[f"{name}.bias"], padding=0 if index else 2)
        norm = [self.state[f"layer{index}_bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(images, *norm, eps=0 if index else 1e-3).relu()

    def forward(self, images):
        for index in range(5):
            images = self.layer(index, images)
        return F.linear(images.permute(0, 2, 3, 1).flatten(1), self.state["Beta.weight"], self.state["Beta.bias"])
"""


@pytest.mark.shared
def test_a_published_colour_network_answers_as_its_publishers_say(shared_data, tmp_path):
    """Its input is RGB, 0 to 255, less a mean channel by channel, and not divided by anything."""
    folder = shared_data / "macaque_v4_compact"
    weights = folder / "weights/compact_model_201025_neuron68.pt"
    reference = np.load(folder / "reference.npz")
    (tmp_path / "compact.py").write_text(COMPACT)
    mean = [116.222, 109.270, 100.381]
    card = {"module": "compact.py:Compact", "arguments": {"weights": str(weights)}}
    for scale, kind in ((1, [0, 255]), (255, [0, 1])):
        units = {"mean": [each / scale for each in mean], "std": 1 / scale, "range": kind}
        model = load_card(card | {"input": {"size": 112, "channels": 3, **units}}, tmp_path, trust_code=True)
        images = torch.from_numpy(reference["images"]).permute(0, 3, 1, 2)
        standardised = (images - torch.tensor(model.mean).reshape(3, 1, 1)) / model.std
        expected = reference["responses"][:, list(reference["neurons"]).index("201025_68")]
        np.testing.assert_allclose(model(standardised)[:, 0].numpy(), expected, atol=1e-4)


# ------------------------------------------------------------------------------------------------------- a second model


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("Cells", "Cubed", "just as 'card' does"),
        ("Cells", "Shifted", None),
        ("Silent", "Silent", "the weights of one of 'card'"),
        ("Cells", "Silent", None),
    ],
)
def test_a_second_model_is_told_from_the_first(scene, first, second, said, tmp_path, capsys):
    path = scene(first)
    (tmp_path / "second.yaml").write_text(f"module: mine.py:{second}\ninput: {{size: 32, mean: 100, std: 60}}\n")
    code = main(["check", str(path), "--trust-code", "--set", "model.validate=second.yaml"])
    error = capsys.readouterr().err
    assert code == (0 if said is None else 2), error
    assert said is None or said in error and "would judge its own stimuli" in error


def test_a_member_of_an_ensemble_is_known_by_its_weights(scene, tmp_path, capsys):
    card = "type: nnvision\nweights: {}\ninput: {{size: 32, mean: 120, std: 60}}\n"
    for name, seed in (("a", 1), ("b", 2), ("c", 3), ("copy_of_a", 1)):
        torch.save(checkpoints.point_pooled_state(seed), tmp_path / f"{name}.pth")
    path = scene("Cells")
    (tmp_path / "card.yaml").write_text(card.format("[a.pth, b.pth]"))
    (tmp_path / "second.yaml").write_text(card.format("[c.pth, copy_of_a.pth]"))
    assert main(["check", str(path), "--set", "model.validate=second.yaml"]) == 2
    assert "has a network with the weights of one of 'card'" in capsys.readouterr().err
    (tmp_path / "second.yaml").write_text(card.format("c.pth"))
    assert main(["check", str(path), "--set", "model.validate=second.yaml"]) == 0


# -------------------------------------------------------------------------------------------------------------- silence


def test_a_start_that_the_neuron_answers_from_goes_before_a_silent_one(scene, monkeypatch):
    """One of two starts is silent at 0; the other answers below 0."""
    words = ["--trust-code", "-q", "--set", "optimizer.restarts=2", "--set", "optimizer.lr=1e-5"]
    assert main([str(scene("Cells")), *words, "--out", "plain"]) == 0
    starts = json.loads(Path("plain/result.json").read_text())["restarts"]
    first, second = (start["activation"]["initial"]["mean"] for start in starts)
    monkeypatch.setenv("OPEN_AT_OF_THESE_TESTS", str((first + second) / 2))
    assert main([str(scene("Below")), *words, "--out", "run"]) == 0
    result = json.loads(Path("run/result.json").read_text())
    ended = [start["ended"] for start in result["restarts"]]
    assert ended[int(first < second)] == "failed" and ended[int(first > second)] != "failed"
    assert result["ended"] != "failed" and result["activation"]["final"]["mean"] < 0


@pytest.mark.parametrize(
    ("command", "file"),
    [("compare", "comparison.json"), ("factors --starts 2", "factors.json")],
    ids=["compare", "factors"],
)
def test_where_nothing_is_answered_all_fail_and_so_does_the_command(scene, command, file, capsys):
    words = ["--set", "optimizer.steps=1", "--set", "optimizer.restarts=2", "--set", "pixel.steps=2"]
    command, *more = command.split()
    assert main([command, str(scene("Silent")), "--trust-code", "-q", "--out", "run", *more, *words]) == 1
    said = capsys.readouterr().out
    assert "neuron 0, " in said and "failed (model 'card' is silent" in said and "last good scene" not in said
    (neuron,) = json.loads(Path("run", file).read_text())["neurons"]
    assert neuron["failed"] and all("is silent" in reason for reason in neuron["failed"].values())


@pytest.mark.parametrize("command", ["compare", "factors --starts 1"], ids=["compare", "factors"])
def test_a_model_that_changes_slowly_is_noticed_there_too(scene, command, capsys):
    words = ["--set", "optimizer.steps=4", "--set", "pixel.steps=8"]
    command, *more = command.split()
    assert main([command, str(scene("Adapting")), "--trust-code", "-q", "--out", "run", *more, *words]) == 2
    assert "to the same image before and after the run" in capsys.readouterr().err
