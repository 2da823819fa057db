"""PLY: a header that names the elements and their properties, then their values as text or bytes, in either order."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from .mesh_contents import MeshContents, MeshFault, check_count, counted, named
from .polygons import triangulate

__all__ = ["read_ply"]

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

INDICES = ("vertex_indices", "vertex_index")

COLOURS = frozenset("red green blue diffuse_red diffuse_green diffuse_blue r g b".split())

MOST_HEADER = 2**16
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


def read_ply(data: bytes, max_faces: int) -> MeshContents:
    """Read vertices and polygons or triangle strips, whatever other elements and properties there are.

    Raises
    ------
    MeshFault
        If the header is not understood, or the values end before what it announces.
    """
    header, elements, body = _header(data)
    by_name = {element.name: element for element in elements}
    for element in elements:
        if element.name == "face":
            check_count(element.count, max_faces)
    notes = _left_out(header, by_name)
    if re.search(r"^format\s+ascii", header, re.MULTILINE):
        columns, said = _written(elements, body)
        notes += said
    else:
        columns, end = _columns(elements, body)
        if body[end:].strip(b"\0 \t\r\n"):
            notes.append(f"left out {counted(len(body) - end, 'byte')} behind its last element")
    vertex, face, strips = (columns.get(name, {}) for name in ("vertex", "face", "tristrips"))
    if not all(axis in vertex for axis in "xyz"):
        raise MeshFault("has no vertices with x, y and z")
    vertices = np.stack([np.asarray(vertex[axis], dtype=np.float64) for axis in "xyz"], axis=1)
    faces = np.empty((0, 3), dtype=np.int64)
    if by_name.get("face", Element("face", 0)).count:
        corners, sizes = _lists(face, "faces")
        _check_indices(corners, len(vertices))
        small = sizes < 3
        if small.any():
            corners, sizes = corners[np.repeat(~small, sizes)], sizes[~small]
            notes.append(f"left out {counted(int(small.sum()), 'face')} of fewer than three corners")
        check_count(int((sizes - 2).sum()), max_faces)
        faces, said = triangulate(vertices, corners, sizes)
        notes += said
    if by_name.get("tristrips", Element("tristrips", 0)).count:
        corners, sizes = _lists(strips, "strips")
        more = _strips(corners, sizes)
        check_count(len(faces) + len(more), max_faces)
        _check_indices(more.reshape(-1), len(vertices))
        faces = np.concatenate([faces, more])
    return MeshContents(vertices, faces, tuple(notes))


def _header(data: bytes) -> tuple[str, list[Element], bytes]:
    """The header's text, what it announces, and the bytes behind it."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    begin = re.match(rb"\s*ply[ \t]*(\r\n|\n|\r)", data)
    if begin is None:
        raise MeshFault("cannot be read as PLY: it does not begin with 'ply'")
    before = rb"(?:\r\n|\n|\r)end_header[ \t]*"
    end = re.search(before + begin.group(1), data[:MOST_HEADER]) or re.search(before + rb"\r?\n", data[:MOST_HEADER])
    if end is None:
        raise MeshFault("cannot be read as PLY: its header has no end ('end_header')")
    header = data[begin.start() : end.start()].decode("ascii", "replace")
    elements: list[Element] = []
    known, order = False, "<"
    for line in header.splitlines()[1:]:
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
    return header, elements, data[end.end() :]


def _columns(elements: list[Element], body: bytes) -> tuple[dict[str, dict], int]:
    """Every element's columns, and where the last ends."""
    columns, end = {}, 0
    for element in elements:
        columns[element.name], end = _values(element, body, end)
    return columns, end


def _written(elements: list[Element], body: bytes) -> tuple[dict[str, dict], list[str]]:
    """Every element's columns of a file in text, as float64.

    A row is a line. Some programs break lines elsewhere, others write columns that the header does not name: what the
    header says must use all numbers up, or else the first columns of each line are taken, which is said.
    """
    wide = np.dtype("<f8")
    elements = [
        Element(e.name, e.count, [Property(p.name, wide, None if p.length is None else wide) for p in e.properties])
        for e in elements
    ]
    try:
        numbers = _numbers(body)
        columns, end = _columns(elements, numbers)
        if end == len(numbers):
            return columns, []
        fault = MeshFault(f"has {(len(numbers) - end) // 8:,} numbers more than its header announces")
    except MeshFault as found:
        fault = found
    lines = [line.split() for line in body.splitlines() if line.strip()]
    if len(lines) != sum(element.count for element in elements if element.properties):
        raise fault
    taken: list[bytes] = []
    rows = iter(lines)
    for element in elements:
        for words in islice(rows, element.count) if element.properties else ():
            place = 0
            for p in element.properties:
                if place >= len(words):
                    raise fault
                place += 1 if p.length is None else 1 + int(words[place])
            if place > len(words):
                raise fault
            taken += words[:place]
    columns, _ = _columns(elements, _numbers(b" ".join(taken)))
    return columns, ["left out columns that its header does not name"]


