"""Derivatives by the motion of silhouettes and of shadows, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from mitsuba_mei.geometry.mesh import cube, icosphere
from mitsuba_mei.render.path.renderer import GradientBudget, PathRenderer
from mitsuba_mei.scene.state import LightState

SIZE = 32
TAN = 0.32
BRIGHT = torch.ones(1)


def film() -> tuple[torch.Tensor, torch.Tensor]:
    """x and y of the pixels' centres, -1 to 1, (H, W)."""
    place = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(-place, place, indexing="ij")
    return x, y


def mean_gradient(
    renderer, state_of, parameters: torch.Tensor, weight: torch.Tensor, seeds: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard error of the derivative of ``sum(weight * image)`` by ``parameters``."""
    gradients = []
    for seed in range(seeds):
        p = parameters.clone().requires_grad_()
        image = renderer.render(state_of(p), seed)[..., 0]
        gradients.append(torch.autograd.grad((weight * image).sum(), p)[0])
    stacked = torch.stack(gradients)
    return stacked.mean(0), stacked.std(0) / math.sqrt(seeds)


def test_a_dark_spheres_silhouette_moves_with_its_place_and_size(make_state):
    mesh = icosphere(4)

    def state_of(p):  # x, z, radius
        place = torch.stack([p[0], torch.zeros(()), p[1]])
        return make_state(p[2] * mesh.vertices + place, mesh.faces, background=BRIGHT)

    def light(p):
        # The perspective image of a sphere is an ellipse of this area (Quilez, "Sphere projection").
        x, z, radius = p
        area = math.pi * radius**2 * torch.sqrt(x**2 + z**2 - radius**2) / (z**2 - radius**2) ** 1.5
        return SIZE**2 * (1 - area / (2 * TAN) ** 2)

    start = torch.tensor([0.35, -4.0, 0.7])
    p = start.clone().requires_grad_()
    (expected,) = torch.autograd.grad(light(p), p)
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 4, 0))
    mean, error = mean_gradient(renderer, state_of, start, torch.ones(SIZE, SIZE), 16)
    torch.testing.assert_close(mean, expected, rtol=0.01, atol=3 * error.max().item())
    assert renderer.render(state_of(start), 0, 256).sum().item() == pytest.approx(light(start).item(), rel=2e-3)


def test_a_dark_spheres_motion_across_the_image(make_state):
    mesh = icosphere(4)
    start = torch.zeros(2)

    def state_of(p):
        return make_state(mesh.vertices + torch.stack([p[0], p[1], torch.tensor(-4.0)]), mesh.faces, background=BRIGHT)

    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 4, 0))
    x, y = film()
    mean, _ = mean_gradient(renderer, state_of, start, 2 * x - y, 16)
    # To first order in (x, y), a sphere at distance z shows as an ellipse of area pi / (z^2 - 1) about
    # (x, y) z / (z^2 - 1).
    by_place = -math.pi / 15 / (2 * TAN) ** 2 * SIZE**2 * 4 / 15 / TAN
    torch.testing.assert_close(mean, by_place * torch.tensor([2.0, -1.0]), rtol=0.02, atol=0.0)


def test_a_silhouette_counts_as_far_as_the_frame_reaches(make_state):
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])

    def state_of(p):  # a dark half plane to the right of x = p, at z = -1
        corners = torch.tensor([[0.0, -9, -1], [9, -9, -1], [9, 9, -1], [0, 9, -1]])
        left = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])
        return make_state(corners + p * left, faces, background=BRIGHT)

    start = torch.tensor([0.1])
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 4, 0))
    mean, error = mean_gradient(renderer, state_of, start, torch.ones(SIZE, SIZE), 16)
    expected = SIZE**2 / (2 * TAN)
    assert mean.item() == pytest.approx(expected, abs=4 * error.item() + 0.01 * expected)


# A wall that fills the image at z = -4, and a ball outside of it whose shadow falls on the middle of the wall.
BALL, RADIUS = torch.tensor([1.5, 0.2, -2.0]), 0.3
SUNWARD = torch.tensor([-1.5, -0.2, -2.0])
TRAVEL = SUNWARD / SUNWARD.norm()


def wall_and_ball(ball: torch.Tensor, wall: torch.Tensor | None = None, body=None) -> tuple[torch.Tensor, torch.Tensor]:
    body = icosphere(4) if body is None else body
    corners = torch.tensor([[-5.0, -5, -4], [5, -5, -4], [5, 5, -4], [-5, 5, -4]])
    corners = corners if wall is None else corners + wall
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    return torch.cat([corners, RADIUS * body.vertices + ball]), torch.cat([faces, body.faces + 4])


def parallel(direction: torch.Tensor = TRAVEL) -> tuple[LightState, ...]:
    return (LightState("directional", {"direction": direction, "irradiance": torch.tensor([3.0])}),)


SHADE = 0.7 / math.pi * 3 * -TRAVEL[2].item()
"""Radiance of the lit wall."""

AREA = math.pi * RADIUS**2 / -TRAVEL[2].item() / 16 / (2 * TAN) ** 2 * SIZE**2
"""The shadow's area, pixels."""


@pytest.mark.slow
def test_a_shadow_moves_with_what_casts_it(make_state):
    def state_of(p):
        return make_state(*wall_and_ball(BALL + p), lights=parallel())

    start = torch.zeros(3)
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 0, 4))
    x, y = film()
    image = renderer.render(state_of(start), 0, 256)[..., 0]
    assert (SHADE - image).sum().item() == pytest.approx(AREA * SHADE, rel=0.01)
    mean, error = mean_gradient(renderer, state_of, start, x, 16)
    # A ball moved by (dx, dy, dz) moves its shadow by (dx, dy) - dz (direction's slope), and film by a fourth over tan.
    by_x = -SHADE * AREA / (4 * TAN)
    expected = torch.tensor([by_x, 0.0, -by_x * (TRAVEL[0] / TRAVEL[2]).item()])
    torch.testing.assert_close(mean, expected, rtol=0.02, atol=4 * error.max().item())
    # In the sum over all pixels a shadow's motion is not seen.
    total, error = mean_gradient(renderer, state_of, start, torch.ones(SIZE, SIZE), 16)
    assert (total.abs() < 4 * error + 0.01 * abs(by_x)).all()


