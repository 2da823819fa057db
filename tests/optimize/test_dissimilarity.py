"""In what two scenes differ, and by how much."""

from __future__ import annotations

import math

import pytest
import roma
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.geometry.registration import surface_distance
from mitsuba_mei.optimize.dissimilarity import (
    DEFAULT_THRESHOLD,
    UNITS,
    Dissimilarity,
    SceneFeatures,
    exact_distance,
    scene_features,
)
from mitsuba_mei.pipeline import build_scene
from tests.small_scene import write_scene

SPHERE = icosphere(3)
SEEN = torch.zeros(1, 1, 4, 4)


def image(values: torch.Tensor) -> SceneFeatures:
    return SceneFeatures(values)


def pose(rotation: torch.Tensor) -> SceneFeatures:
    return SceneFeatures(SEEN, rotation=rotation)


def light(directions: torch.Tensor) -> SceneFeatures:
    return SceneFeatures(SEEN, lights=directions)


def shape(vertices: torch.Tensor) -> SceneFeatures:
    return SceneFeatures(SEEN, shape=vertices, faces=SPHERE.faces)


def about(kind: str, a: SceneFeatures, b: SceneFeatures) -> float:
    """What the differentiable measure says."""
    return Dissimilarity(kind)(a, b).item()


def test_every_kind_has_its_unit_and_its_enough():
    assert DEFAULT_THRESHOLD.keys() == UNITS.keys() == {"image", "shape", "pose", "light"}


# ------------------------------------------------------------------------------------------------------------- images


def test_images_differ_by_what_their_correlation_leaves():
    a = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    orthogonal = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])
    for kind in (exact_distance, about):
        assert kind("image", image(a), image(a)) == pytest.approx(0, abs=1e-6)
        assert kind("image", image(a), image(-a)) == pytest.approx(2)
        assert kind("image", image(a), image(orthogonal)) == pytest.approx(1)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-10, 10))
def test_contrast_and_level_are_no_difference_of_images(seed, factor, level):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(1, 1, 5, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = 1 - torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()
    assert exact_distance("image", image(a), image(factor * b + level)) == pytest.approx(expected, abs=1e-6)


# ----------------------------------------------------------------------------------------------------- turns and light

ANGLES = [0.0, 1e-3, 0.5, 30.0, 90.0, 179.5, 180.0]


@pytest.mark.parametrize("angle", ANGLES)
def test_a_turn_is_measured_by_its_angle(angle):
    axis = F.normalize(torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64), dim=0)
    start = roma.euler_to_rotmat("xyz", torch.tensor([10.0, 20, 30], dtype=torch.float64), degrees=True)
    turned = roma.rotvec_to_rotmat(math.radians(angle) * axis) @ start
    assert exact_distance("pose", pose(turned), pose(start)) == pytest.approx(angle, abs=1e-6)
    single = exact_distance("pose", pose(turned.float()), pose(start.float()))
    assert single == pytest.approx(angle, abs=1e-4)
    assert about("pose", pose(turned), pose(start)) == pytest.approx(angle, abs=0.1)


@pytest.mark.parametrize("angle", ANGLES)
def test_lights_are_measured_by_the_mean_angle_between_them(angle):
    a = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    radians = math.radians(angle)
    b = torch.tensor([[math.sin(radians), 0.0, math.cos(radians)], [1.0, 0.0, 0.0]], dtype=torch.float64)
    assert exact_distance("light", light(a), light(b)) == pytest.approx(angle / 2, abs=1e-9)
    assert exact_distance("light", light(a[:1]), light(b[:1])) == pytest.approx(angle, abs=1e-9)
    assert about("light", light(a), light(b)) == pytest.approx(angle / 2, abs=0.1)


# -------------------------------------------------------------------------------------------------------------- shapes


def lumpy(amount: float = 0.15) -> torch.Tensor:
    x, y, z = SPHERE.vertices.T
    return SPHERE.vertices * (1 + amount * (torch.sin(3 * x) + torch.cos(2 * y + z)))[:, None]


ELLIPSOID = SPHERE.vertices * torch.tensor([0.8, 1.0, 1.3])


@pytest.mark.slow
@pytest.mark.parametrize(("vertices", "within"), [(1.2 * SPHERE.vertices, 0.02), (ELLIPSOID, 0.1)])
def test_the_differentiable_distance_of_surfaces_is_near_the_measured_one(vertices, within):
    first, second = shape(SPHERE.vertices), shape(vertices)
    exact = exact_distance("shape", first, second)
    assert exact == pytest.approx(surface_distance(first.mesh, second.mesh, aligned=False).relative, rel=0.01)
    assert exact > 0.05
    assert about("shape", first, second) == pytest.approx(exact, rel=within)
    if vertices is not ELLIPSOID:
        assert exact == pytest.approx(0.2 / 1.1, rel=0.01)


def test_a_moved_and_turned_object_has_the_same_shape():
    vertices = lumpy()
    turn = roma.rotvec_to_rotmat(torch.tensor([0.5, -1.0, 0.7]))
    moved = shape(vertices @ turn.T + torch.tensor([1.0, 2.0, 3.0]))
    assert exact_distance("shape", shape(vertices), moved) < 1e-3
    assert about("shape", shape(vertices), moved) < 1e-3


