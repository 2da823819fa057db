"""A scene file made ready, checked before its first step, and improved."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.optimize.checks import check_start
from mitsuba_mei.optimize.evaluate import evaluate
from mitsuba_mei.optimize.loop import optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings
from mitsuba_mei.pipeline import Pipeline, build_pipeline, build_scene, restarted
from mitsuba_mei.scene.camera import Camera

SMALL = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20}, free: [offsets]}
render: {resolution: 24, spp: 16, max_depth: 2}
model:
  card:
    name: edge
    type: simple_cell
    parameters: {frequency: 1.0, orientation: 90, phase: 90, sigma: 0.4}
    input: {size: 24, channels: 1, mean: 124.54, std: 70.28}
"""


@pytest.fixture
def build(tmp_path):
    """An experiment of a small scene, varied."""

    def built(*overrides: str, free: tuple[str, ...] = (), frozen: tuple[str, ...] = ()) -> Pipeline:
        path = tmp_path / "scene.yaml"
        path.write_text(SMALL)
        return build_pipeline(load_config(path, overrides, free, frozen))

    return built


def test_a_look_goes_from_scene_to_activation(build):
    pipeline = build()
    look = pipeline.observe(0)
    assert look.image.shape == (24, 24, 1) and look.model_input.shape == (1, 1, 24, 24) and look.activation.shape == ()
    assert look.model_input.norm().item() == pytest.approx(25, rel=1e-4)
    torch.testing.assert_close(look.activation, pipeline.observer.objective(look.responses[None])[0])
    assert 0 <= look.activation.item() <= pipeline.observer.optimum()
    look.activation.backward()
    assert pipeline.scene.shape.offsets.grad.abs().max() > 0
    with torch.no_grad():
        assert not pipeline.observe(0).activation.requires_grad


def test_a_scene_file_and_its_seed_say_everything(build):
    first, same, other = build(), build(), build("seed=1")
    assert torch.equal(first.scene.shape(), same.scene.shape())
    assert not torch.equal(first.scene.shape(), other.scene.shape())
    frozen = build("optimizer.steps=0", frozen=("shape",))
    assert torch.equal(frozen.scene.shape(), frozen.scene.template.vertices)


@pytest.mark.slow
def test_a_start_that_can_succeed_is_let_through(build):
    check_start(build(free=("pose", "camera", "lighting", "material")), 0)
    check_start(build("optimizer.steps=0", frozen=("shape",)), 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["diffuse", "plastic"])
def test_a_check_leaves_gradients_as_they_are(build, kind):
    pipeline = build(f"material={{type: {kind}, free: [reflectance]}}")
    check_start(pipeline, 0)
    assert all(p.grad is None for p in pipeline.scene.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pose.translation=[9, 0, 0]"], "outside the camera's view"),
        (["pose.translation=[0, 0, 9]"], "outside the camera's view"),
        (["camera.distance=0.5"], "the camera stands inside or behind the object"),
        (["lighting=[{type: directional, direction: [0, 0, 1]}]"], "no light reaches the part"),
        (
            ["lighting=[{type: constant}, {type: point, position: [0, 0, -9], free: [position]}]"],
            r"lighting\.1\.position is free",
        ),
        (["shape.free=[scales]"], r"shape\.scales is free"),
    ],
)
def test_a_start_in_vain_is_refused(build, overrides, message):
    pipeline = build(*overrides)
    with pytest.raises(UserError, match=message):
        check_start(pipeline, 0)


def test_a_model_without_a_gradient_is_refused(build):
    pipeline = build()
    inner = pipeline.observer.neurons

    class Detached(torch.nn.Module):
        def forward(self, image):
            return inner(image).detach()

    pipeline.observer.neurons = Detached()
    with pytest.raises(UserError, match="responses without a gradient"):
        check_start(pipeline, 0)


