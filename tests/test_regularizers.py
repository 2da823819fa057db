"""The regularizers' invariances, resolution, barriers and gradients."""

from __future__ import annotations

import math

import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import TriangleMesh, capsule, cube, icosphere, torus
from mitsuba_mei.geometry.quality import assess
from mitsuba_mei.regularizers import REGULARIZERS, Regularizers, barrier, best_rotation

ALL = dict.fromkeys(REGULARIZERS, 1.0)
SPHERE = icosphere(3)


def rotation(seed: int) -> torch.Tensor:
    matrix, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return matrix * torch.det(matrix).sign()


def bend(x: torch.Tensor) -> torch.Tensor:
    """A large, smooth deformation."""
    radial = 1 + 0.2 * torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:2])
    return x * radial + 0.2 * torch.stack([x[:, 1] ** 2, x[:, 2] * x[:, 0], -(x[:, 0] ** 2)], dim=1)


def noise(mesh: TriangleMesh, size: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return mesh.vertices + size * torch.randn(mesh.vertices.shape, generator=generator)


@pytest.mark.parametrize("mesh", [icosphere(3), cube(3), torus(segments=48, tube_segments=16), capsule(2.0, 24)])
def test_zero_at_the_template_and_positive_off_it(mesh):
    energies = Regularizers(mesh, ALL)
    for value in energies(mesh.vertices).values():
        assert abs(value.item()) < 1e-5
    for value in energies(noise(mesh, 0.01)).values():
        assert value.item() > 1e-4


def test_rigid_motion_and_size():
    energies = Regularizers(SPHERE, ALL)
    moved = energies(SPHERE.vertices @ rotation(1).float().T + torch.tensor([0.3, -1.0, 2.0]))
    for name in ("area", "edge_length", "rigidity"):
        assert abs(moved[name].item()) < 1e-5
    shifted = energies(SPHERE.vertices + 3)
    assert abs(shifted["smoothness"].item()) < 1e-5
    larger = energies(2 * SPHERE.vertices)
    assert abs(larger["area"].item()) < 1e-5 and abs(larger["edge_length"].item()) < 1e-5
    assert larger["rigidity"].item() == pytest.approx(2.0, rel=1e-3)  # |2 I - I|^2 on a surface: 1 + 1


def test_not_dependent_on_the_size_of_template_and_deformation_together():
    large = TriangleMesh(10 * SPHERE.vertices, SPHERE.faces)
    small = Regularizers(SPHERE, ALL)(bend(SPHERE.vertices))
    for name, value in Regularizers(large, ALL)(10 * bend(SPHERE.vertices)).items():
        assert value.item() == pytest.approx(small[name].item(), rel=1e-3)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_same_deformation_weighs_the_same_on_any_resolution(name):
    values = []
    for subdivisions in (3, 4, 5):
        mesh = icosphere(subdivisions)
        values.append(Regularizers(mesh, {name: 1.0})(bend(mesh.vertices))[name].item())
    assert min(values) > 1e-3
    assert max(values) / min(values) < 1.1


def test_smoothness_has_the_eigenvalues_of_the_sphere():
    # On the unit sphere the Laplacian of a spherical harmonic of degree l is -l (l + 1) times it.
    mesh = icosphere(5)
    x, y, z = mesh.vertices.unbind(dim=1)
    energy = Regularizers(mesh, {"smoothness": 1.0})
    for degree, harmonic in [(1, z), (2, x * y), (3, x * y * z), (4, x * y * (7 * z**2 - 1))]:
        vertices = mesh.vertices.clone()
        vertices[:, 2] += harmonic
        mean_square = (mesh.vertex_areas * harmonic**2).sum() / mesh.vertex_areas.sum()
        expected = 0.01 * (degree * (degree + 1)) ** 2 * mean_square.item()
        assert energy(vertices)["smoothness"].item() == pytest.approx(expected, rel=0.02)


def test_smoothness_bears_on_speckle_not_on_large_deformation():
    mesh = icosphere(4)
    energy = Regularizers(mesh, {"smoothness": 1.0})
    speckle = energy(noise(mesh, 0.01))["smoothness"].item()
    large = energy(bend(mesh.vertices))["smoothness"].item()
    displacement = (bend(mesh.vertices) - mesh.vertices).square().mean().sqrt().item()
    assert displacement > 0.08 and speckle > 20 * large


def test_smoothness_of_a_linear_displacement_of_an_open_sheet_is_zero():
    grid = torch.linspace(-1, 1, 9)
    x, y = torch.meshgrid(grid, grid, indexing="ij")
    index = torch.arange(81).view(9, 9)
    a, b, c, d = (corner.reshape(-1) for corner in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    faces = torch.cat([torch.stack([a, b, c], dim=1), torch.stack([a, c, d], dim=1)])
    mesh = TriangleMesh(torch.stack([x.reshape(-1), y.reshape(-1), torch.zeros(81)], dim=1), faces)
    sheared = mesh.vertices @ torch.tensor([[1.3, 0.2, 0.0], [0.4, 0.9, 0.1], [0.0, 0.0, 1.0]])
    values = Regularizers(mesh, ALL)(sheared)
    assert values["smoothness"].item() == pytest.approx(0, abs=1e-8)
    assert values["area"].item() == pytest.approx(0, abs=1e-5)
    # A constant deformation gradient: the mean squared distance to its closest rotation, whatever the mesh.
    singular = torch.linalg.svdvals(torch.tensor([[1.3, 0.2, 0.0], [0.4, 0.9, 0.1]], dtype=torch.float64))
    assert values["rigidity"].item() == pytest.approx(((singular - 1) ** 2).sum().item(), rel=1e-3)


def test_barrier():
    ratios = torch.tensor([1.0, 2.0, 0.5, 0.1], dtype=torch.float64)
    torch.testing.assert_close(barrier(ratios), (ratios + 1 / ratios) / 2 - 1)
    below = torch.tensor([0.1 - 1e-9, 0.0, -1.0, -5.0], dtype=torch.float64, requires_grad=True)
    values = barrier(below)
    (slopes,) = torch.autograd.grad(values.sum(), below)
    torch.testing.assert_close(slopes, torch.full((4,), (1 - 100) / 2, dtype=torch.float64))
    assert values[0].item() == pytest.approx(barrier(torch.tensor(0.1)).item(), rel=1e-5)


def test_area_counts_a_folded_face_though_its_shape_is_whole():
    # Two faces of a strip folded flat onto each other: no length and no area has changed.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0], [1, 2, 0]])
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 3, 5]])
    mesh = TriangleMesh(vertices, faces)
    folded = vertices.clone()
    folded[4:, 1] = 0.0
    values = Regularizers(mesh, ALL)(folded)
    assert values["edge_length"].item() == pytest.approx(0, abs=1e-5)
    assert values["area"].item() > 1


