"""Valid mesh files of every spelling are read as they are meant; what cannot be read is refused by its name."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh_files import READERS, read_mesh

BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
TRIANGLES = np.concatenate([QUADS[:, :3], QUADS[:, [0, 2, 3]]])

U = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3]], dtype=float)
"""A letter of area 7 and outline 16; one unit thick its surface is 30."""


def contents(kind: str, data: bytes | str):
    return READERS[f".{kind}"](data.encode() if isinstance(data, str) else data, 10_000)


def area(mesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def volume(mesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def is_box(mesh) -> None:
    """Twelve faces, closed, outwards, of the box's area, volume and place."""
    assert len(mesh.faces) == 12
    assert area(mesh) == pytest.approx(24) and volume(mesh) == pytest.approx(8)
    assert (mesh.vertices.min(axis=0) == -1).all() and (mesh.vertices.max(axis=0) == 1).all()


def refused(folder: Path, kind: str, data: bytes | str, *words: str) -> str:
    path = folder / f"x.{kind}"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(UserError) as caught:
        read_mesh(path, 10_000)
    for word in ("x.", *words):
        assert word in str(caught.value)
    return str(caught.value)


# -------------------------------------------------------------------------------------------------------------- OBJ

VERTICES = [f"v {x:g} {y:g} {z:g}" for x, y, z in BOX]
FACES = ["f " + " ".join(str(i + 1) for i in quad) for quad in QUADS]
PLAIN = "\n".join(VERTICES + FACES) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(" ", "\t"),
        PLAIN.replace(" ", "  \t "),
        PLAIN.replace("v ", "  v ").replace("f ", "\tf "),
        PLAIN.replace("\n", " # said\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.removesuffix("\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace(" 1", " \\\n1"),
        "# ends like a continued line \\\ng c:\\models\\\n" + PLAIN,
        PLAIN.replace("f ", "fo "),
        "mtllib a.mtl\nusemtl f 1 2\ng v 1 2 3\ns off\n" + PLAIN,
        "".join(f"{v} 1\n" for v in VERTICES) + "\n".join(FACES),
        "vt 0 0\nvn 0 0 1\n" + PLAIN.replace("f 1 2 4 3", "f 1/1/1 2//1 4/1 3"),
        "\n".join(FACES + VERTICES),
        PLAIN.replace("f 1 2 4 3", "f -8 -7 -5 -6"),
        PLAIN.replace("f 1 2 4 3", "f -8/-1/-1 -7//-1 -5/-1 -6").replace("v 1 1 1", "v 1 1 1\nvt 0 0\nvn 0 0 1"),
        "cstype bezier\ndeg 3\n" + PLAIN + "l 1 2\np 3\n",
    ],
)
def test_every_spelling_of_an_obj(text):
    is_box(contents("obj", text))


def test_an_obj_of_utf_16():
    is_box(contents("obj", PLAIN.encode("utf-16")))


def test_negative_indices_count_from_their_place_in_the_file():
    """Three boxes, each behind its own vertices."""
    blocks = []
    for shift in (0, 4, 8):
        blocks += [f"v {x + shift:g} {y:g} {z:g}" for x, y, z in BOX]
        blocks += ["f " + " ".join(str(i - 8) for i in quad) for quad in QUADS]
    mesh = contents("obj", "\n".join(blocks))
    assert len(mesh.faces) == 36 and area(mesh) == pytest.approx(3 * 24) and volume(mesh) == pytest.approx(3 * 8)
    assert np.ptp(mesh.vertices[mesh.faces].reshape(-1, 3), axis=0).tolist() == [10, 2, 2]


@pytest.mark.parametrize(
    "change, words",
    [
        (("f 1 2 4 3", "f 1 2"), ("2 corners in line 9",)),
        (("f 1 2 4 3", "f 0 1 2"), ("line 9", "before the first")),
        (("f 1 2 4 3", "f -9 1 2"), ("line 9", "before the first")),
        (("f 1 2 4 3", "f 1,2,3 4 5"), ("line 9", "1,2,3")),
        (("f 1 2 4 3", "f 1 2 99"), ("beyond its 8",)),
        (("v -1 -1 -1", "v -1,5 -1 -1"), ("line 1", "-1,5")),
        (("v -1 -1 -1", "v -1 -1"), ("2 numbers in line 1",)),
        (("v -1 -1 -1", "v -1 -1 -1 2"), ("fourth coordinate", "line 1")),
        (("f 1 2 4 3", "call other.obj"), ("line 9", "'call'")),
    ],
)
def test_what_an_obj_must_not_say_is_named_with_its_line(tmp_path, change, words):
    refused(tmp_path, "obj", PLAIN.replace(*change), *words)


