"""The header of a PLY file: which elements it announces, and of which properties their rows are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from .contents import MeshFault

__all__ = ["Element", "Property", "read_header"]

TYPES = {
    **{name: "i1" for name in ("char", "int8")},
    **{name: "u1" for name in ("uchar", "uint8")},
    **{name: "i2" for name in ("short", "int16")},
    **{name: "u2" for name in ("ushort", "uint16")},
    **{name: "i4" for name in ("int", "int32")},
    **{name: "u4" for name in ("uint", "uint32")},
    **{name: "f4" for name in ("float", "float32")},
    **{name: "f8" for name in ("double", "float64")},
}

MAX_HEADER = 2**16
"""Bytes of a header."""


@dataclass(frozen=True)
class Property:
    """One value of an element, or a list of them, whose length is of the type ``length``."""

    name: str
    type: np.dtype
    length: np.dtype | None = None


@dataclass(frozen=True)
class Element:
    """So many rows of the same properties."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


def read_header(data: bytes) -> tuple[str, list[Element], bytes]:
    """The header's text, what it announces, and the bytes behind it."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    begin = re.match(rb"\s*ply[ \t]*(\r\n|\n|\r)", data)
    if begin is None:
        raise MeshFault("cannot be read as PLY: it does not begin with 'ply'")
    before = rb"(?:\r\n|\n|\r)end_header[ \t]*"
    end = re.search(before + begin.group(1), data[:MAX_HEADER]) or re.search(before + rb"\r?\n", data[:MAX_HEADER])
    if end is None:
        raise MeshFault("cannot be read as PLY: its header has no end ('end_header')")
    lines = data[begin.start() : end.start()].decode("ascii", "replace").splitlines()
    elements: list[Element] = []
    known, order = False, "<"
    for line in lines[1:]:
        words = line.split()
        kind = words[0] if words else ""
        try:
            if kind == "format":
                known = words[1] in ("ascii", "binary_little_endian", "binary_big_endian")
                order = ">" if words[1] == "binary_big_endian" else "<"
            elif kind == "element":
                elements.append(Element(words[1], int(words[2])))
                if elements[-1].count < 0:
                    raise ValueError
            elif kind == "property" and words[1] == "list":
                length, value = (np.dtype(order + TYPES[word]) for word in words[2:4])
                elements[-1].properties.append(Property(words[4], value, length))
            elif kind == "property":
                elements[-1].properties.append(Property(words[2], np.dtype(order + TYPES[words[1]])))
        except (KeyError, IndexError, ValueError):
            raise MeshFault(f"cannot be read as PLY: its header says '{line.strip()[:60]}'") from None
    if not known:
        raise MeshFault("cannot be read as PLY: its header names no format that there is")
    if len({element.name for element in elements}) < len(elements):
        raise MeshFault("cannot be read as PLY: its header names an element twice")
    return "\n".join(lines), elements, data[end.end() :]
