"""Public names: lazy, documented, and known to editors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mitsuba_mei as mm

PACKAGE = Path(mm.__file__).parent


def test_the_import_loads_no_library():
    code = "import sys, mitsuba_mei; print([name for name in sys.modules if name in ('torch', 'mitsuba', 'pydantic')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_is_there_and_says_what_it_is():
    assert 25 <= len(mm.__all__) - 1 <= 40
    for name in mm.__all__:
        thing = getattr(mm, name)
        assert name == "__version__" or (thing.__doc__ and len(thing.__doc__.splitlines()[0]) > 20), name
    assert set(mm.__all__) <= set(dir(mm))


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(AttributeError, match="mitsuba_mei has no 'Icosphere'; did you mean 'icosphere'?"):
        _ = mm.Icosphere


def test_the_stub_knows_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    found = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    found |= {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert found >= {*mm.__all__} - {"__version__"} and (PACKAGE / "py.typed").is_file()


def test_the_stub_has_the_arguments_of_every_part():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    said = {node.name: [each.arg for each in node.args.args] for node in tree.body if isinstance(node, ast.FunctionDef)}
    import inspect

    from mitsuba_mei.api import parts

    assert said == {name: list(inspect.signature(getattr(mm, name)).parameters) for name in parts.__all__}


def documented() -> list[str]:
    """Every public name, and the public methods and properties of the classes."""
    names = [name for name in mm.__all__ if name != "__version__"]
    for name in [name for name in names if isinstance(getattr(mm, name), type)]:
        names += [f"{name}.{member}" for member in vars(getattr(mm, name)) if not member.startswith("_")]
    return names


@pytest.mark.parametrize("name", documented())
def test_numpydoc_finds_nothing_wrong(name):
    """But for what it recommends and no library has: an extended summary and See Also everywhere."""
    validate = pytest.importorskip("numpydoc.validate").validate
    optional = {"ES01", "SA01"} | (
        {"EX01"} if "." in name else set()
    )  # the example of the class is that of its methods
    assert [error for error in validate(f"mitsuba_mei.{name}")["errors"] if error[0] not in optional] == []
