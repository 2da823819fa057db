"""A sun of one pixel, in both renderers and at any rotation, against Mitsuba's own envmap."""

from __future__ import annotations

import math

import mitsuba as mi
import numpy as np
import pytest
import torch

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.io.images import write_exr
from mitsuba_mei.render.path.environment import TexelMeans
from mitsuba_mei.render.path.renderer import PathRenderer
from mitsuba_mei.render.raster.distant_light import Sky
from mitsuba_mei.render.raster.renderer import RasterRenderer
from mitsuba_mei.scene.distant_emitters import Environment
from mitsuba_mei.scene.state import MaterialState, SceneState

pytestmark = pytest.mark.slow

HEIGHT, ROW, COLUMN, PEAK = 256, 100, 240, 2e4
STEP = math.pi / (HEIGHT - 1)
DIM = 0.05

# What is interpolated about the pixel, over the sphere.
SUN = PEAK * math.sin(STEP * ROW) * 2 * (1 - math.cos(STEP)) / STEP * math.pi / HEIGHT
POWER = SUN + 4 * math.pi * DIM


@pytest.fixture
def picture(tmp_path):
    image = np.full((HEIGHT, 2 * HEIGHT, 3), DIM, np.float32)
    image[ROW, COLUMN] += PEAK
    write_exr(tmp_path / "sun.exr", image)
    return tmp_path / "sun.exr"


@pytest.fixture
def lit(picture, make_state):
    """From a rotation in degrees to a sphere under that sky."""
    mesh = icosphere(4)
    light = Environment(picture)
    material = MaterialState("diffuse", {"reflectance": torch.full((len(mi.Spectrum()),), 0.5)})

    def build(degrees: float) -> SceneState:
        light.rotation.fill_(math.radians(degrees))
        return make_state(
            mesh.vertices + torch.tensor([0, 0, -5.0]),
            mesh.faces,
            environment=lambda d: light.incident(d, len(mi.Spectrum())),
            detail=light.detail,
            material=material,
            background=torch.zeros(len(mi.Spectrum())),
        )

    return build


def towards_sun(degrees: float) -> torch.Tensor:
    longitude = 2 * math.pi * ((COLUMN + 0.5) / (2 * HEIGHT) - 0.5) - math.radians(degrees)
    theta = STEP * ROW
    return torch.tensor(
        [math.sin(theta) * math.sin(longitude), math.cos(theta), -math.sin(theta) * math.cos(longitude)],
        dtype=torch.float64,
    )


TURNS = [*np.arange(0, 360, 23.0), *np.arange(180, 182.1, 0.25)]


def test_tables_of_both_renderers_hold_the_picture_s_power_at_any_rotation(lit):
    """And where it comes from."""
    means = TexelMeans(256, torch.device("cpu"))
    places = means(lambda d: d).double()
    for turn in TURNS:
        state = lit(turn)
        table = means(state.environment).double() * 4 * math.pi / 256**2
        power, centre = (part[0].double() for part in Sky([state]).light())
        for found, moment in ((table, places.T @ table), (power, centre.T @ power)):
            assert found.sum().item() == pytest.approx(POWER, rel=3e-3), turn
            aside = moment[:, 0] / SUN - towards_sun(turn)
            assert aside.norm().item() < 4e-3, turn


@pytest.mark.parametrize("height", [12, 17, 40, 64, 90])
def test_pictures_of_few_pixels_keep_their_power_too(tmp_path, height):
    row = height // 3
    image = np.full((height, 2 * height, 3), DIM, np.float32)
    image[row, height // 4] += 1e3
    write_exr(tmp_path / "low.exr", image)
    step = math.pi / (height - 1)
    power = 1e3 * math.sin(step * row) * 2 * (1 - math.cos(step)) / step * math.pi / height + 4 * math.pi * DIM
    light, means = Environment(tmp_path / "low.exr"), TexelMeans(256, torch.device("cpu"))
    for turn in TURNS:
        light.rotation.fill_(math.radians(turn))
        table = means(lambda d: light.incident(d, 1)).double().mean().item() * 4 * math.pi
        assert table == pytest.approx(power, rel=3e-3), turn


def test_a_sun_near_the_axes_of_the_table_is_as_bright():
    means = TexelMeans(256, torch.device("cpu"))
    k = 1 / math.radians(0.75) ** 2
    for axis in torch.cat([torch.eye(3), -torch.eye(3)]):
        for aside in torch.linspace(0, 0.06, 7):
            sun = torch.nn.functional.normalize(axis + aside * axis.roll(1) + 0.7 * aside * axis.roll(2), dim=0)
            table = means(lambda d: torch.exp(k * (d @ sun - 1))[:, None])
            assert table.mean().item() * 4 * math.pi == pytest.approx(2 * math.pi / k, rel=8e-3)


@pytest.mark.parametrize("turn", [135.0, 183.0, 225.0])
def test_both_renderers_agree_with_mitsuba_s_envmap(lit, reference, picture, tmp_path, turn):
    state = lit(turn)
    emitter = {
        "type": "envmap",
        "filename": str(picture),
        "to_world": mi.ScalarTransform4f().rotate([0, 1, 0], turn - 180),
    }
    bsdf = {"type": "diffuse", "reflectance": 0.5}
    expected = reference(state, tmp_path, emitter, bsdf, 2, 48, 512).mean()
    with torch.no_grad():
        traced = PathRenderer(state, 48, max_depth=2).render(state, 1, 512).mean().item()
        rasterized = RasterRenderer(state, 48).render(state).mean().item()
    assert traced == pytest.approx(expected, rel=5e-3)
    assert rasterized == pytest.approx(expected, rel=5e-3)


def test_it_changes_smoothly_with_rotation(lit):
    """Two degrees in quarters; a sun that jumps from texel to texel changes by per cents, up and down."""
    renderer = RasterRenderer(lit(180), 48)
    with torch.no_grad():
        means = np.array([renderer.render(lit(turn)).double().mean().item() for turn in np.arange(180, 182.1, 0.25)])
    steps = np.diff(means) / means[0]
    assert (steps < 0).all() and steps.std() < 8e-4
    assert means[-1] / means[0] == pytest.approx(0.01121 / 0.01129, abs=2e-3)
