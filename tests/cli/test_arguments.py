"""What the user writes on the command line, as the option parser wants it."""

from __future__ import annotations

import pytest

from mitsuba_mei.cli.arguments import expand_arguments
from mitsuba_mei.errors import UserError


@pytest.mark.parametrize(
    ("words", "expanded"),
    [
        ("x.yaml", "run x.yaml"),
        ("run x.yaml", "run x.yaml"),
        ("check x.yaml", "check x.yaml"),
        ("compare x.yaml --neurons 3,5 --free pose y.yaml", "compare x.yaml --neurons 3,5 --free pose y.yaml"),
        ("factors x.yaml y.yaml --starts 3 --set a=b c=d", "factors x.yaml y.yaml --starts 3 --set a=b --set c=d"),
        ("evaluate runs/x-001 --render raster", "evaluate runs/x-001 --render raster"),
        ("--seed 3 x.yaml", "run --seed 3 x.yaml"),
        ("", "--help"),
        ("--version", "--version"),
        ("x.yaml --free pose lighting", "run x.yaml --free pose --free lighting"),
        ("x.yaml --free pose --free lighting", "run x.yaml --free pose --free lighting"),
        ("--free pose lighting x.yaml", "run --free pose --free lighting x.yaml"),
        (
            "x.yaml --free pose,lighting.0 --frozen shape -q",
            "run x.yaml --free pose --free lighting.0 --frozen shape -q",
        ),
        ("x.yaml --free=pose camera --set a.b=c", "run x.yaml --free pose --free camera --set a.b=c"),
        ("x.yaml --set a=b --out runs/1", "run x.yaml --set a=b --out runs/1"),
    ],
)
def test_arguments_are_expanded(words, expanded):
    assert expand_arguments(words.split()) == expanded.split()


@pytest.mark.parametrize(
    "words", ["x.yaml --free", "--free x.yaml", "x.yaml --frozen --seed 3", "x.yaml --free pose --frozen"]
)
def test_an_option_without_names_is_a_mistake(words):
    with pytest.raises(UserError, match="needs at least one name"):
        expand_arguments(words.split())


def test_several_values_may_follow_one_set():
    assert expand_arguments(["x.yaml", "--set", "a=1", "b.c=2", "--free", "pose", "--quiet"]) == [
        "run", "x.yaml", "--set", "a=1", "--set", "b.c=2", "--free", "pose", "--quiet",
    ]  # fmt: skip