def test_a_neuron_that_is_silent_at_the_only_start_is_said(build):
    pipeline = build()
    pipeline.observer.neurons = lambda seen: torch.relu(seen.flatten(1)[:, :1] - 1e3)
    with pytest.raises(UserError, match="model 'edge' is silent at the start: .*optimizer.restarts"):
        check_start(pipeline, 0)
    check_start(pipeline, 0, alone=False)


@pytest.mark.slow
def test_a_few_steps_improve_what_the_neuron_answers(build):
    light = "lighting=[{type: directional, irradiance: 2.0}, {type: constant, radiance: 0.2}]"
    pipeline = build(light, free=("lighting.0.direction",))
    before = evaluate(pipeline, 64, 4, 0)
    template = pipeline.scene.template.vertices.clone()
    groups = {name: 0.03 for name in pipeline.scene.parameter_groups()}
    outcome = optimize(ActivationLoss(pipeline), OptimizerSettings(40, groups, warmup=5), 0)
    after = evaluate(pipeline, 64, 4, 0)
    assert outcome.steps == 40 and outcome.skipped == 0
    assert after.mean > before.mean + 10 * (before.sem + after.sem)
    assert after.mean > 1.3 * before.mean or after.mean > 0.9 * pipeline.observer.optimum()
    assert torch.equal(pipeline.scene.template.vertices, template)


def test_a_model_of_another_size_is_said(build):
    with pytest.raises(UserError, match="stimulus.size is 32, but model 'edge' takes 24 x 24 pixels"):
        build("stimulus.size=32", "render.resolution=32")


# --------------------------------------------------------------------------------------------------------- restarts


@pytest.fixture
def start(tmp_path):
    """The scene that a restart begins with."""

    def started(restart: int, *overrides: str, free: tuple[str, ...] = ("pose",)):
        path = tmp_path / "scene.yaml"
        path.write_text(SMALL)
        return build_scene(load_config(path, overrides, free), 1, restart=restart)

    return started


def test_every_restart_starts_elsewhere(start):
    scenes = [start(restart) for restart in range(5)] + [start(1, "seed=1")]
    poses = [
        torch.tensor(sum((scene.pose.to_settings()[k] for k in ("rotation", "translation")), [])) for scene in scenes
    ]
    offsets = [scene.shape.get("offsets").detach().flatten() for scene in scenes]
    for i in range(6):
        for j in range(i):
            assert (poses[i] - poses[j]).abs().max() > 0.01
            assert torch.cosine_similarity(offsets[i], offsets[j], dim=0) < 0.5
    again = start(3)
    assert torch.equal(again.shape.get("offsets"), scenes[3].shape.get("offsets"))


def test_what_is_frozen_starts_as_the_file_says(start):
    first, other = start(0, free=("pose.scale",)), start(2, free=("pose.scale",))
    assert other.pose.to_settings()["rotation"] == pytest.approx(first.pose.to_settings()["rotation"], abs=1e-5)
    assert torch.equal(other.pose.translation, first.pose.translation)
    assert not torch.equal(other.pose.get("scale"), first.pose.get("scale"))


def test_another_start_is_aside_in_the_image_and_not_in_depth(start):
    for restart in (1, 2, 3):
        scene = start(restart, "camera={azimuth: 90, elevation: 30}", free=("pose.translation",))
        with torch.no_grad():
            place = scene.camera(scene.pose.get("translation")[None])[0]
        assert place[2].item() == pytest.approx(-5, abs=1e-5) and place[:2].norm() > 0.01


def test_a_restart_is_drawn_until_it_can_be_seen(tmp_path):
    (tmp_path / "scene.yaml").write_text(SMALL)
    config = load_config(tmp_path / "scene.yaml", ["camera={distance: 1.4, fov: 100}"], ["pose"])
    pipeline = build_pipeline(config)
    inside = 0
    for restart in range(1, 12):
        inside += (build_scene(config, 1, restart=restart)().vertices[:, 2] > 0).any().item()
        assert (restarted(pipeline, config, restart).scene().vertices[:, 2] < 0).all()
    assert inside > 0