def test_what_is_left_out_of_an_obj_is_said():
    text = "mtllib a.mtl\nusemtl b\n" + "".join(f"{v} 0.5 0.5 1\n" for v in VERTICES) + "\n".join(FACES)
    mesh = contents("obj", text + "\nl 1 2\nl 2 3\nsurf 0 1 0 1\nwhatever 3\n")
    is_box(mesh)
    assert mesh.notes == (
        "left out its materials and textures",
        "left out the colours of 8 vertices",
        "left out 2 lines, which are no surface",
        "left out 1 free-form curve or surface",
        "left out 1 line that OBJ does not know, such as 'whatever'",
    )


def test_a_file_of_another_kind_is_named(tmp_path):
    assert "it looks like a PLY file" in refused(tmp_path, "obj", "ply\nformat ascii 1.0\nend_header\n")
    assert "it looks like a STL file" in refused(tmp_path, "ply", "solid x\nendsolid x\n")
    assert "glTF as text" in refused(tmp_path, "glb", '{"asset": {"version": "2.0"}}')


# --------------------------------------------------------------------------------------------------- concave polygons


def letter(kind: str) -> str:
    """The U as a body: two polygons of eight corners and eight sides."""
    points = np.concatenate([np.c_[U, np.zeros(8)], np.c_[U, np.ones(8)]])
    around = [[i, (i + 1) % 8, 8 + (i + 1) % 8, 8 + i] for i in range(8)]
    polygons = [list(range(8))[::-1], list(range(8, 16)), *around]
    if kind == "obj":
        lines = [f"v {x:g} {y:g} {z:g}" for x, y, z in points]
        return "\n".join([*lines, *("f " + " ".join(str(i + 1) for i in p) for p in polygons)])
    lines = ["ply", "format ascii 1.0", "element vertex 16", *(f"property float {c}" for c in "xyz")]
    lines += [f"element face {len(polygons)}", "property list uchar int vertex_index", "end_header"]
    lines += [f"{x:g} {y:g} {z:g}" for x, y, z in points]
    return "\n".join([*lines, *(" ".join(map(str, [len(p), *p])) for p in polygons)])


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_a_notch_is_not_filled(tmp_path, kind):
    mesh = contents(kind, letter(kind))
    assert len(mesh.faces) == 2 * 6 + 8 * 2
    assert area(mesh) == pytest.approx(30) and volume(mesh) == pytest.approx(7)
    path = tmp_path / f"u.{kind}"
    path.write_text(letter(kind))
    vertices, faces, repairs = read_mesh(path, 100)
    assert (len(vertices), len(faces), repairs) == (16, 28, ())


# -------------------------------------------------------------------------------------------------------------- STL


def binary_stl(header: bytes = b"", count: int = 12, behind: bytes = b"", attribute: int = 0) -> bytes:
    records = b"".join(struct.pack("<12fH", 0, 0, 0, *BOX[face].reshape(-1), attribute) for face in TRIANGLES)
    return header.ljust(80, b"\0") + struct.pack("<I", count) + records + behind


def text_stl(faces=TRIANGLES) -> str:
    lines = ["solid a facet of mine"]
    for face in faces:
        lines += ["facet normal 0 0 0", "outer loop", *(f"vertex {x:g} {y:g} {z:g}" for x, y, z in BOX[face])]
        lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid a facet of mine", ""])


@pytest.mark.parametrize(
    "data",
    [
        binary_stl(),
        binary_stl(b"solid exported by a program"),
        binary_stl(b"solid facet normal of a program"),
        binary_stl(behind=b"\0\0\0\0\n"),
        text_stl().encode(),
        text_stl().upper().encode(),
        text_stl().replace("\n", "\r\n").encode(),
        text_stl().replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + text_stl().encode(),
        b"\n  " + text_stl().replace("\n", "\n\t\t").encode(),
        text_stl().replace("\nouter loop\n", " outer loop ").replace("\nvertex", " vertex").encode(),
        text_stl(QUADS).encode(),
        (text_stl(TRIANGLES[:5]) + text_stl(TRIANGLES[5:])).encode(),
        text_stl().replace("endloop", "end loop").replace("endfacet", "end facet").encode(),
    ],
)
def test_every_spelling_of_an_stl(data):
    mesh = contents("stl", data)
    is_box(mesh)
    assert mesh.notes == ()


