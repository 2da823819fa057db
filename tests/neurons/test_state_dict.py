from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mitsuba_mei.errors import Place, UserError
from mitsuba_mei.neurons.state_dict import read_state

WHERE = Place("card.yaml", Path("/nowhere"), 5)
STATE = {"conv.weight": torch.arange(24.0).reshape(2, 3, 4) / 7, "conv.bias": torch.tensor([1.0, -2.0])}
FORMATS = {"zip": True, "legacy": False}


def refused(call, *said: str) -> str:
    """The one sentence that a call ends in."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith("card.yaml:5: ") and "\n" not in message
    for part in said:
        assert part in message, message
    return message


def saved(content, new: bool = True) -> bytes:
    with io.BytesIO() as file:
        torch.save(content, file, _use_new_zipfile_serialization=new)
        return file.getvalue()


def read(folder: Path, data: bytes, name: str = "a.pth") -> dict[str, Tensor]:
    (folder / name).write_bytes(data)
    return read_state(folder / name, WHERE)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("new", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict"])
def test_a_state_dict_comes_back(tmp_path, new, wrapper):
    state = read(tmp_path, saved(STATE if wrapper is None else {wrapper: STATE, "epoch": 3}, new))
    assert type(state) is dict and equal(state, STATE)


def test_a_modules_state_comes_back(tmp_path):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).half()
    state = read(tmp_path, saved(dict(module.named_parameters()) | dict(module.named_buffers())))
    assert all(type(value) is Tensor and not value.requires_grad for value in state.values())
    twin = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).half()
    twin.load_state_dict(state)
    assert equal(twin.state_dict(), module.state_dict())
    assert equal(read(tmp_path, saved(module.state_dict())), dict(module.state_dict()))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle 0", "pickle 2", "pickle 4", "wrapped"])
def test_code_in_a_file_is_not_run(tmp_path, kind):
    content = {"a": torch.ones(2), "b": Trap(tmp_path / "sprung")}
    if kind.startswith("pickle"):
        data = pickle.dumps({"b": content["b"]}, int(kind[-1]))
    else:
        data = saved({"state_dict": content} if kind == "wrapped" else content, kind != "legacy")
    said = {
        "pickle 0": ["is no PyTorch checkpoint"],
        "pickle 4": ["is damaged, or holds more than tensors, which could run code; nothing in it was run"],
    }.get(kind, ["holds more than tensors (posix.mkdir), which could run code; nothing in it was run"])
    refused(lambda: read(tmp_path, data), *said)
    assert not (tmp_path / "sprung").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pickle.loads(data) if kind.startswith("pickle") else torch.load(io.BytesIO(data), weights_only=False)
    assert (tmp_path / "sprung").is_dir()  # so it would have


def test_a_setting_for_trusted_files_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refused(lambda: read(tmp_path, saved({"b": Trap(tmp_path / "sprung")})), "is refused")
    assert not (tmp_path / "sprung").exists()


def test_a_whole_module_is_refused_by_its_name(tmp_path):
    refused(lambda: read(tmp_path, saved(nn.Linear(2, 2))), "torch.nn.modules.linear.Linear", "model.state_dict()")


def test_what_is_no_checkpoint_is_said(tmp_path):
    refused(lambda: read_state(tmp_path / "gone.pth", WHERE), "there is no file")
    refused(lambda: read_state(tmp_path, WHERE), "there is no file")
    refused(lambda: read(tmp_path, b""), "is empty")
    for data in (b"hello\n", b"\x89PNG\r\n\x1a\n" + bytes(100), b"<!DOCTYPE html><html>", bytes(100)):
        refused(lambda: read(tmp_path, data), "is no PyTorch checkpoint")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 3\n"
    refused(lambda: read(tmp_path, pointer), "Git LFS pointer", "git lfs pull")
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("readme.txt", "hello")
        other = file.getvalue()
    refused(lambda: read(tmp_path, other), "no PyTorch checkpoint")


def test_a_scripted_module_is_refused(tmp_path):
    with io.BytesIO(saved(STATE)) as file:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("archive/constants.pkl", b"")  # by which torch tells it
        data = file.getvalue()
    refused(lambda: read(tmp_path, data), "is a TorchScript module", "torch.jit.load(path)", "module: file.py:function")


def test_a_bomb_is_not_unpacked(tmp_path):
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", b"x")
            archive.writestr("a/data/0", bytes(10**7))
        bomb = file.getvalue()
    refused(lambda: read(tmp_path, bomb), "would unpack to 10000001 bytes")
    refused(lambda: read(tmp_path, saved({"a": torch.zeros(1).expand(10**12)})), "far more memory")


@pytest.mark.parametrize("new", FORMATS.values(), ids=FORMATS)
def test_a_truncated_file_is_said(tmp_path, new):
    data = saved(STATE, new)
    for length in sorted({*range(1, 40), *range(40, len(data), 97), *range(len(data) - 40, len(data))}):
        refused(lambda: read(tmp_path, data[:length]))


@settings(max_examples=50, deadline=None)
@given(
    new=st.booleans(),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), min_size=1, max_size=4),
)
def test_flipped_bits_are_read_or_refused(tmp_path_factory, new, flips):
    data = bytearray(saved(STATE, new))
    for position, bit in flips:
        data[position % len(data)] ^= 1 << bit
    try:
        state = read(tmp_path_factory.getbasetemp(), bytes(data), "flipped.pth")
    except UserError as error:
        assert str(error).startswith("card.yaml:5: ")
    else:
        assert state and all(isinstance(value, Tensor) for value in state.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}, "has 'b', which is not finite everywhere"),
        ({"b": torch.tensor(float("inf")).half()}, "has 'b', which is not finite"),
        ({"b": torch.tensor([complex(0, float("nan"))])}, "has 'b', which is not finite"),
        ({"b": torch.tensor([float("nan")]).to(torch.float8_e5m2)}, "has 'b', which is not finite"),
        ({"a": torch.ones(2), "b": 3}, "has 'b', which is int, not a tensor"),
        ({"a": {"b": torch.ones(2)}}, "has 'a', which is dict, not a tensor"),
        ({3: torch.ones(2)}, "has a key 3 that is no name"),
        ({}, "holds no weights"),
        ({"state_dict": {}}, "holds no weights"),
        (torch.ones(2), "holds Tensor, not a state dict"),
        ([torch.ones(2)], "holds list, not a state dict"),
        (None, "holds NoneType, not a state dict"),
        ({"state_dict": {"state_dict": {"a": torch.ones(2)}}}, "has 'state_dict', which is dict, not a tensor"),
        ({"state_dict": {"a": torch.ones(1)}, "model_state_dict": {"a": torch.ones(1)}}, "holds both state_dict and"),
        ({"a": torch.ones(2, device="meta")}, "has 'a', which is no plain tensor (meta, torch.strided)"),
        ({"a": torch.eye(2).to_sparse()}, "has 'a', which is no plain tensor (cpu, torch.sparse_coo)"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path, content, said):
    refused(lambda: read(tmp_path, saved(content)), said)


def test_shared_and_8_bit_weights_are_fine(tmp_path):
    shared = torch.rand(100, 100)
    state = read(tmp_path, saved({"a": shared, "b": shared, "c": torch.ones(2).to(torch.float8_e4m3fn)}))
    assert torch.equal(state["a"], state["b"])
