"""Radiance, against Mitsuba's own path tracer and closed forms."""

from __future__ import annotations

import math

import mitsuba as mi
import numpy as np
import pytest
import torch

from mitsuba_mei.geometry.mesh import icosphere, torus
from mitsuba_mei.render.path.renderer import PathRenderer
from mitsuba_mei.scene.state import LightState, MaterialState

SIZE = 32
AWAY = torch.tensor([0.0, 0.0, -4.0])


def ring() -> tuple[torch.Tensor, torch.Tensor]:
    """A tilted torus, which shadows and lights itself."""
    mesh = torus(0.35, 96, 48)
    tilt = torch.tensor([[1, 0, 0], [0, 0.5, -0.866], [0, 0.866, 0.5]])
    return mesh.vertices @ tilt.T + AWAY, mesh.faces


def sky(d: torch.Tensor) -> torch.Tensor:
    """Smooth light from all around, brighter from the upper left, (N, 1)."""
    return (0.6 + 0.3 * d[:, 1:2] - 0.2 * d[:, :1] + 0.1 * d[:, 2:]) ** 2


def sky_bitmap(height: int = 128) -> mi.Bitmap:
    """The same as Mitsuba's ``envmap`` maps directions to an image."""
    v, u = torch.meshgrid(
        (torch.arange(height) + 0.5) / height * math.pi,
        (torch.arange(2 * height) + 0.5) / height * math.pi,
        indexing="ij",
    )
    d = torch.stack([v.sin() * u.sin(), v.cos(), -v.sin() * u.cos()], dim=-1)
    return mi.Bitmap(np.repeat(sky(d.reshape(-1, 3)).reshape(height, 2 * height, 1).numpy(), 3, axis=2))


