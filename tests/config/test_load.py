"""Scene files: schema, messages, extension, overrides, freeing, writing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mitsuba_mei.config.load import Config, dump, free_parameters, json_schema, load_config
from mitsuba_mei.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working directory with a model card, in which ``scene.yaml`` is to be written."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "v4_curvature.yaml").write_text("name: x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder: Path, text: str = "{}", **how) -> Config:
    (folder / "scene.yaml").write_text(text)
    return load_config("scene.yaml", **how)


def mistake(folder: Path, text: str = "{}", **how) -> str:
    with pytest.raises(UserError) as error:
        load(folder, text, **how)
    assert "\n" not in str(error.value)
    return str(error.value)


# ------------------------------------------------------------------------------------------------------- defaults


def test_a_file_that_changes_nothing_is_the_default_scene(folder):
    config = load(folder)
    assert config.model_copy(update={"model": Config().model}) == Config()
    assert config.model.card == str(folder / "models" / "v4_curvature.yaml")
    assert [light.type for light in config.lighting] == ["sun", "constant"]
    assert config.stimulus.norm == 25
    assert free_parameters(config) == ("shape.offsets", "shape.scales")


def test_a_part_builds_what_its_type_names():
    """Of the type, the rest are keyword arguments in plain Python values."""
    sun = Config(lighting=[{"type": "sun", "irradiance": [1, 2, 3], "free": ["direction"]}]).lighting[0]
    assert sun.model_dump(exclude={"type"}) == {
        "direction": (-0.6, -0.5, -1.0),
        "irradiance": (1.0, 2.0, 3.0),
        "sharpness": 50.0,
        "free": ("direction",),
    }


def test_the_configuration_cannot_be_changed(folder):
    config = load(folder)
    with pytest.raises(ValidationError):
        config.render.spp = 3


def test_every_field_is_described_and_has_a_default():
    def fields(schema):
        for part in [schema, *schema["$defs"].values()]:
            for name, field in part.get("properties", {}).items():
                yield part.get("title"), name, field, part

    for part, name, field, owner in fields(json_schema()):
        assert {"description", "$ref", "oneOf"} & field.keys() or name == "type", (part, name)
        needed = ("path", "responses", "reference", "function", "mean", "std")
        assert name not in owner.get("required", []) or name in needed, (part, name)


def test_the_schema_lists_what_can_be_freed():
    schema = json_schema()
    assert schema["$defs"]["Pose"]["properties"]["free"]["items"]["enum"] == ["rotation", "translation", "scale"]
    assert schema["$defs"]["Constant"]["properties"]["free"]["items"]["const"] == "radiance"
    assert "extends" in schema["properties"]
    json.dumps(schema)


# -------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 0\nrender:\n  ssp: 3\n", "scene.yaml:3: render.ssp: unknown key; did you mean 'spp'?"),
        ("spp: 3", "scene.yaml:1: spp: unknown key; did you mean 'render.spp' or 'evaluate.spp'?"),
        ("xyzzy: 3", "scene.yaml:1: xyzzy: unknown key; allowed: background, camera,"),
        ("render: {spp: -4}", "scene.yaml:1: render.spp: must be at least 1, not -4"),
        ("render: {spp: 1e1}", "scene.yaml:1: render.spp: must be a whole number, not 10.0"),
        ("render: {spp: many}", "scene.yaml:1: render.spp: must be a whole number, not 'many'"),
        ("render: {spp: true}", "scene.yaml:1: render.spp: must be a whole number, not true"),
        ("render: {resolution: 0}", "scene.yaml:1: render.resolution: must be at least 16, not 0"),
        (
            "render: {variant: cuda_mono}",
            "scene.yaml:1: render.variant: 'cuda_mono' is not allowed; did you mean 'cuda_ad_mono'?",
        ),
        ("camera: {fov: 180}", "scene.yaml:1: camera.fov: must be below 170, not 180"),
        ("camera: {distance: .inf}", "scene.yaml:1: camera.distance: must be a finite number, not inf"),
        ("pose:\n", "scene.yaml:1: pose: must be a mapping, not empty"),
        ("pose: {scale: '2'}", "scene.yaml:1: pose.scale: must be a number, not '2'"),
        ("pose: {rotation: [1, 2]}", "scene.yaml:1: pose.rotation: needs 3 numbers, not 2"),
        ("pose: {rotation: [1]}", "scene.yaml:1: pose.rotation: needs 3 numbers, not 1"),
        ("pose: {rotation: [1, 2, 3, 4]}", "scene.yaml:1: pose.rotation: needs 3 numbers, not 4"),
        ("pose: {rotation: 3}", "scene.yaml:1: pose.rotation: must be a list in [brackets], not 3"),
        ("pose: {free: [rotatoin]}", "scene.yaml:1: pose.free.0: 'rotatoin' is not allowed; did you mean 'rotation'?"),
        (
            "shape:\n  rbf: {kernel: gausian}",
            "scene.yaml:2: shape.rbf.kernel: 'gausian' is not allowed; did you mean 'gaussian'?",
        ),
        (
            "shape: {template: {subdivisions: 3}}",
            "scene.yaml:1: shape.template: needs a type; allowed: capsule, cube, file",
        ),
        ("shape: {template: {type: spehre}}", "scene.yaml:1: shape.template: unknown type 'spehre'; "),
        (
            "shape: {template: {type: torus, subdivisions: 3}}",
            "scene.yaml:1: shape.template.subdivisions: unknown key; allowed: segments, tube_radius",
        ),
        ("shape: {template: {type: file}}", "scene.yaml:1: shape.template.path: is required"),
        (
            "lighting:\n- {type: sun}\n- {type: sunn}",
            "scene.yaml:3: lighting.1: unknown type 'sunn'; did you mean 'sun'?",
        ),
        (
            "lighting:\n- {type: constant,\n   radiance: [1, -2, 3]}",
            "scene.yaml:3: lighting.0.radiance.1: must be at least 0, not -2",
        ),
        ("lighting: []", "scene.yaml:1: lighting: needs at least one light"),
        (
            "lighting: [{type: sun, direction: [0, 0, 0]}]",
            "scene.yaml:1: lighting.0.direction: a direction cannot be [0, 0, 0]",
        ),
        (
            "lighting: [{type: spherical_harmonics, coefficients: [1, 2]}]",
            "scene.yaml:1: lighting.0.coefficients: bands come whole: 1, 4, 9 or 16 numbers, not 2",
        ),
        ("lighting: [{type: spot, beam: 40}]", "scene.yaml:1: lighting.0: beam must be below cutoff"),
        ("stimulus: {norm: 3, clip: true}", "scene.yaml:1: stimulus: norm and clip exclude each other"),
        ("stimulus: {mean: 0.4}", "scene.yaml:1: stimulus: mean goes with contrast"),
        ("stimulus: {clip: yes}", "scene.yaml:1: stimulus.clip: must be true or false, not 'yes'"),
        ("model: {card: 3}", "scene.yaml:1: model.card: must be text, not 3"),
        ("model: {card: ''}", "scene.yaml:1: model.card: must not be empty"),
        ("model: {neuron: -1}", "scene.yaml:1: model.neuron: must be at least 0, not -1"),
        (
            "model: {neuron: 1}\nobjective: {neurons: 2}",
            "scene.yaml:1: model.neuron and objective.neurons name different neurons",
        ),
        ("objective: {weights: [1, 2]}", "scene.yaml:1: objective.weights has 2 numbers for 1 neurons"),
        ("regularizers: {area: -1}", "scene.yaml:1: regularizers.area: must be at least 0, not -1"),
        ("- 1\n- 2\n", "scene.yaml:1: a scene file is a mapping"),
        ("seed: 0\nshape: {free: []}", "scene.yaml: nothing is free"),
    ],
)
def test_a_mistake_is_one_sentence_with_place_and_way_out(folder, text, message):
    assert mistake(folder, text).startswith(message)


def test_of_several_mistakes_the_first_in_the_file_is_told(folder):
    text = "evaluate: {spp: 0}\nseed: -1\nrendr: {}\n"
    assert mistake(folder, text) == "scene.yaml:1: evaluate.spp: must be at least 1, not 0 (and 2 more mistakes)"


# ----------------------------------------------------------------------------------------------------------- extends


def test_extends_starts_from_another_file(folder):
    (folder / "base").mkdir()
    (folder / "base" / "rock.ply").write_text("")
    (folder / "base" / "deep.yaml").write_text("seed: 7\nrender: {spp: 3, max_depth: 5}\nlighting: [{type: point}]")
    (folder / "base" / "mid.yaml").write_text("extends: deep.yaml\nshape: {template: {type: file, path: rock.ply}}")
    config = load(folder, "extends: base/mid.yaml\nrender: {spp: 9}\nlighting: [{type: sun}, {type: area}]\n")
    assert (config.seed, config.render.spp, config.render.max_depth) == (7, 9, 5)
    assert [light.type for light in config.lighting] == ["sun", "area"]
    assert config.shape.template.path == str(folder / "base" / "rock.ply")


def test_a_mistake_in_the_base_is_told_there(folder):
    (folder / "base.yaml").write_text("seed: 1\nrender: {spp: 0}\n")
    assert mistake(folder, "extends: base.yaml\nrender: {max_depth: 3}").startswith("base.yaml:2: render.spp")
    assert load(folder, "extends: base.yaml\nrender: {spp: 2}").render.spp == 2


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("scene.yaml", "scene.yaml:1: extends: 'scene.yaml' extends itself"),
        ("circle.yaml", "circle.yaml:1: extends: 'scene.yaml' extends itself"),
        ("circel.yaml", "scene.yaml:1: there is no file 'circel.yaml'; did you mean 'circle.yaml'?"),
        ("[a]", "scene.yaml:1: extends: must be the name"),
    ],
)
def test_extends_that_leads_nowhere(folder, extends, message):
    (folder / "circle.yaml").write_text("extends: scene.yaml")
    assert mistake(folder, f"extends: {extends}").startswith(message)


# --------------------------------------------------------------------------------------------- overrides and freeing


def test_overrides(folder):
    config = load(
        folder,
        "lighting: [{type: constant}, {type: sun, irradiance: 9}]",
        overrides=[
            "render.spp=64",
            "lighting.1.irradiance=[1, 2e-1, 3]",
            "shape.template.subdivisions=2",
            "stimulus.mask.sigma=.3",
            "optimizer.patience=null",
            "material.type=plastic",
            "material.roughness=0.25",
            "pose={scale: 2}",
            "stimulus.contrast=0.2",
        ],
    )
    assert config.render.spp == 64
    assert config.lighting[1].irradiance == (1, 0.2, 3)
    assert config.shape.template.model_dump() == {"type": "icosphere", "subdivisions": 2}
    assert config.stimulus.mask.sigma == 0.3
    assert (config.stimulus.norm, config.stimulus.contrast, config.stimulus.mean) == (None, 0.2, 0.5)
    assert (config.material.type, config.material.roughness) == ("plastic", 0.25)
    assert config.pose.scale == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("render.ssp=3", "--set render.ssp=3: render.ssp: unknown key; did you mean 'spp'?"),
        ("spp=3", "--set spp=3: spp: unknown key; did you mean 'render.spp'"),
        ("render.spp=0", "--set render.spp=0: render.spp: must be at least 1, not 0"),
        (
            "lighting.5.irradiance=3",
            "--set lighting.5.irradiance=3: 'lighting' is a list of 2; its items are 0 to 1, not '5'",
        ),
        ("lighting.sun=3", "--set lighting.sun=3: 'lighting' is a list of 2"),
        ("seed.x=3", "--set seed.x=3: 'seed' has nothing inside"),
        ("seed", "--set seed: must read key=value"),
        ("seed=[1", "--set seed=[1: not YAML"),
        ("model.card=nope.yaml", "--set model.card=nope.yaml: model.card: there is no file 'nope.yaml'"),
    ],
)
def test_mistaken_overrides(folder, override, message):
    assert mistake(folder, "seed: 3", overrides=[override]).startswith(message)


def test_free_and_frozen(folder):
    text = "camera: {free: [fov]}\nlighting: [{type: sun, free: [direction]}, {type: constant}]"
    config = load(folder, text, free=["pose", "lighting.1", "camera.distance"], frozen=["shape", "pose.scale"])
    assert free_parameters(config) == (
        "pose.rotation",
        "pose.translation",
        "camera.fov",
        "camera.distance",
        "lighting.0.direction",
        "lighting.1.radiance",
    )
    assert load(folder, "{}", free=["lighting"]).lighting[0].free == ("direction", "irradiance")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"free": ["lightning"]}, "--free lightning: there is no such parameter; did you mean 'lighting'?"),
        ({"free": ["pose.rotaton"]}, "--free pose.rotaton: there is no such parameter; did you mean 'pose.rotation'?"),
        ({"frozen": ["lighting.7"]}, "--frozen lighting.7: there is no such parameter; did you mean 'lighting.1'?"),
        ({"frozen": ["shape"]}, "scene.yaml: nothing is free"),
    ],
)
def test_mistaken_freeing(folder, how, message):
    assert mistake(folder, **how).startswith(message)


def test_nothing_free_is_fine_where_nothing_is_optimized(folder):
    assert free_parameters(load(folder, "optimizer: {steps: 0}", frozen=["shape"])) == ()


# ------------------------------------------------------------------------------------------------------------ neurons


@pytest.mark.parametrize(
    ("text", "neurons"),
    [
        ("{}", (0,)),
        ("model: {neuron: 3}", (3,)),
        ("model: {neurons: [1, 2]}\nobjective: {weights: [1, 0.5]}", (1, 2)),
        ("objective: {neurons: 4}", (4,)),
        ("model: {neuron: 4}\nobjective: {neurons: [4]}", (4,)),
    ],
)
def test_neurons_may_be_said_in_either_place(folder, text, neurons):
    assert load(folder, text).neurons == neurons


# ------------------------------------------------------------------------------------------------------------- files


def test_files_are_found_near_the_scene_file_first_then_where_the_program_started(folder):
    for place in ("a/b/scene.yaml", "a/b/x.ply", "a/y.ply", "z.ply"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("")
    (folder / "x.ply").write_text("")
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    for name, found in [("x.ply", "a/b/x.ply"), ("y.ply", "a/y.ply"), ("z.ply", "z.ply")]:
        (folder / "a/b/scene.yaml").write_text(f"shape: {{template: {{type: file, path: {name}}}}}")
        assert load_config(folder / "a/b/scene.yaml").shape.template.path == str(folder / found)


def test_a_missing_file_is_told_with_its_neighbours(folder):
    assert mistake(folder, "model:\n  card: models/v4_curvatur.yaml") == (
        f"scene.yaml:2: model.card: there is no file 'models/v4_curvatur.yaml' (looked for in {folder}/models); "
        "did you mean 'v4_curvature.yaml'?"
    )
    assert "there is no file 'sky.exr'" in mistake(folder, "lighting: [{type: environment, path: sky.exr}]")


def test_the_cards_of_the_package_are_found_from_anywhere(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.yaml").write_text("{}")
    assert load_config("scene.yaml").model.card == str(root / "models" / "v4_curvature.yaml")


def test_a_card_may_be_written_in_place(folder):
    card = load(folder, "model: {card: {type: simple_cell, cycles: [1, 2]}}").model.card
    assert card == {"type": "simple_cell", "cycles": [1, 2]}


def test_a_written_configuration_can_move_with_its_files(folder):
    (folder / "a").mkdir()
    (folder / "a" / "rock.ply").write_text("")
    config = load(folder, "shape: {template: {type: file, path: a/rock.ply}}")
    (folder / "runs" / "1").mkdir(parents=True)
    text = dump(config, folder / "runs" / "1")
    assert str(folder) not in text
    (folder / "runs" / "1" / "config.yaml").write_text(text)
    assert load_config(folder / "runs" / "1" / "config.yaml") == config


# --------------------------------------------------------------------------------------------------------- round trip

number = st.floats(1e-6, 1.0, exclude_max=True)
power = number | st.lists(number, min_size=3, max_size=3)
vector = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)


def part(type_: str | None = None, **fields):
    required = {} if type_ is None else {"type": st.just(type_)}
    return st.fixed_dictionaries(required, optional=fields)


def free(*names: str):
    return st.lists(st.sampled_from(names), unique=True)


scenes = part(
    seed=st.integers(0, 2**32 - 1),
    shape=part(
        template=part("cube", subdivisions=st.integers(0, 7)) | part("torus", tube_radius=number) | part("capsule"),
        rbf=part(
            kernel=st.sampled_from(["gaussian", "wendland_c2", "thin_plate"]),
            scale=st.floats(0.001, 1),
            normalize=st.booleans(),
        ),
    ),
    pose=part(rotation=vector, translation=vector, scale=number, free=free("rotation", "translation", "scale")),
    lighting=st.lists(
        part("sun", irradiance=power, free=free("direction", "irradiance"))
        | part("constant", radiance=power)
        | part("area", position=vector.filter(lambda at: max(map(abs, at)) > 1e-6), radiance=power)
        | part("spherical_harmonics", coefficients=st.lists(number, min_size=4, max_size=4)),
        min_size=1,
        max_size=4,
    ),
    material=part("diffuse", reflectance=power) | part("principled", roughness=number, free=free("metallic")),
    stimulus=part(mask=part(sigma=number), size=st.integers(8, 64)) | part(contrast=number) | st.just({"clip": True}),
    objective=part(neurons=st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=1, max_size=3)),
    optimizer=part(lr=number, patience=st.none() | st.integers(1, 9)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(scenes)
def test_what_is_dumped_is_loaded_back_equal(folder, scene):
    (folder / "first.yaml").write_text(json.dumps(scene))
    config = load_config("first.yaml")
    (folder / "second.yaml").write_text(dump(config))
    assert load_config("second.yaml") == config


def test_a_card_written_in_place_names_files_beside_the_scene(folder):
    deep = (folder / "deep").resolve()
    deep.mkdir()
    for name in ("mine.py", "a.pth", "b.pth"):
        (deep / name).write_text("")

    def model(text: str):
        (deep / "scene.yaml").write_text(f"model: {text}")
        return load_config(deep / "scene.yaml").model

    assert model("{card: {module: mine.py:build}}").card == {"module": f"{deep}/mine.py:build"}
    assert model("{card: {module: torch.nn:Flatten}}").card == {"module": "torch.nn:Flatten"}
    card = "{type: nnvision, weights: [a.pth, {source: b.pth}, hf://x/y/z, gone.pth]}"
    both = model(f"{{card: {card}, validate: {{weights: a.pth}}}}")
    assert both.card["weights"] == [f"{deep}/a.pth", {"source": f"{deep}/b.pth"}, "hf://x/y/z", "gone.pth"]
    assert both.validate == {"weights": f"{deep}/a.pth"}
