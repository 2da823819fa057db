"""PLY: vertices, polygons and triangle strips, as text or as bytes in either order."""

from __future__ import annotations

import re
import struct
import warnings
from itertools import islice

import numpy as np

from .contents import MeshContents, MeshFault, check_count, counted, named
from .ply_header import Element, Property, read_header
from .polygons import triangulate

__all__ = ["read_ply"]

Bytes = bytes | memoryview

INDICES = ("vertex_indices", "vertex_index")

NEEDED = frozenset({*INDICES, "x", "y", "z"})

COLOURS = frozenset("red green blue diffuse_red diffuse_green diffuse_blue r g b".split())


def read_ply(data: bytes, max_faces: int) -> MeshContents:
    """Read vertices and polygons or triangle strips, whatever other elements and properties there are.

    Raises
    ------
    MeshFault
        If the header is not understood, or the values end before what it announces.
    """
    header, elements, body = read_header(data)
    by_name = {element.name: element for element in elements}
    for element in elements:
        if element.name == "face":
            check_count(element.count, max_faces)
    notes = _left_out(header, by_name)
    if re.search(r"^format\s+ascii", header, re.MULTILINE):
        columns, messages = _written(elements, body)
        notes += messages
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
        faces, messages = triangulate(vertices, corners, sizes)
        notes += messages
    if by_name.get("tristrips", Element("tristrips", 0)).count:
        corners, sizes = _lists(strips, "strips")
        more = _strips(corners, sizes)
        check_count(len(faces) + len(more), max_faces)
        _check_indices(more.reshape(-1), len(vertices))
        faces = np.concatenate([faces, more])
    return MeshContents(vertices, faces, tuple(notes))


def _columns(elements: list[Element], body: Bytes) -> tuple[dict[str, dict], int]:
    """Every element's columns, and where the last ends."""
    columns, end = {}, 0
    for element in elements:
        columns[element.name], end = _values(element, body, end)
    return columns, end


def _written(elements: list[Element], body: bytes) -> tuple[dict[str, dict], list[str]]:
    """Every element's columns of a file in text, as float64.

    A row is a line. Some programs break lines elsewhere: then the header must use all numbers up. Others write columns
    that it does not name: then the first ones of each line are taken, which is said.
    """
    wide = np.dtype("<f8")
    elements = [
        Element(e.name, e.count, [Property(p.name, wide, None if p.length is None else wide) for p in e.properties])
        for e in elements
        if e.properties
    ]
    lines = [line for line in body.splitlines() if line.strip()]
    by_line = len(lines) == sum(element.count for element in elements)
    kept = _first_columns(elements, lines) if by_line else None
    numbers = _numbers(body if kept is None else b"\n".join(kept))
    columns, end = _columns(elements, numbers)
    if end != len(numbers):
        raise MeshFault(f"has {(len(numbers) - end) // 8:,} numbers more than its header announces")
    return columns, [] if kept is None else ["left out columns that its header does not name"]


def _first_columns(elements: list[Element], lines: list[bytes]) -> list[bytes] | None:
    """Each line as far as the header names its columns; None where it names them all, or more than there are."""
    kept, more = [], False
    rows = iter(lines)
    for element in elements:
        for line in islice(rows, element.count):
            words, place = line.split(), 0
            for p in element.properties:
                if place >= len(words):
                    return None
                place += 1 if p.length is None else 1 + int(words[place])
            if place < len(words):
                more, line = True, b" ".join(words[:place])
            kept.append(line)
    return kept if more else None


def _numbers(body: bytes) -> memoryview:
    """Values written as text, as the bytes of float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            values = np.fromstring(body, sep=" ") if body.strip() else None
        except (DeprecationWarning, ValueError):
            raise MeshFault("is damaged or truncated: something behind its header is not a number") from None
    return memoryview(b"" if values is None else values.astype("<f8", copy=False)).cast("B")


def _values(element: Element, body: Bytes, start: int) -> tuple[dict, int]:
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
            if p.name in NEEDED:
                columns[p.name] = column(p.type, n).reshape(-1), np.full(element.count, n)
            offset += n * p.type.itemsize
        if alike:
            return columns, start + stride * element.count
    return _ragged(element, body, start)


def _first_lengths(element: Element, body: Bytes, start: int) -> list[int | None]:
    """Lengths of the first row's lists; None for a property that is no list."""
    lengths: list[int | None] = []
    for p in element.properties:
        n = None if p.length is None else _length(element, body, start, p.length)
        start += p.type.itemsize if n is None else p.length.itemsize + n * p.type.itemsize
        lengths.append(n)
    return lengths


def _length(element: Element, body: Bytes, start: int, kind: np.dtype) -> int:
    if start + kind.itemsize > len(body):
        raise MeshFault(_truncated(element, body, start))
    (n,) = struct.unpack_from(kind.byteorder.replace("|", "<").replace("=", "<") + kind.char, body, start)
    if n != n or n != int(n) or n < 0:
        raise MeshFault(f"is damaged: a list of the element '{element.name[:40]}' has {n:g} values")
    return int(n)


def _ragged(element: Element, body: Bytes, start: int) -> tuple[dict, int]:
    """Rows of different lengths, one after the other."""
    requested = [p for p in element.properties if p.name in NEEDED]
    places = {p.name: np.empty(element.count, dtype=np.int64) for p in requested}
    lengths = {p.name: np.ones(element.count, dtype=np.int64) for p in requested}
    for row in range(element.count):
        for p in element.properties:
            n = 1
            if p.length is not None:
                n = _length(element, body, start, p.length)
                start += p.length.itemsize
            if p.name in NEEDED:
                places[p.name][row], lengths[p.name][row] = start, n
            start += n * p.type.itemsize
        if start > len(body):
            raise MeshFault(_truncated(element, body, start))
    raw = np.frombuffer(body, np.uint8)
    columns = {}
    for p in requested:
        n = lengths[p.name]
        each = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        at = np.repeat(places[p.name], n) + each * p.type.itemsize
        values = np.ascontiguousarray(raw[at[:, None] + np.arange(p.type.itemsize)]).view(p.type).reshape(-1)
        columns[p.name] = values if p.length is None else (values, n)
    return columns, start


def _truncated(element: Element, body: Bytes, start: int, least: int = 0) -> str:
    there = f": at most {max(0, (len(body) - start) // least):,} are there" if least else ""
    rows = f"{element.count:,} rows of the element '{element.name[:40]}'"
    return f"is truncated: it announces {rows}{there or ', and ends before the last'}"


def _lists(columns: dict, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The values and lengths of the lists that name vertices, as int64."""
    column = next((columns[name] for name in INDICES if name in columns), None)
    if not isinstance(column, tuple):
        raise MeshFault(f"has {what} without a list of their vertices ({' or '.join(INDICES)})")
    values, lengths = column
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
    """Describe the parts of the file that are left out."""
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
