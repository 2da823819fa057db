"""Values that remember where they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import Place

__all__ = ["Key", "Located", "locate", "path_text"]

Key = tuple["str | int", ...]
"""Where a value stands in a document: the mapping keys and list indices that lead to it."""


@dataclass(frozen=True)
class Located:
    """A value and its place; a mapping or list holds located values in turn."""

    value: Any
    place: Place

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def child(self, step: str | int) -> Located | None:
        """The value under one key or index; None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def at(self, key: Key) -> Place:
        """The place of the value at ``key``, or of the innermost thing around it that was written."""
        node = self
        for step in key:
            child = node.child(step)
            if child is None:
                break
            node = child
        return node.place


def path_text(key: Iterable[str | int]) -> str:
    """A key as users write it: ``lighting.0.irradiance``."""
    return ".".join(str(step) for step in key)


def locate(value: Any, place: Place) -> Located:
    """Plain values, all of them from the same place."""
    if isinstance(value, Mapping):
        return Located({key: locate(item, place) for key, item in value.items()}, place)
    if isinstance(value, (list, tuple)):
        return Located([locate(item, place) for item in value], place)
    return Located(value, place)