def column(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


PLACE, TARGET = [1.5, 2.0, -1.0], [0.1, 0.0, -4.0]


def light(kind: str) -> tuple[dict, dict]:
    """Ours as fields of a state, and Mitsuba's emitter."""
    if kind == "constant":
        return {"environment": lambda d: torch.full((len(d), 1), 0.8)}, {"type": "constant", "radiance": 0.8}
    if kind == "sky":
        return {"environment": sky, "detail": 128}, {"type": "envmap", "bitmap": sky_bitmap()}
    if kind == "point":
        values = {"position": column(PLACE), "intensity": column([20.0])}
        return {"lights": (LightState("point", values),)}, {"type": "point", "position": PLACE, "intensity": 20.0}
    if kind == "spot":
        values = {"position": column(PLACE), "target": column(TARGET), "intensity": column([20.0])}
        ours = LightState("spot", values, {"cutoff": math.radians(14), "beam": math.radians(6)})
        place = mi.ScalarTransform4f().look_at(origin=PLACE, target=TARGET, up=[0, 1, 0])
        angles = {"cutoff_angle": 14.0, "beam_width": 6.0}
        return {"lights": (ours,)}, {"type": "spot", "to_world": place, "intensity": 20.0, **angles}
    if kind == "directional":
        direction = torch.nn.functional.normalize(column([-0.6, -0.5, -1.0]), dim=0)
        ours = LightState("directional", {"direction": direction, "irradiance": column([3.0])})
        return {"lights": (ours,)}, {"type": "directional", "direction": direction.tolist(), "irradiance": 3.0}
    place = mi.ScalarTransform4f().look_at(origin=PLACE, target=TARGET, up=[0, 1, 0]) @ mi.ScalarTransform4f().scale(
        [0.5, 0.4, 1]
    )
    matrix = torch.tensor(np.array(place.matrix), dtype=torch.float32)
    values = {"centre": column(PLACE), "across": 2 * matrix[:3, 0], "up": 2 * matrix[:3, 1], "radiance": column([12.0])}
    emitter = {"type": "area", "radiance": 12.0}
    black = {"type": "diffuse", "reflectance": 0.0}
    return {"lights": (LightState("area", values),)}, {
        "type": "rectangle",
        "to_world": place,
        "emitter": emitter,
        "bsdf": black,
    }


def material(kind: str) -> tuple[MaterialState, dict]:
    reflectance = column([0.7])
    if kind == "diffuse":
        return MaterialState(kind, {"reflectance": reflectance}), {"type": "diffuse", "reflectance": 0.7}
    if kind == "plastic":
        ours = MaterialState(kind, {"reflectance": reflectance, "roughness": column([0.3])}, {"ior": 1.5})
        return ours, {
            "type": "roughplastic",
            "diffuse_reflectance": 0.7,
            "alpha": 0.3,
            "int_ior": 1.5,
            "nonlinear": True,
        }
    values = {"roughness": 0.4, "metallic": 0.3, "specular": 0.6}
    ours = MaterialState(kind, {"reflectance": reflectance, **{name: column([v]) for name, v in values.items()}})
    return ours, {"type": "principled", "base_color": 0.7, **values}


def compare(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The mean agrees, and so do pixels, but for noise and the last facets before outline and terminator."""
    lit = theirs > 0
    difference = np.abs(ours - theirs)
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.006)
    assert np.median(difference[lit]) < 0.03 * theirs[lit].mean()
    assert (difference < 0.1 * theirs[lit].mean() + 0.1 * theirs).mean() > 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "surface", "depth"),
    [
        ("constant", "diffuse", 2),
        ("constant", "diffuse", 3),
        ("constant", "plastic", 2),
        ("sky", "diffuse", 2),
        ("sky", "principled", 3),
        ("point", "diffuse", 3),
        ("point", "plastic", 2),
        ("spot", "diffuse", 2),
        ("directional", "diffuse", 2),
        ("directional", "principled", 2),
        ("directional", "diffuse", 4),
        ("area", "diffuse", 2),
        ("area", "plastic", 3),
    ],
)
def test_radiance_is_that_of_mitsubas_path_tracer(kind, surface, depth, make_state, reference, tmp_path):
    fields, emitter = light(kind)
    ours, theirs = material(surface)
    state = make_state(*ring(), material=ours, background=column([0.0]), **fields)
    image = PathRenderer(state, SIZE, 1024, depth).render(state, 0)
    compare(image.numpy(), reference(state, tmp_path, emitter, theirs, depth, SIZE, 1024))


@pytest.mark.slow
@pytest.mark.parametrize("surface", ["diffuse", "plastic", "principled"])
def test_colours_are_those_of_mitsubas_path_tracer(rgb, surface, make_state, reference, tmp_path):
    reflectance, intensity = [0.8, 0.5, 0.2], [10.0, 20.0, 30.0]
    names = {"diffuse": "reflectance", "plastic": "diffuse_reflectance", "principled": "base_color"}
    ours, theirs = material(surface)
    theirs[names[surface]] = {"type": "rgb", "value": reflectance}
    ours.values["reflectance"] = column(reflectance)
    point = LightState("point", {"position": column(PLACE), "intensity": column(intensity)})
    emitter = {"type": "point", "position": PLACE, "intensity": {"type": "rgb", "value": intensity}}
    state = make_state(*ring(), material=ours, background=column([0.0] * 3), lights=(point,))
    image = PathRenderer(state, SIZE, 256, 3).render(state, 0)
    expected = reference(state, tmp_path, emitter, theirs, 3, SIZE, 256)
    assert image.shape == (SIZE, SIZE, 3)
    for channel in range(3):
        compare(image.numpy()[..., channel], expected[..., channel])


def film_directions(tan_half_fov: float) -> torch.Tensor:
    """Unit vectors through the pixels' centres, (H, W, 3)."""
    place = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(-place, place, indexing="ij")
    return torch.nn.functional.normalize(
        torch.stack([x * tan_half_fov, y * tan_half_fov, -torch.ones_like(x)], -1), dim=-1
    )


def sphere_points(tan_half_fov: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where pixels see the unit sphere at AWAY: points and normals (H, W, 3), and which are well inside."""
    d = film_directions(tan_half_fov)
    along = d @ AWAY
    discriminant = along**2 - (AWAY @ AWAY - 1)
    points = d * (along - discriminant.clamp_min(0).sqrt())[..., None]
    return points, points - AWAY, discriminant > 0.1


def test_a_diffuse_sphere_under_parallel_light_follows_lambert(make_state):
    mesh = icosphere(5)
    direction = torch.nn.functional.normalize(column([-0.6, -0.5, -1.0]), dim=0)
    lights = (LightState("directional", {"direction": direction, "irradiance": column([3.0])}),)
    state = make_state(mesh.vertices + AWAY, mesh.faces, lights=lights)
    image = PathRenderer(state, SIZE, 64, 2).render(state, 0)[..., 0]
    _, normals, inside = sphere_points(0.32)
    expected = 0.7 / math.pi * 3 * (normals @ -direction).clamp_min(0)
    torch.testing.assert_close(image[inside], expected[inside], rtol=0.0, atol=0.015)


def test_a_point_light_falls_off_with_the_square_of_distance(make_state):
    mesh = icosphere(5)
    position = column([1.0, 1.5, -1.0])
    lights = (LightState("point", {"position": position, "intensity": column([8.0])}),)
    state = make_state(mesh.vertices + AWAY, mesh.faces, lights=lights)
    image = PathRenderer(state, SIZE, 64, 2).render(state, 0)[..., 0]
    points, normals, inside = sphere_points(0.32)
    way = position - points
    distance = way.norm(dim=-1)
    expected = 0.7 / math.pi * 8 * ((normals * way).sum(-1) / distance).clamp_min(0) / distance**2
    torch.testing.assert_close(image[inside], expected[inside], rtol=0.0, atol=0.02)


def test_a_convex_body_in_a_white_furnace_shows_its_reflectance(make_state):
    mesh = icosphere(4)
    state = make_state(mesh.vertices + AWAY, mesh.faces, environment=lambda d: torch.ones(len(d), 1))
    image = PathRenderer(state, SIZE, 512, 2).render(state, 0)[..., 0]
    _, _, inside = sphere_points(0.32)
    # The last facets see a little of each other: their normals are interpolated, their light leaves from above.
    assert image[inside].mean().item() == pytest.approx(0.7, rel=2e-3)
    torch.testing.assert_close(image[inside], torch.full_like(image[inside], 0.7), rtol=0.0, atol=0.02)


def test_all_light_comes_back_in_a_white_furnace_with_many_reflections(make_state):
    white = MaterialState("diffuse", {"reflectance": column([1.0])})
    state = make_state(*ring(), material=white, environment=lambda d: torch.ones(len(d), 1), background=column([1.0]))
    image = PathRenderer(state, SIZE, 128, 9).render(state, 0)
    assert image.mean().item() == pytest.approx(1.0, abs=0.01)


def test_nothing_but_the_background_off_the_object(make_state):
    mesh = icosphere(3)
    state = make_state(
        0.3 * mesh.vertices + AWAY,
        mesh.faces,
        background=column([0.123]),
        environment=lambda d: torch.full((len(d), 1), 5.0),
    )
    image = PathRenderer(state, SIZE, 4, 2).render(state, 0)[..., 0]
    off = film_directions(0.32)[..., :2].norm(dim=-1) > 0.13
    assert off.any() and torch.equal(image[off], torch.full_like(image[off], 0.123))


def test_light_from_behind_a_facet_does_not_reach_its_front(make_state):
    square = torch.tensor([[-1.0, -1, -3], [1, -1, -3], [1, 1, -3], [-1, 1, -3]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    behind = (LightState("point", {"position": column([0.0, 0.0, -5.0]), "intensity": column([50.0])}),)
    before = (LightState("point", {"position": column([0.0, 0.0, -1.0]), "intensity": column([50.0])}),)
    for order in (faces, faces.flip(1)):  # a sheet is seen from both sides
        dark, lit = (make_state(square, order, lights=lights) for lights in (behind, before))
        renderer = PathRenderer(dark, SIZE, 4, 2)
        assert (renderer.render(dark, 0) == 0).all()
        assert (renderer.render(lit, 0) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("surface", ["diffuse", "plastic", "principled"])
def test_no_sample_is_far_above_the_light(surface, make_state):
    ours, _ = material(surface)
    state = make_state(*ring(), material=ours, environment=lambda d: torch.ones(len(d), 1))
    renderer = PathRenderer(state, SIZE, 1024, 3)
    for seed in range(3):
        assert renderer.render(state, seed).max() < 2
