"""Functions of Python that a run is given in memory, by the names that its configuration holds them under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from ..errors import UserError

__all__ = ["HeldFunction", "held_function", "hold_function"]


class HeldFunction:
    """A function and its name, findable as long as this object lives."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function, self.name = function, name


_held: WeakValueDictionary[str, HeldFunction] = WeakValueDictionary()


def hold_function(function: Callable[..., Any], what: str) -> HeldFunction:
    """Hold a function under its qualified name, or, where another one has that name, that name and a number.

    Raises
    ------
    UserError
        If it cannot be called.
    """
    if not callable(function) or isinstance(function, type):
        raise UserError(f"{what} is {function!r}; give a function")
    named = function if hasattr(function, "__qualname__") else type(function)
    name = base = f"{named.__module__}.{named.__qualname__}"
    number = 2
    while (held := _held.get(name)) is not None:
        if held.function is function:
            return held
        name, number = f"{base}-{number}", number + 1
    held = _held[name] = HeldFunction(function, name)
    return held


def held_function(name: str, where: str) -> HeldFunction:
    """The function of that name.

    Raises
    ------
    UserError
        If nobody in this process holds it.
    """
    held = _held.get(name)
    if held is None:
        raise UserError(f"{where}: '{name}' is a function that lived in a Python process; run it from Python again")
    return held
