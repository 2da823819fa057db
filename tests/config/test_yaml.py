"""YAML that remembers its lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.yaml.change import merge, with_value
from mitsuba_mei.config.yaml.located import locate
from mitsuba_mei.config.yaml.text import parse, read, write
from mitsuba_mei.errors import Place, UserError

HERE = Place("x.yaml", Path("/folder"))


def plain(text: str):
    return parse(text, HERE).plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-2E5", -2e5),
        ("+.5", 0.5),
        ("3.", 3.0),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("-7", -7),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2001-01-01", "2001-01-01"),
        ("True", True),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    assert plain(text) == value
    assert type(plain(text)) is type(value)


def test_nan():
    assert math.isnan(plain(".nan"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: the key 'a' is written twice, first on line 1"),
        ("a: [1,\nb: 2", "x.yaml:2: not YAML"),
        ("a: &x [*x]", "x.yaml:1: anchors and aliases"),
        ("a: !!python/name:os.system", "x.yaml:1: the tag"),
        ("a: !!int b", "x.yaml:1: 'b' is no int"),
        ("? [1]\n: 2", "x.yaml:1: a key must be a word"),
        ("a: \x00", "x.yaml: not a text file"),
        ("a: 1\n---\nb: 2", "x.yaml:2: not YAML"),
        ("[" * 3000, "x.yaml"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(UserError) as error:
        plain(text)
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_aliases_cannot_blow_up():
    laughs = "\n".join(["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30)])
    with pytest.raises(UserError, match="endless or huge"):
        plain(laughs)


def test_places_are_the_keys_lines():
    tree = parse("a:\n  b: 1\n  c:\n    - 2\n    - 3\n", HERE)
    lines = {
        key: tree.at(key).line for key in [("a",), ("a", "b"), ("a", "c"), ("a", "c", 1), ("a", "nothing", "at", "all")]
    }
    assert lines == {("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 1): 5, ("a", "nothing", "at", "all"): 1}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**63, 2**63 - 1)  # larger ones are refused
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["C"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_back_equal(value):
    assert plain(write(value)) == value


def test_merge_goes_key_by_key_but_replaces_lists_and_other_types():
    base = parse("{a: {b: 1, c: 2}, l: [1, 2], t: {type: x, p: 1}, u: {type: x, p: 1}}", HERE)
    over = parse("{a: {b: 3}, l: [4], t: {type: y}, u: {q: 2}}", Place("over.yaml", Path("/")))
    merged = merge(base, over)
    assert merged.plain() == {"a": {"b": 3, "c": 2}, "l": [4], "t": {"type": "y"}, "u": {"type": "x", "p": 1, "q": 2}}
    assert str(merged.at(("a", "b"))) == "over.yaml:1"
    assert str(merged.at(("a", "c"))) == "x.yaml:1"


def test_with_value_starts_missing_things_from_the_defaults():
    defaults = locate({"lights": [{"type": "sun", "power": 1}], "mesh": {"type": "cube", "n": 4}}, HERE)
    changed = with_value(locate({}, HERE), ["lights", "0", "power"], locate(2, HERE), defaults)
    changed = with_value(changed, ["mesh", "n"], locate(5, HERE), defaults)
    assert changed.plain() == {"lights": [{"type": "sun", "power": 2}], "mesh": {"type": "cube", "n": 5}}
    assert with_value(changed, ["mesh", "type"], locate("ball", HERE)).plain()["mesh"] == {"type": "ball"}
    assert with_value(changed, ["mesh", "type"], locate("cube", HERE)).plain()["mesh"] == {"type": "cube", "n": 5}
    assert defaults.plain()["lights"][0]["power"] == 1


@pytest.mark.parametrize(
    ("key", "message"), [("l.2", "items are 0 to 1, not '2'"), ("l.x", "not 'x'"), ("s.x", "nothing inside")]
)
def test_with_value_refuses_ways_that_lead_nowhere(key, message):
    with pytest.raises(UserError, match=message):
        with_value(locate({"l": [1, 2], "s": 1}, HERE), key.split("."), locate(1, HERE))


def test_unreadable_files(tmp_path):
    (tmp_path / "scene.yaml").write_text("a: 1")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    for name, message in [
        ("scne.yaml", "did you mean 'scene.yaml'"),
        ("binary.yaml", "not a text file"),
        (".", "is a folder"),
    ]:
        with pytest.raises(UserError, match=message):
            read(tmp_path / name)
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(tmp_path / "bom.yaml").plain() == {"a": 1}
