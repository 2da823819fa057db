"""Templates are closed, centred, outward unit-size surfaces; files are cleaned or refused in one sentence."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import TEMPLATES, TriangleMesh, capsule, cube, file, icosphere, torus


def volume(mesh: TriangleMesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
    return float((a * torch.linalg.cross(b, c, dim=-1)).sum() / 6)


@pytest.mark.parametrize(
    "name, arguments, faces, euler",
    [
        ("icosphere", {}, 5120, 2),
        ("icosphere", {"subdivisions": 0}, 20, 2),
        ("cube", {}, 12 * 4**4, 2),
        ("cube", {"subdivisions": 0}, 12, 2),
        ("torus", {}, 2 * 96 * 32, 0),
        ("capsule", {}, None, 2),
        ("capsule", {"aspect": 1.05, "segments": 5}, None, 2),
    ],
)
def test_template_is_a_closed_outward_surface_in_the_unit_sphere(name, arguments, faces, euler):
    mesh = TEMPLATES[name](**arguments)
    assert mesh.vertices.dtype == torch.float32 and mesh.faces.dtype == torch.int64
    assert faces is None or len(mesh.faces) == faces
    assert mesh.vertices.norm(dim=1).max().item() == pytest.approx(1, abs=1e-6)
    assert mesh.vertices.mean(dim=0).abs().max() < 1e-3
    assert mesh.is_watertight
    assert volume(mesh) > 0
    assert len(mesh.vertices) - len(mesh.edges) + len(mesh.faces) == euler
    assert mesh.face_areas.min() > 0
    assert mesh.repairs == ()


def test_volumes_and_areas_approach_the_closed_forms():
    assert volume(icosphere(5)) == pytest.approx(4 / 3 * math.pi, rel=2e-3)
    assert volume(cube(2)) == pytest.approx((2 / 3**0.5) ** 3, rel=1e-5)
    scale = 1 / 1.35
    assert volume(torus()) == pytest.approx(2 * math.pi**2 * 0.35**2 * scale**3, rel=1e-2)
    assert volume(capsule(2.0)) == pytest.approx(math.pi * 0.25 + math.pi / 6, rel=1e-2)
    assert float(icosphere(5).vertex_areas.sum()) == pytest.approx(4 * math.pi, rel=2e-3)


def test_capsule_lies_along_y_with_the_asked_aspect():
    extent = capsule(3.0, 48).vertices.abs().amax(dim=0)
    assert extent[1] / extent[0] == pytest.approx(3, rel=1e-4)
    assert extent[2] == pytest.approx(extent[0].item(), rel=1e-4)


@pytest.mark.parametrize("mesh", [icosphere(2), torus(segments=12, tube_segments=6), capsule(2.0, 12)])
def test_edges_and_their_faces(mesh):
    edges, pairs = mesh.edges, mesh.edge_faces
    assert (edges[:, 0] < edges[:, 1]).all()
    keys = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    assert (keys[1:] > keys[:-1]).all()
    assert 2 * len(edges) == 3 * len(mesh.faces)
    for side, (start, end) in enumerate([(0, 1), (1, 0)]):
        corners = mesh.faces[pairs[:, side]]
        runs = (corners == edges[:, [start]]) & (corners.roll(-1, dims=1) == edges[:, [end]])
        assert runs.any(dim=1).all()


def test_open_edges_have_no_second_face():
    mesh = TriangleMesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
    assert mesh.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert mesh.edge_faces.tolist() == [[0, -1], [-1, 0], [0, -1]]
    assert not mesh.is_watertight


@pytest.mark.parametrize(
    "name, arguments, word",
    [
        ("icosphere", {"subdivisions": 8}, "subdivisions"),
        ("icosphere", {"subdivisions": -1}, "subdivisions"),
        ("cube", {"subdivisions": 9}, "subdivisions"),
        ("torus", {"tube_radius": 1.0}, "tube_radius"),
        ("torus", {"segments": 2}, "segments"),
        ("capsule", {"aspect": 1.0}, "aspect"),
        ("capsule", {"segments": 3}, "segments"),
        ("file", {"path": "x.ply", "max_faces": 0}, "max_faces"),
    ],
)
def test_values_out_of_range_are_named(name, arguments, word):
    with pytest.raises(UserError, match=word):
        TEMPLATES[name](**arguments)


@pytest.mark.parametrize("extension", ["ply", "obj", "stl", "glb"])
def test_file_is_centred_scaled_and_welded(tmp_path, extension):
    sphere = trimesh.creation.icosphere(subdivisions=2)
    sphere.apply_scale(40).apply_translation([300, -20, 7])
    path = tmp_path / f"ball.{extension}"
    sphere.export(path)
    mesh = file(path)
    assert len(mesh.vertices) == 162 and len(mesh.faces) == 320
    assert mesh.is_watertight and volume(mesh) > 0
    torch.testing.assert_close(mesh.vertices.norm(dim=1), torch.ones(162), atol=2e-5, rtol=0)
    assert mesh.repairs == (("merged 798 duplicate vertices",) if extension == "stl" else ())


def test_extension_may_be_in_capitals_and_the_path_a_string(tmp_path):
    trimesh.creation.box().export(tmp_path / "b.stl")
    (tmp_path / "b.stl").rename(tmp_path / "B.STL")
    assert len(file(str(tmp_path / "B.STL")).faces) == 12


def test_geometries_of_a_glb_become_one_mesh_in_their_places(tmp_path):
    parts = [trimesh.creation.box(), trimesh.creation.icosphere(subdivisions=1).apply_translation([4, 0, 0])]
    trimesh.Scene(parts).export(tmp_path / "two.glb")
    mesh = file(tmp_path / "two.glb")
    assert len(mesh.faces) == 12 + 80
    extent = mesh.vertices.amax(dim=0) - mesh.vertices.amin(dim=0)
    assert extent[0] / extent[1] == pytest.approx(5.5 / 2, rel=1e-3)


def write_ply(path: Path, vertices, faces) -> Path:
    lines = ["ply", "format ascii 1.0", f"element vertex {len(vertices)}", *(f"property float {c}" for c in "xyz")]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    lines += [" ".join(map(str, v)) for v in vertices] + [" ".join(map(str, (len(f), *f))) for f in faces]
    path.write_text("\n".join(lines) + "\n")
    return path


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
OUTWARD = [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]


def test_repairs_are_done_and_said(tmp_path):
    vertices = np.concatenate([TETRAHEDRON, TETRAHEDRON[:1], [[9, 9, 9]]])
    faces = [[4, 1, 2], OUTWARD[1], OUTWARD[2][::-1], OUTWARD[3], OUTWARD[3], [0, 4, 1], [1, 1, 2]]
    mesh = file(write_ply(tmp_path / "bad.ply", vertices, faces))
    assert len(mesh.vertices) == 4 and len(mesh.faces) == 4
    assert mesh.is_watertight and volume(mesh) == pytest.approx(8 / 3 / 3**1.5, rel=1e-5)
    assert mesh.repairs == (
        "removed 1 vertices of no face",
        "merged 1 duplicate vertices",
        "removed 2 degenerate faces",
        "removed 1 duplicate faces",
        "turned 1 faces so that all are wound alike, outwards",
    )


def test_inside_out_surface_is_turned(tmp_path):
    mesh = file(write_ply(tmp_path / "in.ply", TETRAHEDRON, [face[::-1] for face in OUTWARD]))
    assert volume(mesh) > 0
    assert mesh.repairs == ("turned 4 faces so that all are wound alike, outwards",)


def test_open_surface_is_kept_and_said(tmp_path):
    mesh = file(write_ply(tmp_path / "open.ply", TETRAHEDRON, OUTWARD[:3]))
    assert len(mesh.faces) == 3 and not mesh.is_watertight
    assert "3 edges have one face only" in mesh.repairs[0]


def test_polygons_become_triangles(tmp_path):
    square = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert len(file(write_ply(tmp_path / "quad.ply", square, [[0, 1, 2, 3]])).faces) == 2


def refused(path: Path, *words: str, **arguments) -> None:
    with pytest.raises(UserError) as caught:
        file(path, **arguments)
    sentence = str(caught.value)
    assert path.name in sentence and "\n" not in sentence
    for word in words:
        assert word in sentence


def test_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "rock.ply").write_text("x")
    refused(tmp_path / "rok.ply", "rock.ply")
    refused(tmp_path / "sub" / "rock.ply", "does not exist")


def test_folder_without_meshes_and_folder_as_file(tmp_path):
    refused(tmp_path / "rock.ply", "holds no")
    (tmp_path / "folder.ply").mkdir()
    refused(tmp_path / "folder.ply", "cannot be read")


def test_other_extensions_are_refused_with_the_allowed(tmp_path):
    (tmp_path / "rock.blend").write_text("x")
    refused(tmp_path / "rock.blend", ".blend", ".glb, .obj, .ply, .stl")


@pytest.mark.parametrize("extension", ["ply", "obj", "stl", "glb"])
def test_empty_blank_and_garbage(tmp_path, extension):
    path = tmp_path / f"x.{extension}"
    for content in (b"", b"\n \n"):
        path.write_bytes(content)
        refused(path, "is empty")
    generator = np.random.default_rng(0)
    for size in (10, 90, 5000):
        path.write_bytes(generator.bytes(size))
        refused(path)


@pytest.mark.parametrize("extension", ["ply", "obj", "stl", "glb"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.47, 0.9])
def test_truncated_files(tmp_path, extension, part):
    path = tmp_path / f"x.{extension}"
    trimesh.creation.icosphere(subdivisions=2).export(path)
    content = path.read_bytes()
    cut = content[: int(len(content) * part)]
    path.write_bytes(cut)
    if extension == "obj" and part == 0.9:  # cut between two faces it is a whole file, as OBJ counts none
        path.write_bytes(cut[: cut.rindex(b"\n") + 1])
        assert "the surface is open" in file(path).repairs[-1]
    else:
        refused(path)


@pytest.mark.parametrize("part", [0.5, 0.97])
@pytest.mark.parametrize("kind", ["ply", "stl_ascii"])
def test_truncated_text_files(tmp_path, kind, part):
    path = tmp_path / f"x.{kind[:3]}"
    sphere = trimesh.creation.icosphere(subdivisions=1)
    content = sphere.export(file_type=kind, **({"encoding": "ascii"} if kind == "ply" else {}))
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(content)
    assert len(file(path).faces) == 80
    path.write_bytes(content[: int(len(content) * part)])
    refused(path)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_coordinates_that_are_not_finite(tmp_path, value):
    vertices = TETRAHEDRON.astype(object)
    vertices[2, 1] = value
    refused(write_ply(tmp_path / "nan.ply", vertices, OUTWARD), "1 vertices", "NaN or infinite")
    rows = [f"v {v[0]} {v[1]} {v[2]}" for v in vertices] + ["f 1 2 3", "f 1 3 4"]
    (tmp_path / "nan.obj").write_text("\n".join(rows))
    refused(tmp_path / "nan.obj")


def test_no_faces_no_area_no_extent_and_wrong_indices(tmp_path):
    refused(write_ply(tmp_path / "points.ply", TETRAHEDRON, []), "no faces")
    line = [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    refused(write_ply(tmp_path / "line.ply", line, [[0, 1, 2], [2, 1, 0]]), "all its 2 faces are degenerate")
    refused(write_ply(tmp_path / "point.ply", [[5, 5, 5]] * 3, [[0, 1, 2]]), "no extent")
    refused(write_ply(tmp_path / "index.ply", TETRAHEDRON, [[0, 1, 7]]))


def test_too_many_faces_are_refused_by_the_header_alone(tmp_path):
    count = 2_000_000
    ply = tmp_path / "large.ply"
    ply.write_text(f"ply\nformat ascii 1.0\nelement vertex 3\nelement face {count}\nend_header\n")
    refused(ply, "2,000,000", "200,000", "decimate")
    stl = tmp_path / "large.stl"
    with stl.open("wb") as handle:
        handle.write(b"\0" * 80 + struct.pack("<I", count))
        handle.truncate(84 + 50 * count)
    refused(stl, "2,000,000", "decimate")
    obj = tmp_path / "large.obj"
    obj.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "f 1 2 3\n" * count)
    refused(obj, "2,000,000", "decimate")


def test_the_limit_counts_triangles_and_holds_for_every_kind(tmp_path):
    for extension in ("ply", "obj", "stl", "glb"):
        path = tmp_path / f"x.{extension}"
        trimesh.creation.icosphere(subdivisions=2).export(path)
        refused(path, "320", max_faces=319)
        assert len(file(path, max_faces=320).faces) == 320


def test_unreadable_file(tmp_path):
    path = tmp_path / "locked.ply"
    path.write_text("ply")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads every file")
    refused(path, "cannot be read")
