"""Lights: what arrives from where, and how they are written."""

from __future__ import annotations

import math

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.render.backend import prepare
from mitsuba_mei.render.path.environment import texel_directions
from mitsuba_mei.scene.camera import Camera
from mitsuba_mei.scene.distant_emitters import Constant, Environment, SphericalHarmonics, Sun, harmonics
from mitsuba_mei.scene.emitters import EMITTERS, Lighting
from mitsuba_mei.scene.local_emitters import Area, Directional, Point, Spot

ALL = texel_directions(256)
SOLID = 4 * math.pi / len(ALL)


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


def incident(light, directions: torch.Tensor, channels: int) -> torch.Tensor:
    """Radiance (N, channels) of a distant light."""
    if isinstance(light, Sun):
        return light.state(Camera(), channels)(directions)
    return light.incident(directions, channels)


def irradiance(emitter, normal: torch.Tensor, channels: int = 1) -> torch.Tensor:
    """On a plane with this normal, (channels,)."""
    cosine = (ALL @ normal).clamp_min(0)
    return (incident(emitter, ALL, channels) * cosine[:, None]).sum(0) * SOLID


@pytest.mark.parametrize("sharpness", [4, 10, 50, 400])
def test_a_sun_gives_its_irradiance_on_a_plane_that_faces_it(sharpness):
    sun = Sun([-1, 2, -0.5], 3.0, sharpness)
    towards = -torch.nn.functional.normalize(torch.tensor([-1, 2, -0.5]), dim=0)
    assert irradiance(sun, towards).item() == pytest.approx(3, rel=0.01)
    peak = ALL[incident(sun, ALL, 1).argmax()]
    assert peak @ towards > 0.999


def test_an_oblique_plane_receives_the_cosine():
    sun = Sun([0, 0, -1], 2.0, 400)
    for degrees in (20, 45, 60):
        a = math.radians(degrees)
        assert irradiance(sun, torch.tensor([math.sin(a), 0, math.cos(a)])).item() == pytest.approx(
            2 * math.cos(a), rel=0.01
        )


@given(sharpness=st.floats(1, 5000))
@settings(max_examples=40, deadline=None)
def test_a_suns_table_resolves_its_lobe(sharpness):
    detail = Sun(sharpness=sharpness).state(Camera(), 1).detail
    assert detail & (detail - 1) == 0 and 64 <= detail <= 512
    assert detail == 512 or detail >= 12 * math.sqrt(sharpness)


def test_constant_light_gives_pi_times_its_radiance():
    assert irradiance(Constant(0.8), torch.tensor([0.0, 1, 0])).item() == pytest.approx(0.8 * math.pi, rel=1e-3)


def test_colours_and_numbers_are_expanded():
    colour = Constant([0.1, 0.2, 0.4])
    assert colour.incident(ALL[:2], 3)[1].tolist() == pytest.approx([0.1, 0.2, 0.4])
    assert colour.incident(ALL[:2], 1)[1].item() == pytest.approx(0.1 * 0.2126 + 0.2 * 0.7152 + 0.4 * 0.0722)
    assert incident(Sun(irradiance=2.0), ALL[:5], 3).std(dim=1).max() == 0


def test_harmonics_are_orthonormal():
    y = harmonics(ALL)
    torch.testing.assert_close(y.T @ y * SOLID, torch.eye(16), rtol=0.0, atol=2e-3)


def test_harmonics_have_their_pole_up_and_their_bands_in_order():
    up, right, back = harmonics(torch.eye(3)[[1, 0, 2]])
    first = math.sqrt(3 / (4 * math.pi))
    # Band 1 from m = -1 to 1: z, y, x of the world.
    torch.testing.assert_close(up[1:4], torch.tensor([0, first, 0]))
    torch.testing.assert_close(right[1:4], torch.tensor([0, 0, first]))
    torch.testing.assert_close(back[1:4], torch.tensor([first, 0, 0]))
    zonal = torch.tensor([math.sqrt((2 * band + 1) / (4 * math.pi)) for band in range(4)])
    torch.testing.assert_close(up[[0, 2, 6, 12]], zonal)


