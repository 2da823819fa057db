"""Checkpoints as other people's code writes them, and what is met in place of one."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.cards import load_card
from tests.neurons import checkpoints
from tests.neurons.users_models import DEPRECATED, built


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
        (gzip.compress(b"weights", mtime=0), "compressed with gzip"),
        (b"<!DOCTYPE html><title>Not found</title>", "a web page"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path, content, said):
    (tmp_path / "a.pth").write_bytes(content)
    assert said in refusal(tmp_path)


@DEPRECATED
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
