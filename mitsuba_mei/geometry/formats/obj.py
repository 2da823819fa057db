"""Wavefront OBJ: text, a statement a line."""

from __future__ import annotations

import io
import re
from array import array
from collections import Counter
from collections.abc import Iterator

import numpy as np

from .contents import MeshContents, MeshFault, check_count, counted, named
from .polygons import triangulate

__all__ = ["read_obj"]

NAMES = frozenset("g o s mg mtllib usemtl usemap maplib lod bevel c_interp d_interp shadow_obj trace_obj".split())
"""Statements that change no surface, whose text is a name of the user's."""

SHADING = frozenset({"vt", "vn"})

FREE_FORM = frozenset("vp cstype deg bmat step curv curv2 surf parm trim hole scrv sp end con stech ctech".split())

FACE = re.compile(rb"(?m)^[ \t]*fo?[ \t]")


def read_obj(data: bytes, max_faces: int) -> MeshContents:
    """Read vertices and polygons; indices may be relative to their place, polygons concave.

    Raises
    ------
    MeshFault
        With the line.
    """
    check_count(sum(1 for _ in FACE.finditer(data)), max_faces)
    vertices, corners, sizes = array("d"), array("q"), array("q")
    keywords: Counter[str] = Counter()
    coloured = triangles = 0
    for number, words in _statements(data):
        kind = words[0].lower()
        if kind == "v":
            values = _numbers(words[1:], number)
            coloured += len(values) >= 6
            vertices.extend(values[:3])
        elif kind in ("f", "fo"):
            corners.extend(_indices(words[1:], len(vertices) // 3, number))
            sizes.append(len(words) - 1)
            triangles += len(words) - 3
            if triangles > max_faces:
                check_count(triangles, max_faces)
        elif kind in ("call", "csh"):
            raise MeshFault(f"takes statements from elsewhere in line {number} ('{kind}'), which is not supported")
        else:
            keywords[kind] += 1
    if not vertices and not sizes:
        raise MeshFault("cannot be read as OBJ: no line of it is a vertex ('v x y z') or a face ('f 1 2 3')")
    points, index = np.array(vertices).reshape(-1, 3), np.array(corners, dtype=np.int64)
    if len(index) and (index.min() < 0 or index.max() >= len(points)):
        raise MeshFault(f"has faces that name vertices beyond its {len(points)}; the file is damaged")
    faces, notes = triangulate(points, index, np.array(sizes, dtype=np.int64))
    return MeshContents(points, faces, (*_left_out(keywords, coloured), *notes))


def _statements(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The number and the words of every line that says something; a backslash at its end joins it to the next."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-16" if utf16 else "utf-8-sig", errors="replace")
    before: list[str] = []
    start = 0
    for number, line in enumerate(text, 1):
        line = line.partition("#")[0].strip()
        words = [*before, *line.removesuffix("\\").split()]
        before, start = [], start if before else number
        if not words:
            continue
        if line.endswith("\\") and words[0] not in NAMES:
            before = words
            continue
        yield start, words
    if before:
        yield start, before


def _numbers(words: list[str], line: int) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise MeshFault(f"has a vertex in line {line} that is not numbers: '{' '.join(words)[:60]}'") from None
    if len(values) < 3 or len(values) == 5:
        many = counted(len(values), "number")
        raise MeshFault(f"has a vertex of {many} in line {line}; 3, or 6 with a colour, are read")
    if len(values) in (4, 7) and values[3] != 1:
        raise MeshFault(
            f"has a vertex with a fourth coordinate (w) of {values[3]:g} in line {line}, which programs read in "
            "different ways; export it with x, y and z alone"
        )
    return values


def _indices(words: list[str], vertices: int, line: int) -> list[int]:
    """Counted from 0; a file counts from 1, and backwards from the last vertex before the line."""
    try:
        given = [int(word.partition("/")[0]) for word in words]
    except ValueError:
        raise MeshFault(f"has a face in line {line} that is not indices: '{' '.join(words)[:60]}'") from None
    if len(given) < 3:
        raise MeshFault(f"has a face of {counted(len(given), 'corner')} in line {line}; it needs three")
    indices = [index - 1 if index > 0 else vertices + index for index in given]
    if 0 in given or min(indices) < 0:
        raise MeshFault(f"has a face in line {line} that names a vertex before the first")
    if max(map(abs, given)) >= 2**62:
        raise MeshFault(f"has a face in line {line} that names a vertex beyond the last")
    return indices


def _left_out(keywords: Counter[str], coloured: int) -> list[str]:
    """Describe the parts of the file that are left out."""
    notes = []
    if keywords["mtllib"] or keywords["usemtl"] or keywords["usemap"] or keywords["maplib"]:
        notes.append("left out its materials and textures")
    if coloured:
        notes.append(f"left out the colours of {counted(coloured, 'vertex', 'vertices')}")
    drawn = [
        counted(keywords[kind], what) for kind, what in (("l", "line"), ("p", "point statement")) if keywords[kind]
    ]
    if drawn:
        notes.append(f"left out {named(drawn)}, which are no surface")
    if keywords["curv"] or keywords["surf"]:
        many = counted(
            keywords["curv"] + keywords["surf"], "free-form curve or surface", "free-form curves or surfaces"
        )
        notes.append(f"left out {many}")
    unknown = {kind: n for kind, n in keywords.items() if kind not in NAMES | SHADING | FREE_FORM | {"l", "p"}}
    if unknown:
        first = next(iter(unknown))[:20]
        notes.append(f"left out {counted(sum(unknown.values()), 'line')} that OBJ does not know, such as '{first}'")
    return notes
