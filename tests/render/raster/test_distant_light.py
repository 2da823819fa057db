"""Distant light over the hemispheres of surfaces, against closed forms and plain sums over the sphere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mitsuba_mei.render.raster.bsdf import interpolate
from mitsuba_mei.render.raster.cubemap import cells, look_up
from mitsuba_mei.render.raster.distant_light import BROAD, Moments, Sky, lobe_moments, lobe_points, powers
from mitsuba_mei.render.raster.microfacets import KNOTS
from mitsuba_mei.scene.distant_emitters import harmonics
from mitsuba_mei.scene.state import Lobe

VERTICES = torch.zeros(3, 3)


@pytest.fixture
def sky_of(make_state):
    """From distant light to its sky."""

    def build(*environments, lobes=(), **given) -> Sky:
        count = max(1, len(environments))
        states = [
            make_state(VERTICES, torch.tensor([[0, 1, 2]]), lobes=lobes, environment=e, **given)
            for e in environments or [None] * count
        ]
        return Sky(states)

    return build


def random_directions(count: int = 500, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)


def sphere() -> tuple[Tensor, Tensor]:
    """Directions (N, 3) and solid angles (N,) of fine cells."""
    directions, solid = cells(60)
    return directions[:, 0], solid[:, 0]


def summed(radiance, normals: Tensor, weigh=lambda cosine: cosine) -> Tensor:
    """The integral of radiance and ``weigh`` of its cosine over the hemisphere above each normal, (N,)."""
    directions, solid = sphere()
    cosine = (normals @ directions.T).clamp_min(0)
    return weigh(cosine) @ (radiance(directions)[:, 0] * solid)


def irradiance(sky: Sky, normals: Tensor) -> Tensor:
    """(C, N)."""
    return look_up(sky.moments(sky.light(), 0, 0, None).plain, normals.unbind(1))


def even(radiance: float):
    return lambda directions: torch.full((len(directions), 1), radiance)


def lobe(sharpness: float, axis=(0.3, 0.5, 0.81), peak: float = 2.0) -> Lobe:
    return Lobe(torch.nn.functional.normalize(torch.tensor(axis), dim=0), torch.tensor([peak]), sharpness)


def test_a_dark_sky_is_none(sky_of):
    assert not sky_of() and not sky_of(lobes=(lobe(BROAD),)) and sky_of(even(1.0)) and sky_of(lobes=(lobe(5.0),))


def test_an_even_sky_gives_pi_times_its_radiance(sky_of):
    found = irradiance(sky_of(even(0.7)), random_directions())
    torch.testing.assert_close(found, torch.full_like(found, 0.7 * math.pi), rtol=2e-3, atol=0)


@pytest.mark.parametrize(("index", "factor"), [(1, 2 / 3), (3, 2 / 3), (5, 1 / 4), (6, 1 / 4), (8, 1 / 4), (12, 0.0)])
def test_a_clamped_cosine_scales_harmonics(index, factor, sky_of):
    """By pi, 2 pi / 3, pi / 4 and 0, band by band (Ramamoorthi & Hanrahan 2001)."""
    normals = random_directions()

    def environment(directions: Tensor) -> Tensor:
        return (1 + harmonics(directions)[:, index])[:, None]

    expected = math.pi * (1 + factor * harmonics(normals)[:, index])
    torch.testing.assert_close(irradiance(sky_of(environment), normals)[0], expected, rtol=0, atol=0.015)


@pytest.mark.parametrize("sharpness", [1.0, 4.0, 15.0])
def test_a_broad_lobe_is_part_of_the_sky(sharpness, sky_of):
    light, normals = lobe(sharpness), random_directions()
    found = irradiance(sky_of(lobes=(light,)), normals)[0]
    torch.testing.assert_close(found, summed(light, normals), rtol=0, atol=4e-3 * found.max().item())


def test_a_surface_that_faces_a_lobe_receives_its_mean_cosine(sky_of):
    for sharpness in (6.0, 15.0):  # less sharp ones shine from behind, too
        light = lobe(sharpness)
        whole = 2 * 2 * math.pi / sharpness * -math.expm1(-2 * sharpness)  # radiance over the sphere
        facing = irradiance(sky_of(lobes=(light,)), light.axis[None]).item()
        assert facing == pytest.approx(whole * (1 / math.tanh(sharpness) - 1 / sharpness), rel=5e-3)


def test_lobes_and_environments_add_up(sky_of):
    normals, light = random_directions(), lobe(6.0)
    both = irradiance(sky_of(even(0.4), lobes=(light,)), normals)
    apart = irradiance(sky_of(even(0.4)), normals) + irradiance(sky_of(lobes=(light,)), normals)
    torch.testing.assert_close(both, apart)


@pytest.mark.slow
def test_a_detailed_sky(sky_of):
    """A bright window of 0.2 steradian, far smaller than a block of smooth light may be."""
    normals = random_directions()
    axis = torch.nn.functional.normalize(torch.tensor([0.4, 0.2, 0.7]), dim=0)

    def environment(directions: Tensor) -> Tensor:
        return torch.where(directions @ axis > 1 - 0.2 / (2 * math.pi), 10.0, 0.1)[:, None]

    found = irradiance(sky_of(environment, detail=256), normals)[0]
    directions, solid = (part.flatten(0, 1) for part in cells(32, 8))
    expected = (normals @ directions.T).clamp_min(0) @ (environment(directions)[:, 0] * solid)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01 * expected.max().item())


def test_blocks_hold_all_of_the_light(sky_of):
    def environment(directions: Tensor) -> Tensor:
        return (2 + directions[:, 0] - 0.5 * directions[:, 1] * directions[:, 2])[:, None]

    for detail in (64, 256):
        power, centre = sky_of(environment, detail=detail).light()
        assert power.sum().item() == pytest.approx(8 * math.pi, rel=1e-4)
        assert (centre.norm(dim=-1) <= 1 + 1e-6).all()
        torch.testing.assert_close(
            (power * centre).sum((0, 1)), torch.tensor([4 * math.pi / 3, 0, 0]), rtol=0, atol=0.02
        )


def test_moments_of_an_even_sky(sky_of):
    """Of a clamped cosine: (2 pi / 3) n, and (pi / 4) (1 + n n)."""
    normals, viewer = random_directions(), random_directions(seed=1)
    sky = sky_of(even(1.0))
    table = look_up(sky.moments(sky.light(), 2, 0, None).plain, normals.unbind(1))
    none, first, second = powers(table, viewer.unbind(1), 2, 1)
    along = (normals * viewer).sum(1)
    for found, expected in (
        (none, torch.full_like(along, math.pi)),
        (first, 2 * math.pi / 3 * along),
        (second, math.pi / 4 * (1 + along**2)),
    ):
        torch.testing.assert_close(found[0], expected, rtol=0, atol=0.01)


def test_a_profile_is_a_further_factor(sky_of):
    """With cos^2 as the profile, over an even sky the integral of cos^3 is pi / 2, with the direction (2 pi / 5) n."""
    normals, viewer = random_directions(), random_directions(seed=1)
    sky, profile = sky_of(even(1.0)), (torch.linspace(0, 1, KNOTS) ** 2)[None]
    moments = sky.moments(sky.light(), 0, 1, profile)
    table = look_up(moments.profiled, normals.unbind(1))
    none, first = powers(table, viewer.unbind(1), 1, 1)
    torch.testing.assert_close(none[0], torch.full((500,), math.pi / 2), rtol=5e-3, atol=0)
    # Between the nodes of a coarse table; a material's profile is a small part of what it reflects.
    torch.testing.assert_close(first[0], 2 * math.pi / 5 * (normals * viewer).sum(1), rtol=0, atol=0.025)
    assert isinstance(moments, Moments) and sky.moments(sky.light(), 0, 0, None).profiled is None


def test_colours_keep_apart(sky_of, rgb):
    def environment(directions: Tensor) -> Tensor:
        return torch.stack([1 + directions[:, 0], torch.ones(len(directions)), torch.zeros(len(directions))], 1)

    normals = random_directions()
    sky = sky_of(environment)
    table = look_up(sky.moments(sky.light(), 1, 0, None).plain, normals.unbind(1))
    light, along = powers(table, normals.unbind(1), 1, 3)
    expected = torch.stack([math.pi + 2 * math.pi / 3 * normals[:, 0], torch.full((500,), math.pi), torch.zeros(500)])
    torch.testing.assert_close(light, expected, rtol=0, atol=0.015)
    expected = torch.stack([2 * math.pi / 3 + math.pi / 2 * normals[:, 0], torch.full((500,), 2 * math.pi / 3)])
    torch.testing.assert_close(along[:2], expected, rtol=0, atol=0.025)
    assert (light[2] == 0).all() and (along[2] == 0).all()


def test_a_batch_is_its_skies_one_by_one(sky_of):
    normals = random_directions()
    environments = [even(0.2), lambda d: (1.5 + d[:, 0])[:, None], lambda d: d[:, 1:2] ** 2]
    profile = torch.stack([torch.linspace(0, 1, KNOTS) ** k for k in range(3)])
    image = torch.arange(500) % 3
    for detail in (64, 256):
        together = sky_of(*environments, detail=detail)
        moments = together.moments(together.light(), 1, 1, profile)
        for i, environment in enumerate(environments):
            sky, at = sky_of(environment, detail=detail), normals[image == i].unbind(1)
            alone = sky.moments(sky.light(), 1, 1, profile[i : i + 1])
            found = moments.plain[i : i + 1], moments.profiled[i : i + 1], together.blurred(0.1)[i : i + 1]
            for table, expected in zip(found, (alone.plain, alone.profiled, sky.blurred(0.1))):
                torch.testing.assert_close(look_up(table, at), look_up(expected, at))


@pytest.mark.parametrize("detail", [64, 256])
def test_what_is_blurred_keeps_its_mean(detail, sky_of):
    def environment(directions: Tensor) -> Tensor:
        return torch.where(directions[:, 2:] > 0.5, 2.0, 0.0)

    directions, solid = sphere()
    found = look_up(sky_of(environment, detail=detail).blurred(0.15), directions.unbind(1))[0]
    assert (found @ solid).item() == pytest.approx(2 * math.pi, rel=0.03)
    assert found.min() >= 0 and found.max() <= 2 + 1e-5
    far = (directions[:, 2] - 0.5).abs() > 0.3
    torch.testing.assert_close(found[far], environment(directions)[far, 0], rtol=0, atol=1e-4)


def test_derivatives_reach_the_light(sky_of):
    radiance = torch.tensor(0.7, requires_grad=True)
    irradiance(sky_of(lambda d: radiance.expand(len(d), 1)), random_directions(10)).sum().backward()
    assert radiance.grad.item() == pytest.approx(10 * math.pi, rel=2e-3)


def narrow_sphere(axis: Tensor, sharpness: float) -> tuple[Tensor, Tensor]:
    """Directions (N, 3) about an axis, and solid angles times the fall-off of a lobe of peak 1."""
    share, weight = np.polynomial.legendre.leggauss(80)
    cosine = np.clip(1 - 30 / sharpness, -1, None)
    at = cosine + 0.5 * (1 - cosine) * (share + 1)
    phi = 2 * math.pi * (np.arange(90) + 0.5) / 90
    at, phi = np.meshgrid(at, phi, indexing="ij")
    solid = 0.5 * (1 - cosine) * weight[:, None] * 2 * math.pi / 90 * np.exp(sharpness * (at - 1))
    aside = torch.nn.functional.normalize(torch.linalg.cross(axis, torch.tensor([0.0, 0, 1])), dim=0)
    across = torch.stack([aside, torch.linalg.cross(axis, aside), axis])
    sine = np.sqrt(1 - at**2)
    local = np.stack([sine * np.cos(phi), sine * np.sin(phi), at], -1).reshape(-1, 3)
    return torch.from_numpy(local).float() @ across, torch.from_numpy(solid.reshape(-1)).float()


@pytest.mark.parametrize("sharpness", [16.0, 50.0, 1000.0])
def test_what_a_lobe_gives_to_a_surface(sharpness):
    axis = lobe(sharpness).axis
    normals = random_directions(200)
    directions, solid = narrow_sphere(axis, sharpness)
    received = normals @ directions.T
    profile = torch.linspace(1, 0, KNOTS)[None] ** 2
    plain, profiled = lobe_moments(sharpness, profile, torch.device("cpu"))
    half = 0.5 * (1 + normals @ axis)
    cosine = received.clamp_min(0)
    expected = cosine @ solid
    torch.testing.assert_close(interpolate(plain, half), expected, rtol=0, atol=3e-3 * expected.max().item())
    expected = (cosine * interpolate(profile, cosine)) @ solid
    torch.testing.assert_close(interpolate(profiled, half), expected, rtol=0, atol=5e-3 * expected.max().item())
    assert lobe_moments(sharpness, None, torch.device("cpu"))[1] is None


def test_each_scene_has_its_profile():
    profiles = torch.stack([torch.linspace(0, 1, KNOTS), torch.linspace(1, 0, KNOTS) ** 2])
    _, together = lobe_moments(40.0, profiles, torch.device("cpu"))
    for i in range(2):
        alone = lobe_moments(40.0, profiles[i : i + 1], torch.device("cpu"))[1]
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("sharpness", [30.0, 500.0])
@pytest.mark.parametrize("axis", [(0.3, 0.5, 0.81), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)])
def test_points_stand_for_a_narrow_lobe(sharpness, axis):
    light = lobe(sharpness, axis)
    places, solid = lobe_points(light, 4, 9)
    torch.testing.assert_close(places.norm(dim=1), torch.ones(len(places)))
    directions, exact = narrow_sphere(light.axis if abs(axis[2]) < 1 else light.axis + 1e-6, sharpness)

    def matt(d: Tensor) -> Tensor:
        return torch.exp(1.5 * d[:, 0] - d[:, 1] + 0.5 * d[:, 2])

    assert solid.sum().item() == pytest.approx(exact.sum().item(), rel=1e-3)
    assert (matt(places) @ solid).item() == pytest.approx((matt(directions) @ exact).item(), rel=2e-3)


def test_the_points_of_a_lobe_move_with_its_axis():
    axis = torch.nn.functional.normalize(torch.tensor([0.3, 0.5, 0.81]), dim=0)
    way = torch.nn.functional.normalize(torch.linalg.cross(axis, torch.tensor([0.0, 1, 0])), dim=0)

    def total(angle: Tensor) -> Tensor:
        turned = Lobe(angle.cos() * axis + angle.sin() * way, torch.ones(1), 60.0)
        places, solid = lobe_points(turned, 3, 7)
        return (torch.exp(3 * places[:, 0] - places[:, 2]) * solid).sum()

    angle = torch.zeros((), requires_grad=True)
    total(angle).backward()
    difference = (total(torch.tensor(1e-2)) - total(torch.tensor(-1e-2))) / 2e-2
    assert angle.grad.item() == pytest.approx(difference.item(), rel=2e-3)
