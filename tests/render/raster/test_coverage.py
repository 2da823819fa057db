"""Shares of pixels, images and their derivatives against closed forms and supersampling."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitsuba_mei.geometry.mesh import icosphere, torus
from mitsuba_mei.render.raster.coverage import Rasterizer
from mitsuba_mei.render.raster.projection import Screen, barycentrics, project
from mitsuba_mei.render.raster.zbuffer import at_centres

TAN_HALF_FOV = torch.tensor(0.32, dtype=torch.float64)
BACKGROUND = torch.tensor([0.5], dtype=torch.float64)
LIGHT = torch.tensor([0.4, 0.5, 0.77], dtype=torch.float64)
QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]])


def on_film(points, resolution: int, depth: float = 3.0) -> Tensor:
    """Vertices that are seen at pixels (column, row) from the top left."""
    points = torch.as_tensor(points, dtype=torch.float64)
    film = 2 * points / resolution - 1
    return torch.cat([film * TAN_HALF_FOV * depth * torch.tensor([1, -1]), torch.full((len(points), 1), -depth)], 1)


def rectangle(left, top, right, bottom) -> list:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def covered(vertices: Tensor, faces: Tensor, resolution: int, **options) -> Tensor:
    return Rasterizer(faces, resolution, **options)(vertices, TAN_HALF_FOV.to(vertices.dtype)).coverage()[0]


def supersampled(vertices: Tensor, faces: Tensor, resolution: int, samples: int, values: Tensor) -> Tensor:
    """The mean over ``samples``² points of each pixel of values (V,) of the vertices, before :data:`BACKGROUND`."""
    n = resolution * samples
    projected = project(vertices[None], TAN_HALF_FOV, n)
    corner = faces.T.contiguous()
    seen = at_centres(Screen.of(projected, corner, 1, n, 1e-3))
    hit = (seen >= 0).nonzero().squeeze(1)
    corner = corner[:, seen[hit]]
    weights = barycentrics(projected, corner, hit % n + 0.5 - 0.5 * n, hit // n + 0.5 - 0.5 * n)
    image = BACKGROUND.expand(n * n).clone()
    image[hit] = (values[corner] * weights).sum(0)
    return image.reshape(resolution, samples, resolution, samples).mean((1, 3))


def shaded(vertices: Tensor, faces: Tensor) -> Tensor:
    """A smooth shading (V,) of the vertices by their normals and places."""
    a, b, c = vertices[faces].unbind(1)
    normals = torch.linalg.cross(b - a, c - a).repeat_interleave(3, 0)
    normals = torch.zeros_like(vertices).index_add(0, faces.reshape(-1), normals)
    return 0.7 + 0.5 * torch.nn.functional.normalize(normals, dim=1) @ LIGHT + 0.2 * vertices[:, 0]


def image_of(rasterizer: Rasterizer, vertices: Tensor, values: Tensor) -> Tensor:
    points = rasterizer(vertices, TAN_HALF_FOV)
    return points.image_of(points.interpolate(values[:, None]), BACKGROUND)[0, ..., 0]


def turned(vertices: Tensor) -> Tensor:
    turn = torch.tensor([[0, 0.3, -0.5], [-0.3, 0, 1.0], [0.5, -1.0, 0]], dtype=torch.float64)
    return vertices.double() @ torch.linalg.matrix_exp(turn).T


def bumpy() -> tuple[Tensor, Tensor]:
    mesh = icosphere(4)
    generator = torch.Generator().manual_seed(1)
    centres = torch.nn.functional.normalize(torch.randn(12, 3, generator=generator), dim=1)
    heights = 0.35 * torch.randn(12, generator=generator)
    bumps = torch.exp(-(mesh.vertices[:, None] - centres).square().sum(-1) / (2 * 0.25**2)) @ heights
    return (mesh.vertices * (1 + bumps)[:, None]).double(), mesh.faces


def body(name: str) -> tuple[Tensor, Tensor]:
    """A mesh about the origin: vertices and faces."""
    if name == "bumpy":
        return bumpy()
    mesh = torus(0.35, 96, 32) if name == "torus" else icosphere(4)
    stretch = torch.tensor([1.2, 0.6, 0.9] if name == "ellipsoid" else [1.0, 1, 1])
    return turned(mesh.vertices * stretch), mesh.faces


PLACE = torch.tensor([0.03, -0.02, -5], dtype=torch.float64)


@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize(
    "box",
    [
        (2, 3, 6, 7),
        (2.5, 2.5, 5.5, 4.5),
        (2.3, 1.7, 6.1, 5.2),
        (3.2, 3.1, 3.4, 3.9),
        (3.55, 0.1, 3.6, 7.9),
        (-3, 2.2, 9, 4),
    ],
    ids=["whole pixels", "from centre to centre", "anywhere", "in a pixel", "a line", "across the film"],
)
def test_rectangles_cover_their_area(box, cells):
    left, top, right, bottom = box
    edges = torch.arange(9.0, dtype=torch.float64)
    across = (edges[1:].clamp(max=right) - edges[:-1].clamp(min=left)).clamp(min=0)
    down = (edges[1:].clamp(max=bottom) - edges[:-1].clamp(min=top)).clamp(min=0)
    found = covered(on_film(rectangle(*box), 8), QUAD, 8, cells=cells)
    torch.testing.assert_close(found, down[:, None] * across, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "triangle",
    [[[1, 1], [7, 1], [1, 7]], [[0.5, 0.5], [7.5, 2.5], [3.5, 6.5]], [[2.2, 2], [2.6, 2.1], [2.4, 9]]],
    ids=["right", "from centre to centre", "leaving the film"],
)
def test_triangles_cover_their_area(triangle):
    resolution, samples = 8, 200
    vertices, faces = on_film(triangle, resolution), torch.tensor([[0, 1, 2]])
    one = torch.ones(3, dtype=torch.float64)
    expected = 2 * (supersampled(vertices, faces, resolution, samples, one) - 0.5)
    torch.testing.assert_close(covered(vertices, faces, resolution), expected, rtol=0, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sphere", "ellipsoid", "torus", "bumpy"])
def test_coverage_is_that_of_supersampling(name, dtype):
    vertices, faces = body(name)
    vertices = vertices + PLACE
    found = covered(vertices.to(dtype), faces, 100).double()
    expected = 2 * (supersampled(vertices, faces, 100, 16, torch.ones(len(vertices), dtype=torch.float64)) - 0.5)
    assert -1e-5 < found.min() and found.max() < 1 + 1e-5
    partly = (expected > 0) & (expected < 1)
    assert partly.sum() > 150 and (found - expected)[partly].abs().mean() < 4e-3
    assert abs(found.sum() / expected.sum() - 1) < 2e-4


def test_a_sphere_covers_a_disc():
    mesh, depth = icosphere(5), 5.0
    vertices = mesh.vertices.double() - torch.tensor([0, 0, depth])
    radius = 1 / math.sqrt(depth**2 - 1) / TAN_HALF_FOV * 50
    # The mesh lies within its sphere.
    assert covered(vertices, mesh.faces, 100).sum() / (math.pi * radius**2) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_the_nearer_triangle_hides_the_farther():
    near, far = on_film([[1, 1], [7, 1], [1, 7]], 8, 2.0), on_film([[7, 7], [7, 1], [1, 7]], 8, 3.0)
    behind = on_film([[-20, -20], [40, -20], [-20, 40]], 8, 4.0)
    values = torch.tensor([1.0] * 3 + [2.0] * 3 + [3.0] * 3, dtype=torch.float64)
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        faces = torch.arange(9).reshape(3, 3)[order]
        vertices = torch.cat([near, far, behind])
        expected = supersampled(vertices, faces, 8, 100, values)
        torch.testing.assert_close(image_of(Rasterizer(faces, 8), vertices, values), expected, rtol=0, atol=1e-2)


def test_the_order_of_corners_is_of_no_matter():
    vertices, faces = body("bumpy")
    values = shaded(vertices, faces)
    expected = image_of(Rasterizer(faces, 60), vertices + PLACE, values)
    generator = torch.Generator().manual_seed(0)
    faces = torch.stack([face[torch.randperm(3, generator=generator)] for face in faces])
    torch.testing.assert_close(image_of(Rasterizer(faces, 60), vertices + PLACE, values), expected, rtol=0, atol=1e-9)


def test_a_batch_is_its_images_one_by_one():
    vertices, faces = body("torus")
    places = PLACE + torch.tensor([[0, 0, 0], [0.6, 0.3, 1], [-2.5, 0, 0], [0, 0, 4.8]])
    batch = vertices + places[:, None]
    fields = torch.tensor([0.32, 0.3, 0.4, 0.5], dtype=torch.float64)
    colours = torch.rand(4, len(vertices), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    backgrounds = torch.rand(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rasterizer = Rasterizer(faces, 40)
    points = rasterizer(batch, fields)
    together = points.image_of(points.interpolate(colours), backgrounds)
    for i in range(4):
        points = rasterizer(batch[i], fields[i])
        alone = points.image_of(points.interpolate(colours[i]), backgrounds[i])[0]
        torch.testing.assert_close(together[i], alone, rtol=0, atol=1e-12)
    shared = rasterizer(batch, fields).interpolate(colours[0])
    torch.testing.assert_close(shared, rasterizer(batch, fields).interpolate(colours[:1].expand(4, -1, -1)))


def test_a_plane_may_reach_behind_the_camera():
    vertices = torch.tensor([[-500.0, -1, 30], [500, -1, 30], [500, -1, -1000], [-500, -1, -1000]], dtype=torch.float64)
    vertices.requires_grad_()
    found = covered(vertices, QUAD, 20)
    # The ground to the horizon, which lies a thousand units away.
    horizon = 10 + 10 / (1000 * TAN_HALF_FOV)
    expected = (torch.arange(1.0, 21) - horizon).clamp(0, 1)
    torch.testing.assert_close(found, expected.double()[:, None].expand(-1, 20), rtol=0, atol=1e-6)
    found.sum().backward()
    assert vertices.grad.isfinite().all()


def test_coincident_surfaces_are_one():
    mesh = icosphere(2)
    vertices, count = mesh.vertices.double() + PLACE, len(mesh.vertices)
    expected = covered(vertices, mesh.faces, 40)
    twice = torch.cat([mesh.faces, mesh.faces.flip(1) + count])
    torch.testing.assert_close(covered(vertices.repeat(2, 1), twice, 40), expected, rtol=0, atol=1e-9)
    apart = mesh.faces.reshape(-1)
    loose = torch.arange(len(apart)).reshape(-1, 3)
    torch.testing.assert_close(covered(vertices[apart], loose, 40), expected, rtol=0, atol=1e-3)
    three = torch.cat([mesh.faces, mesh.faces, mesh.faces])
    torch.testing.assert_close(covered(vertices, three, 40), expected, rtol=0, atol=1e-9)


def test_nothing_to_see():
    vertices = icosphere(1).vertices.double() + torch.tensor([0, 0, 5])
    points = Rasterizer(icosphere(1).faces, 10)(vertices.requires_grad_(), TAN_HALF_FOV)
    assert len(points.face) == 0
    image = points.image_of(points.interpolate(vertices), BACKGROUND)
    assert (image == 0.5).all() and image.shape == (1, 10, 10, 3)
    image.sum().backward()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sphere", "ellipsoid", "torus", "bumpy"])
def test_derivatives_are_differences_of_supersampling(name):
    vertices, faces = body(name)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 1, 12, 12, generator=generator, dtype=torch.float64)
    weights = torch.nn.functional.interpolate(weights, size=(100, 100), mode="bicubic")[0, 0]

    def placed(motion: Tensor) -> Tensor:
        z = torch.zeros((), dtype=torch.float64)
        a, b, c = motion[4:]
        turn = torch.stack([torch.stack(row) for row in ([z, -c, b], [c, z, -a], [-b, a, z])])
        return (vertices * (1 + motion[3])) @ torch.linalg.matrix_exp(turn).T + motion[:3] + PLACE

    motion = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    rasterizer = Rasterizer(faces, 100)
    placed_vertices = placed(motion)
    (image_of(rasterizer, placed_vertices, shaded(placed_vertices, faces)) * weights).sum().backward()
    differences = torch.zeros(7, dtype=torch.float64)
    for k in range(7):
        step = torch.zeros(7, dtype=torch.float64)
        step[k] = 0.01
        for sign in (1, -1):
            at = placed(sign * step)
            image = supersampled(at, faces, 100, 8, shaded(at, faces))
            differences[k] += sign * (image * weights).sum() / 0.02
    assert (motion.grad - differences).norm() < 0.05 * differences.norm()


def test_single_vertices_move_outlines():
    vertices = on_film([[3.3, 2.1], [13.7, 4.4], [11.2, 13.8], [2.6, 9.9]], 16).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    weights = torch.nn.functional.interpolate(
        torch.randn(1, 1, 4, 4, generator=generator, dtype=torch.float64), size=(16, 16), mode="bicubic"
    )[0, 0]
    rasterizer = Rasterizer(QUAD, 16)

    def functional(at: Tensor) -> Tensor:
        return (rasterizer(at, TAN_HALF_FOV).coverage()[0] * weights).sum()

    functional(vertices).backward()
    for k in range(12):
        step = torch.zeros(12, dtype=torch.float64)
        step[k] = 1e-5
        step = step.reshape(4, 3)
        with torch.no_grad():
            difference = (functional(vertices + step) - functional(vertices - step)) / 2e-5
        assert vertices.grad.reshape(-1)[k] == pytest.approx(difference.item(), rel=1e-4, abs=1e-3)


def test_derivatives_by_values_background_and_field_of_view():
    mesh = icosphere(2)
    vertices = mesh.vertices.double() + PLACE
    values = torch.rand(len(vertices), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rasterizer = Rasterizer(mesh.faces, 20)

    def image(values, background):
        points = rasterizer(vertices, TAN_HALF_FOV)
        return points.image_of(points.interpolate(values), background).square().mean()

    background = torch.tensor([0.2, 0.4], dtype=torch.float64)
    assert torch.autograd.gradcheck(image, (values.requires_grad_(), background.requires_grad_()), fast_mode=True)
    field = TAN_HALF_FOV.clone().requires_grad_()
    rasterizer(vertices, field).coverage().sum().backward()
    with torch.no_grad():
        up, down = (rasterizer(vertices, TAN_HALF_FOV + h).coverage().sum() for h in (1e-6, -1e-6))
    assert field.grad.item() == pytest.approx(((up - down) / 2e-6).item(), rel=1e-4)


NUMBERS = st.floats(-3, 3, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(-6, 1, width=32)), min_size=3, max_size=12),
    st.lists(st.tuples(*[st.integers(0, 11)] * 3), min_size=1, max_size=16),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_any_triangles_make_finite_images_and_derivatives(corners, faces, dtype):
    vertices = torch.tensor(corners, dtype=dtype, requires_grad=True)
    faces = torch.tensor(faces) % len(corners)
    values = vertices.detach().clone().requires_grad_()
    points = Rasterizer(faces, 9)(vertices, TAN_HALF_FOV.to(dtype))
    assert points.barycentrics.min() >= 0 if len(points.face) else True
    image = points.image_of(points.interpolate(values), BACKGROUND.to(dtype))
    assert image.isfinite().all()
    image.square().sum().backward()
    assert vertices.grad is None or vertices.grad.isfinite().all()
    assert values.grad is None or values.grad.isfinite().all()
