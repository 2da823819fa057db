"""The rasterizer: images against the path tracer's, gradients against differences, batches, and hard cases."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import icosphere, torus
from mitsuba_mei.render.path.renderer import PathRenderer
from mitsuba_mei.render.raster.renderer import RasterRenderer
from mitsuba_mei.scene.state import LightState, Lobe, MaterialState, SceneState

AWAY = torch.tensor([0.02, -0.03, -4.0])
COLOUR = torch.tensor([1.0, 0.7, 0.4])
GREY = torch.tensor([1.0])

VALUES = {
    "diffuse": {},
    "plastic": {"roughness": 0.3},
    "principled": {"roughness": 0.5, "metallic": 0.3, "specular": 0.5},
}


def material(kind: str, colour: Tensor = GREY, **changed) -> MaterialState:
    values = {name: torch.as_tensor(v).reshape(1) for name, v in {**VALUES[kind], **changed}.items()}
    return MaterialState(kind, {"reflectance": 0.7 * colour, **values}, {"ior": 1.5} if kind == "plastic" else {})


def unit(*values: float) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor(values, dtype=torch.float32), dim=0)


def lamps(colour: Tensor = GREY) -> dict[str, LightState]:
    """One of each kind."""
    place = torch.tensor([1.5, 2.0, -2.0])
    target = AWAY + torch.tensor([0.2, 0.1, 0.0])
    rectangle = {
        "centre": place,
        "across": torch.tensor([-0.6, 0.45, 0.0]),
        "up": torch.tensor([0.36, 0.48, -0.45]),
        "radiance": 40 * colour,
    }
    cone = {"cutoff": math.radians(22), "beam": math.radians(6)}
    return {
        "area": LightState("area", rectangle),
        "point": LightState("point", {"position": place, "intensity": 20 * colour}),
        "spot": LightState("spot", {"position": place, "target": target, "intensity": 20 * colour}, cone),
        "directional": LightState("directional", {"direction": unit(-1, -0.6, -0.7), "irradiance": 3 * colour}),
    }


def sky(directions: Tensor, colour: Tensor = GREY) -> Tensor:
    return (0.5 + 0.3 * directions[:, 1:2] - 0.2 * directions[:, :1] * directions[:, 2:]) * colour


def sun(colour: Tensor = GREY, sharpness: float = 50.0) -> Lobe:
    return Lobe(unit(1, 0.6, 0.7), 3 * sharpness / (2 * math.pi) * colour, sharpness)


LIGHTS: dict[str, Callable[[Tensor], dict]] = {
    "sun": lambda colour: {"lobes": (sun(colour),)},
    "soft sun": lambda colour: {"lobes": (sun(colour, 6.0),)},
    "sky": lambda colour: {"environment": lambda d: sky(d, colour)},
    "area": lambda colour: {"lights": (lamps(colour)["area"],)},
    "point": lambda colour: {"lights": (lamps(colour)["point"],)},
    "spot": lambda colour: {"lights": (lamps(colour)["spot"],)},
    "directional": lambda colour: {"lights": (lamps(colour)["directional"],)},
    "sun, sky, area": lambda colour: {
        "lobes": (sun(colour),),
        "environment": lambda d: sky(d, colour),
        "lights": (lamps(colour)["area"],),
    },
}


@pytest.fixture
def body(make_state):
    """A scene of a sphere or an ellipsoid under some light."""

    def build(shape: str, kind: str, light: str, subdivisions: int = 4, colour: Tensor = GREY, **given) -> SceneState:
        mesh = icosphere(subdivisions)
        stretch = torch.tensor([1.25, 0.65, 0.9] if shape == "ellipsoid" else [1.0, 1.0, 1.0])
        turn = torch.linalg.matrix_exp(torch.tensor([[0, 0.3, -0.5], [-0.3, 0, 0.6], [0.5, -0.6, 0]]))
        fields = {"material": material(kind, colour), "background": 0.3 * colour, **LIGHTS[light](colour)}
        return make_state(mesh.vertices * stretch @ turn.T + AWAY, mesh.faces, **{**fields, **given})

    return build


def image_of(state: SceneState, resolution: int = 32, **given) -> Tensor:
    return RasterRenderer(state, resolution, **given).render(state)


# --------------------------------------------------------------------------------------- against the path tracer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "kind", "light"),
    [
        ("sphere", "diffuse", "sun"),
        ("ellipsoid", "diffuse", "spot"),
        ("sphere", "diffuse", "area"),
        ("sphere", "plastic", "point"),
        ("ellipsoid", "plastic", "sky"),
        ("sphere", "plastic", "sun, sky, area"),
        ("ellipsoid", "plastic", "directional"),
        ("sphere", "principled", "soft sun"),
        ("ellipsoid", "principled", "sky"),
    ],
)
def test_images_are_those_of_the_path_tracer_at_depth_2(shape, kind, light, body):
    state = body(shape, kind, light)
    expected = PathRenderer(state, 48, 16, 2).render(state, 0, 4096)
    inside = image_of(dataclasses.replace(state, **DARK, background=torch.ones(1)), 48) < 1e-4
    off = ((image_of(state, 48) - expected)[inside] / expected[inside].mean()).abs()
    assert inside.sum() > 600 and off.mean() < 0.01 and off.quantile(0.99) < 0.03


DARK = {"environment": None, "lobes": (), "lights": ()}


def test_coverage_is_that_of_the_path_tracer(body):
    state = dataclasses.replace(body("ellipsoid", "diffuse", "sun"), **DARK, background=torch.ones(1))
    found, expected = image_of(state, 48), PathRenderer(state, 48, 16, 2).render(state, 0, 4096)
    partly = (found > 0) & (found < 1)
    assert (1 - found).sum().item() == pytest.approx((1 - expected).sum().item(), rel=1e-3)
    assert partly.sum() > 100 and (found - expected)[partly].abs().mean() < 4e-3  # its noise is 2e-3
    assert torch.equal(found > 0.999, expected > 0.999) or (found - expected).abs().max() < 0.02


def test_a_white_body_in_a_furnace_cannot_be_seen(body):
    given = {"environment": lambda d: torch.ones(len(d), 1), "background": torch.ones(1)}
    state = body("ellipsoid", "diffuse", "sun", material=material("diffuse"), **{**DARK, **given})
    state.material.values["reflectance"] = torch.ones(1)
    torch.testing.assert_close(image_of(state), torch.ones(32, 32, 1), rtol=0, atol=3e-3)


# -------------------------------------------------------------------------------------------------- gradients


def functional(resolution: int) -> Tensor:
    """Smooth weights of the pixels, (H, W, 1): two broad spots of unlike sign."""
    y, x = torch.meshgrid(torch.linspace(1, -1, resolution), torch.linspace(-1, 1, resolution), indexing="ij")
    spots = ((0.3, 0.25, 0.4, 1.0), (-0.35, -0.3, 0.35, -0.6))
    return sum(h * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s)) for cx, cy, s, h in spots)[..., None]


def finer(state: SceneState, resolution: int, factor: int = 3) -> Tensor:
    """A supersampled rasterization."""
    image = image_of(state, factor * resolution, cells=4)
    return image.reshape(resolution, factor, resolution, factor, -1).mean((1, 3))


def bump(vertices: Tensor) -> Tensor:
    centre = 1.1 * unit(0.3, 0.2, 1.0)
    return torch.exp(-((vertices - centre) ** 2).sum(-1, keepdim=True) / 0.25) * centre


GEOMETRY = ("bump", "right", "up", "depth", "size", "turn", "fov")


def moved(bumpy, make_state, light: str, kind: str, p: dict[str, Tensor]) -> SceneState:
    """A scene whose parameters have moved by ``p``; all are 0 at first."""
    vertices, faces = bumpy
    zero = torch.zeros(())
    q = {name: p.get(name, zero) for name in (*GEOMETRY, *PARAMETERS)}
    c, s = q["turn"].cos(), q["turn"].sin()
    turn = torch.stack([torch.stack([c, zero, s]), torch.tensor([0.0, 1, 0]), torch.stack([-s, zero, c])])
    shape = (vertices + q["bump"] * bump(vertices)) * (1 + q["size"])
    shape = shape @ turn.T + AWAY + torch.stack([q["right"], q["up"], q["depth"]])
    lobe, lights = sun(), dict(lamps())
    axis = torch.nn.functional.normalize(lobe.axis + torch.stack([q["axis"], zero, zero]), dim=0)
    shift = torch.stack([q["place"], zero, q["place"]])
    values = {name: dict(each.values) for name, each in lights.items()}
    for name, place in (("area", "centre"), ("point", "position"), ("spot", "position")):
        values[name][place] = values[name][place] + shift
    values["spot"]["target"] = values["spot"]["target"] + shift * q["target"] + torch.stack([q["target"], zero, zero])
    values["area"]["up"] = values["area"]["up"] * (1 + q["up side"])
    direction = values["directional"]["direction"] + torch.stack([q["direction"], zero, zero])
    values["directional"]["direction"] = torch.nn.functional.normalize(direction, dim=0)
    for each in values.values():
        for name in ("radiance", "intensity", "irradiance"):
            if name in each:
                each[name] = each[name] * (1 + q["power"])
    lamp = {name: dataclasses.replace(each, values=values[name]) for name, each in lights.items()}
    changed = {name: VALUES[kind][name] + q[name] for name in VALUES[kind]}
    surface = material(kind, **changed)
    surface.values["reflectance"] = surface.values["reflectance"] * (1 + q["reflectance"])
    given = LIGHTS[light](GREY)
    if "lobes" in given:
        given["lobes"] = (Lobe(axis, lobe.peak * (1 + q["peak"]), lobe.sharpness),)
    if "environment" in given:
        given["environment"] = lambda d: sky(d) * (1 + q["sky"])
    if "lights" in given:
        given["lights"] = tuple(lamp[each.kind] for each in given["lights"])
    background = torch.full((1,), 0.3) * (1 + q["background"])
    return make_state(
        shape, faces, tan_half_fov=0.32 * (1 + q["fov"]), material=surface, background=background, **given
    )


PARAMETERS = (
    "axis",
    "peak",
    "sky",
    "place",
    "target",
    "up side",
    "direction",
    "power",
    "reflectance",
    "roughness",
    "metallic",
    "specular",
    "background",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("light", "kind", "names"),
    [
        ("sun", "diffuse", (*GEOMETRY, "axis", "peak", "reflectance", "background")),
        ("sky", "diffuse", ("bump", "up", "turn", "sky")),
        ("sun", "plastic", ("bump", "right", "roughness", "reflectance", "peak")),
        ("sky", "plastic", ("sky", "roughness", "reflectance")),
        ("sun", "principled", ("turn", "axis", "roughness", "metallic", "specular", "reflectance")),
        ("area", "diffuse", ("right", "place", "up side", "power")),
        ("point", "plastic", ("turn", "place", "power")),
        ("spot", "diffuse", ("place", "target", "power")),
        ("directional", "principled", ("bump", "direction", "power")),
    ],
)
def test_gradients_agree_with_differences_of_a_finer_image(light, kind, names, bumpy, make_state):
    resolution, step = 48, 0.01
    weight = functional(resolution)
    p = {name: torch.zeros((), requires_grad=True) for name in names}
    total = (image_of(moved(bumpy, make_state, light, kind, p), resolution) * weight).sum()
    slopes = dict(zip(names, torch.autograd.grad(total, list(p.values()))))
    expected = {}
    for name in names:
        with torch.no_grad():
            above, below = (
                finer(moved(bumpy, make_state, light, kind, {name: torch.tensor(s * step)}), resolution)
                for s in (1, -1)
            )
        expected[name] = ((above - below).double() * weight).sum().item() / (2 * step)
    # What moves the outline to and fro may cancel, and at 48 pixels outlines are coarse; the benchmark holds 5 % at 64.
    largest = max((abs(expected[name]) for name in names if name in GEOMETRY), default=0.0)
    for name, slope in slopes.items():
        allowed = 0.12 * largest if name in GEOMETRY else 0.0
        assert slope.item() == pytest.approx(expected[name], rel=0.05, abs=allowed), name


def test_only_what_is_free_has_a_gradient(body):
    state = body("sphere", "plastic", "sun, sky, area", 2)
    free = state.material.values["roughness"].requires_grad_()
    assert RasterRenderer(state, 16).render(state).requires_grad
    RasterRenderer(state, 16).render(state).sum().backward()
    assert free.grad.isfinite().all() and free.grad != 0
    rest = [state.vertices, state.tan_half_fov, state.background, state.material.values["reflectance"]]
    rest += [*state.lights[0].values.values(), state.lobes[0].axis, state.lobes[0].peak]
    assert all(tensor.grad is None for tensor in rest)
    free.requires_grad_(False)
    assert not RasterRenderer(state, 16).render(state).requires_grad


def test_a_renderer_may_free_and_freeze_between_renders(body):
    """What is remembered of frozen parts is not used where they have become free."""
    state = body("sphere", "plastic", "sun, sky, area", 2)
    renderer = RasterRenderer(state, 16)
    first = renderer.render(state)
    roughness = state.material.values["roughness"].requires_grad_()
    second = renderer.render(state)
    second.sum().backward()
    assert roughness.grad != 0 and torch.equal(first, second.detach())
    with torch.no_grad():
        roughness.fill_(0.6)
        assert (renderer.render(state) - first).abs().max() > 0.01
        roughness.fill_(0.3)
        assert torch.equal(renderer.render(state), first)


# ---------------------------------------------------------------------------------------- images, colours, batches


def test_an_image_is_float_height_width_channels_and_has_no_noise(body):
    state = body("ellipsoid", "principled", "sun, sky, area", 3)
    renderer = RasterRenderer(state, 24)
    image = renderer.render(state, 5, 16)
    assert image.shape == (24, 24, 1) and image.dtype == torch.float32 and not renderer.noisy
    assert torch.equal(image, renderer.render(state, 6, 64)) and torch.equal(image, image_of(state, 24))
    assert (image >= 0).all() and (image[0] == 0.3).all()


def test_gradients_repeat_to_the_last_bit(body):
    gradients = []
    for _ in range(2):
        state = body("ellipsoid", "plastic", "sun, sky, area", 3)
        state.vertices.requires_grad_()
        renderer = RasterRenderer(state, 24)
        for _ in range(2):
            gradients += torch.autograd.grad(renderer.render(state).square().sum(), state.vertices)
    assert all(torch.equal(gradients[0], each) for each in gradients[1:])


@pytest.mark.parametrize("kind", VALUES)
def test_each_channel_is_an_image_of_its_own(kind, body):
    colours = body("ellipsoid", kind, "sun, sky, area", 3, COLOUR)
    image = image_of(colours)
    assert image.shape == (32, 32, 3)
    for c in range(3):
        alone = image_of(body("ellipsoid", kind, "sun, sky, area", 3, COLOUR[c : c + 1]))
        torch.testing.assert_close(image[..., c : c + 1], alone, rtol=1e-4, atol=1e-6)


def test_inside_out_is_the_same(body):
    state = body("ellipsoid", "plastic", "sun", 3)
    flipped = dataclasses.replace(state, faces=state.faces.flip(1))
    torch.testing.assert_close(image_of(flipped), image_of(state), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("light", ["sun, sky, area", "spot"])
def test_a_batch_is_its_scenes_one_by_one(light, kind, body):
    """Other shapes, fields of view, colours, materials and lights in every scene."""
    states = []
    for i in range(3):
        colour = COLOUR.roll(i)
        state = body("ellipsoid", kind, light, 3, colour, tan_half_fov=torch.tensor(0.32 + 0.02 * i))
        state = dataclasses.replace(state, vertices=state.vertices * (1 + 0.1 * i), background=0.1 * i * colour)
        changed = {name: value * (1 - 0.02 * i) for name, value in VALUES[kind].items()}
        given = {"material": material(kind, colour.flip(0), **changed)}
        if state.lobes:
            given["lobes"] = (dataclasses.replace(sun(colour), axis=unit(1, 0.6 - 0.3 * i, 0.7)),)
        states.append(dataclasses.replace(state, **given))
    renderer = RasterRenderer(states[0], 24)
    together = renderer.render_batch(states)
    assert together.shape == (3, 24, 24, 3)
    for image, state in zip(together, states):
        # Glossy coats take as many directions as the smoothest of the batch wants.
        torch.testing.assert_close(image, renderer.render(state), rtol=1e-4 if kind == "diffuse" else 5e-3, atol=1e-4)


def test_gradients_of_a_batch_are_those_of_its_scenes(body):
    def slopes(batch: bool) -> list[Tensor]:
        states = [body("ellipsoid", "plastic", "sun, sky, area", 2) for _ in range(2)]
        for i, state in enumerate(states):
            state.vertices.mul_(1 + 0.1 * i).requires_grad_()
            state.material.values["reflectance"].requires_grad_()
        renderer = RasterRenderer(states[0], 16)
        images = renderer.render_batch(states) if batch else torch.stack([renderer.render(state) for state in states])
        (images.square() * torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1)).sum().backward()
        return [t.grad for state in states for t in (state.vertices, state.material.values["reflectance"])]

    for together, alone in zip(slopes(True), slopes(False)):
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


def test_what_is_unknown_is_refused_by_name(body):
    state = body("sphere", "diffuse", "sun", 1)
    velvet = MaterialState("velvet", state.material.values)
    with pytest.raises(UserError, match="material: the rasterizer has no 'velvet'"):
        RasterRenderer(dataclasses.replace(state, material=velvet), 16)
    with pytest.raises(UserError, match="lighting: the rasterizer has no 'laser'"):
        RasterRenderer(dataclasses.replace(state, lights=(LightState("laser", {}),)), 16)


# ---------------------------------------------------------------------------------------------------- hard cases


def slope_of(state: SceneState, resolution: int = 16) -> Tensor:
    """The gradient by the vertices, image and gradient being finite."""
    vertices = state.vertices.detach().clone().requires_grad_()
    image = image_of(dataclasses.replace(state, vertices=vertices), resolution)
    assert image.isfinite().all()
    (gradient,) = torch.autograd.grad(image.square().sum(), vertices, allow_unused=True)
    gradient = torch.zeros_like(vertices) if gradient is None else gradient
    assert gradient.isfinite().all()
    return gradient


def test_what_is_behind_the_camera_is_not_seen(body):
    state = body("sphere", "plastic", "sun, sky, area", 2)
    behind = dataclasses.replace(state, vertices=state.vertices * torch.tensor([1.0, 1.0, -1.0]))
    assert (image_of(behind, 16) == 0.3).all() and (slope_of(behind) == 0).all()


def test_a_camera_may_be_within_the_body(body):
    state = body("sphere", "plastic", "sun, sky, area", 2)
    around = dataclasses.replace(state, vertices=state.vertices - AWAY + torch.tensor([0.3, 0.2, 0.1]))
    assert (image_of(around, 16) != 0.3).all()
    slope_of(around)


def test_a_body_may_leave_the_image(body):
    state = body("sphere", "plastic", "sun, sky, area", 3)
    for shift in (1.0, 2.2, 50.0):
        away = dataclasses.replace(state, vertices=state.vertices + torch.tensor([shift, 0.0, 0.0]))
        assert (slope_of(away).abs().sum() > 0) == (shift < 2.2 or bool((image_of(away, 16) != 0.3).any()))


def test_degenerate_and_coincident_faces_change_nothing(body):
    state = body("sphere", "plastic", "sun, sky, area", 2)
    expected = image_of(state, 24)
    again = torch.cat([state.faces, torch.tensor([[3, 3, 7], [5, 5, 5]]), state.faces[:40]])
    torch.testing.assert_close(image_of(dataclasses.replace(state, faces=again), 24), expected, rtol=0, atol=0.02)
    a, b, c = state.faces[100]
    for place in (state.vertices[a] + 1e-6, 0.5 * (state.vertices[a] + state.vertices[c])):
        vertices = state.vertices.clone()
        vertices[b] = place
        assert slope_of(dataclasses.replace(state, vertices=vertices)).abs().sum() > 0


def test_an_open_mesh_shows_both_of_its_sides(body):
    state = body("sphere", "diffuse", "sky", 3)
    middles = state.vertices[state.faces].mean(1) - AWAY
    dome = dataclasses.replace(state, faces=state.faces[middles[:, 1] > 0.0])
    bowl = dataclasses.replace(state, faces=state.faces[middles[:, 2] < 0.0])
    for part in (dome, bowl):
        assert slope_of(part).abs().sum() > 0
    # The inner side of the far half: lit from where it faces.
    assert image_of(bowl, 16)[8, 8].item() == pytest.approx(image_of(state, 16)[8, 8].item(), rel=0.3)


NUMBERS = st.floats(-3, 3, width=32)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    corners=st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(-6, 1, width=32)), min_size=3, max_size=12),
    faces=st.lists(st.tuples(*[st.integers(0, 11)] * 3), min_size=1, max_size=16),
    kind=st.sampled_from(list(VALUES)),
    size=st.sampled_from([1e-6, 1.0, 1.0, 1.0, 1e3]),
)
def test_any_triangles_make_finite_images_and_derivatives(corners, faces, kind, size, make_state):
    state = make_state(
        size * torch.tensor(corners),
        torch.tensor(faces) % len(corners),
        material=material(kind),
        lights=tuple(lamps().values()),
        lobes=(sun(), sun(GREY, 5.0)),
        environment=sky,
    )
    slope_of(state, 9)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(["plastic", "principled"]), data=st.data())
def test_any_material_makes_finite_images_and_derivatives(kind, data, make_state):
    ends = st.sampled_from([0.0, 1e-3, 0.5, 0.999, 1.0])
    values = {
        name: data.draw(st.sampled_from([1e-3, 0.03, 1.0]) if name == "roughness" else ends) for name in VALUES[kind]
    }
    surface = material(kind, **values)
    surface.values["reflectance"] = torch.tensor([data.draw(ends)])
    for value in surface.values.values():
        value.requires_grad_()
    mesh = icosphere(2)
    lights = tuple(lamps().values())
    state = make_state(
        mesh.vertices + AWAY, mesh.faces, material=surface, lights=lights, lobes=(sun(),), environment=sky
    )
    image = image_of(state, 12)
    assert image.isfinite().all() and (image >= 0).all()
    image.sum().backward()
    assert all(value.grad.isfinite().all() for value in surface.values.values())


def test_a_field_of_view_may_be_wide(body):
    state = body("sphere", "plastic", "sun, sky, area", 3, tan_half_fov=torch.tensor(10.0))
    beside = dataclasses.replace(
        state, vertices=state.vertices * torch.tensor([1.0, 1.0, 0.3]) + torch.tensor([6.0, 0, 0.6])
    )
    assert slope_of(beside, 64).abs().sum() > 0


@pytest.mark.gpu
def test_a_gpu_makes_the_same_image(body):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")

    def moved_to(value, device: str):
        if isinstance(value, Tensor):
            return value.detach().to(device).requires_grad_(value.is_floating_point())
        if isinstance(value, dict):
            return {name: moved_to(each, device) for name, each in value.items()}
        if isinstance(value, tuple):
            return tuple(moved_to(each, device) for each in value)
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return dataclasses.replace(value, **{name: moved_to(each, device) for name, each in fields.items()})
        return value

    for kind in VALUES:
        found = []
        for device in ("cpu", "cuda"):
            state = body("ellipsoid", kind, "sun, sky, area")
            state = moved_to(dataclasses.replace(state, environment=None), device)
            image = image_of(state, 48)
            gradients = torch.autograd.grad(image.square().sum(), [state.vertices, *state.material.values.values()])
            found.append([image.detach().cpu(), *(gradient.cpu() for gradient in gradients)])
        torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-3, atol=1e-3)
        for theirs, ours in zip(found[1][1:], found[0][1:]):
            assert (theirs - ours).norm() < 0.01 * ours.norm()


def test_a_ring_shows_its_hole(make_state):
    ring = torus(0.35, 48, 16)
    state = make_state(ring.vertices + AWAY, ring.faces, **LIGHTS["sky"](GREY))
    image = image_of(state)
    assert image[16, 16] == 0.3 and (image[16] != 0.3).sum() > 8
