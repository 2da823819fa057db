"""Models as their users bring them: what they change, remember and draw, and in which units they take images."""

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
from mitsuba_mei.neurons.nnvision import build_nnvision
from mitsuba_mei.neurons.repeatable import Memory, unlike
from tests.neurons.users_models import DEPRECATED, built, users_own

pytestmark = pytest.mark.usefixtures("without_pictures")

# ------------------------------------------------------------------------------------------------ a function of images


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Recurrent", "to the same image"),
        ("Dropping", "to the same image"),
        ("Batching", "to an image alone and beside others"),
    ],
)
def test_a_model_that_is_no_function_of_its_image_is_refused(scene, name, said, capsys):
    assert main(["check", str(scene(name)), "--trust-code"]) == 2
    error = capsys.readouterr().err
    assert "card.yaml:1" in error and "no function of its image: it answers" in error and said in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_model_that_changes_slowly_ends_a_run_as_failed_with_everything_written(scene, capsys):
    assert main([str(scene("Adapting")), "--trust-code", "--set", "optimizer.steps=30", "--out", "run"]) == 1
    result = json.loads(Path("run/result.json").read_text())
    assert result["ended"] == "failed"
    assert "before and after the run, so that the figures of this run mean nothing" in result["reason"]
    assert Path("run/mesh.ply").is_file() and "failed: model" in capsys.readouterr().out


def test_a_pixel_mei_of_such_a_model_is_none(scene):
    assert main(["pixel", str(scene("Adapting")), "--trust-code", "--set", "pixel.steps=40", "--out", "run"]) == 1
    assert "no function of its image" in json.loads(Path("run/result.json").read_text())["reason"]


def test_what_is_compared_is_beyond_rounding():
    images = torch.randn(2, 1, 4, 4)
    assert unlike(lambda seen: seen.sum((1, 2, 3))[:, None] * (1 + 1e-6 * len(seen)), images) == ""
    assert "alone and beside others" in unlike(lambda seen: seen.sum((1, 2, 3))[:, None] * len(seen), images)
    calls = iter(range(100))
    assert "same image" in unlike(lambda seen: torch.full((len(seen), 1), float(next(calls))), images)


def test_a_memory_tells_another_function():
    memory = Memory(lambda seen: seen.sum((1, 2, 3))[:, None], (1, 4, 4))
    seen = torch.randn(1, 1, 4, 4)
    assert memory.changed(lambda seen: seen.sum((1, 2, 3))[:, None], seen) == ""
    assert "before and after" in memory.changed(lambda seen: 1.01 * seen.sum((1, 2, 3))[:, None], seen)


# ------------------------------------------------------------------------------------------- what it changes, put back


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("float64", "default dtype"),
        ("no_grad", "grad mode"),
        ("elsewhere", "the working directory"),
        ("threads", "number of threads"),
        ("deaf", "the handler of SIGINT"),
        ("mute", "sys.stdout"),
    ],
)
def test_what_a_model_file_changes_is_put_back_and_said(scene, name, said, tmp_path, monkeypatch):
    import signal

    (tmp_path / "elsewhere").mkdir()
    path = scene(name)
    monkeypatch.chdir(tmp_path / "elsewhere")

    def state():
        settings = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
        return *settings, os.getcwd(), signal.getsignal(signal.SIGINT), sys.stdout

    usual, told = state(), []
    assert built(path, told.append).n_neurons == 3
    assert state() == usual
    assert any(said in sentence and "was put back" in sentence for sentence in told)


def test_a_models_seed_is_not_everybodys(scene):
    path = scene("seeded")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    built(path)
    assert torch.equal(torch.rand(3), expected)


def test_results_are_where_they_were_asked_for(scene, tmp_path, monkeypatch):
    path = scene("elsewhere")
    (tmp_path / "started").mkdir()
    monkeypatch.chdir(tmp_path / "started")
    assert main([str(path), "--trust-code", "--out", "run", "-q"]) == 0
    assert (tmp_path / "started/run/result.json").is_file()


@pytest.mark.parametrize(("name", "said"), [("leave", "no weights here"), ("Leaving", "no licence")])
def test_a_model_that_exits_is_an_error_of_the_model(scene, name, said, capsys):
    assert main([str(scene(name)), "--trust-code"]) == 2
    error = capsys.readouterr().err
    assert f"SystemExit: {said}" in error and "card.yaml:1" in error


# -------------------------------------------------------------------------------------------------- modules as they are


@DEPRECATED
@pytest.mark.parametrize("name", ["scripted", "traced", "frozen"])
def test_torchscript_answers_as_the_module_does(scene, name):
    plain, script = built(scene("Cells")), built(scene(name))
    images = torch.randn(4, 1, 32, 32)
    for model in (plain, script):
        assert not any(parameter.requires_grad for parameter in model.module.parameters())
    torch.testing.assert_close(script.select([2, 0])(images), plain.select([2, 0])(images))
    images.requires_grad_()
    (slope,) = torch.autograd.grad(script.select([1])(images).sum(), images)
    assert (slope != 0).any()


