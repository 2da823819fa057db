"""A neuron model of the user's own: imported, built, and tried."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelFailure, UserError, first_line, nearest
from ..memory import is_out_of_memory
from ..yaml_lines import Place

__all__ = ["Answering", "count_neurons", "import_model"]


class Answering(nn.Module):
    """A module of the user's, where what it raises is said in one sentence, with the line that raised it.

    Parameters
    ----------
    module : nn.Module
    name : str
        The model's.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module, self.name = module, name

    def forward(self, image: Tensor) -> Tensor:
        try:
            return self.module(image)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}, line {last.lineno}"
            raise ModelFailure(f"model '{self.name}' fails ({where}): {first_line(error)}") from error


def import_model(target: str, arguments: Mapping[str, Any], where: Place, trusted: bool) -> nn.Module:
    """What the callable returns, where the user trusts it.

    Parameters
    ----------
    target : str
        ``file.py:callable``, the file relative to the card's folder, or ``package.module:callable``. While it is
        imported and called, modules in the file's or the card's folder can be imported too.
    arguments : mapping
        The callable's keyword arguments.
    where : Place
        Where the card names it.
    trusted : bool
        Whether the user said that its code may be run; else nothing of it is.

    Raises
    ------
    UserError
        If it is not trusted, cannot be imported, has no such callable, or does not return an ``nn.Module``.
    """
    source, _, name = target.rpartition(":")
    if not source or not name:
        raise UserError(f"{where}: module is '{target}'; write file.py:callable or package.module:callable")
    path = where.folder / source
    is_file = path.suffix == ".py"
    if not trusted:
        kind = "" if is_file else "the package "
        raise UserError(f"{where}: module would run code of {kind}{source}; if you trust it, say --trust-code")
    with _searched(path.parent if is_file else where.folder):
        module = _from_file(path, where) if is_file else _by_name(source, where)
        build = getattr(module, name, None)
        if not callable(build) or isinstance(build, nn.Module):
            own = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise UserError(f"{where}: '{source}' has no callable '{name}'; {nearest(name, own)}")
        _check_arguments(build, target, arguments, where)
        try:
            model = build(**arguments)
        except Exception as error:
            raise UserError(f"{where}: {target} fails: {first_line(error)}") from None
    if not isinstance(model, nn.Module):
        raise UserError(f"{where}: {target} returns {type(model).__name__}; it must return a torch.nn.Module")
    return model


def count_neurons(module: nn.Module, shape: tuple[int, ...], where: Place) -> int:
    """How many neurons answer to a uniform image of this shape ``(B, channels, h, w)``.

    Raises
    ------
    UserError
        If the answer is not a finite tensor ``(B, n)`` with a gradient.
    """
    with torch.enable_grad():
        try:
            responses = module(torch.zeros(shape, requires_grad=True))
        except Exception as error:
            raise UserError(f"{where}: the model fails on an image {shape}: {first_line(error)}") from None
    if not isinstance(responses, Tensor):
        kind = type(responses).__name__
        raise UserError(f"{where}: the model returns {kind}; it must return a tensor (batch, neurons)")
    if responses.ndim != 2 or responses.shape[0] != shape[0] or responses.shape[1] == 0:
        raise UserError(
            f"{where}: the model returns a tensor {tuple(responses.shape)} for images {shape}; "
            f"it must be ({shape[0]}, number of neurons)"
        )
    if not responses.requires_grad:
        raise UserError(
            f"{where}: the model's responses carry no gradient; it must not detach them, nor use torch.no_grad"
        )
    if not torch.isfinite(responses).all():
        raise UserError(f"{where}: the model's response to a uniform image is not finite")
    return responses.shape[1]


def _check_arguments(build: Callable, target: str, arguments: Mapping[str, Any], where: Place) -> None:
    try:
        signature = inspect.signature(build)
    except ValueError:  # built in C, nothing to know
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        unknown = [key for key in arguments if key not in signature.parameters]
        hint = f"; {nearest(unknown[0], signature.parameters)}" if unknown else ""
        raise UserError(f"{where}: arguments do not fit {target}: {error}{hint}") from None


@contextlib.contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Let ``import`` find modules of this folder, for a while."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


def _from_file(path: Path, where: Place) -> ModuleType:
    if not path.is_file():
        names = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise UserError(f"{where}: there is no file '{path}'; {nearest(path.name, names)}")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as import does: dataclasses and pickle look modules up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{where}: '{path}' cannot be imported: {first_line(error)}") from None
    return module


def _by_name(name: str, where: Place) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        names = [file.stem for file in where.folder.glob("*.py")]
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        hint = f"; {nearest(name, names)}" if missing and names else ""
        raise UserError(f"{where}: '{name}' cannot be imported: {first_line(error)}{hint}") from None