def _numbers(body: bytes) -> bytes:
    """Values written as text, as the bytes of float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            values = np.fromstring(body, sep=" ") if body.strip() else np.empty(0)
        except (DeprecationWarning, ValueError):
            raise MeshFault("is damaged or truncated: something behind its header is not a number") from None
    return values.astype("<f8").tobytes()


def _values(element: Element, body: bytes, start: int) -> tuple[dict, int]:
    """An element's columns, by property: an array, or of lists one of all values and one of their lengths; and where
    it ends.
    """
    if not element.count or not element.properties:
        return {}, start
    least = sum((p.type if p.length is None else p.length).itemsize for p in element.properties)
    if start + least * element.count > len(body):
        raise MeshFault(_truncated(element, body, start, least))
    lengths = _first_lengths(element, body, start)
    stride = sum(
        p.type.itemsize if n is None else p.length.itemsize + n * p.type.itemsize
        for p, n in zip(element.properties, lengths)
    )
    if start + stride * element.count <= len(body):
        columns, offset, alike = {}, start, True
        for p, n in zip(element.properties, lengths):

            def column(kind: np.dtype, *inner: int) -> np.ndarray:
                steps = (kind.itemsize,) * len(inner)
                return np.ndarray((element.count, *inner), kind, body, offset, (stride, *steps))

            if n is None:
                columns[p.name] = column(p.type)
                offset += p.type.itemsize
                continue
            if not (column(p.length) == n).all():
                alike = False
                break
            offset += p.length.itemsize
            columns[p.name] = column(p.type, n).reshape(-1), np.full(element.count, n)
            offset += n * p.type.itemsize
        if alike:
            return columns, start + stride * element.count
    return _ragged(element, body, start)


def _first_lengths(element: Element, body: bytes, start: int) -> list[int | None]:
    """How long the first row's lists are; None of what is no list."""
    found: list[int | None] = []
    for p in element.properties:
        n = None if p.length is None else _length(element, body, start, p.length)
        start += p.type.itemsize if n is None else p.length.itemsize + n * p.type.itemsize
        found.append(n)
    return found


def _length(element: Element, body: bytes, start: int, kind: np.dtype) -> int:
    if start + kind.itemsize > len(body):
        raise MeshFault(_truncated(element, body, start))
    (n,) = struct.unpack_from(kind.byteorder.replace("|", "<").replace("=", "<") + kind.char, body, start)
    if n != n or n != int(n) or n < 0:
        raise MeshFault(f"is damaged: a list of the element '{element.name[:40]}' has {n:g} values")
    return int(n)


def _ragged(element: Element, body: bytes, start: int) -> tuple[dict, int]:
    """Rows of different lengths, one after the other."""
    places = {p.name: np.empty(element.count, dtype=np.int64) for p in element.properties}
    lengths = {p.name: np.ones(element.count, dtype=np.int64) for p in element.properties}
    for row in range(element.count):
        for p in element.properties:
            n = 1
            if p.length is not None:
                n = _length(element, body, start, p.length)
                start += p.length.itemsize
                lengths[p.name][row] = n
            places[p.name][row] = start
            start += n * p.type.itemsize
        if start > len(body):
            raise MeshFault(_truncated(element, body, start))
    raw = np.frombuffer(body, np.uint8)
    columns = {}
    for p in element.properties:
        n = lengths[p.name]
        each = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        at = np.repeat(places[p.name], n) + each * p.type.itemsize
        values = np.ascontiguousarray(raw[at[:, None] + np.arange(p.type.itemsize)]).view(p.type).reshape(-1)
        columns[p.name] = values if p.length is None else (values, n)
    return columns, start


def _truncated(element: Element, body: bytes, start: int, least: int = 0) -> str:
    there = f": at most {max(0, (len(body) - start) // least):,} are there" if least else ""
    rows = f"{element.count:,} rows of the element '{element.name[:40]}'"
    return f"is truncated: it announces {rows}{there or ', and ends before the last'}"


def _lists(columns: dict, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The values and lengths of the lists that name vertices, as int64."""
    found = next((columns[name] for name in INDICES if name in columns), None)
    if not isinstance(found, tuple):
        raise MeshFault(f"has {what} without a list of their vertices ({' or '.join(INDICES)})")
    values, lengths = found
    if values.dtype.kind == "f":
        if not (np.abs(values) < 2**53).all() or (values != np.floor(values)).any():
            raise MeshFault(f"is damaged: its {what} name vertices by numbers that are not whole")
    return values.astype(np.int64), np.asarray(lengths, dtype=np.int64)


def _check_indices(corners: np.ndarray, vertices: int) -> None:
    if len(corners) and (corners.min() < 0 or corners.max() >= vertices):
        raise MeshFault(f"has faces that name vertices beyond its {vertices}; the file is damaged")


def _strips(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Triangles of strips, each wound as the first of its strip; -1 begins another strip."""
    begin = np.zeros(len(corners) + 1, dtype=np.int64)
    starts = np.concatenate([np.cumsum(sizes) - sizes, np.flatnonzero(corners < 0) + 1])
    begin[starts] = starts
    begin = np.maximum.accumulate(begin)[:-1]
    if len(corners) < 3:
        return np.empty((0, 3), dtype=np.int64)
    place = np.arange(len(corners) - 2)
    whole = (begin[2:] <= place) & (corners[2:] >= 0)  # all three corners are of one strip
    odd = ((place - begin[2:]) % 2 == 1)[:, None]
    three = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    faces = np.where(odd, three[:, [1, 0, 2]], three)[whole]
    repeated = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    return faces[~repeated]  # what joins strips


def _left_out(header: str, elements: dict[str, Element]) -> list[str]:
    """What is left out, in words."""
    notes = []
    names = {p.name.lower() for name in ("vertex", "face") if name in elements for p in elements[name].properties}
    if names & COLOURS:
        notes.append("left out its colours")
    if re.search(r"^comment\s+TextureFile", header, re.MULTILINE | re.IGNORECASE) or "texcoord" in names:
        notes.append("left out its textures")
    known = ("vertex", "face", "tristrips")
    others = [f"'{e.name[:40]}' ({e.count:,})" for e in elements.values() if e.name not in known and e.count]
    if others:
        notes.append(f"left out its elements {named(others[:5])}")
    return notes
