"""What reaches points from lights at a place or in a single direction: closed forms, and the path tracer's lights."""

from __future__ import annotations

import math

import mitsuba as mi
import numpy as np
import pytest
import torch
from torch import Tensor

from mitsuba_mei.render.path.lights import AreaLight, PointLight, SpotLight
from mitsuba_mei.render.raster.lights import MAX_POINTS, rays
from mitsuba_mei.scene.state import LightState

ONE = torch.ones(1)
CUTOFF, BEAM = math.radians(22), math.radians(8)
NORMAL = torch.tensor([0.2, -0.1, 1.0]) / math.sqrt(1.05)


def cone_of(kind: str, cutoff: float = CUTOFF, beam: float = BEAM) -> dict[str, float]:
    """The constants of a light."""
    return {"cutoff": cutoff, "beam": beam} if kind == "spot" else {}


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def of_one(values: Tensor) -> Tensor:
    """Of a single scene's values those of all points."""
    return values.T


def arriving(light: LightState, points: Tensor, normal: Tensor = NORMAL, finest: float = 0.5) -> Tensor:
    """Irradiance (N,) for a colour of 1 on surfaces at ``points`` (N, 3)."""
    way, value = rays([light], points.unbind(1), of_one, finest)
    cosine = sum(part * axis for part, axis in zip(way, normal)).clamp_min(0)
    return (cosine * value).sum(1)


def points_near_the_origin(count: int = 64) -> Tensor:
    return 0.5 * torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def rectangle(centre=(0.4, 0.3, 3.0), across=(1.0, 0.2, 0.0), up=(0.1, -0.5, 0.4)) -> LightState:
    """It shines towards ``across x up``, here down to the origin."""
    values = {"centre": vector(*centre), "across": vector(*across), "up": vector(*up), "radiance": ONE}
    return LightState("area", values)


def polygon(light: LightState, points: Tensor, normal: Tensor) -> Tensor:
    """Irradiance of a rectangle above the horizon, by Lambert's formula: half the sum of angles times cosines."""
    values = light.values
    corners = [values["centre"] + 0.5 * (a * values["across"] + b * values["up"]) for a, b in SQUARE]
    ways = [torch.nn.functional.normalize((corner - points).double(), dim=1) for corner in corners]
    total = torch.zeros(len(points), dtype=torch.float64)
    for one, other in zip(ways, [*ways[1:], ways[0]]):
        across = torch.linalg.cross(one, other)
        angle = torch.atan2(across.norm(dim=1), (one * other).sum(1))
        total += 0.5 * angle * (torch.nn.functional.normalize(across, dim=1) @ normal.double())
    return total.abs().float()


SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def test_parallel_light():
    direction = torch.nn.functional.normalize(vector(-0.3, 0.2, -1.0), dim=0)
    light = LightState("directional", {"direction": direction, "irradiance": ONE})
    way, value = rays([light], points_near_the_origin().unbind(1), of_one, 0.5)
    assert all(part.shape == value.shape == (1, 1) for part in way)
    assert arriving(light, points_near_the_origin()).item() == pytest.approx(-(direction @ NORMAL).item())


def test_points_and_spots_are_those_of_the_path_tracer():
    points, place, target = points_near_the_origin(), vector(0.5, 1.0, 2.5), vector(0.1, 0.0, 0.2)
    at = mi.Point3f(points.T.numpy())
    spectrum = mi.Spectrum(1)
    cases = {
        "point": PointLight(mi.Point3f(place.tolist()), spectrum),
        "spot": SpotLight(mi.Point3f(place.tolist()), mi.Point3f(target.tolist()), spectrum, CUTOFF, BEAM),
    }
    for kind, reference in cases.items():
        values = {"position": place, "intensity": ONE} | ({"target": target} if kind == "spot" else {})
        way, value = rays([LightState(kind, values, cone_of(kind))], points.unbind(1), of_one, 0.5)
        expected = reference.sample(at, mi.Point2f(0.5, 0.5))
        np.testing.assert_allclose(torch.cat(way, 1), expected.d.numpy().T, atol=1e-5)
        np.testing.assert_allclose(value[:, 0], expected.value.numpy()[0], rtol=1e-3, atol=1e-5)
        if kind == "spot":
            falloff = value[:, 0] * (place - points).square().sum(1)
            assert (falloff == 0).any() and (falloff > 0.999).any() and ((0.05 < falloff) & (falloff < 0.95)).any()


