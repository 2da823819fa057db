"""A checkpoint's tensors, read without executing anything in it."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ..errors import Place, UserError, first_line
from ..io.web import readable

__all__ = ["read_state"]

WRAPPERS = ("state_dict", "model_state_dict")
_MEGABYTE = 2**20
OTHERS = (
    (b"{", ", but a safetensors file"),
    (b"\x89HDF\r\n", ", but an HDF5 file, as Keras writes"),
    (b"\x1f\x8b", ", but compressed with gzip"),
    (b"\x93NUMPY", ", but a NumPy array"),
    (b"\x08", ", but an ONNX file, it seems"),
    (b"<", ", but a web page"),
)
"""How files begin that are met in place of a checkpoint; safetensors after the eight bytes of a length."""


def read_state(path: Path, where: Place) -> dict[str, Tensor]:
    """The tensors of a state dict, on the CPU, without gradients.

    Takes what ``torch.save(model.state_dict(), path)`` writes, as well within ``{"state_dict": ...}`` or
    ``{"model_state_dict": ...}``. Nothing in the file is executed.

    Parameters
    ----------
    path : Path
        The file.
    where : Place
        Where the card names the weights.

    Raises
    ------
    UserError
        If the file is not there, truncated, damaged or no checkpoint, holds more than tensors, takes far more memory
        than its own size, or a weight is not finite.
    """
    with readable(path, where):
        if not path.is_file():
            raise UserError(f"{where}: there is no file '{path}'")
        size = path.stat().st_size
    return _state(_checkpoint(path, size, where), path, size, where)


def _checkpoint(path: Path, size: int, where: Place) -> Any:
    with readable(path, where), open(path, "rb") as file:
        start = file.read(64)
    if not start:
        raise UserError(f"{where}: '{path}' is empty")
    if start.startswith(b"version https://git-lfs"):
        raise UserError(f"{where}: '{path}' is only a Git LFS pointer to the file; fetch the file with 'git lfs pull'")
    if not start.startswith((b"PK\x03\x04", b"\x80")):
        other = next((kind for sign, kind in OTHERS if start[8 * (sign == b"{") :].startswith(sign)), "")
        raise UserError(
            f"{where}: '{path}' is no PyTorch checkpoint{other}; write one with torch.save(model.state_dict(), path)"
        )
    try:
        if start.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                names = [entry.filename for entry in archive.infolist()]
                unpacked = sum(entry.file_size for entry in archive.infolist())
            _check_archive(names, path, where)
            if unpacked > 2 * size + _MEGABYTE:  # torch.save compresses nothing
                raise UserError(f"{where}: '{path}' would unpack to {unpacked} bytes, far more than its own {size}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL (\S+)", str(error))
        more = f"holds more than tensors ({match[1]})" if match else "is damaged, or holds more than tensors"
        raise UserError(
            f"{where}: '{path}' is refused: it {more}, which could run code; nothing in it was run; "
            f"write it with torch.save(model.state_dict(), path)"
        ) from None
    except Exception as error:  # whatever damaged bytes lead to
        raise UserError(
            f"{where}: '{path}' is truncated, damaged or no PyTorch checkpoint ({first_line(error)})"
        ) from None


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(each, Tensor) for each in value.values())


def _check_archive(names: list[str], path: Path, where: Place) -> None:
    """Refuse by its name what is no checkpoint but a zip archive as well."""
    # Not named code/: a checkpoint of a model called so holds nothing there.
    if any("/code/__torch__" in name or name.endswith("/constants.pkl") for name in names):
        raise UserError(
            f"{where}: '{path}' is a TorchScript module, code and weights in one; load it in a file of your own, with "
            "a function that returns torch.jit.load(path), and name that on the card: module: file.py:function"
        )
    if names and all(name.endswith(".npy") for name in names):
        raise UserError(
            f"{where}: '{path}' is an archive of NumPy arrays; write a checkpoint with torch.save(model.state_dict(), "
            "path)"
        )
    if not any(name.endswith("/data.pkl") for name in names):
        raise UserError(
            f"{where}: '{path}' is a zip archive, but no PyTorch checkpoint; "
            f"it holds {', '.join(names[:3]) or 'nothing'}"
        )


def _state(content: Any, path: Path, size: int, where: Place) -> dict[str, Tensor]:
    """Check that a file's content maps names to tensors of numbers, and return it."""

    def fail(what: str) -> NoReturn:
        raise UserError(f"{where}: '{path}' {what}")

    if isinstance(content, Mapping):
        wrapped = [key for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if len(wrapped) > 1:
            fail(f"holds both {' and '.join(wrapped)}; save one of them alone")
        content = content[wrapped[0]] if wrapped else content
    if not isinstance(content, Mapping):
        fail(f"holds {type(content).__name__}, not a state dict; write it with torch.save(model.state_dict(), path)")
    if not content:
        fail("holds no weights")
    room = 16 * size + _MEGABYTE  # weights may share their memory, a little
    for key, value in content.items():
        if not isinstance(key, str):
            fail(f"has a key {key!r:.80} that is no name")
        if type(value) not in (Tensor, nn.Parameter):
            within = next((repr(name) for name, each in content.items() if _is_state(each)), None)
            advice = f"; write the weights alone, with torch.save(checkpoint[{within:.80}], path)" if within else ""
            fail(f"has {key!r:.80}, which is {type(value).__name__}, not a tensor{advice}")
        if value.device.type != "cpu" or value.layout != torch.strided or value.is_quantized or value.is_nested:
            fail(f"has {key!r:.80}, which is no plain tensor ({value.device.type}, {value.layout})")
        room -= value.numel() * value.element_size()
        if room < 0:
            fail("would take far more memory than its own size")
        if value.dtype.is_floating_point or value.dtype.is_complex:
            number = value.detach().float() if value.element_size() == 1 else value.detach()
            if not torch.isfinite(number).all():
                fail(f"has {key!r:.80}, which is not finite everywhere")
    return {key: value.detach() for key, value in content.items()}