def test_bytes_behind_the_triangles_and_colours_are_left_out_and_said():
    mesh = contents("stl", binary_stl(behind=b"\0made by a program", attribute=7))
    is_box(mesh)
    assert mesh.notes == (
        "left out the attributes of 12 triangles (colours, with some programs)",
        "left out 18 bytes behind its 12 triangles",
    )


def test_an_stl_that_ends_early(tmp_path):
    refused(tmp_path, "stl", binary_stl(count=13), "truncated", "684 bytes where it announces 734")
    refused(tmp_path, "stl", text_stl().rpartition("endsolid")[0], "'endsolid'")
    refused(tmp_path, "stl", text_stl().replace("endloop", "", 1), "of its 12 facets 11 are whole")
    refused(tmp_path, "stl", text_stl().replace("vertex", "vertx", 1), "2 vertices", "line 7")
    refused(tmp_path, "stl", text_stl().replace("vertex -1", "vertex -1,5", 1), "line 4")


# -------------------------------------------------------------------------------------------------------------- PLY


def ply(order: str, header: str, body: list[tuple[str, list]], newline: bytes = b"\n") -> bytes:
    """A file in text, or of bytes as the struct codes beside the values say."""
    name = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    lines = ["ply", f"format {name} 1.0", *header.splitlines(), "end_header", ""]
    if order:
        return newline.join(map(str.encode, lines)) + b"".join(struct.pack(order + code, *row) for code, row in body)
    rows = [" ".join(f"{value:g}" for value in row).encode() for _, row in body]
    return newline.join([*map(str.encode, lines[:-1]), *rows, b""])


POINTS = [("3f", list(point)) for point in BOX]
HEAD = "element vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
LIST = "element face {}\nproperty list uchar int vertex_indices\n"


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("order", ["", "<", ">"])
def test_every_kind_of_ply(order, newline):
    quads = [("B4i", [4, *quad]) for quad in QUADS]
    is_box(contents("ply", ply(order, HEAD + LIST.format(6), POINTS + quads, newline)))
    mixed = quads[:3] + [("B3i", [3, *face]) for face in TRIANGLES[[3, 9, 4, 10, 5, 11]]]
    is_box(contents("ply", ply(order, HEAD + LIST.format(9), POINTS + mixed, newline)))


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_a_ply_of_other_properties_and_elements(order):
    header = (
        "comment TextureFile a.png\nelement camera 1\nproperty list uchar short view\nproperty double f\n"
        "element vertex 8\nproperty uchar red\nproperty double z\nproperty float y\nproperty short x\n"
        "property list uint float bones\nelement face 12\nproperty list uchar float texcoord\nproperty uchar flags\n"
        "property list ushort uint vertex_index\nelement edge 1\nproperty int vertex1\nproperty int vertex2\n"
    )
    body = [("B2hd", [2, 1, 5, 0.5])]
    body += [(f"BdfhI{i % 3}f", [9, z, y, int(x), i % 3, *[0.5] * (i % 3)]) for i, (x, y, z) in enumerate(BOX)]
    body += [("B6fBH3I", [6, *[0] * 6, 1, 3, *face]) for face in TRIANGLES] + [("2i", [0, 1])]
    mesh = contents("ply", ply(order, header, body))
    is_box(mesh)
    assert mesh.notes == (
        "left out its colours",
        "left out its textures",
        "left out its elements 'camera' (1) and 'edge' (1)",
    )


@pytest.mark.parametrize("order", ["", "<"])
def test_triangle_strips_of_a_ply(order):
    """The box's six sides as strips of four, in one list, parted by -1."""
    strips = np.concatenate([[a, b, d, c, -1] for a, b, c, d in QUADS])[:-1]
    header = HEAD + "element tristrips 1\nproperty list int int vertex_indices\n"
    mesh = contents("ply", ply(order, header, [*POINTS, (f"{1 + len(strips)}i", [len(strips), *strips])]))
    is_box(mesh)
    joined = [0, 1, 2, 3, 3, 6, 6, 7, 4, 5]  # two sides, joined by repeated corners
    mesh = contents("ply", ply(order, header, [*POINTS, (f"{1 + len(joined)}i", [len(joined), *joined])]))
    assert len(mesh.faces) == 4 and area(mesh) == pytest.approx(2 * 4)
    assert volume(mesh) == pytest.approx(2 * 4 / 3)  # of the pyramids over them: both look outwards