def test_a_rectangle_gives_what_lamberts_formula_says():
    points = points_near_the_origin()
    found, expected = arriving(rectangle(), points), polygon(rectangle(), points, NORMAL)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_near_rectangles_are_resolved_more_finely():
    light = rectangle(centre=(0.2, 0.1, 0.7))
    points = (0.3 * points_near_the_origin()).clamp_max(0.25)
    torch.testing.assert_close(arriving(light, points), polygon(light, points, NORMAL), rtol=0.01, atol=1e-3)
    counts = [rays([light], points.unbind(1), of_one, finest)[1].shape[1] for finest in (2.0, 0.5, 1e-3)]
    assert counts == sorted(counts) and counts[0] < counts[1] < counts[2] == MAX_POINTS**2


def test_rectangles_are_the_path_tracers():
    points, light = points_near_the_origin(), rectangle()
    grid = (np.arange(48) + 0.5) / 48
    u, v = (part.ravel() for part in np.meshgrid(grid, grid))
    names = ("centre", "across", "up")
    reference = AreaLight(*(mi.Vector3f(light.values[name].tolist()) for name in names), mi.Spectrum(1))
    for point, found in zip(points[:5], arriving(light, points)):
        sample = reference.sample(mi.Point3f(point.tolist()), mi.Point2f(u, v))
        cosine = np.clip(NORMAL.numpy() @ sample.d.numpy(), 0, None)
        assert found.item() == pytest.approx((cosine * sample.value.numpy()[0]).mean(), rel=2e-3)


def test_a_rectangle_shines_from_one_side():
    away = rectangle(across=(-1.0, -0.2, 0.0))
    points = points_near_the_origin()
    assert (arriving(rectangle(), points) > 0).all() and (arriving(away, points) == 0).all()


def test_a_batch_is_its_scenes_one_by_one():
    points = points_near_the_origin()
    image = torch.arange(len(points)) % 2
    kinds = {
        "area": ({"across": vector(1, 0, 0), "up": vector(0, -1, 0), "radiance": ONE}, "centre"),
        "point": ({"intensity": ONE}, "position"),
        "spot": ({"intensity": ONE, "target": vector(0, 0.1, 0)}, "position"),
    }
    for kind, (values, place) in kinds.items():
        cones = (CUTOFF, BEAM), (0.9 * CUTOFF, 0.5 * BEAM)
        lights = [
            LightState(kind, {**values, place: vector(0.3 * i, -0.2 * i, 3.0 + i)}, cone_of(kind, *cone))
            for i, cone in enumerate(cones)
        ]
        way, value = rays(lights, points.unbind(1), lambda of_scenes: of_scenes[image].T, 0.5)
        for i, light in enumerate(lights):
            alone_way, alone = rays([light], points[image == i].unbind(1), of_one, 0.5)
            torch.testing.assert_close(value[image == i], alone)
            for part, other in zip(way, alone_way):
                torch.testing.assert_close(part[image == i], other)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("point", "position"), ("spot", "position"), ("spot", "target"), ("area", "centre"), ("area", "up")],
)
def test_derivatives_are_differences(kind, name):
    points = points_near_the_origin(12)
    place = {"position": vector(0.5, 1.0, 2.5), "intensity": ONE}
    start = {"point": place, "spot": {**place, "target": vector(0.1, 0.0, 0.2)}, "area": rectangle().values}[kind]

    def total(value: Tensor) -> Tensor:
        weights = torch.linspace(1, 2, len(points))
        return arriving(LightState(kind, {**start, name: value}, cone_of(kind)), points) @ weights

    slope = torch.autograd.functional.jacobian(total, start[name])
    step = 0.01
    pairs = [[total(start[name] + s * step * axis) for s in (1, -1)] for axis in torch.eye(3)]
    expected = torch.stack([(a - b) / (2 * step) for a, b in pairs])
    torch.testing.assert_close(slope, expected, rtol=0.02, atol=0.02 * expected.abs().max().item())


def test_a_light_on_the_surface_is_harmless():
    place = vector(0.1, 0.2, 0.3).requires_grad_()
    light = LightState("spot", {"position": place, "intensity": ONE, "target": vector(0, 0, 0)}, cone_of("spot"))
    found = arriving(light, torch.stack([place.detach(), vector(0, 0, 0)]))
    found.sum().backward()
    assert found.isfinite().all() and place.grad.isfinite().all()