def test_a_module_by_its_name_is_the_model_and_is_left_as_it_is(scene):
    path = scene("SHARED")
    model = built(path)
    own = users_own(path).SHARED
    assert model.n_neurons == 3 and not model.module.training
    assert own is not model.module and own.training
    assert own.gain.requires_grad and own.gain.grad is None
    assert not model.module.gain.requires_grad


# ------------------------------------------------------------------------------------------------------- a second model


@DEPRECATED
@pytest.mark.parametrize("second", ["Cells", "scripted"])
def test_the_same_model_is_no_judge(scene, second, capsys, tmp_path):
    path = scene("Cells", scene="")
    (tmp_path / "second.yaml").write_text(f"module: mine.py:{second}\ninput: {{size: 32, mean: 100, std: 60}}\n")
    assert main(["check", str(path), "--trust-code", "--set", "model.validate=second.yaml"]) == 2
    assert "would judge its own stimuli" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------------- silence


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["run", "--set", "optimizer.restarts=2"],
        ["run", "--set", "optimizer.search=4", "--set", "pose.free=[rotation]"],
        ["pixel"],
    ],
    ids=["restarts", "search", "pixel"],
)
def test_a_neuron_that_is_silent_everywhere_ends_as_failed(scene, words, capsys, short_search):
    command, *options = words
    assert main([command, str(scene("Silent")), "--trust-code", "--out", "there", *options]) == 1
    said, result = capsys.readouterr().out, json.loads(Path("there/result.json").read_text())
    assert result["ended"] == "failed" and "is silent" in result["reason"]
    assert "failed: model 'card' is silent" in said


# --------------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("image", "mean", "std"),
    [
        ("{size: 32, mean: 0.485, std: 0.229, range: [0, 1]}", 123.675, 58.395),
        ("{size: 32, mean: 124, std: 70, range: [0, 255]}", 124, 70),
        ("{size: 32, mean: 124, std: 70}", 124, 70),
        ("{size: 32, mean: 0.5, std: 0.25, range: [0, 255]}", 0.5, 0.25),
        ("{size: 32, mean: 0, std: 1, range: [0, 255]}", 0, 1),
    ],
)
def test_mean_and_std_are_in_the_units_of_the_range(scene, image, mean, std):
    model = built(scene("Cells", image))
    assert (model.mean, model.std) == pytest.approx((mean, std))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("{size: 32, mean: 0.485, std: 0.229}", r"card.yaml:2: .*mean is 0.485 and .*std 0.229, which look like"),
        ("{size: 32, channels: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}", r"add range: \[0, 1\]"),
        ("{size: 32, mean: 0, std: 1}", r"add range: \[0, 1\]"),
        ("{size: 32, mean: 0.5, std: 1}", r"add range: \[0, 1\]"),
        ("{size: 32, mean: 124, std: 70, range: [0, 1]}", "images are in 0..1|images are in"),
        ("{size: 32, mean: 124, std: 70, range: [0, 2]}", r"range: must be \[0, 1\] or \[0, 255\]"),
    ],
)
def test_units_that_cannot_be_are_asked_about(scene, image, said):
    with pytest.raises(UserError, match=said):
        built(scene("Cells", image))


@pytest.mark.slow
@pytest.mark.pictured
def test_a_colour_models_stimulus_is_shown_with_its_mean_channel_by_channel(scene):
    image = "{size: 32, channels: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], range: [0, 1]}"
    colours = "material: {type: diffuse, reflectance: [0.8, 0.3, 0.1]}\nstimulus: {norm: 12}\n"
    assert main([str(scene("Cells", image, colours)), "--trust-code", "--out", "run", "-q"]) == 0
    seen = np.load("run/stimulus.npy")[0]
    mean, std = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255
    shown = iio.imread("run/stimulus.png").astype(float)
    np.testing.assert_allclose(shown, np.clip(seen.transpose(1, 2, 0) * std + mean, 0, 255), atol=0.51)
    np.testing.assert_allclose(shown.mean((0, 1)), mean, atol=1)
    assert np.linalg.norm(seen) == pytest.approx(12, rel=1e-4)


# ---------------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("module", "DataParallel.*model.module.state_dict"), ("model", "Lightning"), ("_orig_mod", "torch.compile")],
)
def test_what_wrappers_put_before_keys_is_named(prefix, said):
    state = {f"{prefix}.readout.all_sessions.{name}": torch.zeros(1) for name in ("grid", "features", "bias")}
    with pytest.raises(UserError, match=said):
        build_nnvision(state, (32, 32))
    with pytest.raises(UserError) as other:
        build_nnvision({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, (32, 32))
    assert "all its keys" not in str(other.value)