def test_columns_that_a_ply_header_does_not_name_are_left_out_and_said():
    rows = [*POINTS, *(("", [3, *face, 9, 0.1, 0.2]) for face in TRIANGLES)]
    mesh = contents("ply", ply("", HEAD + LIST.format(12), rows))
    is_box(mesh)
    assert mesh.notes == ("left out columns that its header does not name",)


def test_bytes_behind_a_ply_are_left_out_and_said():
    rows = [*POINTS, *(("B3i", [3, *face]) for face in TRIANGLES)]
    mesh = contents("ply", ply("<", HEAD + LIST.format(12), rows) + b"more")
    is_box(mesh)
    assert mesh.notes == ("left out 4 bytes behind its last element",)


@pytest.mark.parametrize(
    "data, words",
    [
        (ply("<", HEAD + LIST.format(1), [*POINTS, ("B4i", [4, 0, 1, 3, 2])])[:-1], ("truncated", "'face'")),
        (ply("", HEAD + LIST.format(6), POINTS), ("truncated", "'face'")),
        (ply("", HEAD + LIST.format(1), [*POINTS, ("", [3, 0, 1.5, 2])]), ("not whole",)),
        (ply("", HEAD + LIST.format(1), [*POINTS, ("", [3, 0, 1, 9])]), ("beyond its 8",)),
        (ply("", HEAD + LIST.format(1), [*POINTS, ("", [3, 0, -1, 2])]), ("beyond its 8",)),
        (ply("", HEAD + LIST.format(1).replace("vertex_indices", "corners"), [*POINTS, ("", [3, 0, 1, 2])]), ("list",)),
        (ply("", HEAD.replace("float x", "float16 x"), POINTS), ("float16",)),
        (ply("", HEAD, POINTS), ("8 vertices but no faces",)),
    ],
)
def test_what_a_ply_must_not_say_is_named(tmp_path, data, words):
    refused(tmp_path, "ply", data, *words)


# -------------------------------------------------------------------------------------------------------------- GLB


class Glb:
    """A GLB under construction: numbers become accessors."""

    def __init__(self) -> None:
        self.tree = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "meshes": [], "nodes": []}
        self.data = b""

    def view(self, values: np.ndarray, **said) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        whole = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes, **said}
        self.tree["bufferViews"].append(whole)
        self.data += values.tobytes()
        return len(self.tree["bufferViews"]) - 1

    def numbers(self, values, kind: str = "<f4", **said) -> int:
        values = np.ascontiguousarray(values, dtype=kind)
        code = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}[kind.strip("<")]
        shape = {0: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}[values.shape[1] if values.ndim > 1 else 0]
        whole = {"bufferView": self.view(values), "componentType": code, "count": len(values), "type": shape, **said}
        self.tree["accessors"].append({key: value for key, value in whole.items() if value is not None})
        return len(self.tree["accessors"]) - 1

    def mesh(self, primitive: dict, **said) -> "Glb":
        self.tree["meshes"].append({"primitives": [primitive], **said})
        return self

    def bytes(self, nodes: list | None = None, **said) -> bytes:
        nodes = [{"mesh": 0}] if nodes is None else nodes
        self.tree |= {"nodes": nodes, "buffers": [{"byteLength": len(self.data)}]}
        self.tree |= {"scene": 0, "scenes": [{"nodes": list(range(len(nodes)))}], **said}
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


def box_glb(**more) -> Glb:
    file = Glb()
    primitive = {"attributes": {"POSITION": file.numbers(BOX)}, "indices": file.numbers(TRIANGLES.reshape(-1), "<u2")}
    return file.mesh({**primitive, **more})


def test_a_plain_glb_and_numbers_in_a_data_uri():
    is_box(contents("glb", box_glb().bytes()))
    file = box_glb()
    uri = "data:application/octet-stream;base64," + base64.b64encode(file.data).decode()
    is_box(contents("glb", file.bytes(buffers=[{"byteLength": len(file.data), "uri": uri}])))


