"""The schema and the classes that are built from it name the same things."""

from __future__ import annotations

import inspect
import typing

import pytest

from mitsuba_mei.config import scene
from mitsuba_mei.config.load import Config
from mitsuba_mei.geometry.mesh import TEMPLATES
from mitsuba_mei.regularizers import REGULARIZERS
from mitsuba_mei.scene.camera import Camera
from mitsuba_mei.scene.emitters import EMITTERS
from mitsuba_mei.scene.material import MATERIALS
from mitsuba_mei.scene.pose import Pose


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


@pytest.mark.parametrize("name", sorted(TEMPLATE))
def test_a_template_takes_the_fields(name):
    arguments = set(inspect.signature(TEMPLATES[name]).parameters)
    assert set(TEMPLATE[name].model_fields) - {"type"} == arguments
