"""Docstrings speak of the parameters that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "mitsuba_mei"
SECTION = re.compile(r"Parameters\n-+\n(.*?)(?=\n\n[A-Z][a-z]+\n-+|\Z)", re.DOTALL)
ENTRY = re.compile(r"^([\w*]+(?:, [\w*]+)*)(?: : .*)?$", re.MULTILINE)


def unknown(source: str) -> Iterator[str]:
    """Parameters that a docstring describes and its function, or the ``__init__`` of its class, does not have."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        section = SECTION.search(ast.get_docstring(node) or "")
        function = node
        if isinstance(node, ast.ClassDef):
            function = next((each for each in node.body if getattr(each, "name", "") == "__init__"), None)
        if section is None or function is None:
            continue
        known = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
        for entry in ENTRY.finditer(section[1]):
            names = [name.lstrip("*") for name in entry[1].split(", ")]
            yield from (f"{node.name}: {name}" for name in names if name not in known)


def test_every_described_parameter_is_one():
    found = [f"{path.name}: {each}" for path in PACKAGE.rglob("*.py") for each in unknown(path.read_text("utf-8"))]
    assert found == []


def test_an_old_name_is_found():
    source = 'def f(new):\n    """Do.\n\n    Parameters\n    ----------\n    old : int\n        A number.\n    """\n'
    assert list(unknown(source)) == ["f: old"]