def test_sparse_accessors_are_read():
    file = Glb()
    flat = BOX.copy()
    flat[:, 2] = 0
    sparse = {
        "count": 8,
        "indices": {"bufferView": file.view(np.arange(8, dtype="<u2")), "componentType": 5123},
        "values": {"bufferView": file.view(BOX.astype("<f4"))},
    }
    corners = file.numbers(TRIANGLES.reshape(-1), "<u2")
    for base in ({}, {"bufferView": None}):  # over other numbers, and over none, which are zeros
        file.tree["meshes"].clear()
        file.mesh({"attributes": {"POSITION": file.numbers(flat, sparse=sparse, **base)}, "indices": corners})
        is_box(contents("glb", file.bytes()))


@pytest.mark.parametrize("at", ["mesh", "node"])
def test_default_morph_weights_are_applied(at):
    file = Glb()
    half = file.numbers(BOX / 2)
    targets = [{"POSITION": file.numbers(BOX)}, {"POSITION": file.numbers(9 * BOX)}]
    corners = file.numbers(TRIANGLES.reshape(-1), "<u2")
    weights = {"weights": [0.5, 0.0]}
    primitive = {"attributes": {"POSITION": half}, "indices": corners, "targets": targets}
    file.mesh(primitive, **(weights if at == "mesh" else {}))
    mesh = contents("glb", file.bytes([{"mesh": 0, **(weights if at == "node" else {})}]))
    is_box(mesh)
    assert mesh.notes == ("left out morph targets that its default weights do not use",)


def test_a_skin_puts_vertices_where_its_joints_are():
    """Half of the box follows a joint that stands 4 units away from where it was bound."""
    file = Glb()
    far = BOX[:, 0] > 0
    joints = np.c_[far, np.zeros((8, 3))]
    attributes = {
        "POSITION": file.numbers(BOX),
        "JOINTS_0": file.numbers(joints, "u1"),
        "WEIGHTS_0": file.numbers(np.c_[np.full((8, 1), 255), np.zeros((8, 3))], "u1", normalized=True),
    }
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[1, 0, 3] = -1
    file.mesh({"attributes": attributes, "indices": file.numbers(TRIANGLES.reshape(-1), "<u2")})
    skin = {"joints": [1, 2], "inverseBindMatrices": file.numbers(bind.transpose(0, 2, 1).reshape(2, 16))}
    nodes = [{"mesh": 0, "skin": 0, "translation": [99, 0, 0]}, {"children": [2]}, {"translation": [5, 0, 0]}]
    mesh = contents("glb", file.bytes(nodes, skins=[skin], scenes=[{"nodes": [0, 1]}]))
    assert mesh.vertices.min(axis=0).tolist() == [-1, -1, -1] and mesh.vertices.max(axis=0).tolist() == [5, 1, 1]
    assert volume(mesh) == pytest.approx(6 * 2 * 2)
    assert "skin is at rest" in mesh.notes[0]


def test_quantised_positions_and_nodes_within_nodes():
    file = Glb()
    attributes = {"POSITION": file.numbers(127 * BOX, "i1", normalized=True)}
    file.mesh({"attributes": attributes, "indices": file.numbers(TRIANGLES.reshape(-1), "u1")})
    turned = [0, 0, -1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]  # a quarter turn about y, column by column
    nodes = [{"children": [1], "matrix": turned}, {"mesh": 0, "scale": [-2, 1, 1], "translation": [5, 0, 0]}]
    data = file.bytes(nodes, scenes=[{"nodes": [0]}], extensionsRequired=["KHR_mesh_quantization"])
    mesh = contents("glb", data)
    assert mesh.vertices.min(axis=0).tolist() == pytest.approx([-1, -1, -7])
    assert mesh.vertices.max(axis=0).tolist() == pytest.approx([1, 1, -3])
    assert volume(mesh) == pytest.approx(16)  # positive: what a mirrored node turns over is turned back


def test_interleaved_numbers():
    file = Glb()
    rows = np.zeros(8, dtype=[("position", "<f4", 3), ("normal", "<f4", 3)])
    rows["position"] = BOX
    view = file.view(rows, byteStride=24)
    file.tree["accessors"].append({"bufferView": view, "componentType": 5126, "count": 8, "type": "VEC3"})
    corners = file.numbers(TRIANGLES.reshape(-1), "<u2")
    is_box(contents("glb", file.mesh({"attributes": {"POSITION": 0}, "indices": corners}).bytes()))


