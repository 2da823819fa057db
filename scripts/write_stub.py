"""Write the stub by which editors complete the public names: ``python scripts/write_stub.py``."""

from __future__ import annotations

import inspect
from pathlib import Path

import mitsuba_mei
from mitsuba_mei.api import parts


def stub() -> str:
    """The text of ``mitsuba_mei/__init__.pyi``."""
    lines = ["from typing import Any", "", "from .config.fields import Part"]
    places: dict[str, list[str]] = {}
    for name, place in mitsuba_mei._NAMES.items():
        module, _, attribute = place.partition(":")
        if name not in parts.__all__:
            places.setdefault(module, []).append(f"{attribute or name} as {name}")
    lines += [f"from .{module} import {', '.join(sorted(names))}" for module, names in sorted(places.items())]
    names = ", ".join(f'"{name}"' for name in mitsuba_mei.__all__)
    lines += ["", f"__all__ = [{names}]", "", "__version__: str", ""]
    for name in sorted(parts.__all__):
        arguments = [
            each.name + (": Any" if each.default is each.empty else ": Any = ...")
            for each in inspect.signature(getattr(mitsuba_mei, name)).parameters.values()
        ]
        lines.append(f"def {name}({', '.join(arguments)}) -> Part: ...")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(mitsuba_mei.__file__).parent / "__init__.pyi").write_text(stub(), encoding="utf-8")