def test_repels_flips():
    # Adam pulls a patch of vertices sideways through their neighbours; with the area term no face flips.
    mesh = icosphere(3)
    pulled = mesh.vertices[:, 2] > 0.9
    flips = {}
    for weight in (0.0, 0.1):
        energies = Regularizers(mesh, {"area": weight})
        offset = torch.zeros_like(mesh.vertices, requires_grad=True)
        optimizer = torch.optim.Adam([offset], lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            vertices = mesh.vertices + offset
            loss = -0.2 * vertices[pulled, 0].mean() + energies.total(energies(vertices))
            loss.backward()
            optimizer.step()
        flips[weight] = assess((mesh.vertices + offset).detach(), mesh.faces).flipped_faces
        assert offset[pulled, 0].mean().item() > 0.02
    assert flips[0.0] > 5 and flips[0.1] == 0


@pytest.mark.parametrize("name", REGULARIZERS)
def test_gradients_agree_with_finite_differences(name):
    mesh = icosphere(1)
    energy = Regularizers(mesh, {name: 1.0}).double()
    generator = torch.Generator().manual_seed(3)
    start = bend(mesh.vertices.double())
    start = start + 0.05 * torch.randn(start.shape, generator=generator, dtype=torch.float64)
    start.requires_grad_()
    (gradient,) = torch.autograd.grad(energy(start)[name], start)
    for _ in range(5):
        direction = torch.randn(start.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            above, below = (energy(start + step * direction)[name] for step in (1e-5, -1e-5))
        slope = (above - below).item() / 2e-5
        assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("case", ["point", "line", "plane", "collapsed edge", "inside out", "template"])
def test_gradients_are_finite_on_degenerate_meshes(name, case):
    vertices = SPHERE.vertices.clone()
    if case == "point":
        vertices = torch.zeros_like(vertices)
    elif case == "line":
        vertices[:, 1:] = 0
    elif case == "plane":
        vertices[:, 2] = 0
    elif case == "collapsed edge":
        vertices[SPHERE.edges[7, 0]] = vertices[SPHERE.edges[7, 1]]
    elif case == "inside out":
        vertices = -vertices
    vertices.requires_grad_()
    value = Regularizers(SPHERE, {name: 1.0})(vertices)[name]
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(vertices.grad).all()


def test_templates_with_faults_of_their_own():
    vertices = SPHERE.vertices.clone()
    vertices[SPHERE.edges[7, 0]] = vertices[SPHERE.edges[7, 1]]
    mesh = TriangleMesh(vertices, SPHERE.faces)
    start = bend(vertices).requires_grad_()
    energies = Regularizers(mesh, ALL)
    energies.total(energies(start)).backward()
    assert torch.isfinite(start.grad).all()


def test_best_rotation_is_that_of_the_singular_values():
    generator = torch.Generator().manual_seed(4)
    matrices = torch.randn(400, 3, 3, generator=generator, dtype=torch.float64)
    matrices[:100, 2] *= 1e-6  # almost flat neighbourhoods
    matrices[100:110] = torch.stack([rotation(seed) for seed in range(10)])
    u, _, vt = torch.linalg.svd(matrices)
    sign = torch.det(u @ vt)
    expected = u @ torch.diag_embed(torch.stack([torch.ones(400), torch.ones(400), sign], dim=1)) @ vt
    found = best_rotation(matrices)
    assert (found - expected).abs().amax(dim=(1, 2)).median() < 1e-10
    # Where two rotations are nearly as good, Newton's method has not chosen yet, but the maximum is known.
    maximum = (expected * matrices).sum(dim=(1, 2))
    torch.testing.assert_close((found * matrices).sum(dim=(1, 2)), maximum, rtol=1e-3, atol=0)


def test_best_rotation_of_what_determines_none_is_finite():
    matrices = torch.zeros(3, 3, 3)
    matrices[1, 0, 0] = 1
    matrices[2] = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
    assert torch.isfinite(best_rotation(matrices)).all()


def test_weights_choose_and_sum():
    energies = Regularizers(SPHERE, {"area": 0.5, "rigidity": 2.0, "smoothness": 0.0})
    values = energies(bend(SPHERE.vertices))
    assert list(values) == ["area", "rigidity"]
    torch.testing.assert_close(energies.total(values), 0.5 * values["area"] + 2 * values["rigidity"])
    assert Regularizers(SPHERE, {}).total({}).item() == 0


@pytest.mark.parametrize(
    "weights, words",
    [({"smothness": 1.0}, "did you mean 'smoothness'"), ({"area": -1.0}, "area"), ({"area": math.nan}, "area")],
)
def test_mistakes_are_named(weights, words):
    with pytest.raises(UserError, match=words):
        Regularizers(SPHERE, weights)
