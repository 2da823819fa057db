"""Tables over a cube: their nodes, their cells, and what is looked up between nodes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mitsuba_mei.render.raster.cubemap import cells, look_up, nodes


def random_directions(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=dtype), dim=1)


def smooth(directions: Tensor) -> Tensor:
    """A function of direction without any symmetry of the cube's."""
    return torch.exp(directions @ directions.new_tensor([0.5, -0.7, 0.4])) + directions[:, 0] * directions[:, 1]


def test_nodes_are_unit_vectors_that_reach_every_corner():
    found = nodes(4)
    assert found.shape == (6 * 5 * 5, 3)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found)))
    corner = 1 / math.sqrt(3)
    at_corners = ((found.abs() - corner).abs() < 1e-6).all(1)
    assert at_corners.sum() == 6 * 4 and len(found[at_corners].round(decimals=3).unique(dim=0)) == 8


def test_finer_directions_lie_evenly_about_their_nodes():
    found = nodes(8, 4).reshape(-1, 16, 3)
    mean = torch.nn.functional.normalize(found.mean(1), dim=1)
    torch.testing.assert_close(mean, nodes(8), rtol=0, atol=2e-3)
    apart = (found - nodes(8)[:, None]).norm(dim=-1)
    assert 0.05 < apart.amax(1).min() and apart.max() < 0.2


@pytest.mark.parametrize("finer", [1, 3])
def test_cells_tile_the_sphere(finer):
    directions, solid = cells(6, finer)
    assert directions.shape == (6 * 36, finer**2, 3) and solid.shape == (6 * 36, finer**2)
    assert solid.min() > 0 and solid.double().sum().item() == pytest.approx(4 * math.pi, rel=1e-6)
    weighted = (solid[..., None] * directions).reshape(-1, 3)
    torch.testing.assert_close(weighted.sum(0), torch.zeros(3), rtol=0, atol=1e-5)
    second = weighted.T @ directions.reshape(-1, 3)
    torch.testing.assert_close(second, 4 * math.pi / 3 * torch.eye(3), rtol=0, atol=0.03 / finer**2)


def test_a_blocks_cells_are_those_within_it():
    blocks, _ = cells(6)
    finer, solid = cells(6, 5)
    _, whole = cells(6)
    torch.testing.assert_close(solid.sum(1, keepdim=True), whole)
    middle = torch.nn.functional.normalize((solid[..., None] * finer).sum(1), dim=1)
    torch.testing.assert_close(middle, blocks[:, 0], rtol=0, atol=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nodes_are_looked_up_as_they_are(dtype):
    at = nodes(8).to(dtype)
    table = smooth(at)[None, None]
    torch.testing.assert_close(look_up(table, at.unbind(1))[0], table[0, 0], rtol=1e-4, atol=1e-5)


def test_errors_between_nodes_fall_with_the_square_of_their_distance():
    at = random_directions(5000)
    errors = [(look_up(smooth(nodes(n))[None, None], at.unbind(1))[0] - smooth(at)).abs().max() for n in (4, 8, 16)]
    assert errors[0] < 0.1 and errors[1] < 0.35 * errors[0] and errors[2] < 0.35 * errors[1]


def test_there_is_no_seam():
    generator = torch.Generator().manual_seed(0)
    table = smooth(nodes(4))[None, None]
    place = 2 * torch.rand(200, generator=generator) - 1
    for axis in range(3):  # either side of the edges where two coordinates are as large
        for sign in (-1.0, 1.0):
            edge = [torch.ones(200), torch.full((200,), sign), place]
            sides = [[edge[0] * (1 + h), edge[1], edge[2]] for h in (-1e-5, 1e-5)]
            low, high = (look_up(table, tuple(side[(k - axis) % 3] for k in range(3)))[0] for side in sides)
            torch.testing.assert_close(low, high, rtol=0, atol=1e-4)


def test_length_is_of_no_matter():
    table = smooth(nodes(4))[None, None]
    at = random_directions(100)
    torch.testing.assert_close(look_up(table, (7 * at).unbind(1)), look_up(table, at.unbind(1)))


def test_every_point_asks_the_table_of_its_image():
    at = random_directions(60)
    tables = torch.stack([torch.stack([scale * smooth(nodes(4)), nodes(4)[:, 0]]) for scale in (1.0, 2.0, -3.0)])
    image = torch.arange(60) % 3
    found = look_up(tables, at.unbind(1), image)
    assert found.shape == (2, 60)
    for i in range(3):
        alone = look_up(tables[i : i + 1], at[image == i].unbind(1))
        torch.testing.assert_close(found[:, image == i], alone, rtol=1e-5, atol=1e-6)
    wide = look_up(tables, at.reshape(12, 5, 3).unbind(-1), image.reshape(12, 5))
    torch.testing.assert_close(wide.reshape(2, 60), found)


def test_derivatives_by_tables_and_directions():
    table = smooth(nodes(3).double())[None, None].requires_grad_()
    at = random_directions(20, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, d: look_up(t, d.unbind(1)), (table, at), eps=1e-7, atol=1e-5)
