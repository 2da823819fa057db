"""What a user can get wrong, through the command line's door: one sentence, exit code 2, no traceback."""

import struct

import numpy as np
import pytest
import trimesh

from mitsuba_mei.cli import main

SMALL = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20}}
render: {resolution: 100, spp: 4}
optimizer: {steps: 2}
evaluate: {spp: 8, repeats: 2}
"""


@pytest.fixture
def refused(tmp_path, capfd):
    """Run a scene; the one sentence that it is refused with."""

    def attempt(scene: str, *arguments: str, out: str | None = None) -> str:
        path = tmp_path / "scene.yaml"
        path.write_text(scene)
        out = str(tmp_path / "run") if out is None else out
        code = main(["run", str(path), "--out", out, "--quiet", *arguments])
        printed = capfd.readouterr()
        assert code == 2, printed.err
        assert printed.err.startswith("error: ")
        assert len(printed.err.strip().splitlines()) == 1
        assert "Traceback" not in printed.err
        assert not (tmp_path / "run" / "result.json").exists()
        return printed.err

    return attempt


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("shape: {tmplate: {type: icosphere}}", ["scene.yaml:1", "tmplate", "template"]),
        ("camera:\n  fov: wide", ["scene.yaml:2", "camera.fov", "number"]),
        ("\nrender: {spp: -3}", ["scene.yaml:2", "render.spp", "1"]),
        ("render: {resolution: 0}", ["scene.yaml:1", "render.resolution", "16"]),
        ("model: {neuron: 99999}", ["99999", "31"]),
        ("shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 500}}", ["500", "42"]),
        ("render: {resolution: 50}", ["50", "100"]),
        ("pose: {translation: [50, 0, 0]}", ["outside the camera's view", "pose.translation"]),
        ("pose: {translation: [0, 0, 50]}", ["outside the camera's view"]),
        ("pose: {scale: 30}", ["camera.distance"]),
        ("lighting: [{type: directional, direction: [0, 0, 1]}]", ["no light reaches"]),
        ("lighting: [{type: constant, radiance: 0}]", ["no light reaches"]),
        (
            "lighting: [{type: constant, radiance: 0.3},"
            " {type: directional, direction: [0, 0, 1], irradiance: 1, free: [irradiance]}]\nrender: {max_depth: 2}",
            ["lighting.1.irradiance is free", "freeze"],
        ),
        ("shape: {free: [scales]}", ["shape.scales is free"]),
        ("material: {type: diffuse, reflectance: 1.0, free: [reflectance]}", ["reflectance", "inside (0, 1)"]),
        ("shape: {template: {type: file, path: missing.ply}}", ["missing.ply", "no file"]),
        ("model: {card: models/v4_curvatura.yaml}", ["v4_curvatura", "v4_curvature.yaml"]),
    ],
)
def test_a_scene_that_cannot_be(refused, scene, expected):
    sentence = refused(scene)
    for part in expected:
        assert part in sentence


def test_a_uniform_image_is_refused(refused):
    scene = "lighting: [{type: constant, radiance: 1}]\nmaterial: {type: diffuse, reflectance: 0.0}\nbackground: 0"
    assert "no light reaches" in refused(SMALL + scene)


def ascii_ply(vertices, faces):
    head = (
        f"ply\nformat ascii 1.0\nelement vertex {len(vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
    )
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    rows = [" ".join(map(str, v)) for v in vertices] + ["3 " + " ".join(map(str, f)) for f in faces]
    return (head + "\n".join(rows) + "\n").encode()


SPHERE = trimesh.creation.icosphere(1)
NAN = SPHERE.vertices.copy()
NAN[3, 1] = np.nan
BINARY_STL = trimesh.creation.icosphere(2).export(file_type="stl")
TWO_MILLION = struct.pack("<80sI", b"", 2_000_000) + bytes(50)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.ply", b"", "empty"),
        ("noise.ply", bytes(range(256)) * 20, "noise.ply"),
        ("noise.glb", np.random.default_rng(0).bytes(5000), "noise.glb"),
        ("cut.stl", BINARY_STL[: len(BINARY_STL) // 2], "cut.stl"),
        ("cut.glb", trimesh.Scene(SPHERE).export(file_type="glb")[:1000], "cut.glb"),
        ("cut.ply", SPHERE.export(file_type="ply")[:700], "cut.ply"),
        ("nan.ply", ascii_ply(NAN, SPHERE.faces), "finite"),
        ("points.ply", ascii_ply(SPHERE.vertices, []), "no faces"),
        ("huge.stl", TWO_MILLION + bytes(50 * 2_000_000 - 50), "max_faces"),
        ("mesh.fbx", b"anything", ".ply"),
    ],
)
def test_a_mesh_that_cannot_be_used(refused, tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    sentence = refused(f"shape: {{template: {{type: file, path: {name}}}, rbf: {{control_points: 10}}}}")
    assert name in sentence
    assert expected.lower() in sentence.lower()


@pytest.mark.parametrize(
    ("code", "module", "expected"),
    [
        ("", "absent.py:Model", "absent.py"),
        ("import a_package_that_is_not_there", "own.py:Model", "a_package_that_is_not_there"),
        ("import torch\nclass Model(torch.nn.Module): pass", "own.py:Modle", "Model"),
        ("def make(): return 3", "own.py:make", "torch.nn.Module"),
        (
            "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x): return x.mean((1, 2, 3))",
            "own.py:Model",
            "number of neurons",
        ),
        (
            "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x): return x.mean((2, 3)).detach()",
            "own.py:Model",
            "gradient",
        ),
    ],
)
def test_a_model_that_cannot_be_used(refused, tmp_path, code, module, expected):
    (tmp_path / "own.py").write_text(code)
    (tmp_path / "own.yaml").write_text(f"module: {module}\ninput: {{size: 20, mean: 124, std: 70}}\n")
    assert expected in refused(SMALL + "model: {card: own.yaml}")


def test_an_output_folder_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write to the output folder" in refused(SMALL, out=str(tmp_path / "file" / "run"))


def test_a_second_run_into_the_same_folder(refused, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    assert "never overwritten" in refused(SMALL, out=str(taken))
    assert [p.name for p in taken.iterdir()] == ["mine.txt"]


def test_an_unknown_parameter_to_free(refused):
    sentence = refused(SMALL, "--free", "pose.rotaton")
    assert "pose.rotation" in sentence
