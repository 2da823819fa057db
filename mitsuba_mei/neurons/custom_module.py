"""A neuron model of the user's own: imported, built, and tried."""

from __future__ import annotations

import contextlib
import copy
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

from ..config.card import ModuleCard
from ..errors import ModelFailure, Place, UserError, first_line, nearest
from ..io.memory import is_out_of_memory
from .formats import CardContext
from .process_state import process_restored, put_back
from .repeatable import probes, slopes_unlike, unlike
from .wrappers import explained

__all__ = [
    "GuardedModule",
    "build_module",
    "check_function",
    "copied",
    "count_neurons",
    "import_model",
    "watched",
]

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class GuardedModule(nn.Module):
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
            with process_restored(whole=False):
                return self.module(image.clone())  # it may work in place, on what others take for its input
        except (Exception, SystemExit) as error:
            if is_out_of_memory(error):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}, line {last.lineno}"
            raise ModelFailure(f"model '{self.name}' fails ({where}): {explained(error)}") from error


def build_module(card: ModuleCard, context: CardContext) -> nn.Module:
    """The module that a card names (:func:`import_model`)."""
    return import_model(card.module, card.arguments, context.at(("module",)), context.trust_code, context.on_message)


def import_model(
    target: str,
    arguments: Mapping[str, Any],
    where: Place,
    trusted: bool,
    on_message: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """The module that a class or function builds, or a copy of the module that is named, where the user trusts it.

    A user's own object is left as it is: mode, parameters, gradients and hooks. What the code changes in the process
    (default dtype, working directory, threads and the like) is put back, and told.

    Parameters
    ----------
    target : str
        ``file.py:callable``, the file relative to the card's folder, or ``package.module:callable``; or the name of an
        ``nn.Module`` that is there already. While it is imported and called, modules in the file's or the card's folder
        can be imported too.
    arguments : mapping
        The callable's keyword arguments; a module that is there already takes none.
    where : Place
        Where the card names it.
    trusted : bool
        Whether the user said that its code may be run; else nothing of it is.
    on_message : callable
        Told of settings of the process that were put back.

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
    changed: list[str] = []
    with process_restored(changed.append), _searched(path.parent if is_file else where.folder):
        module = _from_file(path, where) if is_file else _by_name(source, where)
        model = _built(module, source, name, arguments, where)
    if changed:
        on_message(f"{where}: {put_back(source, changed)}")
    return model


def _built(module: ModuleType, source: str, name: str, arguments: Mapping[str, Any], where: Place) -> nn.Module:
    """The module by that name, or what the callable by that name returns."""
    named = getattr(module, name, None)
    if isinstance(named, nn.Module):
        if arguments:
            raise UserError(f"{where}: {source}:{name} is a module already and takes no arguments; leave them out")
        return copied(named, f"{source}:{name}", where)
    if not callable(named):
        own = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        if name in vars(module):
            raise UserError(
                f"{where}: {source}:{name} is {type(named).__name__}; it must be a torch.nn.Module, or a callable that "
                "returns one"
            )
        raise UserError(f"{where}: '{source}' has no callable '{name}'; {nearest(name, own)}")
    _check_arguments(named, f"{source}:{name}", arguments, where)
    try:
        model = named(**arguments)
    except (Exception, SystemExit) as error:
        raise UserError(f"{where}: {source}:{name} fails: {explained(error)}") from None
    if not isinstance(model, nn.Module):
        raise UserError(f"{where}: {source}:{name} returns {type(model).__name__}; it must return a torch.nn.Module")
    if any(model is value for value in vars(module).values()):  # no new one, but one that the user has
        return copied(model, f"{source}:{name}", where)
    return model


def copied(module: nn.Module, target: str, where: Place, instead: str = "name a function that builds it") -> nn.Module:
    """A copy of the user's own object, if it is one in every part.

    Raises
    ------
    UserError
        If it cannot be copied, or its hooks would go on working on the user's object.
    """
    try:
        with torch.no_grad():  # TorchScript copies its parameters by operations that would be followed
            copied = copy.deepcopy(module)
    except Exception as error:
        problem = f"cannot be copied ({first_line(error)})"
    else:
        hooks = [hook for part in module.modules() for name in HOOKS for hook in getattr(part, name, {}).values()]
        if not any(getattr(hook, "__closure__", None) for hook in hooks):
            return copied
        problem = "has hooks that a copy of it would share"
    raise UserError(f"{where}: {target} {problem}, and it must not be changed itself; {instead}")


def watched(module: nn.Module, changed: Callable[[str], None]) -> Callable[[Tensor], Tensor]:
    """The module, where settings of the process that a call changes are put back after it, and told by their names."""

    def answer(images: Tensor) -> Tensor:
        with process_restored(changed, whole=False):
            return module(images.clone())

    return answer


SLOPE_TOLERANCE = 0.01
"""How far two gradients may differ: other kernels round otherwise, and a kink may lie between."""


def check_function(answer: Callable[[Tensor], Tensor], shape: tuple[int, int, int], where: Place) -> None:
    """Refuse a model that is no function of its image ``(channels, h, w)``: its figures would mean nothing.

    Raises
    ------
    UserError
        If it answers otherwise to the same image a second time, or beside other images; or has another gradient there.
    """
    try:
        difference = unlike(answer, probes(shape))
        slopes = 0.0 if difference else slopes_unlike(answer, probes(shape))
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(f"{where}: the model fails on noise of unit contrast: {explained(error)}") from None
    if difference:
        raise UserError(
            f"{where}: the model is no function of its image: {difference}, as with a memory between calls, dropout or "
            "batch statistics that stay on; reset its state in forward, or switch them off in evaluation mode"
        )
    if slopes > SLOPE_TOLERANCE:
        raise UserError(
            f"{where}: the model's gradient by an image alone is off by {100 * slopes:.2g} % of that by the same image "
            "beside another, so that one of them is wrong; torch.nn.functional's batch_norm and instance_norm do so: "
            "use the modules nn.BatchNorm2d and nn.InstanceNorm2d, whose gradients are mended here"
        )


def count_neurons(answer: Callable[[Tensor], Tensor], shape: tuple[int, ...], where: Place) -> int:
    """Number of neurons that answer to a uniform image of this shape ``(B, channels, h, w)``.

    Raises
    ------
    UserError
        If the answer is not a finite tensor ``(B, n)`` with a gradient.
    """
    images = torch.zeros(shape, requires_grad=True)
    with torch.enable_grad():
        try:
            responses = answer(images)
        except (Exception, SystemExit) as error:
            raise UserError(f"{where}: the model fails on an image {shape}: {explained(error)}") from None
    if not isinstance(responses, Tensor):
        kind = type(responses).__name__
        raise UserError(f"{where}: the model returns {kind}; it must return a tensor (batch, neurons)")
    if responses.ndim != 2 or responses.shape[0] != shape[0] or responses.shape[1] == 0:
        raise UserError(
            f"{where}: the model returns a tensor {tuple(responses.shape)} for images {shape}; "
            f"it must be ({shape[0]}, number of neurons)"
        )
    if responses.dtype not in (torch.float32, torch.float64):  # 16 bits hide what a step changes
        kind = str(responses.dtype).removeprefix("torch.")
        raise UserError(f"{where}: the model returns {kind} numbers; responses must be float32 or float64")
    if not responses.requires_grad:
        raise UserError(
            f"{where}: the model's responses carry no gradient; it must not detach them, nor use torch.no_grad, and "
            "they must depend on the image"
        )
    wrong = (~torch.isfinite(responses)).any(0).nonzero().flatten().tolist()
    if wrong:
        which = "the model's response" if responses.shape[1] == 1 else f"the response of neuron {wrong[0]}"
        more = f", nor are those of {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"{where}: {which} to a uniform image is not finite{more}")
    try:
        with torch.enable_grad():
            torch.autograd.grad(responses.sum(), images, allow_unused=True)
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(f"{where}: the gradient of the model's responses fails: {explained(error)}") from None
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
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"{where}: '{path}' cannot be imported: {first_line(error)}") from None
    return module


def _by_name(name: str, where: Place) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        names = [file.stem for file in where.folder.glob("*.py")]
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        hint = f"; {nearest(name, names)}" if missing and names else ""
        raise UserError(f"{where}: '{name}' cannot be imported: {first_line(error)}{hint}") from None