def test_spherical_harmonics_are_dark_where_negative():
    light = SphericalHarmonics([0.5, 0.0, 2.0, 0.0])
    value = incident(light, ALL, 1)[:, 0]
    expected = (0.5 * math.sqrt(1 / (4 * math.pi)) + 2 * math.sqrt(3 / (4 * math.pi)) * ALL[:, 1]).clamp_min(0)
    torch.testing.assert_close(value, expected)
    assert (value == 0).any()
    with pytest.raises(UserError, match="1, 4, 9 or 16 numbers, not 5"):
        SphericalHarmonics([1.0] * 5)


@pytest.fixture
def panorama(tmp_path):
    """17 x 9 pixels: black but for red in the middle, blue three columns to the right, and a white top row."""
    image = np.zeros((9, 17, 3), dtype=np.uint8)
    image[4, 8] = [255, 0, 0]
    image[4, 11] = [0, 0, 255]
    image[0] = 255
    iio.imwrite(tmp_path / "sky.png", image)
    return tmp_path / "sky.png"


def around(degrees: float) -> torch.Tensor:
    """Directions on the horizon, from -z towards +x."""
    a = math.radians(degrees)
    return torch.tensor([[math.sin(a), 0.0, -math.cos(a)]])


def test_an_environments_middle_lies_ahead_and_columns_go_to_the_right(panorama):
    light = Environment(panorama, intensity=2.0)
    assert incident(light, around(0), 3).tolist()[0] == pytest.approx([2, 0, 0], abs=1e-4)
    assert incident(light, around(3 * 360 / 17), 3).tolist()[0] == pytest.approx([0, 0, 2], abs=1e-4)
    assert incident(light, torch.tensor([[0.0, 1.0, 0.0]]), 1).item() == pytest.approx(2, abs=1e-4)
    assert incident(light, around(180), 3).abs().max() == 0


def test_an_environment_turns_counter_clockwise_from_above(panorama):
    light = Environment(panorama, rotation=90)
    assert incident(light, around(-90), 3).tolist()[0] == pytest.approx([1, 0, 0], abs=1e-4)


def test_an_environment_is_the_same_all_around(panorama):
    light = Environment(panorama, free=["rotation"])
    total = incident(light, ALL, 1).sum().item()
    for turn in (0.7, 3.0, 50.0):
        with torch.no_grad():
            light.rotation.fill_(turn)
        value = incident(light, ALL, 1)
        assert torch.isfinite(value).all() and value.sum().item() == pytest.approx(total, rel=0.02)


def test_an_environments_rotation_has_a_derivative(panorama):
    light = Environment(panorama, rotation=10.0, free=["rotation", "intensity"])
    weight = 1 + ALL[:, :1]
    (slope,) = torch.autograd.grad((incident(light, ALL, 1) * weight).sum(), light.rotation)
    with torch.no_grad():
        start = light.rotation.clone()
        sums = []
        for step in (1e-2, -1e-2):
            light.rotation.copy_(start + step)
            sums.append((incident(light, ALL, 1).double() * weight).sum().item())
    assert slope.item() == pytest.approx((sums[0] - sums[1]) / 2e-2, rel=0.02)


