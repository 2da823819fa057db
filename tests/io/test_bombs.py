"""Small files that announce, or unpack to, far more than they are: refused before that."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitsuba_mei.cli.main import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh_files import read_mesh
from mitsuba_mei.io import images
from mitsuba_mei.io.images import MAX_PIXELS, read_image
from mitsuba_mei.report.export.stimuli import read_array
from mitsuba_mei.report.html import pictures
from mitsuba_mei.report.html.files import read_mesh as read_ply
from mitsuba_mei.runs import checkpoint
from mitsuba_mei.runs.checkpoint import Checkpoints
from mitsuba_mei.runs.folder import RunFolder

pytestmark = pytest.mark.slow


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: int = 0) -> bytes:
    """An image of so many pixels, black, of which so many rows are there."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes((width + 1) * rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exr(width: int, height: int, channels: int = 3) -> bytes:
    """The header of an image."""

    def attribute(name: str, kind: str, data: bytes) -> bytes:
        return f"{name}\0{kind}\0".encode() + struct.pack("<I", len(data)) + data

    listed = b"".join(f"c{i:03d}\0".encode() + struct.pack("<4I", 2, 0, 1, 1) for i in range(channels)) + b"\0"
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    return (
        struct.pack("<2I", 20000630, 2)
        + attribute("channels", "chlist", listed)
        + attribute("compression", "compression", b"\3")
        + attribute("dataWindow", "box2i", box)
        + attribute("displayWindow", "box2i", box)
        + attribute("lineOrder", "lineOrder", b"\0")
        + b"\0"
    )


def hdr(width: int, height: int) -> bytes:
    return f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode()


BOMBS = {
    "header.png": png(100_000, 100_000),
    "whole.png": png(6000, 6000, 6000),
    "header.exr": exr(100_000, 100_000),
    "inside-out.exr": exr(2**31 - 1, 2**31 - 1),
    "channels.exr": exr(8000, 4000, 500),
    "header.hdr": hdr(100_000, 100_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_image_of_too_many_pixels_is_not_decoded(name, tmp_path, monkeypatch):
    for reader in images.READERS.values():
        monkeypatch.setattr(reader, "read", lambda path, told: pytest.fail("it was decoded"))
    (tmp_path / name).write_bytes(BOMBS[name])
    assert len(BOMBS[name]) < 100_000
    with pytest.raises(UserError, match=rf"{name} has [\d,]+ x [\d,]+ pixels, more than the 33,554,432 allowed"):
        read_image(tmp_path / name)


def test_the_whole_one_could_be_decoded(tmp_path):
    """So that it is its size alone for which it is refused."""
    (tmp_path / "whole.png").write_bytes(BOMBS["whole.png"])
    with Image.open(tmp_path / "whole.png") as file:
        assert np.asarray(file).shape == (6000, 6000) and 6000 * 6000 > MAX_PIXELS


@pytest.mark.parametrize("name", ["a.exr", "a.hdr"])
def test_sizes_are_read_as_they_are_written(name, tmp_path):
    from mitsuba_mei.io.pictures.bitmaps import file_threads, prepare_files

    prepare_files()
    import mitsuba as mi

    with file_threads():  # an earlier test may have left a single thread
        mi.Bitmap(np.ones((3, 7, 3), np.float32)).write(str(tmp_path / name))
    assert images._announced_size(tmp_path / name) == (7, 3)
    assert read_image(tmp_path / name).shape == (3, 7, 3)


def test_of_an_animated_picture_the_first_is_read(tmp_path):
    levels = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (255, 0, 0)]
    levels[0].save(tmp_path / "a.png", save_all=True, append_images=levels[1:])
    assert (read_image(tmp_path / "a.png") == 1).all()


@pytest.mark.parametrize("key", ["environment", "target"])
def test_a_scene_with_a_bomb_is_refused_in_one_sentence(tmp_path, key, capsys):
    (tmp_path / "a.png").write_bytes(BOMBS["header.png"])
    (tmp_path / "scene.yaml").write_text(
        {
            "environment": "lighting: [{type: environment, path: a.png}]\nrender: {type: raster}",
            "target": "objective: {type: image, target: a.png}\nrender: {type: raster}",
        }[key]
    )
    assert main(["check", str(tmp_path / "scene.yaml")]) == 2
    said = capsys.readouterr().err
    assert "100,000 x 100,000 pixels" in said and said.count("\n") == 1


@pytest.mark.parametrize("size", [9_000, 12_000, 100_000])
def test_a_picture_of_a_run_s_folder_is_refused_without_a_warning(tmp_path, size):
    (tmp_path / "stimulus.png").write_bytes(png(size, size))
    with pytest.raises(UserError, match="stimulus.png has more than 64,000,000 pixels"):
        pictures.read_picture(tmp_path / "stimulus.png", 100)


# ------------------------------------------------------------------------------------------------------------ meshes


def glb(tree: dict, data: bytes = b"") -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text
    body += struct.pack("<I4s", len(data), b"BIN\0") + data if data else b""
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32).tobytes()
TRIANGLE = POINTS + np.arange(3, dtype=np.uint32).tobytes()


def triangle(nodes: int = 1, positions: dict | None = None, buffer: dict | None = None) -> dict:
    views = [{"buffer": 0, "byteOffset": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 12}]
    placed = {"bufferView": 0, "count": 3} if positions is None else positions
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(nodes))}],
        "nodes": [{"mesh": 0}] * nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"componentType": 5126, "type": "VEC3", **placed},
            {"bufferView": 1, "componentType": 5125, "count": 3, "type": "SCALAR"},
        ],
        "buffers": [{"byteLength": 48, **(buffer or {})}],
        "bufferViews": views,
    }


