"""The whole scene: its state in the camera's frame, and what of it is free."""

from __future__ import annotations

import pytest
import torch

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.scene.camera import Camera
from mitsuba_mei.scene.deformation import RBFDeformation
from mitsuba_mei.scene.distant_emitters import Constant, SphericalHarmonics, Sun
from mitsuba_mei.scene.emitters import Lighting
from mitsuba_mei.scene.local_emitters import Point
from mitsuba_mei.scene.material import Diffuse, Plastic
from mitsuba_mei.scene.pose import Pose
from mitsuba_mei.scene.scene import Scene

TEMPLATE = icosphere(2)
EVERYTHING = {
    "pose": Pose.FREEABLE,
    "camera": Camera.FREEABLE,
    "sun": Sun.FREEABLE,
    "point": Point.FREEABLE,
    "material": Plastic.FREEABLE,
    "shape": RBFDeformation.FREEABLE,
}


def build(channels: int = 1, free=None, background=(0.4,), **given) -> Scene:
    free = free or {}
    parts = {
        "shape": RBFDeformation(
            TEMPLATE.vertices, control_points=10, kernel="gaussian", scale=0.4, free=free.get("shape", ())
        ),
        "pose": Pose([10, 20, 30], [0.1, 0.2, 0.3], 0.9, free=free.get("pose", ())),
        "camera": Camera(azimuth=25, elevation=-10, free=free.get("camera", ())),
        "lighting": Lighting([Sun(free=free.get("sun", ())), Point(free=free.get("point", ()))]),
        "material": Plastic(free=free.get("material", ())),
    }
    return Scene(TEMPLATE, **{**parts, **given}, background=background, channels=channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_state_is_complete(channels):
    state = build(channels, background=(0.1, 0.2, 0.3))()
    assert state.vertices.shape == TEMPLATE.vertices.shape and torch.equal(state.faces, TEMPLATE.faces)
    assert state.background.shape == (channels,) and state.material.values["reflectance"].shape == (channels,)
    assert [light.kind for light in state.lights] == ["point"] and state.lights[0].values["intensity"].shape == (
        channels,
    )
    assert state.distant(torch.eye(3)).shape == (3, channels) and state.distant_detail == 128


def test_distant_light_stays_in_the_world():
    sky = SphericalHarmonics([1.0, 0.3, 0.2, -0.4])
    scene = build(lighting=Lighting([Sun(), sky]))
    towards_sun = -scene.lighting.emitters[0].get("direction")
    in_camera = scene.camera.rotation_matrix() @ towards_sun
    directions = torch.nn.functional.normalize(torch.randn(2000, 3), dim=1)
    state = scene()
    seen = state.distant(directions)[:, 0]
    assert directions[seen.argmax()] @ in_camera > 0.99
    there = directions @ scene.camera.rotation_matrix()
    (sun,) = scene.lighting.lobes(Camera(), 1)
    torch.testing.assert_close(seen, (sun(there) + scene.lighting.incident(there, 1))[:, 0], rtol=1e-4, atol=0.0)


def test_walking_round_the_object_is_turning_it():
    walked = build(pose=Pose(), camera=Camera(azimuth=30))
    turned = build(pose=Pose([0, -30, 0]), camera=Camera())
    torch.testing.assert_close(walked().vertices, turned().vertices, rtol=0.0, atol=1e-5)


def test_without_distant_light_there_is_no_environment():
    assert build(lighting=Lighting([Point()]))().distant is None
    assert build(lighting=Lighting([Constant()]))().lights == ()


def test_a_known_shape_is_taken():
    scene = build()
    shape = TEMPLATE.vertices * 1.1
    torch.testing.assert_close(scene(shape).vertices, scene.camera(scene.pose(shape)))


def test_free_parameters_are_named_by_their_place_in_the_scene_file():
    scene = build(free=EVERYTHING)
    names = {
        *("shape.offsets", "shape.scales", "pose.rotation", "pose.translation", "pose.scale"),
        *(f"camera.{name}" for name in Camera.FREEABLE),
        *("lighting.0.direction", "lighting.0.irradiance", "lighting.1.position", "lighting.1.intensity"),
        *("material.reflectance", "material.roughness"),
    }
    assert set(scene.free_parameters()) == names
    assert list(scene.parameter_groups()) == ["shape", "pose", "camera", "lighting", "material"]
    assert sum(map(len, scene.parameter_groups().values())) == len(names)
    assert build().free_parameters() == {} and build().parameter_groups() == {}


@pytest.mark.parametrize("part", EVERYTHING)
def test_a_step_moves_what_is_free_and_nothing_else(part):
    scene = build(free={part: EVERYTHING[part]})
    before = {name: value.detach().clone() for name, value in scene.named_parameters()}
    free = {id(p) for p in scene.free_parameters().values()}
    optimizer = torch.optim.Adam(scene.parameters(), lr=0.1)
    if part == "shape":
        scene.shape.initialize()  # without offsets the scales change nothing
        before["shape.offsets"] = scene.shape.offsets.detach().clone()
    state = scene()
    directions = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    tensors = [state.vertices, state.tan_half_fov, state.distant(directions)]
    tensors += [*state.material.values.values(), *state.lights[0].values.values()]
    torch.autograd.backward(sum((t * torch.rand_like(t)).sum() for t in tensors))
    optimizer.step()
    for name, parameter in scene.named_parameters():
        assert torch.equal(parameter, before[name]) == (id(parameter) not in free), name


def test_file_units_build_the_same_scene():
    scene = build(free=EVERYTHING)
    with torch.no_grad():
        for group, parameters in scene.parameter_groups().items():
            for parameter in parameters:
                if group != "shape":
                    parameter += 0.1 * torch.rand_like(parameter)
    said = scene.to_settings()
    again = build(
        pose=Pose(**said["pose"]),
        camera=Camera(**said["camera"]),
        lighting=Lighting([Sun(**said["lighting"][0]), Point(**said["lighting"][1])]),
        material=Plastic(**said["material"]),
    )
    a, b = scene(), again()
    torch.testing.assert_close(a.vertices, b.vertices, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(a.tan_half_fov, b.tan_half_fov)
    directions = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    torch.testing.assert_close(a.distant(directions), b.distant(directions), rtol=1e-3, atol=1e-5)
    for name, value in a.material.values.items():
        torch.testing.assert_close(b.material.values[name], value, rtol=1e-4, atol=1e-5)
    for name, value in a.lights[0].values.items():
        torch.testing.assert_close(b.lights[0].values[name], value, rtol=1e-4, atol=1e-5)


def test_weights_are_saved_and_restored():
    scene, other = build(free=EVERYTHING), build(free=EVERYTHING)
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += 0.05
    other.load_state_dict(scene.state_dict())
    torch.testing.assert_close(other().vertices, scene().vertices)


def test_a_diffuse_body_in_grey_is_grey_in_colour():
    state = build(3, material=Diffuse(0.5))()
    assert state.material.values["reflectance"].tolist() == [0.5] * 3 and state.background.tolist() == pytest.approx(
        [0.4] * 3
    )


def test_another_camera_sees_the_same_scene_from_elsewhere():
    scene = build()
    other = Camera(azimuth=-100, elevation=40, distance=3.0, fov=50)
    with torch.no_grad():
        state, own = scene(camera=other), scene()
        world = scene.pose(scene.shape())
        torch.testing.assert_close(state.vertices, other(world))
        assert state.tan_half_fov == other.tan_half_fov() != own.tan_half_fov
        # Lights stay where they are in the world: a direction of the camera's is another of the world's.
        directions = torch.nn.functional.normalize(
            torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=1
        )
        torch.testing.assert_close(
            state.distant(directions @ other.rotation_matrix().T),
            own.distant(directions @ scene.camera.rotation_matrix().T),
            rtol=1e-4,
            atol=1e-4,
        )
        point = scene.lighting.emitters[1].get("position")
        torch.testing.assert_close(state.lights[0].values["position"], other(point[None])[0])
    assert torch.equal(scene().vertices, own.vertices)


def test_what_turns_is_the_object_and_lights_with_a_direction():
    scene = build(free={"pose": Pose.FREEABLE, "sun": Sun.FREEABLE, "point": Point.FREEABLE})
    assert list(scene.rotation_parameters()) == ["pose.rotation", "lighting.0.direction"]
    assert build().rotation_parameters() == {}
