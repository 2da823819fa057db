"""Damaged YAML: what becomes of a valid file when its text, or the values in it, are changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

__all__ = ["KEYS", "ODD_TEXT", "PATHS", "RAW", "mutations", "other_numbers"]

ODD_TEXT = (
    *("\0", "\t", "\x07", "\x1b[31m", "\r", "\u2028", "\ufeff", "\ud7ff", "\U0001f9e0", "\u202e", "é", "\xa0", "\x85"),
    *(
        "!!python/object/apply:os.getcwd []",
        "!!binary aGk=",
        "!!set {a}",
        "!!timestamp 2001-01-01",
        "!local x",
        "!<x> 1",
    ),
    *("&a [*a]", "*nowhere", "&a &b", "<<: *a", "<<: {seed: 1}", "---", "...", "%YAML 1.2", "%TAG ! x", "? [1]", "? x"),
    *(": ", "- ", "{", "}", "[", "]", ",", "'", '"', "|", ">", "#", "@", "`", "%", "\\", "=", "~", "|9", ">-\n", "\n"),
    *(
        '"\\UFFFFFFFF"',
        '"\\U00110000"',
        '"\\ud800"',
        '"\\x00"',
        '"\\q"',
        "!<%ff>",
        "!!int x",
        "!!float '1'",
        "!!null 3",
    ),
    "%YAML 1." + "1" * 5000 + "\n---\n",
    "a: &a [1, 1, 1, 1]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n",
    "".join(f"l{i + 1}: &l{i + 1} [{', '.join(['*l' + str(i)] * 9)}]\n" if i else "l1: &l1 [x]\n" for i in range(9)),
    *("[" * 40, "[" * 3000, "{a: " * 450 + "1" + "}" * 450, "[" * 480 + "]" * 480, "- " * 470 + "1", "? " * 300),
    *("x" * 100_000, "word " * 20_000, "a" * 2000 + ": 1"),
)
"""Pieces that mean something to YAML, to a terminal, or to nobody."""

PATHS = (
    *("/dev/zero", "/dev/null", "/dev/stdin", "..", ".", "/", "~", "~root", "", " ", "pipe", "loop", "a\0b", "a\nb"),
    *("x" * 300, "x/" * 3000, "quickstart.yaml", "../models", "meshes/pebble.ply", "meshes", "//", "\ud800", "C:\\x"),
    *(
        "hf://a/b",
        "hf://../x/y",
        "ftp://x",
        "http://",
        "https://[",
        "model.py:build",
        "model.py:",
        ":x",
        "model.py:torch",
    ),
    *("math:sqrt", "nowhere:x", "....:x", "card.yaml:build", "noise.png", "noise.exr", "noise.pth", "scene.yaml"),
)
NUMBERS = (
    *(0, -1, 1, 2, 3, 7, 255, 10_000, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**30, 10**309, -(10**400)),
    *(0.0, -0.0, 0.5, 1e-320, 1e-30, 1e30, 1e300, -1e300, float("nan"), float("inf"), -float("inf"), 3.5),
)
RAW = (
    *("1e400", "-1e400", "0x" + "f" * 5000, "1" * 5000, "0o777", "+.inf", ".NaN", "1_000", "12:30:00", "2001-01-01"),
    *("0o9", "1e999999999", "0." + "1" * 5000, "!!str 1", "!!float 1", "!!int 1.5", "!!bool 1", "!!python/none", "*x"),
)
"""Values that only text can say."""

_PLACEHOLDER = "placeholder-{}-of-a-raw-value"
_RAW_VALUES = [_PLACEHOLDER.format(number) for number in range(len(RAW))]

VALUES = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], [None], {"": None}, {"type": None}, {"type": []}, [{}], [[[1]]]]),
    st.sampled_from(NUMBERS),
    st.sampled_from(PATHS),
    st.sampled_from(_RAW_VALUES),
    st.sampled_from(
        ["sun", "constant", "image", "diverse", "all", "0-7", "7-0", "1-", "-", "0-99999999999", "1,1", "4GB"]
    ),
    st.sampled_from([[0, 0, 0], [1.0, 2], [1e30] * 3, [float("nan")] * 3, [1] * 17, [0.1] * 16, ["a", 1], [True] * 3]),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=8),
).map(copy.deepcopy)
"""Anything in place of a value."""


def mutations(texts: Sequence[str]) -> st.SearchStrategy[bytes]:
    """A file near one of these: its text changed, its values changed, or both."""
    return st.one_of(_changed(texts, _TREE_CHANGES), _changed(texts, _TEXT_CHANGES), _mixed(texts))


@st.composite
def _changed(draw: st.DrawFn, texts: Sequence[str], changes: Sequence[Callable[[st.DrawFn, Any], Any]]) -> bytes:
    text = draw(st.sampled_from(texts))
    content: Any = yaml.safe_load(text) if changes is _TREE_CHANGES else text
    for change in draw(st.lists(st.sampled_from(changes), min_size=1, max_size=4)):
        content = change(draw, content)
    return _encoded(content if isinstance(content, str) and changes is _TEXT_CHANGES else _dumped(content))


@st.composite
def other_numbers(draw: st.DrawFn, texts: Sequence[str]) -> bytes:
    """A file like one of these, of whose numbers some are others, small to huge."""
    tree = yaml.safe_load(draw(st.sampled_from(texts)))
    places = [(inside, key) for inside, key in _places(tree) if isinstance(inside[key], (int, float))]
    sizes = st.builds(lambda digits, power: digits * 10.0**power, st.floats(-10, 10), st.integers(-40, 40))
    for inside, key in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)) if places else []:
        inside[key] = draw(st.one_of(sizes, st.integers(0, 200), st.sampled_from([1e300, 1e38, 0.0, -0.0, 2**31])))
    return _encoded(_dumped(tree))


@st.composite
def _mixed(draw: st.DrawFn, texts: Sequence[str]) -> bytes:
    tree = draw(st.sampled_from(_TREE_CHANGES))(draw, yaml.safe_load(draw(st.sampled_from(texts))))
    return _encoded(draw(st.sampled_from(_TEXT_CHANGES))(draw, _dumped(tree)))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


def _dumped(tree: Any) -> str:
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    for placeholder, raw in zip(_RAW_VALUES, RAW):
        text = text.replace(placeholder, raw)
    return text


# ------------------------------------------------------------------------------------------------------------- text


def _position(draw: st.DrawFn, text: Sequence) -> int:
    return draw(st.integers(0, max(0, len(text) - 1)))


def _lines_changed(draw: st.DrawFn, text: str) -> str:
    """Lines left out, doubled, swapped or indented otherwise."""
    lines = text.split("\n")
    here, there = _position(draw, lines), _position(draw, lines)
    what = draw(st.sampled_from(["drop", "double", "swap", "indent", "outdent", "cut"]))
    if what == "drop":
        del lines[here]
    elif what == "double":
        lines.insert(there, lines[here])
    elif what == "swap":
        lines[here], lines[there] = lines[there], lines[here]
    elif what == "indent":
        lines[here] = draw(st.sampled_from([" ", "  ", "\t", "    "])) + lines[here]
    elif what == "outdent":
        lines[here] = lines[here].removeprefix("  ")
    else:
        lines = lines[:here]
    return "\n".join(lines)


def _odd_inserted(draw: st.DrawFn, text: str) -> str:
    place = _position(draw, text)
    return text[:place] + draw(st.one_of(st.sampled_from(ODD_TEXT), st.text(max_size=5))) + text[place:]


def _odd_line(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    lines.insert(_position(draw, lines), draw(st.sampled_from(ODD_TEXT)))
    return "\n".join(lines)


def _letters_changed(draw: st.DrawFn, text: str) -> str:
    here = _position(draw, text)
    there = min(len(text), here + draw(st.integers(1, 30)))
    return text[:here] + draw(st.sampled_from(["", text[here:there] * 2, text[here:there][::-1]])) + text[there:]


_TEXT_CHANGES = (_lines_changed, _odd_inserted, _odd_line, _letters_changed)


# ------------------------------------------------------------------------------------------------------------- tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree that holds a value: what it is in, and its key."""
    inside = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [(tree, key) for key, _ in inside] + [place for _, value in inside for place in _places(value)]


