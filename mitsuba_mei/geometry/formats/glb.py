"""GLB: glTF 2.0 in one binary file, the object as its default scene shows it at rest."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np

from .contents import MeshContents, MeshFault, check_count, counted, named
from .glb_scene import Placement, placements

__all__ = ["read_glb"]

NUMBERS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

MAX_READ = 10**8
"""Vertices that all primitives name together."""

FLAT_EXTENSIONS = (
    "KHR_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights",
    "EXT_lights_",
    "KHR_xmp",
    "KHR_node_visibility",
)
"""Beginnings of the names of extensions that change how a surface looks, not where it is; and one that is read."""

PACKED = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")

POINTS, TRIANGLES, STRIP, FAN = 0, 4, 5, 6


def read_glb(data: bytes, max_faces: int) -> MeshContents:
    """Read the triangles that the file's scene shows, each mesh wherever a node puts it.

    Sparse and quantised accessors, default morph weights, skins at rest, strips and fans are read; geometry that is
    compressed or made by another extension is refused by its name.

    Raises
    ------
    MeshFault
        With what is not supported, or not as glTF has it.
    """
    tree, binary = _chunks(data)
    _check_extensions(tree)
    file = _File(tree, binary)
    placed = list(placements(tree, file.accessor))
    _check_sizes(tree, placed, max_faces, len(data))
    vertices, faces, base = [], [], 0
    drawn = 0
    for placement in placed:
        for primitive in _parts(placement):
            if primitive.get("mode", TRIANGLES) < TRIANGLES:
                drawn += 1
                continue
            points, triangles = file.primitive(primitive, placement)
            vertices.append(points)
            faces.append(triangles + base)
            base += len(points)
    notes = _left_out(tree, placed, drawn)
    if not faces:
        return MeshContents(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64), notes)
    return MeshContents(np.concatenate(vertices), np.concatenate(faces), notes)


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The description and the numbers."""
    if data[:4] != b"glTF":
        if data.lstrip()[:1] == b"{":
            raise MeshFault("is no GLB but glTF as text; export it as GLB, in one binary file")
        raise MeshFault("cannot be read as GLB: it does not begin with 'glTF'")
    version, length = struct.unpack("<II", data[4:12])
    if version != 2:
        raise MeshFault(f"is glTF {version}, which is not supported; export it as glTF 2.0")
    if length > len(data):
        raise MeshFault(f"is truncated: it has {len(data):,} bytes where it announces {length:,}")
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, place)
        if place + 8 + size > len(data):
            raise MeshFault("is damaged: a part of it announces more bytes than there are")
        chunks.setdefault(kind, data[place + 8 : place + 8 + size])
        place += 8 + size
    return json.loads(chunks[b"JSON"]), chunks.get(b"BIN\0", b"")


def _check_extensions(tree: dict[str, Any]) -> None:
    """Refuse what a file cannot be shown without, and what nobody here can read."""
    required = [str(name)[:60] for name in tree.get("extensionsRequired", ())]
    unknown = [name for name in required if name != "KHR_mesh_quantization" and not name.startswith(FLAT_EXTENSIONS)]
    if unknown:
        why = "export it without compression" if set(unknown) & set(PACKED) else "export it without that"
        verb = "is" if len(unknown) == 1 else "are"
        raise MeshFault(f"needs {named(unknown[:5])}, which {verb} not supported; {why}")


def _check_sizes(tree: dict[str, Any], placed: list[Placement], max_faces: int, size: int) -> None:
    """Refuse more faces than are allowed, before any number of theirs is looked at."""
    accessors = tree.get("accessors", [])
    most = max((accessor["count"] for accessor in accessors), default=0)
    if most > size:
        check_count(most, max_faces)  # what is nowhere in the file would be made up as zeros
    faces = read = 0
    for placement in placed:
        for primitive in _parts(placement):
            positions = accessors[primitive["attributes"]["POSITION"]]["count"]
            corners = accessors[primitive["indices"]]["count"] if "indices" in primitive else positions
            mode = primitive.get("mode", TRIANGLES)
            faces += corners // 3 if mode == TRIANGLES else max(0, corners - 2) if mode in (STRIP, FAN) else 0
            read += positions
    check_count(faces, max_faces)
    if read > MAX_READ:
        raise MeshFault(f"names {read:,} vertices in all its parts, more than the {MAX_READ:,} that are read")


def _parts(placement: Placement) -> list[dict[str, Any]]:
    """A mesh's primitives; glTF has those without positions skipped."""
    return [primitive for primitive in placement.mesh["primitives"] if "POSITION" in primitive["attributes"]]