@pytest.mark.parametrize("mode, corners", [(5, [0, 1, 2, 3]), (6, [0, 1, 3, 2]), (4, [0, 1, 3, 0, 3, 2])])
def test_strips_and_fans(mode, corners):
    """One side of the box, all of it looking the same way."""
    file = Glb()
    index = file.numbers(np.array(corners), "<u4")
    primitive = {"attributes": {"POSITION": file.numbers(BOX)}, "indices": index, "mode": mode}
    mesh = contents("glb", file.mesh(primitive).bytes())
    assert len(mesh.faces) == 2 and area(mesh) == pytest.approx(4)
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    assert np.cross(b - a, c - a)[:, 0].tolist() == [-4, -4]


def test_the_default_scene_alone_is_read():
    file = box_glb(material=0)
    file.tree["meshes"].append({"primitives": [{"attributes": {"POSITION": 0}, "mode": 1}]})
    file.tree["meshes"][0]["primitives"].append({"attributes": {}})  # is skipped
    file.tree["meshes"].append(file.tree["meshes"][0])
    nodes = [{"mesh": 2, "translation": [50, 0, 0]}, {"mesh": 0}, {"mesh": 1}]
    scenes = [{"nodes": [0]}, {"nodes": [1, 2]}]
    mesh = contents("glb", file.bytes(nodes, scenes=scenes, scene=1, materials=[{}], animations=[{}]))
    is_box(mesh)
    assert mesh.notes == (
        "left out its materials",
        "left out 1 set of points or lines, which are no surface",
        "left out its animation: the object is as it is at rest",
        "left out 1 mesh that its default scene does not show",
    )


DRACO = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}


def test_compressed_geometry_is_refused_by_its_name(tmp_path):
    """Beside a whole part, too, which alone would be half an object."""
    file = box_glb()
    hollow = {"bufferView": None}
    positions, corners = file.numbers(BOX, **hollow), file.numbers(TRIANGLES.reshape(-1), "<u2", **hollow)
    file.mesh({"attributes": {"POSITION": positions}, "indices": corners, "extensions": DRACO})
    both = [{"mesh": 0}, {"mesh": 1}]
    name = "KHR_draco_mesh_compression"
    refused(tmp_path, "glb", file.bytes(both, extensionsRequired=[name]), f"needs {name}", "without compression")
    del file.tree["extensionsRequired"]
    refused(tmp_path, "glb", file.bytes(both), f"uses {name}")
    file = box_glb()
    file.tree["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {}}
    refused(tmp_path, "glb", file.bytes(), "uses EXT_meshopt_compression")
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {}}}}
    refused(tmp_path, "glb", box_glb().bytes([node]), "uses EXT_mesh_gpu_instancing")
    refused(tmp_path, "glb", box_glb().bytes(extensionsRequired=["ACME_shape"]), "needs ACME_shape")


def test_extensions_of_the_look_alone_and_fallbacks_are_read():
    is_box(contents("glb", box_glb().bytes(extensionsRequired=["KHR_materials_unlit", "KHR_texture_transform"])))
    is_box(contents("glb", box_glb(extensions=DRACO).bytes(extensionsUsed=["KHR_draco_mesh_compression"])))


@pytest.mark.parametrize(
    "nodes, words",
    [
        ([{"mesh": 0, "children": [1]}, {"children": [0]}], "descendant"),
        ([{"mesh": 0, "children": [7]}], "does not exist"),
        ([{"mesh": 0, "skin": 0}], "damaged"),
    ],
)
def test_nodes_that_are_no_tree(tmp_path, nodes, words):
    refused(tmp_path, "glb", box_glb().bytes(nodes, scenes=[{"nodes": [0]}]), words)


def test_a_glb_that_ends_early_or_is_older(tmp_path):
    data = box_glb().bytes()
    refused(tmp_path, "glb", data[:-8], "truncated", f"where it announces {len(data)}")
    refused(tmp_path, "glb", data[:4] + struct.pack("<I", 1) + data[8:], "glTF 1")
    file = box_glb()
    file.tree["accessors"][1]["count"] = 35
    refused(tmp_path, "glb", file.bytes(), "35 corners")
    file.tree["accessors"][1]["count"] = 39
    refused(tmp_path, "glb", file.bytes(), "more bytes")