def _at_a_place(change: Callable[[st.DrawFn, Any, Any, Any], None]) -> Callable[[st.DrawFn, Any], Any]:
    def changed(draw: st.DrawFn, tree: Any) -> Any:
        places = _places(tree)
        if not places:
            return draw(VALUES)
        change(draw, tree, *draw(st.sampled_from(places)))
        return tree

    return changed


@_at_a_place
def _value_replaced(draw: st.DrawFn, tree: Any, inside: Any, key: Any) -> None:
    inside[key] = draw(VALUES)


@_at_a_place
def _value_multiplied(draw: st.DrawFn, tree: Any, inside: Any, key: Any) -> None:
    """Wrapped, or said many times."""
    wrap = draw(st.sampled_from([lambda v: [v], lambda v: {"value": v}, lambda v: [v] * 50, lambda v: {"type": v}]))
    inside[key] = wrap(copy.deepcopy(inside[key]))


@_at_a_place
def _key_changed(draw: st.DrawFn, tree: Any, inside: Any, key: Any) -> None:
    """Left out, or renamed."""
    value = inside.pop(key)
    if isinstance(inside, dict) and draw(st.booleans()):
        names = [f"{key}s", str(key)[:-1], "type", "free", "", "a.b"]
        inside[draw(st.one_of(st.sampled_from(names), st.text(max_size=5)))] = value


@_at_a_place
def _value_moved(draw: st.DrawFn, tree: Any, inside: Any, key: Any) -> None:
    """Copied to where another value stands."""
    there, other = draw(st.sampled_from(_places(tree)))
    there[other] = copy.deepcopy(inside[key])


@_at_a_place
def _key_added(draw: st.DrawFn, tree: Any, inside: Any, key: Any) -> None:
    if isinstance(inside, dict):
        inside[draw(st.sampled_from(KEYS))] = draw(VALUES)


KEYS = (
    *(
        "extends",
        "seed",
        "shape",
        "pose",
        "camera",
        "lighting",
        "material",
        "background",
        "render",
        "stimulus",
        "model",
    ),
    *(
        "objective",
        "optimizer",
        "evaluate",
        "pixel",
        "compare_to",
        "compare",
        "placement",
        "regularizers",
        "free",
        "path",
    ),
    *("card", "validate", "neurons", "neuron", "template", "rbf", "random", "target", "views", "weights", "module"),
    *(
        "arguments",
        "input",
        "mean",
        "std",
        "size",
        "channels",
        "parameters",
        "axes",
        "leave_out",
        "overrides",
        "cluster",
    ),
    *("workers", "scene", "retries", "gpus", "name", "deterministic", "mask", "norm", "contrast", "clip", "restarts"),
)

_TREE_CHANGES = (_value_replaced, _value_replaced, _value_multiplied, _key_changed, _value_moved, _key_added)
