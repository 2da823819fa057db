"""Modules and checkpoints as other people's code makes them: what they hold on to, answer, share and are called."""

from __future__ import annotations

import gzip
import json
import os
import struct
import sys
import zipfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.cli import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.neurons.layers import Layer
from tests.neurons import checkpoints

MODULE = '''
import os
import sys

import torch
from torch import nn


class Cells(nn.Module):
    """Gratings, each with a gain of its own."""

    def __init__(self, count=3, size=32):
        super().__init__()
        x = (2 * torch.arange(size) + 1 - size) / size
        waves = torch.stack([torch.cos(torch.pi * (i + 1) * x) for i in range(count)])
        self.gain = nn.Parameter(torch.ones(count))
        self.register_buffer("waves", waves / size**0.5 / waves.norm(dim=1, keepdim=True))

    def forward(self, images):
        return images.mean(1).sum(1) @ self.waves.T * self.gain


class Cubed(Cells):
    def forward(self, images):
        return super().forward(images) ** 3


class Shifted(Cells):
    def forward(self, images):
        return super().forward(images + 0.2 * images.roll(3, -1))


class Silent(Cells):
    def forward(self, images):
        return (super().forward(images) - 1000).relu()


class Below(Cells):
    """Two kinds of starts: the neuron answers less than nothing, or not at all."""

    def forward(self, images):
        response = super().forward(images)
        return torch.where(response > OPEN, 0 * response, response - 50)


OPEN = float(os.environ.get("OPEN_AT_OF_THESE_TESTS", "inf"))


class Adapting(Cells):
    """The responses fall slowly, call by call."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images) * (1 - 4e-5 * self.calls)


class Whole(Cells):
    def forward(self, images):
        return super().forward(images).round().long()


class Half(Cells):
    def forward(self, images):
        return super().forward(images).bfloat16()


class Undefined(Cells):
    def forward(self, images):
        return super().forward(images) + torch.tensor([0, float("nan"), 0])


class Backless(Cells):
    def forward(self, images):
        responses = super().forward(images)
        root = responses.exp()
        root.mul_(2)  # exp's gradient needs what is overwritten here
        return root


class InPlace(Cells):
    def forward(self, images):
        images -= 0.3
        images *= 2
        return super().forward(images)


class Modal(Cells):
    def forward(self, images):
        return super().forward(images) * (1 if torch.is_grad_enabled() else 2)


class Restless(Cells):
    def forward(self, images):
        torch.set_default_dtype(torch.float64)
        os.chdir(os.path.dirname(__file__))
        sys.stdout = None
        return super().forward(images)


class Recording(Cells):
    """Keeps all that it is shown."""

    def forward(self, images):
        SHOWN.extend(images.detach().clone())
        return super().forward(images)


SHOWN = []


class Hooked(nn.Module):
    """Reads a layer out by a hook that holds on to the very object."""

    def __init__(self):
        super().__init__()
        self.cells, self.found = Cells(), {}
        self.cells.register_forward_hook(lambda module, given, value: self.found.update(value=value))

    def forward(self, images):
        self.cells(images)
        return self.found["value"] * 1


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other, self.drop = Cells(), Cells(), nn.Dropout(0.5)

    def forward(self, images):
        return self.one(images) + self.drop(self.other(images))


DEEP = Deep().double()
DEEP.other.eval()
DEEP.one.gain.requires_grad_(False)
DEEP.other.gain.grad = torch.full_like(DEEP.other.gain, 7)
HOOKED = Hooked()
HELD = Cells()
HELD.attribute = HELD.gain * 2  # what has a history cannot be copied


def the_same():
    return DEEP


def scripted():
    return torch.jit.script(Cells())


def too_small():
    return torch.jit.script(Cells(size=16))


class Loading(Cells):
    def __init__(self, name, **wanted):
        super().__init__(**wanted)
        self.load_state_dict(torch.load(os.path.join(os.path.dirname(__file__), name)))


def environment():
    os.environ["OMP_NUM_THREADS"] = "7"
    return Cells()


def path():
    sys.path.insert(0, "/nowhere")
    return Cells()


def arguments():
    sys.argv.append("--trust-code")
    return Cells()


def deterministic():
    torch.use_deterministic_algorithms(True)
    return Cells()


def anomalies():
    torch.autograd.set_detect_anomaly(True)
    return Cells()


def hook():
    sys.excepthook = print
    return Cells()


def device():
    torch.set_default_device("meta")
    return nn.Identity()
'''

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20, scale: 0.4}, free: [offsets]}
lighting: [{type: directional, direction: [-0.6, -0.5, -1], irradiance: 3}, {type: constant, radiance: 0.3}]
render: {type: raster, resolution: 32}
model: {card: card.yaml}
optimizer: {steps: 2, warmup: 0}
evaluate: {spp: 4, repeats: 2}
"""

INPUT = "{size: 32, mean: 124.5, std: 70.3}"


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Writes module and card beside a scene, and starts in its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MODULE)

    def write(name: str, image: str = INPUT, scene: str = "", arguments: str = "{}") -> Path:
        (tmp_path / "card.yaml").write_text(f"module: mine.py:{name}\narguments: {arguments}\ninput: {image}\n")
        (tmp_path / "scene.yaml").write_text(SCENE + scene)
        return tmp_path / "scene.yaml"

    return write


def built(scene: Path, told=lambda text: None):
    return load_card(scene.with_name("card.yaml"), trust_code=True, told=told)


def users_own(scene: Path):
    """The module that the card's file became."""
    mine = [module for name, module in sys.modules.items() if name.startswith("mine_")]
    return next(module for module in mine if Path(module.__file__).parent == scene.parent)


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