class _File:
    """The numbers of a file."""

    def __init__(self, tree: dict[str, Any], binary: bytes) -> None:
        self._tree, self._binary = tree, binary
        self._buffers: dict[int, bytes] = {}

    def primitive(self, primitive: dict[str, Any], placement: Placement) -> tuple[np.ndarray, np.ndarray]:
        """A primitive's vertices in the scene, those alone that it uses, and its triangles."""
        attributes = primitive["attributes"]
        packed = [name for name in PACKED if name in primitive.get("extensions", {})]
        if packed and "bufferView" not in self._tree["accessors"][attributes["POSITION"]]:
            raise MeshFault(f"uses {packed[0]}, which is not supported; export it without compression")
        count = self._tree["accessors"][attributes["POSITION"]]["count"]
        corners = np.arange(count)
        if "indices" in primitive:
            corners = self.accessor(primitive["indices"]).reshape(-1).astype(np.int64)
        faces = _triangles(corners, primitive.get("mode", TRIANGLES))
        if len(faces) and faces.max() >= count:
            raise MeshFault(f"has faces that name vertices beyond its {count}; the file is damaged")
        used, faces = np.unique(faces, return_inverse=True)

        def taken(index: int) -> np.ndarray:
            values = self.accessor(index)
            if len(values) != count:
                raise MeshFault("is damaged: a mesh's attributes are of different lengths")
            return values[used].astype(np.float64)

        points = taken(attributes["POSITION"])
        weights = placement.morph
        for target, weight in zip(primitive.get("targets", ()), weights):
            if weight and "POSITION" in target:
                points += weight * taken(target["POSITION"])
        joints = []
        while f"JOINTS_{len(joints)}" in attributes:
            number = len(joints)
            joints.append((taken(attributes[f"JOINTS_{number}"]), taken(attributes[f"WEIGHTS_{number}"])))
        faces = faces.reshape(-1, 3)
        return placement.place(points, joints), faces[:, [0, 2, 1]] if placement.mirrors else faces

    def accessor(self, index: int) -> np.ndarray:
        """An accessor's values, ``(count, components)``; integers that stand for fractions are such."""
        declared = self._tree["accessors"][index]
        kind = np.dtype("<" + NUMBERS[declared["componentType"]])
        components, count = COMPONENTS[declared["type"]], declared["count"]
        if "bufferView" in declared:
            values = self._view(declared["bufferView"], declared.get("byteOffset", 0), kind, components, count)
        else:
            if count > len(self._binary) + MAX_READ // 100:
                raise MeshFault(f"has an accessor of {count:,} values without data")
            values = np.zeros((count, components), kind)
        if "sparse" in declared:
            sparse = declared["sparse"]
            at, to, changed = sparse["indices"], sparse["values"], sparse["count"]
            whole = np.dtype("<" + NUMBERS[at["componentType"]])
            rows = self._view(at["bufferView"], at.get("byteOffset", 0), whole, 1, changed).reshape(-1)
            values = values.copy()
            values[rows] = self._view(to["bufferView"], to.get("byteOffset", 0), kind, components, changed)
        if declared.get("normalized") and kind.kind in "iu":
            return np.maximum(values / np.iinfo(kind).max, -1.0)
        return values

    def _view(self, index: int, offset: int, kind: np.dtype, components: int, count: int) -> np.ndarray:
        view = self._tree["bufferViews"][index]
        begin, length, stride = view.get("byteOffset", 0), view["byteLength"], view.get("byteStride", 0)
        packed = [name for name in PACKED if name in view.get("extensions", {})]
        if packed:
            raise MeshFault(f"uses {packed[0]}, which is not supported; export it without compression")
        size = kind.itemsize * components
        stride = stride or size
        if min(begin, length, offset, count) < 0 or stride < size:
            raise ValueError("no such part of a buffer")
        if count and offset + stride * (count - 1) + size > length:
            raise MeshFault("is damaged: an accessor names more bytes than its buffer view has")
        data = self._buffer(view["buffer"])
        if begin + length > len(data):
            raise MeshFault("is truncated or damaged: a buffer view names more bytes than there are")
        return np.ndarray((count, components), kind, data, begin + offset, (stride, kind.itemsize))

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self._tree["buffers"][index].get("uri")
            if uri is None and index == 0:
                self._buffers[index] = self._binary
            elif uri is not None and uri.startswith("data:") and ";base64," in uri[:100]:
                self._buffers[index] = base64.b64decode(uri.partition(",")[2])
            else:
                raise MeshFault("cannot be read as GLB: it keeps numbers in another file; export it in one file")
        return self._buffers[index]


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    """The triangles of a list, strip or fan."""
    if mode == TRIANGLES:
        if len(corners) % 3:
            raise MeshFault(f"has triangles of {len(corners):,} corners, which is no multiple of three")
        return corners.reshape(-1, 3)
    if mode not in (STRIP, FAN):
        raise MeshFault(f"has a primitive of mode {mode}, which glTF does not know")
    place = np.arange(max(0, len(corners) - 2))
    if mode == FAN:
        return np.stack([np.broadcast_to(corners[:1], place.shape), corners[place + 1], corners[place + 2]], axis=1)
    odd = place % 2
    return np.stack([corners[place], corners[place + 1 + odd], corners[place + 2 - odd]], axis=1)


def _left_out(tree: dict[str, Any], placed: list[Placement], drawn: int) -> tuple[str, ...]:
    """Describe the parts of the file that are left out."""
    notes = []
    shown = [primitive for placement in placed for primitive in _parts(placement)]
    if any("material" in primitive for primitive in shown):
        images = tree.get("images")
        notes.append(f"left out its materials{' and textures' if images else ''}")
    if any(name.startswith("COLOR_") for primitive in shown for name in primitive["attributes"]):
        notes.append("left out its vertex colours")
    if drawn:
        notes.append(f"left out {counted(drawn, 'set')} of points or lines, which are no surface")
    targets = [(len(each.get("targets", ())), p.morph) for p in placed for each in _parts(p)]
    if any(count > sum(weight != 0 for weight in morph) for count, morph in targets):
        notes.append("left out morph targets that its default weights do not use")
    if tree.get("animations"):
        notes.append("left out its animation: the object is as it is at rest")
    if any(placement.joints is not None for placement in placed):
        notes.append("its skin is at rest, as its joints stand in the file")
    elsewhere = len(tree.get("meshes", ())) - len({placement.index for placement in placed})
    if elsewhere:
        notes.append(f"left out {counted(elsewhere, 'mesh', 'meshes')} that its default scene does not show")
    return tuple(notes)