def test_a_mesh_of_made_up_vertices_is_refused(tmp_path, monkeypatch):
    """An accessor without data stands for zeros, as many as it says."""
    monkeypatch.setattr("trimesh.load_scene", lambda *arguments, **named: pytest.fail("it was parsed"))
    (tmp_path / "a.glb").write_bytes(glb(triangle(positions={"count": 300_000_000}), TRIANGLE))
    with pytest.raises(UserError, match="300,000,000 faces, more than the 1,000 allowed"):
        read_mesh(tmp_path / "a.glb", 1000)


def test_a_mesh_of_many_copies_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.glb").write_bytes(glb(triangle(), TRIANGLE))
    assert len(read_mesh(tmp_path / "a.glb", 1000)[1]) == 1
    monkeypatch.setattr("trimesh.load_scene", lambda *arguments, **named: pytest.fail("it was parsed"))
    (tmp_path / "a.glb").write_bytes(glb(triangle(1001), TRIANGLE))
    with pytest.raises(UserError, match="1,001 faces, more than the 1,000 allowed"):
        read_mesh(tmp_path / "a.glb", 1000)


@pytest.mark.parametrize("uri", ["../outside.bin", "{folder}/outside.bin", "file://{folder}/outside.bin"])
def test_a_mesh_takes_nothing_from_other_files(tmp_path, uri):
    (tmp_path / "outside.bin").write_bytes(TRIANGLE)
    (tmp_path / "deep").mkdir()
    tree = triangle(buffer={"uri": uri.format(folder=tmp_path)})
    (tmp_path / "deep" / "a.glb").write_bytes(glb(tree))
    with pytest.raises(UserError, match="cannot be read as GLB"):
        read_mesh(tmp_path / "deep" / "a.glb", 1000)


@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_a_mesh_s_materials_and_textures_are_not_opened(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("PIL.Image.open", lambda *arguments, **named: pytest.fail("it was opened"))
    (tmp_path / "a.png").write_bytes(png(100, 100, 100))
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd a.png\n")
    corners = "0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n0 0 1 1 1\n"
    if suffix == "obj":
        body = "".join(f"v {line[:5]}\nvt {line[6:]}\n" for line in corners.splitlines())
        text = f"mtllib {tmp_path}/a.mtl\nmtllib a.mtl\nusemtl a\n{body}f 1/1 2/2 3/3\nf 1/1 2/2 4/4\n"
    else:
        said = "".join(f"property float {name}\n" for name in "xyzst")
        text = (
            f"ply\nformat ascii 1.0\ncomment TextureFile a.png\nelement vertex 4\n{said}"
            f"element face 2\nproperty list uchar int vertex_indices\nend_header\n{corners}3 0 1 2\n3 0 1 3\n"
        )
    (tmp_path / f"a.{suffix}").write_text(text)
    assert len(read_mesh(tmp_path / f"a.{suffix}", 1000)[1]) == 2
    if suffix == "ply":
        assert len(read_ply(tmp_path / "a.ply")[1]) == 2  # of a run's folder, for a report


# ------------------------------------------------------------------------------------------------------------ arrays


def npy(shape: tuple[int, ...], data: bytes = bytes(64)) -> bytes:
    """An array of another shape than its data."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + data


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("shape", [(2**33,), (2**40, 2**40), (2**62, 4), (-1, 4)])
def test_an_array_of_an_absurd_shape(tmp_path, shape):
    (tmp_path / "a.npy").write_bytes(npy(shape))
    with pytest.raises(UserError, match="damaged"):
        read_array(tmp_path / "a.npy")
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "run" / "checkpoint" / "start-0.npz", "w") as archive:
        archive.writestr("a.npy", npy(shape))
    with pytest.raises(UserError, match="start-0.npz is damaged"):
        Checkpoints(RunFolder(tmp_path / "run", resumed=True)).read("start-0")


def test_a_state_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "run" / "checkpoint" / "start-0.npz"
    path.parent.mkdir(parents=True)
    np.savez_compressed(path, numbers=np.frombuffer(b"{}", np.uint8), zeros=np.zeros(2**20, np.uint8))
    state = Checkpoints(RunFolder(tmp_path / "run", resumed=True)).read("start-0")
    assert path.stat().st_size < 4000 and state.arrays["zeros"].nbytes == 2**20
    monkeypatch.setattr(checkpoint, "MAX_BYTES", 2**20)
    monkeypatch.setattr("zipfile.ZipExtFile.read", lambda *arguments: pytest.fail("it was unpacked"))
    with pytest.raises(UserError, match="start-0.npz is damaged"):
        Checkpoints(RunFolder(tmp_path / "run", resumed=True)).read("start-0")


def test_a_state_that_says_it_is_small_is_unpacked_no_further(tmp_path):
    """The size in the archive's directory is a lie; no more than that is read."""
    path = tmp_path / "run" / "checkpoint" / "start-0.npz"
    path.parent.mkdir(parents=True)
    np.savez_compressed(path, zeros=np.zeros(2**22, np.uint8))
    data = path.read_bytes()
    (info,) = zipfile.ZipFile(path).infolist()
    assert data.count(struct.pack("<I", info.file_size)) >= 1
    path.write_bytes(data.replace(struct.pack("<I", info.file_size), struct.pack("<I", 1000)))
    with pytest.raises(UserError, match="start-0.npz is damaged"):
        Checkpoints(RunFolder(tmp_path / "run", resumed=True)).read("start-0")


def test_a_yaml_file_of_aliases_of_aliases(tmp_path, capsys):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    Path(tmp_path / "scene.yaml").write_text("\n".join(lines))
    assert main(["check", str(tmp_path / "scene.yaml")]) == 2
    assert "endless or huge" in capsys.readouterr().err
