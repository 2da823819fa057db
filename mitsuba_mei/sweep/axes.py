"""What is varied in a sweep: the values of every axis, and how they are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.fields import listed_neurons
from ..config.sweep import MAX_RUNS
from ..config.yaml.located import Located, locate, path_text
from ..errors import UserError

__all__ = ["NEURON", "SEED", "Axis", "key_of", "read_axes", "read_leave_out"]

NEURON, SEED = ("model", "neuron"), ("seed",)
_ALIASES = {"neurons": NEURON, "neuron": NEURON, "seeds": SEED}
_DIGITS = {NEURON: 4, SEED: 3}
"""Of neurons and seeds in names, at least: they then sort as they count."""

_LONGEST = 40
"""Letters of a value in a name; one that is longer is numbered."""


@dataclass(frozen=True)
class Axis:
    """One thing that is varied.

    Attributes
    ----------
    key : tuple of str
        Where in the scene file: ``("lighting", "0", "irradiance")``.
    values : tuple of Located
    label : str
        What it is called in the names of runs.
    names : tuple of str
        What its values are called there.
    """

    key: tuple[str, ...]
    values: tuple[Located, ...]
    label: str
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        """``lighting.0.irradiance``."""
        return path_text(self.key)

    def plain(self) -> list[Any]:
        """Its values without their places."""
        return [value.plain() for value in self.values]


def key_of(name: str) -> tuple[str, ...]:
    """The key that a sweep file's word stands for."""
    return _ALIASES.get(name.strip(), tuple(name.strip().split(".")))


def read_axes(tree: Located, every_neuron: Callable[[], Sequence[int]]) -> tuple[Axis, ...]:
    """The axes of a sweep file.

    Parameters
    ----------
    tree : Located
        What stands under ``axes``, a mapping.
    every_neuron : callable
        Gives the neurons that ``all`` stands for.

    Raises
    ------
    UserError
        If one is empty, is given twice, or has a value twice.
    """
    values_by_axis: dict[tuple[str, ...], tuple[Located, ...]] = {}
    for name, listed in tree.value.items():
        key = key_of(name)
        where = f"{listed.place}: axes: {name}"
        for other in values_by_axis:
            if key == other:
                raise UserError(f"{where}: {path_text(key)} is an axis already; write it once")
            if _within(key, other) or _within(other, key):
                raise UserError(f"{where}: lies within {path_text(min(key, other, key=len))}, as does another axis")
        values_by_axis[key] = _values(key, listed, where, every_neuron)
    return tuple(
        Axis(key, values, _label(key, values_by_axis), _names(key, values)) for key, values in values_by_axis.items()
    )


def _within(key: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return key[: len(other)] == other


def _values(
    key: tuple[str, ...], listed: Located, where: str, every_neuron: Callable[[], Sequence[int]]
) -> tuple[Located, ...]:
    if not all(key):
        raise UserError(f"{where}: is no key of a scene file; write it as lighting.0.irradiance")
    if key in (NEURON, SEED):
        return tuple(_numbers(key, listed, where, every_neuron))
    if not isinstance(listed.value, list):
        raise UserError(f"{where}: must be a list of values in [brackets]")
    if not listed.value:
        raise UserError(f"{where}: must not be empty")
    plain = [repr(value.plain()) for value in listed.value]
    for index, text in enumerate(plain):
        if text in plain[:index]:
            raise UserError(f"{listed.value[index].place}: axes: {path_text(key)}: {text} is written twice")
    return tuple(listed.value)


def _numbers(
    key: tuple[str, ...], listed: Located, where: str, every_neuron: Callable[[], Sequence[int]]
) -> list[Located]:
    """Neurons or seeds: a range, a list of numbers and ranges, or all."""
    plain = listed.plain()
    if plain == "all" and key == NEURON:
        return [locate(number, listed.place) for number in every_neuron()]
    if plain in ([], None, ""):
        raise UserError(f"{where}: must not be empty")
    items = plain if isinstance(plain, list) else [plain]
    if not all(isinstance(item, (int, str)) and not isinstance(item, bool) for item in items):
        raise UserError(f"{where}: must be numbers and ranges of them, as 0-99 or [3, 5-7]")
    try:
        numbers = listed_neurons(plain, MAX_RUNS, "neuron" if key == NEURON else "seed")
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    return [locate(number, listed.place) for number in numbers]


def _label(key: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> str:
    """The last word of a key, with a number that follows it; all of it where another axis ends alike."""

    def short(key: tuple[str, ...]) -> str:
        start = max((i for i, step in enumerate(key) if not step.isdecimal()), default=0)
        return _safe("-".join(key[start:]))

    alike = [other for other in others if short(other).casefold() == short(key).casefold()]
    return short(key) if len(alike) == 1 else _safe("-".join(key))


def _names(key: tuple[str, ...], values: Sequence[Located]) -> tuple[str, ...]:
    plain = [value.plain() for value in values]
    if key in _DIGITS:
        return tuple(f"{number:0{_DIGITS[key]}d}" for number in plain)
    names = [_text(value) for value in plain]
    differ = len({name.casefold() for name in names}) == len(names)
    if not differ or any(not 0 < len(name) <= _LONGEST for name in names):
        names = [f"v{number:0{len(str(len(names)))}d}" for number in range(1, len(names) + 1)]
    return tuple(names)


def _text(value: Any) -> str:
    """A value in a file's name; empty where there is no short one."""
    if isinstance(value, dict):
        return _text(value["type"]) if isinstance(value.get("type"), str) else ""
    if isinstance(value, list):
        parts = [_text(item) for item in value]
        return ",".join(parts) if all(parts) else ""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return _safe(str(value))


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip(".")


def read_leave_out(tree: Located | None, axes: Sequence[Axis]) -> list[dict[int, frozenset[int]]]:
    """The combinations that are left out: for the number of each axis that is named, the numbers of its values.

    Raises
    ------
    UserError
        If one names what is no axis, or a value that the axis has not.
    """
    values_by_axis = []
    for index, row in enumerate([] if tree is None else tree.value):
        combination: dict[int, frozenset[int]] = {}
        for name, values_given in row.value.items():
            where = f"{values_given.place}: leave_out.{index}.{name}"
            key = key_of(name)
            number = next((i for i, axis in enumerate(axes) if axis.key == key), None)
            if number is None:
                allowed = ", ".join(axis.path for axis in axes)
                raise UserError(f"{where}: is no axis of this sweep; allowed: {allowed}")
            combination[number] = _matching(axes[number], values_given, where)
        if not combination:
            raise UserError(f"{row.place}: leave_out.{index}: must not be empty, or nothing would be left")
        values_by_axis.append(combination)
    return values_by_axis


def _matching(axis: Axis, values_given: Located, where: str) -> frozenset[int]:
    if axis.key in (NEURON, SEED):
        requested = {value.plain() for value in _numbers(axis.key, values_given, where, axis.plain)}
        known = {value: i for i, value in enumerate(axis.plain())}
        missing = sorted(requested - known.keys())
        if missing:
            raise UserError(f"{where}: the axis {axis.path} has no {missing[0]}")
        return frozenset(known[value] for value in requested)
    matching = frozenset(i for i, value in enumerate(axis.plain()) if value == values_given.plain())
    if not matching:
        raise UserError(f"{where}: the axis {axis.path} has no {values_given.plain()!r}")
    return matching
