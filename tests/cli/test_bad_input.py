"""What a user can get wrong, through the command line's door: one sentence, exit code 2, no traceback."""

import os
import re
import struct

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import trimesh

from mitsuba_mei.cli.main import main
from tests.neurons import checkpoints

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


@pytest.mark.slow
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
    assert expected in refused(SMALL + "model: {card: own.yaml}", "--trust-code")


@pytest.mark.slow
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


# ---------------------------------------------------------------------------------------------- published checkpoints

CARD = """
type: nnvision
weights: {weights}
input: {{size: {size}, mean: 124.5, std: 70.3}}
"""


@pytest.fixture
def checkpoint(tmp_path):
    """Write a checkpoint and its card, changed; gives the scene that names it."""

    def written(state=None, weights="weights.pth", size=14, **scene):
        state = checkpoints.attention_state() if state is None else state
        if isinstance(state, bytes):
            (tmp_path / "weights.pth").write_bytes(state)
        else:
            torch.save(state, tmp_path / "weights.pth")
        (tmp_path / "card.yaml").write_text(CARD.format(weights=weights, size=size))
        return "model: {card: card.yaml, neuron: 1}\nrender: {resolution: 16}\n"

    return written


def changed(**changes):
    """A checkpoint with keys replaced, or left out where None."""
    state = checkpoints.attention_state()
    for key, value in changes.items():
        (match,) = (
            (name for name in state if name.replace(".", "_").endswith(key)) if key != "extra" else ("core.extra",)
        )
        state[match] = value
    return {key: value for key, value in state.items() if value is not None}


def test_a_checkpoint_that_is_right_is_taken(checkpoint, tmp_path):
    (tmp_path / "scene.yaml").write_text(checkpoint())
    assert main(["check", str(tmp_path / "scene.yaml")]) == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layer1_norm_bias": None, "layer2_norm_bias": None}, ["lacks", "layer1.norm.bias", "layer2.norm.bias"]),
        ({"extra": torch.ones(2)}, ["core.extra"]),
        ({"layer1_norm_bias": torch.ones(7)}, ["layer1.norm.bias", "7", "4"]),
        ({"layer0_conv_weight": torch.full((4, 1, 5, 5), float("nan"))}, ["layer0.conv.weight", "finite"]),
    ],
)
def test_a_checkpoint_with_wrong_keys(refused, checkpoint, changes, expected):
    sentence = refused(checkpoint(changed(**changes)))
    assert "card.yaml:3" in sentence
    for part in expected:
        assert part in sentence


def test_a_checkpoint_of_another_kind(refused, checkpoint):
    assert "card.yaml:3" in refused(checkpoint({"conv.weight": torch.ones(1, 1, 3, 3)}))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_that_would_run_code(refused, checkpoint, tmp_path):
    scene = checkpoint({"a": torch.ones(1), "b": Trap(tmp_path / "sprung")})
    assert "nothing in it was run" in refused(scene)
    assert not (tmp_path / "sprung").exists()
    torch.load(tmp_path / "weights.pth", weights_only=False)
    assert (tmp_path / "sprung").is_dir()  # as it would have