def test_along_the_light_nothing_changes(make_state):
    def state_of(p):
        return make_state(*wall_and_ball(BALL + p * TRAVEL), lights=parallel())

    renderer = PathRenderer(state_of(torch.zeros(1)), SIZE, 16, 2, GradientBudget(0, 0, 4))
    x, _ = film()
    for seed in range(3):
        p = torch.zeros(1, requires_grad=True)
        (renderer.render(state_of(p), seed)[..., 0] * x).sum().backward()
        assert abs(p.grad.item()) < 1e-3 * AREA


def test_a_shadow_grows_with_what_casts_it(make_state):
    vertices, faces = wall_and_ball(torch.zeros(3))

    def state_of(p):
        ball = p * vertices[4:] + BALL
        return make_state(torch.cat([vertices[:4], ball]), faces, lights=parallel())

    renderer = PathRenderer(state_of(torch.ones(1)), SIZE, 16, 2, GradientBudget(0, 0, 4))
    mean, error = mean_gradient(renderer, state_of, torch.ones(1), torch.ones(SIZE, SIZE), 16)
    assert mean.item() == pytest.approx(-2 * SHADE * AREA, abs=0.01 * AREA * SHADE + 4 * error.item())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["directional", "sun"])
def test_a_shadow_that_moves_along_with_its_wall_keeps_its_light(kind, make_state):
    kappa = 400.0

    def sun(d):
        return (kappa / (2 * math.pi) * 3 * torch.exp(kappa * (d @ -TRAVEL - 1)))[:, None]

    light = {"lights": parallel()} if kind == "directional" else {"environment": sun, "detail": 256}

    def state_of(p):
        step = torch.stack([p[0], p[1], torch.zeros(())])
        return make_state(*wall_and_ball(BALL + step, step), **light)

    def ball_only(p):
        return make_state(*wall_and_ball(BALL + torch.stack([p[0], p[1], torch.zeros(())])), **light)

    start = torch.zeros(2)
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 0, 4))
    x, _ = film()
    together, error = mean_gradient(renderer, state_of, start, x, 16)
    alone, _ = mean_gradient(renderer, ball_only, start, x, 16)
    # The wall moves in its own plane, which changes nothing: the ball alone counts.
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3 * alone.abs().max().item())
    by_x = -SHADE * AREA / (4 * TAN)
    assert alone[0].item() == pytest.approx(by_x, abs=0.05 * abs(by_x) + 4 * error[0].item())


