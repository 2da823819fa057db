"""Models that live in this process: held by their state, so that a model card can name them."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from ..config.arguments import checked
from ..config.card import Input, MemoryCard
from ..errors import Place, UserError, nearest
from .custom_module import copied
from .formats import CardContext
from .freeze import freeze
from .repeatable import probes

__all__ = ["HeldModel", "check_held", "held_model", "hold"]

_held: WeakValueDictionary[tuple[str, str, int | str | None], nn.Module] = WeakValueDictionary()
"""By class, state and output. A run folder names its model by these, and finds it here as long as somebody holds it."""


class HeldModel:
    """A copy of a model in memory, and the card that names it.

    Attributes
    ----------
    module : nn.Module
        In evaluation mode, on the processor, its parameters without gradients.
    card : dict
        A model card, as a scene file holds it in place.
    """

    def __init__(self, module: nn.Module, card: dict[str, Any]) -> None:
        # One module for all who hold it: it is found as long as any of them lives.
        self.module, self.card = _held.setdefault(_key(card), module), card
        if self.module is not module and not _same(self.module, module, card["input"]):
            # They differ in something that is neither a weight nor said by repr.
            self.card = {**card, "state": _told_apart(module, card)}
            self.module = _held.setdefault(_key(self.card), module)

    def named_as(self, card: Mapping[str, Any]) -> HeldModel:
        """The same model under the class and the state that a run's card names (:func:`check_held`).

        A class may move from a notebook to a module.
        """
        return HeldModel(self.module, {**self.card, "model": card["model"], "state": card["state"]})


def hold(model: nn.Module | Callable[[Tensor], Any], image: Input, output: int | str | None = None) -> HeldModel:
    """Copy a model, so that training it further changes no run, and name it by its state.

    Parameters
    ----------
    model : nn.Module or callable
        From standardised images ``(B, channels, h, w)`` to responses ``(B, n)``, or to a mapping or tuple of tensors.
        A module is copied. Another callable cannot be: it is called as it is.
    image : Input
        What images the model takes.
    output : int or str, optional
        Key of the responses in what the model returns.

    Raises
    ------
    UserError
        If it is no callable, or a module that cannot be copied.
    """
    if not callable(model) or isinstance(model, type):
        kind = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise UserError(
            f"model is {kind}; give a torch.nn.Module, a function from images (B, channels, h, w) to responses (B, n), "
            "or a model card"
        )
    named = model if hasattr(model, "__qualname__") else type(model)
    name = f"{named.__module__}.{named.__qualname__}"
    if isinstance(model, nn.Module):
        module = freeze(copied(model, name, Place("model", Path.cwd()), "give a function that calls it").cpu())
        state = _state_hash(module)
    else:
        module = _Function(model)
        state = None
    if output is not None:
        module = _Output(module, output)
    if state is None:
        answer = _answer(module, image.model_dump())
        known = f"{name} {id(model)}".encode() if answer is None else _bytes(answer)
        state = hashlib.sha256(known).hexdigest()
    card = {
        "type": "memory",
        "name": getattr(model, "title", None) or named.__name__,
        "model": name,
        "state": state,
        "output": output,
        "input": image.model_dump(),
    }
    return HeldModel(module, card)


def held_model(card: MemoryCard, context: CardContext) -> nn.Module:
    """The model that a card names, a copy for this use.

    Raises
    ------
    UserError
        If it is not in this process' memory.
    """
    module = _held.get((card.model, card.state, card.output))
    if module is None:
        raise UserError(
            f"{context.at(('model',))}: the model of this run lived in a Python process: {card.model}, state "
            f"{card.state[:12]}; give it again in Python, as in mitsuba_mei.read_run(folder, model=network)"
        )
    return copy.deepcopy(module)


def check_held(model: HeldModel, card: Mapping[str, Any], where: str) -> None:
    """Raise UserError where a model is not the one that a run's card names."""
    recorded = checked(MemoryCard, where, card)
    given = checked(MemoryCard, where, model.card)
    if recorded.state not in (given.state, _told_apart(model.module, model.card)):
        raise UserError(
            f"{where}: the model that is given has other weights or buffers than the run's {recorded.model} (state "
            f"{given.state[:12]}, not {recorded.state[:12]}); give the network as it was"
        )


def _key(card: Mapping[str, Any]) -> tuple[str, str, int | str | None]:
    return card["model"], card["state"], card["output"]


def _told_apart(module: nn.Module, card: Mapping[str, Any]) -> str:
    """A state with the responses to noise in it, to three digits."""
    answer = _answer(module, card["input"])
    known = (
        id(module) if answer is None else [str(answer.dtype), *(f"{value:.2e}" for value in answer.flatten().tolist())]
    )
    return hashlib.sha256(f"{card['state']} {known}".encode()).hexdigest()


def _same(one: nn.Module, other: nn.Module, image: Mapping[str, Any]) -> bool:
    """Whether two models answer alike to noise."""
    first, second = (_answer(each, image) for each in (one, other))
    if first is None or second is None:
        return first is second
    alike = (first.shape, first.dtype) == (second.shape, second.dtype)
    return alike and torch.allclose(first, second, 1e-4, 1e-6, equal_nan=True)


def _answer(module: nn.Module, image: Mapping[str, Any]) -> Tensor | None:
    """Responses to two images of noise; None of a model that fails, or returns no tensor: its card's loading says why."""
    size = (image["size"],) * 2 if isinstance(image["size"], int) else tuple(image["size"])
    try:
        with torch.no_grad():
            answer = module(probes((image["channels"], *size), 2))
    except Exception:
        return None
    return answer if isinstance(answer, Tensor) else None


def _state_hash(module: nn.Module) -> str:
    digest = hashlib.sha256(repr(module).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(_bytes(value) if isinstance(value, Tensor) else repr(value).encode())
    return digest.hexdigest()


def _bytes(values: Tensor) -> bytes:
    values = values.detach().cpu().contiguous()
    header = f"{values.dtype}{tuple(values.shape)}".encode()
    return header + values.reshape(-1).view(torch.uint8).numpy().tobytes()


class _Function(nn.Module):
    """A callable that is no module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Any:
        return self.function(images)

    def __deepcopy__(self, memo: dict) -> _Function:
        return _Function(self.function)


class _Output(nn.Module):
    """One of the tensors that a model returns."""

    def __init__(self, module: nn.Module, key: int | str) -> None:
        super().__init__()
        self.module, self.key = module, key

    def forward(self, images: Tensor) -> Tensor:
        returned = self.module(images)
        if isinstance(returned, Mapping):
            if self.key not in returned:
                raise UserError(f"output: the model returns no '{self.key}'; {nearest(str(self.key), returned, str)}")
            return returned[self.key]
        if isinstance(returned, (tuple, list)):
            if not isinstance(self.key, int) or not -len(returned) <= self.key < len(returned):
                raise UserError(
                    f"output is {self.key!r}; the model returns {len(returned)} values: give 0..{len(returned) - 1}"
                )
            return returned[self.key]
        raise UserError(f"output is {self.key!r}, but the model returns a {type(returned).__name__}; leave it out")
