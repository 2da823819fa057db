"""STL: triangles without shared vertices, as text or as binary records."""

from __future__ import annotations

import re
import struct
from array import array

import numpy as np

from .contents import MeshContents, MeshFault, check_count, counted
from .polygons import triangulate

__all__ = ["read_stl"]

RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(data: bytes, max_faces: int) -> MeshContents:
    """Read the triangles.

    A file whose size is that which its count announces is binary, whatever its header begins with; so is one that does
    not begin with ``solid`` and hold a ``facet``, in small or capital letters.

    Raises
    ------
    MeshFault
        If it is neither, or ends early.
    """
    count = struct.unpack("<I", data[80:84])[0] if len(data) >= 84 else -1
    exact = count > 0 and len(data) == 84 + 50 * count
    if not exact and re.match(rb"\s*solid", data.removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
        if re.search(rb"\bfacet\s", data, re.IGNORECASE):
            return _text(data, max_faces)
        if len(data) < 84 + 50 * count or count <= 0:
            if re.search(rb"endsolid", data, re.IGNORECASE):
                raise MeshFault("holds no facets")
            raise MeshFault("is truncated or no STL file: it begins with 'solid', but no facet follows")
    if count < 0:
        raise MeshFault(f"is truncated or no STL file: it has {counted(len(data), 'byte')}")
    if len(data) < 84 + 50 * count:
        raise MeshFault(
            f"is truncated or no STL file: it has {len(data):,} bytes where it announces {84 + 50 * count:,}"
        )
    check_count(count, max_faces)
    triangles = np.frombuffer(data, RECORD, count, 84)
    notes = []
    painted = int((triangles["attribute"] != 0).sum())
    if painted:
        notes.append(f"left out the attributes of {counted(painted, 'triangle')} (colours, with some programs)")
    behind = data[84 + 50 * count :]
    if behind.strip(b"\0 \t\r\n"):
        notes.append(f"left out {counted(len(behind), 'byte')} behind its {counted(count, 'triangle')}")
    vertices = triangles["corners"].astype(np.float64).reshape(-1, 3)
    return MeshContents(vertices, np.arange(3 * count).reshape(-1, 3), tuple(notes))


def _text(data: bytes, max_faces: int) -> MeshContents:
    """A facet a loop; loops of more than three vertices, which some programs write, are polygons."""
    vertices, sizes = array("d"), array("q")
    begun = ended = loop = facets = 0
    for number, line in enumerate(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), 1):
        words = line.lower().split()
        if not words:
            continue
        if words[0].removeprefix(b"\xef\xbb\xbf") == b"solid":
            begun += 1
            continue
        if words[0] == b"endsolid" or words[:2] == [b"end", b"solid"]:
            ended += 1
            continue
        position = 0
        while position < len(words):
            word = words[position]
            position += 1
            if word == b"vertex":
                try:
                    x, y, z = (float(value) for value in words[position : position + 3])
                except ValueError:
                    raise MeshFault(f"has a vertex in line {number} that is not three numbers") from None
                vertices.extend((x, y, z))
                loop += 1
                position += 3
            elif word == b"facet" and words[position - 2 : position - 1] != [b"end"]:
                facets += 1
            elif word == b"endloop" or (word == b"loop" and words[position - 2 : position - 1] == [b"end"]):
                if loop < 3:
                    raise MeshFault(f"has a facet of {counted(loop, 'vertex', 'vertices')} that ends in line {number}")
                sizes.append(loop)
                loop = 0
                if len(sizes) > max_faces:
                    check_count(max(len(sizes), len(re.findall(rb"(?i)\bendfacet\b", data))), max_faces)
    if loop or len(sizes) != facets:
        raise MeshFault(f"is truncated or damaged: of its {counted(facets, 'facet')} {len(sizes):,} are whole")
    if ended < begun:
        raise MeshFault("is truncated: it has no 'endsolid'")
    points = np.array(vertices).reshape(-1, 3)
    faces, notes = triangulate(points, np.arange(len(points)), np.array(sizes, dtype=np.int64))
    return MeshContents(points, faces, notes)
