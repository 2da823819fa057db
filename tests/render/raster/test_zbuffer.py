"""Hidden surfaces against rays and triangles intersected one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.render.raster import zbuffer as visibility
from mitsuba_mei.render.raster.projection import Screen, barycentrics, project
from mitsuba_mei.render.raster.zbuffer import at_centres, at_points

TAN_HALF_FOV = torch.tensor(0.32, dtype=torch.float64)
NEAR = 1e-3


def screen_of(vertices: Tensor, faces: Tensor, resolution: int) -> tuple[Screen, Tensor, Tensor]:
    """The screen of a batch of vertices, the projected vertices, and the corners of all faces."""
    vertices = vertices.reshape(-1, *vertices.shape[-2:])
    projected = project(vertices, TAN_HALF_FOV.to(vertices.dtype), resolution)
    corner = (faces.T[:, None] + torch.arange(len(vertices))[:, None] * vertices.shape[1]).reshape(3, -1)
    return Screen.of(projected, corner, len(vertices), resolution, NEAR), projected, corner


def cast(vertices: Tensor, faces: Tensor, resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """Every pixel's ray against every face (Moeller & Trumbore 1997): face or -1, barycentrics, the lead in depth."""
    n = resolution
    film = (2 * torch.arange(n, dtype=vertices.dtype) + 1) / n - 1
    y, x = torch.meshgrid(-film, film, indexing="ij")
    d = torch.stack([x * TAN_HALF_FOV, y * TAN_HALF_FOV, -torch.ones_like(x)], -1).reshape(-1, 1, 3)
    a, b, c = vertices[faces].unbind(1)
    p = torch.linalg.cross(d, (c - a).expand(len(d), -1, -1))
    scale = (p * (b - a)).sum(-1)
    u = -(p * a).sum(-1) / scale
    q = torch.linalg.cross(-a, b - a)
    v = (d * q).sum(-1) / scale
    depth = (q * (c - a)).sum(-1) / scale
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > NEAR)
    depth = torch.where(hit, depth, torch.inf)
    nearest, face = depth.topk(min(2, len(faces)), dim=1, largest=False)
    rows = torch.arange(len(d))
    first = face[:, 0]
    weights = torch.stack([1 - u - v, u, v], -1)[rows, first]
    lead = nearest[:, -1] - nearest[:, 0] if len(faces) > 1 else torch.ones(len(d))
    return torch.where(nearest[:, 0] < torch.inf, first, -1), weights, lead


def soup(seed: int, count: int = 40, depth: float = 4.0, spread: float = 2.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vertices = spread * torch.randn(3 * count, 3, generator=generator, dtype=torch.float64)
    return vertices - torch.tensor([0, 0, depth]), torch.arange(3 * count).reshape(-1, 3)


@pytest.mark.parametrize("depth", [4.0, 1.0, 0.0])  # before, and about, the camera
@pytest.mark.parametrize("seed", [0, 1])
def test_what_rays_meet_is_seen(seed, depth):
    vertices, faces = soup(seed, depth=depth)
    screen, projected, corner = screen_of(vertices, faces, 24)
    seen = at_centres(screen)
    face, weights, lead = cast(vertices, faces, 24)
    assert (face >= 0).sum() > 100
    clear = ~(lead < 1e-9)
    assert torch.equal(seen[clear], face[clear])
    hit = (clear & (face >= 0)).nonzero().squeeze(1)
    x, y = (hit % 24) + 0.5 - 12.0, (hit // 24) + 0.5 - 12.0
    found = barycentrics(projected, corner[:, seen[hit]], x.double(), y.double())
    torch.testing.assert_close(found.T, weights[hit], rtol=0, atol=1e-8)
    image = torch.zeros(len(hit), dtype=torch.int64)
    assert torch.equal(at_points(screen, image, x.double(), y.double()), seen[hit])


def test_chunks_change_nothing(monkeypatch):
    vertices, faces = soup(3)
    screen, _, _ = screen_of(vertices, faces, 24)
    generator = torch.Generator().manual_seed(0)
    x, y = 24 * torch.rand(2, 300, generator=generator, dtype=torch.float64) - 12
    image = torch.zeros(300, dtype=torch.int64)
    whole = at_centres(screen), at_points(screen, image, x, y)
    monkeypatch.setattr(visibility, "MAX_FRAGMENTS", 50)
    assert torch.equal(at_centres(screen), whole[0]) and torch.equal(at_points(screen, image, x, y), whole[1])


def test_a_closed_mesh_has_no_gaps():
    mesh = icosphere(5)
    screen, _, _ = screen_of(mesh.vertices - torch.tensor([0.0, 0, 2]), mesh.faces, 200)
    assert (at_centres(screen) >= 0).all()


def test_of_coincident_faces_the_first_is_seen():
    vertices = torch.tensor([[-1.0, -1, -3], [1, -1, -3], [0, 1, -3]])
    screen, _, _ = screen_of(vertices, torch.tensor([[0, 1, 2]] * 3), 16)
    seen = at_centres(screen)
    assert set(seen.tolist()) == {-1, 0}


@pytest.mark.parametrize(
    "corners",
    [
        [[0.0, 0, -3], [0, 0, -3], [0, 0, -3]],
        [[-1.0, 0, -3], [0, 0, -3], [1, 0, -3]],
        [[0.0, 0, -3], [0, 0, -2], [1, 0, -2]],  # edge-on
        [[-1.0, -1, 3], [1, -1, 3], [0, 1, 3]],
        [[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]],
        [[float("nan"), -1, -3], [1, -1, -3], [0, 1, -3]],
    ],
    ids=["point", "line", "edge-on", "behind", "in the camera's plane", "not a number"],
)
def test_what_has_no_area_before_the_camera_is_not_seen(corners):
    screen, _, _ = screen_of(torch.tensor(corners), torch.tensor([[0, 1, 2]]), 16)
    assert (at_centres(screen) == -1).all()
    assert not screen.facing.any()