def test_local_lights_are_handed_over_in_the_cameras_frame():
    camera = Camera(distance=5, azimuth=90)
    point = Point([1, 2, 3], 7.0).state(camera, 1)
    torch.testing.assert_close(point.values["position"], torch.tensor([-3.0, 2, -4]), rtol=0.0, atol=1e-6)
    assert point.values["intensity"].tolist() == [7]
    directional = Directional([0, 0, -2], 3.0).state(camera, 3)
    torch.testing.assert_close(directional.values["direction"], torch.tensor([1.0, 0, 0]), rtol=0.0, atol=1e-6)
    spot = Spot([0, 0, 4], [0, 0, 1], cutoff=30, beam=10).state(camera, 1)
    assert spot.constants == pytest.approx({"cutoff": math.pi / 6, "beam": math.pi / 18})
    torch.testing.assert_close(spot.values["target"], torch.tensor([-1.0, 0, -5]), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("position", [[2, 3, 4], [0, 5, 0], [0, -5, 0.0], [-3, 0.1, 0]])
def test_a_rectangle_faces_its_target(position):
    values = Area(position, [0.1, 0, 0], [2.0, 0.5], 4.0).state(Camera(distance=5), 1).values
    across, up = values["across"], values["up"]
    towards = torch.tensor([0.1, 0, 0]) - torch.tensor(position, dtype=torch.float32)
    normal = torch.linalg.cross(across, up)
    torch.testing.assert_close(normal, torch.nn.functional.normalize(towards, dim=0), rtol=0.0, atol=1e-5)
    assert across.norm().item() == pytest.approx(2) and up.norm().item() == pytest.approx(0.5)
    assert (across @ up).item() == pytest.approx(0, abs=1e-6)
    if position != [0, 5, 0] and position != [0, -5, 0.0]:
        assert across[1].item() == pytest.approx(0, abs=1e-6)


FIXED = {"sun": {"sharpness": 30.0}, "area": {"size": [2.0, 1.0]}, "spot": {"cutoff": 40.0, "beam": 15.0}}


@pytest.mark.parametrize("kind", [kind for kind in EMITTERS if kind != "environment"])
@pytest.mark.parametrize("freed", [False, True])
def test_file_units_come_back(kind, freed):
    fixed = FIXED.get(kind, {})
    light = EMITTERS[kind](**fixed, free=EMITTERS[kind].FREEABLE if freed else ())
    with torch.no_grad():
        for parameter in light.parameters():
            parameter += 0.1
    again = EMITTERS[kind](**fixed, **light.to_settings())
    if kind in ("sun", "constant", "spherical_harmonics"):
        torch.testing.assert_close(incident(again, ALL[::97], 3), incident(light, ALL[::97], 3), rtol=1e-4, atol=1e-6)
    else:
        camera = Camera(azimuth=20)
        before, after = (x.state(camera, 3) for x in (light, again))
        for name, value in before.values.items():
            torch.testing.assert_close(after.values[name], value, rtol=1e-5, atol=1e-6)


def test_an_environments_file_units_come_back(panorama):
    light = Environment(panorama, 2.0, 40.0, free=["rotation"])
    assert light.to_settings() == pytest.approx({"intensity": 2.0, "rotation": 40.0})
    again = Environment(panorama, **light.to_settings())
    torch.testing.assert_close(incident(again, ALL[::97], 3), incident(light, ALL[::97], 3), rtol=1e-4, atol=1e-5)


def test_lights_add_up():
    sun, sky, point = Sun(), Constant(0.2), Point()
    lighting = Lighting([sun, point, sky])
    assert lighting.environment == [sky] and lighting.detail == 64
    torch.testing.assert_close(lighting.incident(ALL[:9], 1), sky.incident(ALL[:9], 1))
    (lobe,) = lighting.lobes(Camera(), 1)
    torch.testing.assert_close(lobe(ALL[:9]), incident(sun, ALL[:9], 1))
    assert [light.kind for light in lighting.local_states(Camera(), 1)] == ["point"]


@pytest.mark.parametrize("kind", EMITTERS)
def test_every_freeable_parameter_has_a_gradient(kind, panorama):
    given_path = {"path": panorama} if kind == "environment" else {}
    light = EMITTERS[kind](**given_path, free=EMITTERS[kind].FREEABLE)
    assert set(light.parameter_names) == set(light.FREEABLE)
    if hasattr(light, "incident") or kind == "sun":
        weight = torch.linspace(0, 1, len(ALL))[:, None]
        total = (incident(light, ALL, 1) * weight * (1.3 + ALL[:, :1] + ALL[:, 1:2] + 2 * ALL[:, 2:])).sum()
    else:
        total = sum(
            (value * torch.arange(1.0, 1 + len(value))).sum() for value in light.state(Camera(), 1).values.values()
        )
    total.backward()
    for name in light.FREEABLE:
        assert getattr(light, name).grad.abs().max() > 0, name


def test_mistakes_are_named():
    with pytest.raises(UserError, match="sun: direction: a direction cannot be"):
        Sun([0, 0, 0])
    with pytest.raises(UserError, match="area: from position to target"):
        Area([1, 1, 1], [1, 1, 1])
    with pytest.raises(UserError, match="spot: beam must be below cutoff, not 40 with cutoff 30"):
        Spot(cutoff=30, beam=40)
    with pytest.raises(UserError, match="constant.radiance is free but starts at 0"):
        Constant(0.0, free=["radiance"])
