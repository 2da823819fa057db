"""RBF deformation: control points, kernels, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import cube, icosphere
from mitsuba_mei.scene.deformation import KERNELS, RBFDeformation, farthest_points

SPHERE = icosphere(2)


def deformation(**arguments) -> RBFDeformation:
    options = {"control_points": 20, "kernel": "gaussian", "scale": 0.4, "free": ("offsets", "scales")}
    return RBFDeformation(SPHERE.vertices, **{**options, **arguments})


def test_control_points_are_distinct_spread_and_repeatable():
    indices = farthest_points(SPHERE.vertices, 40)
    assert len(set(indices.tolist())) == 40
    assert torch.equal(indices, farthest_points(SPHERE.vertices, 40))
    points = SPHERE.vertices[indices]
    nearest = (torch.cdist(points, points) + 10 * torch.eye(40)).min(dim=1).values
    coverage = torch.cdist(SPHERE.vertices, points).min(dim=1).values.max()
    assert nearest.min() >= coverage - 1e-6  # the defining property of farthest-point sampling
    assert nearest.min() > 0.5 * math.sqrt(4 * math.pi / 40)


def test_every_vertex_can_be_a_control_point():
    count = len(SPHERE.vertices)
    assert sorted(farthest_points(SPHERE.vertices, count).tolist()) == list(range(count))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("normalize", [False, True])
def test_starts_at_the_template(kernel, normalize):
    module = deformation(kernel=kernel, normalize=normalize)
    assert torch.equal(module(), SPHERE.vertices)
    torch.testing.assert_close(module.get("scales"), torch.full((20,), 0.4))


def test_kernels_have_their_closed_forms():
    q = torch.tensor([0.0, 0.5, 1.0, 2.0, 2.999, 3.001, 3.999, 4.001, 10.0], dtype=torch.float64)
    torch.testing.assert_close(KERNELS["gaussian"](q**2)[0], torch.exp(-(q**2) / 2))
    rho = q / 4
    torch.testing.assert_close(KERNELS["wendland_c2"](q**2)[0], (1 - rho).clamp_min(0) ** 4 * (4 * rho + 1))
    t = (q / 3).clamp(1e-4, 1)
    torch.testing.assert_close(KERNELS["thin_plate"](q**2)[0], 1 - t**2 + t**2 * torch.log(t**2))


@pytest.mark.parametrize("kernel", KERNELS)
@given(ratio2=st.floats(1e-3, 30))
@settings(max_examples=50, deadline=None)
def test_kernels_fall_from_one_with_the_slope_they_state(kernel, ratio2):
    x = torch.tensor(ratio2, dtype=torch.float64)
    value, slope = KERNELS[kernel](x)
    step = 1e-6 * ratio2
    difference = (KERNELS[kernel](x + step)[0] - KERNELS[kernel](x - step)[0]) / (2 * step)
    assert slope == pytest.approx(float(difference), abs=1e-6)
    assert 0 <= value < 1 and slope <= 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_one_and_flat_or_finite_at_the_control_point(kernel):
    value, slope = KERNELS[kernel](torch.zeros(1))
    assert value == pytest.approx(1, abs=1e-6)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("kernel, reach", [("wendland_c2", 4), ("thin_plate", 3)])
def test_compact_kernels_move_nothing_beyond_their_reach(kernel, reach):
    module = deformation(kernel=kernel, scale=0.2)
    with torch.no_grad():
        module.offsets[3] = torch.tensor([0.1, 0.2, 0.3])
    center = SPHERE.vertices[module.control_indices[3]]
    moved = (module() - SPHERE.vertices).norm(dim=1)
    distance = (SPHERE.vertices - center).norm(dim=1)
    assert (moved[distance > 0.2 * reach] == 0).all()
    assert (moved[distance < 0.2] > 0).all()


def test_displacement_is_the_stated_sum():
    module = deformation()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        module.offsets.copy_(torch.randn(20, 3, generator=generator))
        module.scales.copy_(torch.randn(20, generator=generator) * 0.1 - 1)
    centers, scales = SPHERE.vertices[module.control_indices], torch.exp(module.scales)
    expected = SPHERE.vertices.clone()
    for center, offset, scale in zip(centers, module.offsets, scales):
        distance2 = (SPHERE.vertices - center).square().sum(dim=1)
        expected += torch.exp(-distance2 / (2 * scale**2))[:, None] * offset
    torch.testing.assert_close(module(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_partition_of_unity(kernel):
    module = deformation(kernel=kernel, normalize=True)
    with torch.no_grad():
        module.offsets.copy_(torch.tensor([0.3, -0.1, 0.2]).expand(20, 3))
    torch.testing.assert_close(module() - SPHERE.vertices, torch.tensor([[0.3, -0.1, 0.2]]).expand_as(SPHERE.vertices))


def test_normalised_vertices_out_of_reach_stay():
    module = deformation(kernel="wendland_c2", normalize=True, control_points=1, scale=0.1)
    with torch.no_grad():
        module.offsets.fill_(1.0)
    vertices = module()
    assert torch.isfinite(vertices).all()
    assert (vertices == SPHERE.vertices).all(dim=1).sum() > 100


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("normalize", [False, True])
def test_gradients_agree_with_finite_differences(kernel, normalize):
    module = deformation(kernel=kernel, normalize=normalize, control_points=6).double()
    generator = torch.Generator().manual_seed(2)
    target = torch.randn(len(SPHERE.vertices), 3, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        module.offsets.copy_(0.1 * torch.randn(6, 3, generator=generator, dtype=torch.float64))
    (module() * target).sum().backward()
    for parameter in (module.offsets, module.scales):
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for index in range(len(flat)):
            values = []
            for step in (1e-5, -1e-5):
                flat[index] += step
                values.append((module() * target).sum().item())
                flat[index] -= step
            assert float(gradient[index]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-7)


def test_frozen_parameters_ask_for_no_gradient():
    module = deformation(free=("offsets",))
    assert module.offsets.requires_grad and not module.scales.requires_grad
    assert torch.equal(module.scales, torch.full((20,), 0.4))
    assert not deformation(free=())().requires_grad


def test_initialize_is_smooth_reproducible_and_of_the_asked_size():
    module = deformation()
    module.initialize(0.03, torch.Generator().manual_seed(5))
    displacement = (module() - SPHERE.vertices).detach()
    assert float(displacement.square().mean().sqrt()) == pytest.approx(0.03, rel=1e-4)
    neighbours = displacement[SPHERE.edges]
    assert float((neighbours[:, 0] - neighbours[:, 1]).square().mean().sqrt()) < 0.7 * 0.03  # sqrt(2) * 0.03 for noise
    again = deformation(generator=torch.Generator().manual_seed(5))
    again.initialize(0.0, torch.Generator().manual_seed(6))
    first = deformation(generator=torch.Generator().manual_seed(5))
    assert torch.equal(again.offsets, first.offsets)
    torch.testing.assert_close(first.offsets * 1.5, module.offsets)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"control_points": 163}, ("163", "162 vertices")),
        ({"control_points": 0}, ("must be at least 1, not 0",)),
        ({"kernel": "gausian"}, ("did you mean 'gaussian'",)),
        ({"scale": 0.0}, ("scale",)),
        ({"scale": math.nan}, ("scale",)),
        ({"free": ("offset",)}, ("did you mean 'offsets'",)),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(UserError) as caught:
        deformation(**arguments)
    assert all(word in str(caught.value) for word in words)


def test_works_on_a_template_with_edges():
    mesh = cube(2)
    module = RBFDeformation(mesh.vertices, 30, "gaussian", 0.3, True, ["offsets"], torch.Generator().manual_seed(0))
    assert torch.isfinite(module()).all()
