"""Materials in torch against Mitsuba's of the same name."""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest
import torch
from torch import Tensor

from mitsuba_mei.errors import UserError
from mitsuba_mei.render.raster.bsdf import interpolate, material_of, polynomial, schlick
from mitsuba_mei.scene.state import MaterialState
from tests.render.bsdfs import bsdf_of, of_mitsuba, seen_from

COLOUR = (0.7, 0.45, 0.2)
MATERIALS = [
    ("diffuse", {}),
    ("plastic", {"roughness": 0.05}),
    ("plastic", {"roughness": 0.3}),
    ("plastic", {"roughness": 0.9}),
    ("principled", {"roughness": 0.5, "metallic": 0.0, "specular": 0.5}),
    ("principled", {"roughness": 0.3, "metallic": 0.4, "specular": 0.8}),
    ("principled", {"roughness": 0.9, "metallic": 1.0, "specular": 0.1}),
]


def material(kind: str, values: dict[str, float], ior: float = 1.5, scale: float = 1.0) -> MaterialState:
    """In as many channels as Mitsuba's variant has."""
    colour = scale * torch.tensor(COLOUR)[: len(mi.Spectrum())]
    tensors = {"reflectance": colour, **{k: torch.tensor([v]) for k, v in values.items()}}
    return MaterialState(kind, tensors, {"ior": ior} if kind == "plastic" else {})


def of_ours(states: list[MaterialState], viewer: Tensor, light: Tensor, image: Tensor | None = None) -> Tensor:
    ours = material_of(states)
    between = (viewer * light).sum(1, keepdim=True)
    white, tint = ours.evaluate(viewer[:, 2], light[:, 2:], between, image)
    colour = ours.colour if image is None else ours.colour[image]
    return colour * tint + (0 if white is None else white)


def pairs(count: int = 4000) -> tuple[Tensor, Tensor]:
    """Directions of viewer and light, half of these near the mirror's; none at extreme grazing."""
    generator = torch.Generator().manual_seed(0)
    viewer, light = torch.randn(2, count, 3, generator=generator)
    viewer = above(viewer)
    mirrored = viewer * torch.tensor([-1.0, -1.0, 1.0]) + 0.2 * light
    light = above(torch.where(torch.arange(count)[:, None] % 2 == 0, light, mirrored))
    return viewer, light


def above(vectors: Tensor) -> Tensor:
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    return torch.nn.functional.normalize(torch.cat([vectors[:, :2], vectors[:, 2:].abs().clamp_min(0.05)], 1), dim=1)


def check_against_mitsuba(kind: str, values: dict[str, float], ior: float = 1.5) -> None:
    viewer, light = pairs()
    state = material(kind, values, ior)
    expected, found = of_mitsuba(state, viewer, light), of_ours([state], viewer, light)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0.01, atol=1e-3)
    assert ((found - expected).abs() / (expected + 1e-3)).mean() < 3e-3


@pytest.mark.parametrize(("kind", "values"), MATERIALS)
def test_values_are_mitsubas(kind, values):
    check_against_mitsuba(kind, values)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "values"), MATERIALS)
def test_colours_are_mitsubas(kind, values, rgb):
    check_against_mitsuba(kind, values)


@pytest.mark.parametrize("ior", [1.2, 2.0])
def test_a_coat_of_another_index_is_mitsubas(ior):
    check_against_mitsuba("plastic", {"roughness": 0.2}, ior)


@pytest.mark.parametrize("roughness", [0.05, 0.3, 0.9])
def test_in_a_white_furnace_plastic_reflects_what_mitsubas_does(roughness):
    """All light from a hemisphere, ours summed over directions and Mitsuba's by its own sampling."""
    tensors = {"reflectance": torch.ones(1), "roughness": torch.tensor([roughness])}
    state = MaterialState("plastic", tensors, {"ior": 1.5})
    bsdf, count = bsdf_of(state), 2**16
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(3, count, generator=generator).numpy()
    share, weight = np.polynomial.legendre.leggauss(96)
    theta, phi = 0.25 * math.pi * (share + 1), 2 * math.pi * (np.arange(192) + 0.5) / 192
    theta, phi = (torch.from_numpy(part).float().reshape(-1) for part in np.meshgrid(theta, phi, indexing="ij"))
    light = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], 1)
    solid = torch.from_numpy(weight).float().repeat_interleave(192) * theta.sin() * 0.25 * math.pi * 2 * math.pi / 192
    for cosine in (0.3, 0.7, 1.0):
        viewer = torch.tensor([[math.sqrt(1 - cosine**2), 0.0, cosine]])
        _, drawn = bsdf.sample(
            mi.BSDFContext(), seen_from(viewer.expand(count, 3)), mi.Float(u[0]), mi.Point2f(u[1], u[2])
        )
        expected = dr.mean(drawn[0])[0]
        found = (of_ours([state], viewer.expand(len(light), 3), light)[:, 0] * solid).sum().item()
        assert found == pytest.approx(expected, rel=0.01) and found < 1.005


