"""Where the neurons look, and the object that is put there."""

from __future__ import annotations

import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.observer import build_observer
from mitsuba_mei.neurons.receptive_field import ReceptiveField, find_receptive_field, place_on
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.scene.camera import Camera

CELL = """
model:
  card:
    type: {type}
    parameters: {{frequency: 2.0, orientation: 30, sigma: {sigma}, center: [{x}, {y}]}}
    input: {{size: 64, channels: 1, mean: 124.54, std: 70.28}}
shape: {{template: {{type: icosphere, subdivisions: 3}}, rbf: {{control_points: 40}}}}
render: {{resolution: 64}}
placement: {{on: receptive_field}}
"""


@pytest.fixture
def config(tmp_path):
    def loaded(x=0.0, y=0.0, sigma=0.2, kind="simple_cell", overrides=()):
        path = tmp_path / "scene.yaml"
        path.write_text(CELL.format(x=x, y=y, sigma=sigma, type=kind))
        return load_config(path, overrides)

    return loaded


@pytest.mark.parametrize("kind", ["simple_cell", "complex_cell"])
@pytest.mark.parametrize(("x", "y", "sigma"), [(0.0, 0.0, 0.2), (0.4, -0.2, 0.15), (-0.3, 0.35, 0.1)])
def test_the_receptive_field_of_a_gabor_is_its_envelope(config, kind, x, y, sigma):
    field = find_receptive_field(build_observer(config(x, y, sigma, kind)), 0)
    assert (field.x, field.y) == pytest.approx((x, y), abs=0.04)
    # The gradient is the Gabor: its energy has the standard deviation sigma / sqrt 2 along each axis.
    assert field.radius == pytest.approx(sigma, rel=0.4)
    assert field.sensitivity.shape == (64, 64) and field.sensitivity.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("camera", [Camera(), Camera(fov=60, distance=3, azimuth=120, elevation=40)])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.5, -0.25)])
def test_a_sphere_is_put_where_it_is_seen(camera, x, y):
    pose = place_on(ReceptiveField(x, y, 0.1, torch.ones(1, 1)), camera, 2.0, 3.0)
    with torch.no_grad():
        center = camera(torch.tensor([pose["translation"]]))[0]
        place = center[:2] / (-center[2] * camera.tan_half_fov())
        assert place.tolist() == pytest.approx([x, y], abs=1e-5)
        # The outline of a sphere straight ahead: the cone that touches it.
        radius, distance = 2.0 * pose["scale"], camera.get("distance")
        outline = radius / (distance.square() - radius**2).sqrt() / camera.tan_half_fov()
    assert outline.item() == pytest.approx(0.3, rel=1e-4)


@pytest.mark.parametrize(("h", "w"), [(120, 60), (60, 120), (80, 80)])
def test_models_that_are_not_square(tmp_path, h, w):
    """A blob of a model's receptive field, drawn where the stimulus shows the object."""
    path = tmp_path / "scene.yaml"
    size = f"{{size: [{h}, {w}], mean: 124, std: 70}}"
    card = f"{{type: simple_cell, parameters: {{center: [0.4, 0.3], sigma: 0.15}}, input: {size}}}"
    path.write_text(f"model: {{card: {card}}}\nrender: {{resolution: 120}}\nplacement: {{on: receptive_field}}\n")
    pipeline = build_pipeline(load_config(path))
    with torch.no_grad():
        seen = pipeline.observer.stimulus.resample(pipeline.renderer.render(pipeline.scene(), 0))[0]
    rows, columns = torch.nonzero((seen - 0.5).abs() > 0.05, as_tuple=True)
    assert (2 * columns.float().mean() + 1 - w) / w == pytest.approx(0.4, abs=0.08)
    assert (h - 1 - 2 * rows.float().mean()) / w == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(("size", "outline"), [(0.01, 0.1), (100.0, 0.95)])
def test_the_object_stays_visible(size, outline):
    pose = place_on(ReceptiveField(0.0, 0.0, 0.2, torch.ones(1, 1)), Camera(distance=5), 1.0, size)
    tangent = Camera().tan_half_fov().item()
    assert pose["scale"] / (25 - pose["scale"] ** 2) ** 0.5 / tangent == pytest.approx(outline, rel=1e-4)


def test_a_scene_starts_there(config):
    placed = build_pipeline(config(0.4, -0.2, 0.15))
    usual = build_pipeline(config(0.4, -0.2, 0.15, overrides=["placement.on=null"]))
    assert placed.scene.pose.translation[0] > 0.3 and placed.scene.pose.translation[1] < -0.1
    assert placed.scene.pose.scale < 0.7 * usual.scene.pose.scale
    with torch.no_grad():
        # What is drawn lies about the receptive field.
        image = placed.renderer.render(placed.scene(), 0)[..., 0]
        rows, columns = torch.nonzero((image - 0.5).abs() > 0.05, as_tuple=True)
    assert (2 * columns.float().mean() + 1 - 64) / 64 == pytest.approx(0.4, abs=0.1)
    assert (63 - 2 * rows.float().mean()) / 64 == pytest.approx(-0.2, abs=0.1)


def test_neurons_without_a_gradient_have_no_receptive_field(config):
    observer = build_observer(config())
    observer.neurons = lambda seen: 0 * seen.flatten(1)[:, :1]
    with pytest.raises(UserError, match=r"placement.on: no receptive field was found"):
        find_receptive_field(observer, 0)


@pytest.mark.parametrize("pose", ["pose={translation: [0.1, 0, 0]}", "pose={scale: 0.5}"])
def test_a_start_is_said_once(config, pose):
    with pytest.raises(UserError, match="placement.on sets pose.translation and pose.scale"):
        config(overrides=[pose])
