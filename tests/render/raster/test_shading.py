"""Reflected light against plain sums of Mitsuba's materials over all directions, and as one batch."""

from __future__ import annotations

import math

import mitsuba as mi
import pytest
import torch
from torch import Tensor

from mitsuba_mei.errors import UserError
from mitsuba_mei.render.raster import shading as illumination
from mitsuba_mei.render.raster.cubemap import cells
from mitsuba_mei.render.raster.shading import Illumination, Memo
from mitsuba_mei.scene.distant_emitters import harmonics
from mitsuba_mei.scene.state import LightState, Lobe, MaterialState, SceneState
from tests.render.bsdfs import of_mitsuba

VERTICES, FACES = torch.zeros(3, 3), torch.tensor([[0, 1, 2]])
MATERIALS = {
    "diffuse": {},
    "plastic": {"roughness": 0.3},
    "principled": {"roughness": 0.6, "metallic": 0.3, "specular": 0.5},
}


def unit(*values: float) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor(values, dtype=torch.float32), dim=0)


def material(kind: str, **changed: float) -> MaterialState:
    colour = torch.tensor([0.7, 0.5, 0.2])[: len(mi.Spectrum())]
    values = {**MATERIALS[kind], **changed}
    tensors = {"reflectance": colour, **{k: torch.tensor([v]) for k, v in values.items()}}
    return MaterialState(kind, tensors, {"ior": 1.5} if kind == "plastic" else {})


def colour(value: float) -> Tensor:
    return value * torch.tensor([1.0, 0.8, 0.5])[: len(mi.Spectrum())]


def sun(sharpness: float = 50.0, x: float = 0.5, y: float = 0.4) -> Lobe:
    return Lobe(unit(x, y, 0.7), colour(20.0), sharpness)


def harmonic(directions: Tensor) -> Tensor:
    y = harmonics(directions)
    return (1.2 + 0.5 * y[:, 2] - 0.6 * y[:, 3] + 0.4 * y[:, 7])[:, None] * colour(1.0)


def window(directions: Tensor) -> Tensor:
    """A bright spot of 0.5 steradian on a dim sky."""
    return torch.where(directions @ unit(0.6, 0.3, 0.8) > 1 - 0.5 / (2 * math.pi), 5.0, 0.2)[:, None] * colour(1.0)


LIGHTS = {
    "constant": lambda: {"environment": lambda d: colour(0.7).expand(len(d), -1)},
    "harmonics": lambda: {"environment": harmonic},
    "window": lambda: {"environment": window, "detail": 256},
    "sun": lambda: {"lobes": (sun(),)},
    "soft sun": lambda: {"lobes": (sun(6.0),)},
    "sun and sky": lambda: {"lobes": (sun(200.0), sun(20.0, -0.6, 0.2)), "environment": harmonic},
}


@pytest.fixture
def scene(make_state):
    """A scene of one material, whose mesh is of no matter."""

    def build(kind: str, changed: dict | None = None, **given) -> SceneState:
        return make_state(VERTICES, FACES, material=material(kind, **(changed or {})), **given)

    return build