# ------------------------------------------------------------------------------------------------- answers that can't be


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
def test_answers_that_cannot_be_optimised_are_refused(scene, name, said):
    with pytest.raises(UserError, match=f"card.yaml:1: {said}"):
        built(scene(name))


@pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")
def test_of_torchscript_the_error_itself_is_said(scene):
    with pytest.raises(UserError, match="fails on an image .*: RuntimeError: .*32.*16") as refused:
        built(scene("too_small"))
    assert "interpreter" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")
def test_a_layer_of_torchscript_cannot_be_read(scene):
    with pytest.raises(UserError, match=r"objective.layer: .* TorchScript module, whose layers cannot be read"):
        Layer(torch.jit.script(torch.nn.Sequential(torch.nn.ReLU())), "0")


def test_a_stimulus_too_faint_for_a_picture_is_said(scene, capsys):
    words = ["--trust-code", "--set", "optimizer.steps=0", "--set", "stimulus.norm=0.3", "--out", "run"]
    assert main([str(scene("Cells")), *words]) == 0
    expected = 0.3 / 32 * 70.3  # RMS of the standardised image, in grey levels
    assert f"norm 0.3 is a contrast of {expected:.2g} of 255 grey levels" in capsys.readouterr().err


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
        shape = (3, 1, 1)
        standardised = (images - torch.tensor(model.mean).reshape(shape)) / torch.tensor(model.std).expand(3).reshape(shape)
        expected = reference["responses"][:, list(reference["neurons"]).index("201025_68")]
        np.testing.assert_allclose(model(standardised)[:, 0].numpy(), expected, atol=1e-4)


# ----------------------------------------------------------------------------------------------------------- a second model


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


# ---------------------------------------------------------------------------------------------------------------- silence


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
    ("command", "file"), [("compare", "comparison.json"), ("factors --starts 2", "factors.json")], ids=["compare", "factors"]
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


# ----------------------------------------------------------------------------------------------------------- checkpoints


def refusal(tmp_path: Path, name: str = "a.pth") -> str:
    """What is said of a file that a card names as weights."""
    card = {"type": "nnvision", "weights": name, "input": {"size": 32, "mean": 120.0, "std": 60.0}}
    with pytest.raises(UserError) as refused:
        load_card(card, tmp_path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("prefix", "more", "whose", "how"),
    [
        ("module.", {}, "all its keys begin with 'module.', as DataParallel saves", "model.module.state_dict()"),
        ("model.", {}, "all its keys begin with 'model.', as a Lightning module", "lightning_module.model"),
        ("model.", {"loss.weight": torch.ones(2)}, "the keys of its model begin with 'model.'", "key[6:]"),
        ("model.module.", {}, "DataParallel in a Lightning module", "if key.startswith('model.module.')"),
        ("_orig_mod.", {}, "torch.compile", "model._orig_mod.state_dict()"),
        ("encoder.", {}, "all its keys begin with 'encoder.'", "key[8:]"),
    ],
)
@pytest.mark.parametrize("state_of", [checkpoints.point_pooled_state, checkpoints.attention_state])
def test_a_prefix_is_named_and_how_to_save_without_it(tmp_path, state_of, prefix, more, whose, how):
    state = state_of()
    torch.save({"state_dict": {prefix + key: state[key] for key in state} | more}, tmp_path / "a.pth")
    said = refusal(tmp_path)
    assert whose in said and how in said


def test_what_the_hint_on_a_prefix_says_works(tmp_path):
    original = checkpoints.point_pooled_state()
    state = {"model.module." + key: original[key] for key in original}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    expression = refusal(tmp_path).rpartition("torch.save(")[2].removesuffix(", path)")
    torch.save(eval(expression, {"state": state}), tmp_path / "a.pth")
    card = {"type": "nnvision", "weights": "a.pth", "input": {"size": 32, "mean": 120.0, "std": 60.0}}
    assert load_card(card, tmp_path).n_neurons == 5


@pytest.mark.parametrize(
    ("prefix", "arguments", "said"),
    [
        ("module.", "{name: a.pth}", "all its keys begin with 'module.', as DataParallel saves them"),
        ("", "{name: a.pth, count: 4}", r"has 'gain' of the shape \(3\) where \(4\) is needed"),
        ("other.name.", "{name: a.pth}", "lacks 'gain', 'waves' and has 'other.name.gain'"),
    ],
)
def test_a_state_that_a_users_module_cannot_load_is_explained(scene, tmp_path, prefix, arguments, said):
    state = {f"{prefix}gain": torch.ones(3), f"{prefix}waves": torch.ones(3, 32)}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=f"mine.py:Loading fails: the state dict that it loads .*{said}"):
        built(scene("Loading", arguments=arguments))


def safetensors() -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (safetensors(), "a safetensors file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file"),
        (gzip.compress(b"weights"), "compressed with gzip"),
        (b"<!DOCTYPE html><title>Not found</title>", "a web page"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path, content, said):
    (tmp_path / "a.pth").write_bytes(content)
    assert said in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")
def test_archives_that_are_no_checkpoint_are_called_what_they_are(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "a.pth")
    said = refusal(tmp_path)
    assert "is a TorchScript module" in said and "damaged" not in said
    np.savez(tmp_path / "a.npz", a=np.ones(3))
    assert "an archive of NumPy arrays" in refusal(tmp_path, "a.npz")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "a zip archive, but no PyTorch checkpoint; it holds config.json" in refusal(tmp_path, "a.keras")
    torch.save({"epoch": 3, "model": checkpoints.point_pooled_state()}, tmp_path / "a.pth")
    assert "torch.save(checkpoint['model'], path)" in refusal(tmp_path)