# ------------------------------------------------------------------------------------------------------ several cameras


def cameras() -> tuple[Camera, ...]:
    return Camera(azimuth=30), Camera(azimuth=200, distance=4.0)


def test_several_cameras_see_the_scene_side_by_side(build):
    pipeline = build("render={type: raster, resolution: 24}")
    assert pipeline.render(0).shape == (24, 24, 1)
    torch.testing.assert_close(pipeline.render(0), pipeline.renderer.render(pipeline.scene(), 0))
    several = replace(pipeline, cameras=cameras())
    image = several.render(0)
    assert image.shape == (24, 48, 1)
    for part, camera in zip(image.chunk(2, dim=1), cameras()):
        torch.testing.assert_close(part, pipeline.renderer.render(pipeline.scene(camera=camera), 0))
    assert (image[:, :24] - image[:, 24:]).abs().max() > 0.05


def test_every_camera_has_a_state_of_the_same_shape(build):
    pipeline = replace(build(), cameras=cameras())
    shape = pipeline.scene.shape() + 0.1
    given, own = pipeline.states(shape), pipeline.states()
    assert len(given) == len(own) == 2
    for with_shape, camera in zip(given, cameras()):
        torch.testing.assert_close(with_shape.vertices, camera(pipeline.scene.pose(shape)))
    assert not torch.equal(given[0].vertices, own[0].vertices)
    assert len(build().states()) == 1


# ------------------------------------------------------------------------------------------------- a start is searched


@pytest.mark.slow
def test_what_a_search_could_mend_does_not_end_a_run(build):
    behind = "lighting=[{type: directional, direction: [0, 0, 1], free: [direction]}]"
    pipeline = build(behind)
    with pytest.raises(UserError, match="no light reaches"):
        check_start(pipeline, 0)
    check_start(pipeline, 0, searched=True)
    pipeline = build(free=("pose.rotation",))
    pipeline.observer.neurons = lambda seen: torch.relu(seen.flatten(1)[:, :1] - 1e3)
    check_start(pipeline, 0, searched=True)


def test_what_no_search_could_mend_does(build):
    hidden = "lighting=[{type: constant}, {type: point, position: [0, 0, -9], free: [position]}]"
    with pytest.raises(UserError, match=r"lighting\.1\.position is free"):
        check_start(build(hidden, free=("pose.rotation",)), 0, searched=True)
    with pytest.raises(UserError, match="outside the camera's view"):
        check_start(build("pose.translation=[9, 0, 0]", free=("pose.rotation",)), 0, searched=True)


# ------------------------------------------------------------------------------------------------------- random shapes


def test_a_random_shape_is_its_own_seeds_whatever_else_is_drawn(build):
    said = "shape.random={size: 0.15, seed: 4}"
    shapes = [build(said, f"seed={seed}", "optimizer.steps=0", frozen=("shape",)).scene.shape() for seed in (0, 1)]
    assert torch.equal(*shapes)
    other = build("shape.random={size: 0.15, seed: 5}", "optimizer.steps=0", frozen=("shape",)).scene.shape()
    assert (other - shapes[0]).abs().max() > 0.05
    template = build("optimizer.steps=0", frozen=("shape",)).scene.template.vertices
    moved = (shapes[0] - template).square().mean().sqrt().item()
    assert moved == pytest.approx(0.15, rel=1e-3)


def test_a_free_random_shape_starts_about_the_frozen_one(build):
    said = "shape.random={size: 0.15, seed: 4}"
    frozen = build(said, "optimizer.steps=0", frozen=("shape",)).scene.shape()
    first, second = (build(said, f"seed={seed}").scene.shape().detach() for seed in (0, 1))
    for free in (first, second):
        assert 1e-3 < (free - frozen).square().mean().sqrt() < 0.04
    assert not torch.equal(first, second)
