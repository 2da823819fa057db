"""The examples of public docstrings, as they stand."""

from __future__ import annotations

import doctest

import pytest

import mitsuba_mei as mm

pytestmark = pytest.mark.slow

WITHOUT = {"__version__"}


@pytest.mark.parametrize("name", sorted({*mm.__all__} - WITHOUT))
def test_the_example_runs(name, monkeypatch, root):
    monkeypatch.chdir(root)
    thing = getattr(mm, name)
    tests = [test for test in doctest.DocTestFinder(recurse=False).find(thing, name, globs={}) if test.examples]
    assert tests, f"{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