def test_a_truncated_checkpoint(refused, checkpoint, tmp_path):
    checkpoint()
    whole = (tmp_path / "weights.pth").read_bytes()
    assert "truncated" in refused(checkpoint(whole[: len(whole) // 2]))


def test_a_checkpoint_with_another_hash(refused, checkpoint):
    sentence = refused(checkpoint(weights=f"{{source: weights.pth, sha256: {'ab' * 32}}}"))
    assert "sha256" in sentence and "ab" * 32 in sentence


def test_an_image_size_that_is_not_the_models(refused, checkpoint):
    sentence = refused(checkpoint(size=16))
    assert "16 x 16" in sentence and "14 x 14" in sentence
    assert "stimulus.size is 15, but model 'card' takes 14 x 14" in refused(checkpoint() + "stimulus: {size: 15}")


@pytest.mark.parametrize("neurons", ["neuron: 5", "neurons: [0, 5]"])
def test_neurons_that_the_checkpoint_has_not(refused, checkpoint, neurons):
    sentence = refused(checkpoint().replace("neuron: 1", neurons))
    assert "there is no neuron 5; allowed: 0..4" in sentence


@pytest.mark.parametrize("missing", ["mean", "std"])
def test_a_card_without_its_grey_levels(refused, checkpoint, tmp_path, missing):
    scene = checkpoint()
    card = tmp_path / "card.yaml"
    card.write_text(re.sub(rf", {missing}: [0-9.]+", "", card.read_text()))
    assert f"input.{missing}: is required" in refused(scene)


@pytest.mark.parametrize(
    "weights",
    ["hf://somebody/something/weights.pth", f"{{source: 'http://127.0.0.1:9/weights.pth', sha256: {'ab' * 32}}}"],
)
def test_no_network(refused, checkpoint, tmp_path, monkeypatch, weights):
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(tmp_path / "kept"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    sentence = refused(checkpoint(weights=weights))
    assert "cannot download" in sentence and f"put it at {tmp_path / 'kept'}" in sentence


def test_a_second_model_that_takes_other_images(refused, checkpoint):
    scene = checkpoint().replace("neuron: 1", "neuron: 1, validate: models/v4_curvature.yaml")
    assert "model.validate: model 'V4 curvature' takes 100 x 100 pixels" in refused(scene)


def test_a_second_model_of_other_neurons(refused):
    scene = "model: {card: models/simple_cell.yaml, validate: models/v4_curvature.yaml}"
    assert "model.validate: model 'V4 curvature' has 32 neurons and 'simple cell' 1" in refused(scene)


def test_a_second_model_with_the_same_weights(refused, published_weights):
    scene = "model: {card: models/macaque_v1_pointpool.yaml, validate: models/macaque_v1_pointpool_1-5.yaml}"
    sentence = refused(scene)
    assert "shares" in sentence and "v1_sota_cnn.pth.tar" in sentence


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (
            "shape: {free: []}\nlighting: [{type: constant, free: [radiance]}]\noptimizer: {restarts: 3}",
            ["restarts is 3"],
        ),
        ("objective: {type: discriminate, temperature: 0}", ["temperature: must be at least 0.001"]),
        (
            f"model: {{card: {{type: nnvision, weights: [{'a' * 300}], input: {{mean: 124, std: 70}}}}}}",
            ["cannot be read"],
        ),
        ("objective: {type: discriminat}", ["unknown type 'discriminat'", "did you mean 'discriminate'"]),
        ("objective: {type: discriminate, against: [0]}", ["neuron 0 is to be driven and named in objective.against"]),
        ("objective: {type: discriminate, against: [99]}", ["there is no neuron 99"]),
        ("objective: {type: target}", ["objective.responses: is required"]),
        ("objective: {type: target, responses: [1, 2]}", ["objective.responses has 2 numbers for 1 neurons"]),
        ("compare_to: pixels", ["scene.yaml:1", "compare_to", "did you mean 'pixel'"]),
        ("optimizer: {restarts: 0}", ["optimizer.restarts: must be at least 1"]),
        ("placement: {on: fovea}", ["placement.on", "receptive_field"]),
        ("model: {validate: models/v4_curvatura.yaml}", ["v4_curvatura", "v4_curvature.yaml"]),
        ("model: {validate: {type: v4_curvature}}", ["input", "is required"]),
    ],
)
def test_objectives_and_comparisons_that_cannot_be(refused, scene, expected):
    sentence = refused(scene)
    for part in expected:
        assert part in sentence


# ------------------------------------------------------------------------- objectives of several images, scenes, starts

TRUTH = "shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 20}, free: []}\n"
TOWARDS = "objective: {type: image, target: truth.yaml%s}\n"


@pytest.fixture
def truth(tmp_path):
    (tmp_path / "truth.yaml").write_text(TRUTH)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("objective: {type: image}", ["objective", "needs a target"]),
        ("objective: {type: image, target: truth.yaml, views: []}", ["objective.views", "empty"]),
        (TOWARDS % ", views: [{target: truth.yaml}]", ["objective", "exclude each other"]),
        (TOWARDS % ", error: l3", ["objective.error", "l2"]),
        (TOWARDS % ", views: [{azimut: 3}]", ["azimut", "azimuth"]),
        (TOWARDS % ", views: [{elevation: 90}]", ["elevation", "below 89"]),
        ("objective: {type: image, target: trut.yaml}", ["trut.yaml", "truth.yaml"]),
        (TOWARDS % ", views: [{}, {}]" + "camera: {free: [azimuth]}", ["camera.free", "objective.views"]),
        (TOWARDS % ", views: [{azimuth: 9}]" + "camera: {free: [azimuth]}", ["camera.free", "leave views out"]),
        (TOWARDS % "" + "compare_to: pixel", ["compare_to", "not 'image'", "activation"]),
        (TOWARDS % "" + "model: {validate: models/simple_cell.yaml}", ["model.validate", "'image'"]),
        ("objective: {type: metamer}", ["objective.reference", "required"]),
        ("objective: {type: metamer, reference: truth.yaml, differ: colour}", ["objective.differ", "light"]),
        ("objective: {type: metamer, reference: truth.yaml, differ: pose}", ["differ is pose", "pose.rotation"]),
        ("objective: {type: metamer, reference: truth.yaml, tolerance: 0}", ["objective.tolerance", "above 0"]),
        ("objective: {type: metamer, reference: truth.yaml, layer: kore}", ["no layer 'kore'"]),
        ("objective: {type: diverse, differ: light}", ["differ is light", "direction or position is not free"]),
        ("objective: {type: diverse}\noptimizer: {restarts: 2}", ["objective.count", "optimizer.restarts", "not 2"]),
        (
            "objective: {type: diverse}\noptimizer: {search: 5}\npose: {free: [rotation]}",
            ["optimizer.search", "diverse"],
        ),
        ("objective: {type: diverse, count: 1}", ["objective.count", "at least 2"]),
        (
            "objective: {type: diverse}\nshape: {free: []}\nmaterial: {type: diffuse, free: [reflectance]}",
            ["diverse", "start the same"],
        ),
        ("objective: {type: metamor}", ["metamer"]),
        ("optimizer: {search: 5}", ["optimizer.search", "pose.rotation", "direction"]),
        ("optimizer: {search: -5}", ["optimizer.search", "at least 0"]),
        ("shape: {random: {size: 2}}", ["shape.random.size", "at most 1"]),
        ("shape: {random: {sead: 2}}", ["shape.random", "sead", "seed"]),
    ],
)
def test_an_objective_that_cannot_be(refused, truth, scene, expected):
    sentence = refused(scene)
    for part in expected:
        assert part in sentence


@pytest.mark.parametrize("command", ["pixel", "compare", "factors"])
@pytest.mark.parametrize("objective", ["{type: image, target: truth.yaml}", "{type: diverse}"])
def test_a_command_about_one_image_refuses_other_objectives(tmp_path, truth, capfd, command, objective):
    path = tmp_path / "scene.yaml"
    path.write_text(f"objective: {objective}\n")
    assert main([command, str(path), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    error = capfd.readouterr().err
    assert f"{command} works with objective.type activation" in error and "scene.yaml" in error
    assert len(error.strip().splitlines()) == 1
    assert not any((tmp_path / "out").rglob("*.json"))