def test_nothing_is_reflected_from_below():
    viewer, light = pairs(50)
    for kind, values in MATERIALS:
        assert (of_ours([material(kind, values)], viewer, light * torch.tensor([1, 1, -1])) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "step"),
    [
        ("plastic", "roughness", 0.01),
        ("plastic", "reflectance", 0.01),
        ("principled", "roughness", 0.01),
        ("principled", "metallic", 0.01),
        ("principled", "specular", 0.01),
    ],
)
def test_derivatives_are_differences_of_mitsubas_values(kind, name, step):
    values = {"reflectance": 0.5, "roughness": 0.3} | (
        {"metallic": 0.4, "specular": 0.6} if kind == "principled" else {}
    )
    viewer, light = pairs(400)
    keep = (viewer[:, 2] > 0.2) & (light[:, 2] > 0.2)
    viewer, light = viewer[keep], light[keep]

    def state(value: Tensor) -> MaterialState:
        tensors = {**{k: torch.tensor([v]) for k, v in values.items()}, name: value.reshape(1)}
        return MaterialState(kind, tensors, {"ior": 1.5} if kind == "plastic" else {})

    at = torch.tensor(values[name])
    slope = torch.autograd.functional.jacobian(lambda v: of_ours([state(v)], viewer, light)[:, 0], at)
    higher, lower = (of_mitsuba(state(at + s * step), viewer, light)[:, 0] for s in (1, -1))
    expected = (higher - lower) / (2 * step)
    torch.testing.assert_close(slope, expected, rtol=0.03, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize("roughness", [0.05, 0.1, 0.25, 0.31, 0.6])
def test_the_base_has_the_right_derivative_by_roughness(roughness):
    """Of the light that comes back from below the coat; differences are taken far apart."""

    def base(alpha: Tensor) -> Tensor:
        tensors = {"reflectance": torch.tensor([0.9]), "roughness": alpha.reshape(1)}
        state = MaterialState("plastic", tensors, {"ior": 1.5})
        return material_of([state]).colour.reshape(())

    at, step = torch.tensor(roughness), 0.1 * roughness
    slope = torch.autograd.functional.jacobian(base, at).item()
    assert slope == pytest.approx((base(at + step) - base(at - step)).item() / (2 * step), rel=0.08)


def test_a_batch_is_its_materials_one_by_one():
    viewer, light = pairs(60)
    image = torch.arange(60) % 3
    for kind, values in MATERIALS[::3]:
        states = [
            material(kind, {name: value * (1 - 0.2 * i) for name, value in values.items()}, 1.5, 1 - 0.2 * i)
            for i in range(3)
        ]
        together = of_ours(states, viewer, light, image)
        for i, state in enumerate(states):
            alone = of_ours([state], viewer[image == i], light[image == i])
            torch.testing.assert_close(together[image == i], alone, rtol=1e-5, atol=1e-6)


def test_materials_of_another_kind_are_refused():
    with pytest.raises(UserError, match="the rasterizer has no 'velvet'.*render.type=path"):
        material_of([material("velvet", {})])
    for other in (material("diffuse", {}), material("plastic", {"roughness": 0.2}, 1.3)):
        with pytest.raises(ValueError, match="one kind of material"):
            material_of([material("plastic", {"roughness": 0.2}), other])


def test_interpolation_is_linear_between_values():
    values = torch.tensor([[0.0, 1.0, 4.0], [1.0, 1.0, -1.0]])
    at = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 1.5])
    torch.testing.assert_close(interpolate(values, at), torch.tensor([0.0, 0.5, 1.0, 2.5, 4.0, 4.0]))
    image = torch.tensor([1, 0, 1, 1, 0, 1])
    torch.testing.assert_close(interpolate(values, at, image), torch.tensor([1.0, 0.5, 1.0, 0.0, 4.0, -1.0]))


def test_polynomials():
    x = torch.linspace(-1, 1, 7)
    torch.testing.assert_close(polynomial([torch.tensor(2.0), torch.tensor(-3.0), x], x), 2 - 3 * x + x**3)
    torch.testing.assert_close(schlick(x), (1 - x).clamp_max(1) ** 5)
