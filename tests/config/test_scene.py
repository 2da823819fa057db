"""The schema and the classes that are built from it name the same things."""

from __future__ import annotations

import inspect
import math
import typing

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config import scene
from mitsuba_mei.config.load import Config
from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import TEMPLATES
from mitsuba_mei.regularizers import REGULARIZERS
from mitsuba_mei.scene.camera import Camera
from mitsuba_mei.scene.component import unit
from mitsuba_mei.scene.deformation import KERNELS, RBFDeformation
from mitsuba_mei.scene.emitters import EMITTERS
from mitsuba_mei.scene.material import MATERIALS
from mitsuba_mei.scene.pose import Pose
from mitsuba_mei.stimulus import Stimulus


def by_type(union) -> dict[str, type[scene.Part]]:
    """The members of a discriminated union, under the names of their types."""
    members = typing.get_args(typing.get_args(union)[0])
    return {member.model_fields["type"].default: member for member in members}


EMITTER, MATERIAL, TEMPLATE = by_type(scene.Emitter), by_type(scene.Material), by_type(scene.Template)
BUILT = [
    (scene.Pose, Pose),
    (scene.Camera, Camera),
    *((EMITTER[name], EMITTERS[name]) for name in EMITTER),
    *((MATERIAL[name], MATERIALS[name]) for name in MATERIAL),
]


def test_every_type_has_its_class():
    assert EMITTER.keys() == EMITTERS.keys()
    assert MATERIAL.keys() == MATERIALS.keys()
    assert TEMPLATE.keys() == TEMPLATES.keys()
    assert Config().regularizers.model_dump().keys() == set(REGULARIZERS)
    assert set(typing.get_args(scene.RBF.model_fields["kernel"].annotation)) == set(KERNELS)


@pytest.mark.parametrize(("part", "built"), BUILT, ids=[built.__name__ for _, built in BUILT])
def test_fields_are_the_keyword_arguments(part, built):
    arguments = set(inspect.signature(built).parameters)
    assert set(part.model_fields) - {"type"} == arguments


@pytest.mark.parametrize(("part", "built"), BUILT, ids=[built.__name__ for _, built in BUILT])
def test_what_can_be_freed_is_the_same(part, built):
    names, _ = typing.get_args(part.model_fields["free"].annotation)
    assert typing.get_args(names) == tuple(built.FREEABLE)


@pytest.mark.parametrize(("part", "built"), BUILT, ids=[built.__name__ for _, built in BUILT])
def test_the_defaults_build_with_everything_free(part, built):
    if "path" in part.model_fields:
        pytest.skip("needs a file")
    names, _ = typing.get_args(part.model_fields["free"].annotation)
    component = built(**part(free=[]).model_dump(exclude={"type"}))
    assert not any(parameter.requires_grad for parameter in component.parameters())
    start = {"specular": 0.5, "metallic": 0.5} if part is MATERIAL["principled"] else {}
    component = built(**part(free=list(typing.get_args(names)), **start).model_dump(exclude={"type"}))
    assert sum(parameter.requires_grad for parameter in component.parameters()) == len(typing.get_args(names))


def values_of(component) -> dict:
    """All that a part of the scene is called with, as a scene file says it, but for its ``free`` list."""
    fixed = {
        name: math.degrees(value) if component.is_angle(name) else value for name, value in component.constants.items()
    }
    return component.to_settings() | fixed


def disagreements(part, built, given) -> list[str]:
    """What of a class that is built with as little as possible is not the schema's default."""
    said = part(**given).model_dump(exclude={"type", "free", "path"})
    said |= {name: unit(said[name], name).tolist() for name in said if name == "direction"}
    values = {name: value for name, value in values_of(built(**given)).items() if name != "path"}
    close = {name: pytest.approx(value, rel=1e-6, abs=1e-6) for name, value in said.items()}
    wrong = [name for name in said if name in values and values[name] != close[name]]
    return [*wrong, *(values.keys() ^ said.keys())]


def picture(folder):
    """A panorama of one grey."""
    iio.imwrite(folder / "grey.png", np.full((8, 16, 3), 128, dtype=np.uint8))
    return folder / "grey.png"


@pytest.mark.parametrize(("part", "built"), BUILT, ids=[built.__name__ for _, built in BUILT])
def test_python_and_the_scene_file_have_the_same_defaults(part, built, tmp_path):
    given = {"path": str(picture(tmp_path))} if "path" in part.model_fields else {}
    assert disagreements(part, built, given) == []


def test_another_default_is_found():
    class Lamp(EMITTERS["point"]):
        def __init__(self, position=(2.0, 3.0, 4.0), intensity=50.0, free=()):
            super().__init__(position, intensity, free)

    assert disagreements(scene.Point, Lamp, {}) == ["position", "intensity"]


@pytest.mark.parametrize("name", sorted(set(TEMPLATE) - {"file"}))
def test_a_template_has_the_schemas_defaults(name):
    made, said = TEMPLATES[name](), TEMPLATES[name](**TEMPLATE[name]().model_dump(exclude={"type"}))
    assert torch.equal(made.vertices, said.vertices) and torch.equal(made.faces, said.faces)


@pytest.mark.parametrize("name", sorted(TEMPLATE))
def test_a_templates_defaults_are_seen_in_its_signature(name):
    parameters = inspect.signature(TEMPLATES[name]).parameters
    fields = {field: each for field, each in TEMPLATE[name].model_fields.items() if field != "type"}
    assert {field: parameters[field].default for field in fields if not fields[field].is_required()} == {
        field: each.default for field, each in fields.items() if not each.is_required()
    }


def test_the_deformation_and_the_stimulus_have_the_schemas_defaults():
    parameters, rbf = inspect.signature(RBFDeformation).parameters, scene.RBF()
    assert {name: parameters[name].default for name in scene.RBF.model_fields} == rbf.model_dump()
    assert Stimulus((8, 8), 1, 124.5, 70.3).norm == Config().stimulus.norm


@pytest.mark.parametrize(
    ("part", "given", "words"),
    [
        (EMITTER["point"], {"intensity": -1}, "point: intensity: must be at least 0, not -1"),
        (EMITTER["sun"], {"sharpness": 0}, "sun: sharpness: must be at least 1, not 0"),
        (MATERIAL["plastic"], {"roughness": 0}, "plastic: roughness: must be above 0, not 0"),
        (scene.Camera, {"fov": 170}, "camera: fov: must be below 170, not 170"),
        (TEMPLATE["torus"], {"segments": 1025}, "torus: segments: must be at most 1024, not 1025"),
        (TEMPLATE["capsule"], {"segments": 1.5}, "capsule: segments: must be a whole number, not 1.5"),
    ],
)
def test_what_a_scene_file_may_not_say_python_may_not_either(part, given, words):
    classes = {**EMITTERS, **MATERIALS, **TEMPLATES, "camera": Camera}
    kind = part.model_fields["type"].default if "type" in part.model_fields else "camera"
    with pytest.raises(UserError, match=words):
        classes[kind](**given)


@pytest.mark.parametrize("name", sorted(TEMPLATE))
def test_a_template_takes_the_fields(name):
    arguments = set(inspect.signature(TEMPLATES[name]).parameters)
    assert set(TEMPLATE[name].model_fields) - {"type"} == arguments