def test_surfaces_that_change_are_laid_onto_each_other_anew():
    vertices, difference = lumpy(), Dissimilarity("shape")
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.4, 0.0]))
    assert difference(shape(vertices), shape(vertices)).item() < 1e-3
    later = [difference(shape(vertices), shape(vertices @ turn.T)).item() for _ in range(25)]
    assert min(later[:24]) > 0.01 and later[24] < 1e-3


# ------------------------------------------------------------------------------------------------------------ gradients


def slope(kind: str, build, size: int) -> tuple[float, float]:
    """Of a difference along a random direction: by its gradient, and by finite differences."""
    difference = Dissimilarity(kind)
    at = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    along = torch.randn(size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(difference(*build(at)), at)
    with torch.no_grad():
        ahead, behind = (difference(*build(step * along)).item() for step in (1e-5, -1e-5))
    return (gradient @ along).item(), (ahead - behind) / 2e-5


def moving(kind: str):
    """Two scenes as a function of some numbers, and how many."""
    generator = torch.Generator().manual_seed(1)
    if kind == "image":
        a, b = (torch.randn(1, 1, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))
        return lambda p: (image(a + p.reshape(1, 1, 3, 3)), image(b)), 9
    if kind == "pose":
        start = roma.rotvec_to_rotmat(torch.tensor([0.4, 0.1, -0.3], dtype=torch.float64))
        return lambda p: (pose(roma.rotvec_to_rotmat(p) @ start), pose(torch.eye(3, dtype=torch.float64))), 3
    a, b = (torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return lambda p: (light(F.normalize(a + p.reshape(2, 3), dim=1)), light(F.normalize(b, dim=1))), 6


@pytest.mark.parametrize("kind", ["image", "pose", "light"])
def test_gradients_are_those_of_finite_differences(kind):
    found, expected = slope(kind, *moving(kind))
    assert found == pytest.approx(expected, rel=1e-5) and abs(expected) > 1e-2


@pytest.mark.parametrize("moved", ["first", "second"])
def test_the_gradient_of_a_shape_is_that_of_finite_differences(moved):
    """But for how normals turn, which is left out: along a smooth bump that is little."""
    vertices, ellipsoid = SPHERE.vertices.double(), ELLIPSOID.double()
    bump = (1 - (vertices - vertices[5]).square().sum(1)).clamp_min(0)[:, None] * vertices

    def build(p):
        a = vertices + p * bump
        return (shape(a), shape(ellipsoid)) if moved == "first" else (shape(ellipsoid), shape(a))

    found, expected = slope("shape", build, 1)
    assert found == pytest.approx(expected, rel=0.1) and abs(expected) > 1e-2


def test_angles_have_a_finite_slope_where_there_is_no_angle():
    for kind, start in {"pose": torch.eye(3), "light": torch.eye(3)[:1]}.items():
        at = start.clone().requires_grad_()
        build = pose if kind == "pose" else light
        Dissimilarity(kind)(build(at), build(start)).backward()
        assert torch.isfinite(at.grad).all()


# ------------------------------------------------------------------------------------------------------------- aspects


@pytest.mark.parametrize("kind", ["shape", "pose", "light"])
def test_an_image_alone_has_nothing_but_its_image(kind):
    whole = SceneFeatures(SEEN, SPHERE.vertices, SPHERE.faces, torch.eye(3), torch.eye(3))
    assert math.isnan(exact_distance(kind, whole, SceneFeatures(SEEN))) and math.isnan(
        exact_distance(kind, SceneFeatures(SEEN), whole)
    )


def test_lights_of_another_number_cannot_be_compared():
    assert math.isnan(exact_distance("light", light(torch.eye(3)), light(torch.eye(3)[:2])))


def test_the_aspects_of_a_scene(tmp_path):
    lighting = [
        {"type": "sun", "direction": [0, 0, -2], "free": ["direction"]},
        {"type": "constant"},
        {"type": "point", "position": [0, 5, 0]},
    ]
    pose = {"rotation": [0, 90, 0], "free": ["rotation"]}
    scene = build_scene(load_config(write_scene(tmp_path, "scene", lighting=lighting, pose=pose), trust_code=True), 1)
    found = scene_features(scene, scene.shape(), SEEN)
    torch.testing.assert_close(found.lights, torch.tensor([[0.0, 0, 1], [0, 1, 0]]))
    torch.testing.assert_close(
        found.rotation @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, -1]), atol=1e-6, rtol=0
    )
    assert found.shape.requires_grad and found.rotation.requires_grad and found.lights.requires_grad
    frozen = found.detached()
    assert not any(value.requires_grad for value in (frozen.shape, frozen.rotation, frozen.lights))
    assert frozen.mesh.is_watertight and len(frozen.mesh.faces) == 320
    dark = build_scene(load_config(write_scene(tmp_path, "dark", lighting=[{"type": "constant"}]), trust_code=True), 1)
    assert scene_features(dark, dark.shape(), SEEN).lights is None