def test_a_shadow_moves_with_the_light(make_state):
    vertices, faces = wall_and_ball(BALL)

    def state_of(p):
        direction = torch.nn.functional.normalize(TRAVEL + torch.stack([p[0], p[1], torch.zeros(())]), dim=0)
        return make_state(vertices, faces, lights=parallel(direction))

    renderer = PathRenderer(state_of(torch.zeros(2)), SIZE, 16, 2, GradientBudget(0, 0, 4))
    x, y = film()
    mean, error = mean_gradient(renderer, state_of, torch.zeros(2), x + 0.5 * y, 16)
    # Two units behind the ball, the shadow moves by twice the change of the direction's slope.
    by_slope = -SHADE * AREA / (4 * TAN) * 2 / -TRAVEL[2].item()
    torch.testing.assert_close(mean, by_slope * torch.tensor([1, 0.5]), rtol=0.02, atol=4 * error.max().item())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["point", "area", "sun"])
def test_shadows_from_near_and_wide_lights_agree_with_finite_differences(kind, make_state):
    def state_of(p):  # the ball's x and z, the light's x, and the wall's distance
        moved = p[:2]
        ball = BALL + torch.stack([moved[0], torch.zeros(()), moved[1]])
        mesh = wall_and_ball(ball, torch.stack([torch.zeros(()), torch.zeros(()), p[3]]))
        place = BALL - 2 * TRAVEL + torch.stack([p[2], torch.zeros(()), torch.zeros(())])
        if kind == "point":
            lights = (LightState("point", {"position": place, "intensity": torch.tensor([30.0])}),)
            return make_state(*mesh, lights=lights)
        if kind == "area":
            across = torch.linalg.cross(torch.tensor([0.0, 1, 0]), TRAVEL)
            values = {"centre": place, "across": 0.6 * across, "up": 0.6 * torch.linalg.cross(TRAVEL, across)}
            return make_state(*mesh, lights=(LightState("area", {**values, "radiance": torch.tensor([80.0])}),))
        towards = torch.nn.functional.normalize(torch.stack([p[2], torch.zeros(()), torch.zeros(())]) - TRAVEL, dim=0)
        return make_state(*mesh, environment=lambda d: (100 * torch.exp(200 * (d @ towards - 1)))[:, None], detail=256)

    start = torch.zeros(4)
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(16, 0, 4))
    x, y = film()
    weight = (x + 0.5 * y) * torch.exp(-(x**2 + y**2))
    mean, error = mean_gradient(renderer, state_of, start, weight, 24)
    h = 0.03
    for k in range(4):
        step = h * torch.eye(4)[k]
        images = [renderer.render(state_of(start + s * step), 1000, 2048)[..., 0] for s in (1, -1)]
        expected = ((images[0] - images[1]) * weight).sum().item() / (2 * h)
        assert mean[k].item() == pytest.approx(expected, rel=0.05, abs=4 * error[k].item() + 0.05), k


def test_a_cube_lit_along_its_axis_casts_a_shadow_that_moves(make_state):
    body = cube(1)
    side = 2 / math.sqrt(3) * RADIUS

    def state_of(p):  # beside the frame, its shadow within
        vertices, faces = wall_and_ball(torch.stack([0.75 + p[0], torch.zeros(()), torch.tensor(-1.5)]), body=body)
        return make_state(vertices, faces, lights=parallel(torch.tensor([0.0, 0.0, -1.0])))

    start = torch.zeros(1)
    renderer = PathRenderer(state_of(start), SIZE, 16, 2, GradientBudget(0, 0, 4))
    x, _ = film()
    mean, error = mean_gradient(renderer, state_of, start, x, 16)
    expected = -0.7 / math.pi * 3 * side**2 / 16 / (2 * TAN) ** 2 * SIZE**2 / (4 * TAN)
    assert mean.item() == pytest.approx(expected, abs=4 * error.item() + 0.01 * abs(expected))