def facets(count: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """Places, normals and directions to the viewer, who stands well above the horizon; (N, 3) each."""
    generator = torch.Generator().manual_seed(0)
    position, normal, viewer = torch.randn(3, count, 3, generator=generator)
    normal = torch.nn.functional.normalize(normal + torch.tensor([0.0, 0.0, 1.0]), dim=1)
    viewer = torch.nn.functional.normalize(0.7 * torch.nn.functional.normalize(viewer, dim=1) + normal, dim=1)
    return 0.3 * position, normal, viewer


def reflected(states: list[SceneState], image: Tensor | None = None, count: int = 24) -> Tensor:
    parts = (tuple(part.unbind(1)) for part in facets(count))
    return Illumination(states, Memo()).reflected(*parts, image)


def local(normal: Tensor) -> Tensor:
    """Frames (N, 3, 3), whose rows are two tangents and the normal."""
    aside = torch.where((normal[:, :1].abs() < 0.8), unit(1, 0, 0), unit(0, 1, 0))
    tangent = torch.nn.functional.normalize(torch.linalg.cross(normal, aside), dim=1)
    return torch.stack([tangent, torch.linalg.cross(normal, tangent), normal], 1)


def summed(state: SceneState, resolution: int = 56) -> Tensor:
    """Reflected distant light by a sum over cells of the sphere."""
    directions, solid = (part[:, 0] for part in cells(resolution))
    arriving = state.distant(directions) * solid[:, None]
    _, normal, viewer = facets()
    frame = local(normal)
    light = directions @ frame.transpose(1, 2)
    above = (light[..., 2] > 0).nonzero(as_tuple=True)
    value = of_mitsuba(state.material, (frame @ viewer[..., None])[above[0], :, 0], light[above])
    return torch.zeros(len(normal), value.shape[1]).index_add(0, above[0], value * arriving[above[1]])


def check(found: Tensor, expected: Tensor, mean: float, largest: float) -> None:
    off = (found - expected).abs() / expected.mean(0)
    assert off.mean() < mean and off.max() < largest, (off.mean(), off.max())


@pytest.mark.slow
@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_distant_light_is_what_a_sum_over_all_directions_gives(kind, light, scene):
    state = scene(kind, **LIGHTS[light]())
    check(reflected([state]), summed(state), 0.01, 0.03)


@pytest.mark.parametrize("kind", MATERIALS)
def test_coloured_light_on_coloured_materials(kind, scene, rgb):
    state = scene(kind, **LIGHTS["sun and sky"]())
    check(reflected([state]), summed(state), 0.01, 0.03)


def test_in_a_furnace_a_white_matt_surface_is_as_bright_as_its_surroundings(scene):
    state = scene("diffuse", **LIGHTS["constant"]())
    state.material.values["reflectance"] = torch.ones(1)
    torch.testing.assert_close(reflected([state]), torch.full((24, 1), 0.7), rtol=2e-3, atol=0)


@pytest.mark.parametrize("kind", ["plastic", "principled"])
def test_in_a_furnace_no_surface_is_brighter_than_its_surroundings(kind, scene):
    state = scene(kind, **LIGHTS["constant"]())
    state.material.values["reflectance"] = torch.ones(1)
    found = reflected([state])
    check(found, summed(state), 0.01, 0.03)
    assert kind == "principled" or found.max() < 1.005 * 0.7  # Burley's retro-reflection makes light


@pytest.mark.parametrize("kind", MATERIALS)
def test_lights_at_a_place(kind, scene):
    place, direction = torch.tensor([1.0, 0.8, 2.0]), unit(0.4, -0.2, -1.0)
    lights = (
        LightState("point", {"position": place, "intensity": colour(4.0)}),
        LightState("directional", {"direction": direction, "irradiance": colour(2.0)}),
    )
    state = scene(kind, lights=lights)
    position, normal, viewer = facets()
    frame = local(normal)
    expected = 0
    for way, power in ((place - position, 4.0), ((-direction).expand(24, 3), 2.0)):
        square = way.square().sum(1, keepdim=True) if power == 4 else 1
        light = torch.nn.functional.normalize(way, dim=1)
        ways = ((frame @ part[..., None])[..., 0] for part in (viewer, light))
        expected = expected + of_mitsuba(state.material, *ways) * power / square
    torch.testing.assert_close(reflected([state]), expected, rtol=2e-3, atol=2e-3 * expected.mean().item())


@pytest.mark.parametrize("kind", MATERIALS)
def test_a_batch_is_its_scenes_one_by_one(kind, scene):
    def build(i: int) -> SceneState:
        lights = (
            LightState("point", {"position": torch.tensor([1.0, 0.8 * i, 2.0]), "intensity": colour(4.0 - i)}),
            LightState("directional", {"direction": unit(0.4, -0.2 * i, -1.0), "irradiance": colour(2.0 + i)}),
        )
        suns = sun(60.0, 0.5, 0.4 * i), sun(5.0, -0.5, 0.4 * i)
        changed = {name: value * (1 - 0.02 * i) for name, value in MATERIALS[kind].items()}
        return scene(kind, changed, lobes=suns, lights=lights, environment=lambda d: harmonic(d) * (1 + i))

    states = [build(i) for i in range(3)]
    image = torch.arange(48) % 3
    together = reflected(states, image, 48)
    for i, state in enumerate(states):
        alone = reflected([state], None, 48)[image == i]
        # Glossy coats take as many directions as the sharpest of the batch wants.
        torch.testing.assert_close(together[image == i], alone, rtol=1e-5 if kind == "diffuse" else 0.01, atol=1e-5)


def test_many_points_are_taken_in_parts(scene, monkeypatch):
    state = scene("plastic", **LIGHTS["sun and sky"]())
    whole = reflected([state])
    monkeypatch.setattr(illumination, "BATCH_SIZE", 7)
    torch.testing.assert_close(reflected([state]), whole)
    state.material.values["roughness"].requires_grad_()
    slopes = []
    for at_once in (7, 2**15):
        monkeypatch.setattr(illumination, "BATCH_SIZE", at_once)
        slopes.append(torch.autograd.grad(reflected([state]).square().sum(), state.material.values["roughness"])[0])
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-4, atol=0)


def test_unknown_lights_are_refused(scene):
    with pytest.raises(UserError, match="the rasterizer has no 'laser'.*render.type=path"):
        Illumination([scene("diffuse", lights=(LightState("laser", {}),))], Memo())


def test_suns_of_a_batch_are_equally_sharp(scene):
    states = [scene("diffuse", lobes=(sun(sharpness),)) for sharpness in (50.0, 60.0)]
    with pytest.raises(ValueError, match="equally sharp"):
        Illumination(states, Memo())


def test_what_does_not_change_is_remembered():
    remembered, calls = Memo(), []

    def squared(value: Tensor) -> Tensor:
        return remembered("square", lambda: (calls.append(1), value.square())[1], value)

    fixed, free = torch.tensor(3.0), torch.tensor(3.0, requires_grad=True)
    assert squared(fixed) == 9 and squared(fixed.clone()) == 9 and len(calls) == 1
    assert squared(torch.tensor(4.0)) == 16 and len(calls) == 2
    squared(free).backward()
    assert free.grad == 6 and len(calls) == 3
    fixed = torch.tensor(5.0)
    assert squared(fixed) == 25
    fixed.fill_(6.0)  # what was given is kept apart from the tensor itself
    assert squared(fixed) == 36
    with torch.no_grad():
        assert squared(free) == 9
    assert squared(free).requires_grad
