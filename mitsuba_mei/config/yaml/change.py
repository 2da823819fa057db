"""Located values changed: one document upon another, or one value in a document."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import Place, UserError
from .located import Key, Located, path_text

__all__ = ["merge", "with_value"]


def merge(base: Located, over: Located) -> Located:
    """``over`` upon ``base``: mappings key by key, everything else replaced.

    A mapping whose ``type`` differs is replaced as well: the other type's keys would not fit.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    types = [node.value.get("type") for node in (base, over)]
    if types[1] is not None and (types[0] is None or types[0].value != types[1].value):
        return over
    merged = dict(base.value)
    for key, item in over.value.items():
        merged[key] = merge(merged[key], item) if key in merged else item
    return Located(merged, over.place)


def with_value(tree: Located, key: Sequence[str | int], value: Located, defaults: Located | None = None) -> Located:
    """``tree`` with ``value`` at ``key``; what is missing on the way starts from ``defaults``.

    A new ``type`` empties the mapping that it is in: the other type's keys would not fit.

    Raises
    ------
    UserError
        If the key leads through a value that is no mapping or list, or past the end of a list.
    """
    return _with_value(tree, tuple(key), value, defaults, tuple(key))


def _with_value(tree: Located, key: Key, value: Located, defaults: Located | None, whole: Key) -> Located:
    if not key:
        return value
    step, rest = key[0], key[1:]
    so_far = path_text(whole[: len(whole) - len(key)])
    if isinstance(tree.value, list):
        if not (isinstance(step, int) or step.isdecimal()) or int(step) >= len(tree.value):
            count = len(tree.value)
            raise UserError(
                f"{value.place}: '{so_far}' is a list of {count}; its items are 0 to {count - 1}, not '{step}'"
            )
        items = list(tree.value)
        below = defaults.child(int(step)) if defaults else None
        items[int(step)] = _with_value(items[int(step)], rest, value, below, whole)
        return Located(items, tree.place)
    if tree.value is not None and not isinstance(tree.value, dict):
        raise UserError(f"{value.place}: '{so_far}' has nothing inside, no '{step}' either")
    mapping = dict(tree.value or {})
    below = defaults.child(step) if defaults else None
    if rest:
        start = mapping.get(step) or _start(below, value.place)
        mapping[step] = _with_value(start, rest, value, below, whole)
    else:
        if step == "type" and "type" in mapping and mapping["type"].value != value.value:
            mapping = {}
        mapping[step] = value
    return Located(mapping, tree.place)


def _start(defaults: Located | None, place: Place) -> Located:
    """Start of a value that nobody wrote: a default list whole, of a default mapping its type."""
    if defaults is not None and isinstance(defaults.value, list):
        return defaults
    if defaults is not None and isinstance(defaults.value, dict) and "type" in defaults.value:
        return Located({"type": defaults.value["type"]}, place)
    return Located({}, place)
