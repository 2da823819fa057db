"""The renderer as a torch function: gradients, random numbers, memory, hard cases."""

from __future__ import annotations

import gc
import math
import resource

import pytest
import torch

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.render.path import renderer as path
from mitsuba_mei.render.path.renderer import GradientBudget, PathRenderer
from mitsuba_mei.scene.state import LightState, MaterialState

SIZE = 32
AWAY = torch.tensor([0.0, 0.0, -4.0])
TAN = 0.32


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def functional(channels: int = 1) -> torch.Tensor:
    """Smooth weights of the pixels, (H, W, C)."""
    y, x = torch.meshgrid(torch.linspace(1, -1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    weight = torch.exp(-(x**2 + y**2) / (2 * 0.4**2)) * torch.cos(4 * x + 2 * y + 0.5)
    return weight[..., None] * torch.tensor([1.0, 0.6, 0.3])[:channels]


def bump(vertices: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    return torch.exp(-((vertices - centre) ** 2).sum(-1, keepdim=True) / (2 * 0.35**2)) * centre


def turn(angle: torch.Tensor) -> torch.Tensor:
    """Rotation about y."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros(()), torch.ones(())
    return torch.stack([torch.stack([c, zero, s]), torch.stack([zero, one, zero]), torch.stack([-s, zero, c])])


DIRECTION = torch.nn.functional.normalize(column(-0.6, -0.5, -1.0), dim=0)

GEOMETRY = ("bump", "shift", "depth", "turn", "fov")
"""Parameters of the object and the camera, in a scene's vector before those of its light."""

EVERY = (*GEOMETRY, "x", "irradiance", "reflectance", "background")


def scene_of(kind: str, bumpy, make_state):
    """From a vector of parameters that starts at zero to a state; the names of its entries."""
    vertices, faces = bumpy
    names = {
        "directional": ("x", "y", "irradiance", "reflectance", "background"),
        "sun": ("x", "y", "irradiance", "constant", "reflectance", "background"),
        "point": ("x", "z", "intensity", "reflectance", "background"),
        "area": ("x", "z", "radiance", "reflectance", "background"),
        "spot": ("x", "target", "intensity", "reflectance", "background"),
        "principled": ("x", "roughness", "metallic", "specular", "reflectance", "background"),
        "plastic": ("x", "roughness", "reflectance", "background"),
    }[kind]
    centre = torch.nn.functional.normalize(column(0.3, 0.2, 1.0), dim=0) * 1.1

    def state_of(p: torch.Tensor):
        channels = len(path.mi.Spectrum())
        zero = torch.zeros(())
        moved = vertices + p[0] * bump(vertices, centre)
        moved = moved @ turn(p[3]).T + torch.stack([p[1], zero, p[2]]) + AWAY
        q = dict(zip(names, p[len(GEOMETRY) :]))
        colour = torch.tensor([1.0, 0.7, 0.4])[:channels]
        given = {
            "tan_half_fov": TAN * (1 + p[4]),
            "material": MaterialState("diffuse", {"reflectance": 0.7 * colour * (1 + q["reflectance"])}),
            "background": 0.3 * colour * (1 + q["background"]),
        }
        if kind in ("directional", "principled", "plastic"):
            d = torch.nn.functional.normalize(DIRECTION + torch.stack([q["x"], q.get("y", zero), zero]), dim=0)
            values = {"direction": d, "irradiance": 3 * colour * (1 + q.get("irradiance", zero))}
            given["lights"] = (LightState("directional", values),)
        elif kind == "sun":
            towards = torch.nn.functional.normalize(-DIRECTION + torch.stack([q["x"], q["y"], zero]), dim=0)

            def environment(d):
                lobe = 3 * (1 + q["irradiance"]) * 50 / (2 * math.pi) * torch.exp(50 * (d @ towards - 1))
                return (lobe + 0.3 * (1 + q["constant"]))[:, None] * colour

            given |= {"environment": environment, "detail": 128}
        else:
            place = column(1.5, 2.0, -1.0) + torch.stack([q["x"], zero, q.get("z", zero)])
            if kind == "area":
                values = {"centre": place, "across": column(0.6, -0.45, 0.0), "up": column(0.36, 0.48, -0.45)}
                values = {**values, "radiance": 60 * colour * (1 + q["radiance"])}
                given["lights"] = (LightState(kind, values),)
            else:
                values = {"position": place, "intensity": 20 * colour * (1 + q["intensity"])}
                if kind == "spot":
                    values["target"] = AWAY + torch.stack([0.2 + q["target"], zero, zero])
                given["lights"] = (LightState(kind, values, CONE if kind == "spot" else {}),)
        if kind == "principled":
            values = {"roughness": 0.4, "metallic": 0.3, "specular": 0.5}
            values = {name: (value + q[name]).reshape(1) for name, value in values.items()}
            given["material"] = MaterialState(kind, {**given["material"].values, **values})
        if kind == "plastic":
            values = {"roughness": (0.3 + q["roughness"]).reshape(1)}
            given["material"] = MaterialState(kind, {**given["material"].values, **values}, {"ior": 1.5})
        return make_state(moved, faces, **given)

    return state_of, (*GEOMETRY, *names)


CONE = {"cutoff": math.radians(22), "beam": math.radians(6)}


def check_gradient(state_of, names, depth: int, which, seeds: int, channels: int = 1) -> None:
    """Gradients against central differences of well converged renders with common random numbers."""
    weight = functional(channels)
    start = torch.zeros(len(names))
    renderer = PathRenderer(state_of(start), SIZE, 16, depth, GradientBudget(32, 8, 16))
    gradients = []
    for seed in range(seeds):
        p = start.clone().requires_grad_()
        gradients.append(torch.autograd.grad((weight * renderer.render(state_of(p), seed)).sum(), p)[0])
    stacked = torch.stack(gradients)
    mean, error = stacked.mean(0), stacked.std(0) / math.sqrt(seeds)
    h = 0.02
    for k in (names.index(name) for name in which):
        step = h * torch.eye(len(names))[k]
        pairs = [[renderer.render(state_of(start + s * step), 1000 + i, 512) for s in (1, -1)] for i in range(3)]
        slopes = torch.tensor([((a - b) * weight).sum().item() / (2 * h) for a, b in pairs])
        noise = math.hypot(error[k].item(), slopes.std().item() / math.sqrt(3))
        assert mean[k].item() == pytest.approx(slopes.mean().item(), rel=0.05, abs=4 * noise), names[k]


@pytest.mark.parametrize(
    ("kind", "depth", "which"),
    [
        pytest.param("directional", 2, EVERY, marks=pytest.mark.slow),
        pytest.param("sun", 3, ("turn", "x", "constant"), marks=pytest.mark.slow),
        ("point", 2, ("x", "z", "intensity")),
        pytest.param("area", 2, ("shift", "x", "radiance"), marks=pytest.mark.slow),
        pytest.param("spot", 2, ("turn", "x", "target"), marks=pytest.mark.slow),
        pytest.param("principled", 2, ("roughness", "metallic", "specular"), marks=pytest.mark.slow),
        pytest.param("plastic", 3, ("roughness", "reflectance"), marks=pytest.mark.slow),
    ],
)
def test_gradients_agree_with_finite_differences(kind, depth, which, bumpy, make_state):
    state_of, names = scene_of(kind, bumpy, make_state)
    check_gradient(state_of, names, depth, which, seeds=12)


@pytest.mark.slow
def test_gradients_of_colour_agree_with_finite_differences(rgb, bumpy, make_state):
    state_of, names = scene_of("directional", bumpy, make_state)
    check_gradient(state_of, names, 2, ("shift", "x", "reflectance", "background"), seeds=12, channels=3)


def small(make_state, scale: float | torch.Tensor = 1.0, **given):
    """A sphere under an even sky."""
    mesh = icosphere(2)
    sky = {"environment": lambda d: torch.full((len(d), 1), 0.8), "detail": 16}
    return make_state(scale * mesh.vertices + AWAY, mesh.faces, **{**sky, **given})


def grey(reflectance: torch.Tensor) -> MaterialState:
    return MaterialState("diffuse", {"reflectance": reflectance})


def test_an_image_is_float_height_width_channels(make_state):
    renderer = PathRenderer(small(make_state), SIZE, 4, 2)
    image = renderer.render(small(make_state), 0)
    assert image.shape == (SIZE, SIZE, 1) and image.dtype == torch.float32 and not image.requires_grad


def test_a_seed_repeats_its_image_and_others_are_independent(make_state):
    state = small(make_state)
    renderer = PathRenderer(state, SIZE, 4, 2)
    images = [renderer.render(state, seed) for seed in (0, 0, 1, 2, 2**40)]
    torch.testing.assert_close(images[0], images[1], rtol=0.0, atol=1e-6)
    converged = renderer.render(state, 3, 1024)
    inside = (converged != 0.3).squeeze(-1)
    noise = torch.stack([(image - converged)[inside].ravel() for image in images[1:]])
    correlation = torch.corrcoef(noise)
    assert (correlation - torch.eye(4)).abs().max() < 5 / math.sqrt(noise.shape[1])
    assert noise.std() > 1e-3


def test_noise_falls_with_more_samples(make_state):
    state = small(make_state)
    renderer = PathRenderer(state, SIZE, 4, 2)
    converged = renderer.render(state, 3, 4096)
    errors = [(renderer.render(state, 0, spp) - converged).square().mean().sqrt() for spp in (4, 16, 64)]
    assert errors[1] < 0.6 * errors[0] and errors[2] < 0.6 * errors[1]


def test_passes_that_bound_the_memory_change_no_expectation(make_state, monkeypatch):
    state = small(make_state)
    renderer = PathRenderer(state, SIZE, 4, 2)
    whole = renderer.render(state, 0, 256)
    monkeypatch.setattr(path, "MAX_PATHS", 64 * SIZE**2)
    parts = renderer.render(state, 0, 256)
    assert not torch.equal(whole, parts)
    assert (whole - parts).abs().max() < 0.1 and whole.mean().item() == pytest.approx(parts.mean().item(), rel=1e-3)


@pytest.mark.slow
def test_gradients_are_kept_apart_from_renders_in_between(make_state):
    def slopes(disturb: bool) -> list[torch.Tensor]:
        reflectances = [column(0.7).requires_grad_(), column(0.2).requires_grad_()]
        scales = [torch.tensor(1.0, requires_grad=True), torch.tensor(0.8, requires_grad=True)]
        states = [small(make_state, s, material=grey(r)) for r, s in zip(reflectances, scales)]
        renderer = PathRenderer(states[0], SIZE, 16, 2)
        total = 0
        for state in states:
            part = renderer.render(state, 0).sum()
            if disturb:
                total = total + part
            else:
                part.backward()
        if disturb:
            with torch.no_grad():
                renderer.render(small(make_state, 0.5), 0)
            total.backward()
        return [p.grad for p in (*reflectances, *scales)]

    for a, b in zip(slopes(True), slopes(False)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_a_gradient_needs_no_more_than_what_is_free(make_state):
    mesh = icosphere(2)
    reflectance = column(0.7).requires_grad_()
    state = small(make_state, material=grey(reflectance))
    renderer = PathRenderer(state, SIZE, 16, 2)
    image = renderer.render(state, 0)
    image.sum().backward()
    lit = image.detach().sum() - 0.3 * (image.detach() == 0.3).sum()
    # A convex body's direct light is in proportion to its reflectance.
    assert reflectance.grad.item() == pytest.approx(lit.item() / 0.7, rel=0.05)
    assert state.vertices.grad is None and len(mesh.vertices) == len(state.vertices)


@pytest.mark.parametrize("budget", [GradientBudget(0, 1, 0), GradientBudget(0, 0, 1), GradientBudget(1, 0, 0)])
def test_any_part_of_a_gradient_can_be_left_out(budget, make_state):
    scale = torch.tensor(1.0, requires_grad=True)
    state = small(make_state, scale)
    PathRenderer(state, SIZE, 4, 2, budget).render(state, 0).sum().backward()
    assert torch.isfinite(scale.grad)


@pytest.mark.slow
def test_rendering_leaves_no_memory_behind(make_state):
    renderer = PathRenderer(small(make_state), 16, 2, 2, GradientBudget(2, 1, 1))

    def steps(count: int) -> None:
        for seed in range(count):
            with torch.no_grad():
                renderer.render(small(make_state), seed)
            scale = torch.tensor(1.0, requires_grad=True)
            renderer.render(small(make_state, scale), seed)  # never differentiated
            renderer.render(small(make_state, scale), seed).sum().backward()

    steps(10)
    gc.collect()
    tensors = sum(type(x) is torch.Tensor for x in gc.get_objects())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps(60)
    gc.collect()
    assert sum(type(x) is torch.Tensor for x in gc.get_objects()) <= tensors + 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024  # kilobytes


def finite_gradient(state_of, seeds: int = 3) -> torch.Tensor:
    vertices = state_of(None).vertices.clone()
    renderer = PathRenderer(state_of(vertices), SIZE, 4, 3, GradientBudget(4, 2, 2))
    total = torch.zeros_like(vertices)
    for seed in range(seeds):
        v = vertices.clone().requires_grad_()
        image = renderer.render(state_of(v), seed)
        assert torch.isfinite(image).all()
        (gradient,) = torch.autograd.grad((image * functional()).sum(), v)
        assert torch.isfinite(gradient).all()
        total += gradient
    return total


def lit(channel: float = 1.0) -> dict:
    values = {"direction": DIRECTION, "irradiance": column(3.0)}
    sky = {"environment": lambda d: torch.full((len(d), 1), channel), "detail": 16}
    return {**sky, "lights": (LightState("directional", values),)}


@pytest.mark.slow
def test_degenerate_faces_are_harmless(make_state):
    mesh = icosphere(2)
    a, b, c = mesh.faces[100]
    needle, flat, whole = (mesh.vertices + AWAY for _ in range(3))
    needle[b] = needle[a] + column(1e-6, 0.0, 0.0)
    flat[b] = 0.5 * (flat[a] + flat[c])
    doubled = torch.cat([mesh.faces, torch.tensor([[3, 3, 7]])])
    for vertices, faces in ((needle, mesh.faces), (flat, mesh.faces), (whole, doubled)):
        gradient = finite_gradient(lambda v: make_state(vertices if v is None else v, faces, **lit()))
        assert gradient.abs().sum() > 0


@pytest.mark.slow
def test_an_open_mesh_has_a_gradient_at_its_rim(make_state):
    mesh = icosphere(2)
    dome = mesh.faces[mesh.vertices[mesh.faces][:, :, 1].mean(1) > 0.0]
    gradient = finite_gradient(lambda v: make_state(mesh.vertices + AWAY if v is None else v, dome, **lit()))
    assert gradient.abs().sum() > 0


def test_faces_behind_the_camera_are_harmless(make_state):
    mesh = icosphere(2)
    around = mesh.vertices + torch.tensor([0.3, 0.2, 0.1])  # the camera is inside
    finite_gradient(lambda v: make_state(around if v is None else v, mesh.faces, **lit()))
    behind = mesh.vertices - AWAY
    gradient = finite_gradient(lambda v: make_state(behind if v is None else v, mesh.faces, **lit()))
    assert (gradient == 0).all()


@pytest.mark.slow
def test_non_manifold_edges_are_harmless(make_state):
    mesh = icosphere(1)
    fin = torch.cat([mesh.faces, torch.tensor([[*mesh.faces[0, :2].tolist(), 20]])])
    finite_gradient(lambda v: make_state(mesh.vertices + AWAY if v is None else v, fin, **lit()))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "depth"), [("sun", 3), ("plastic", 2)])
def test_a_batch_is_its_images_one_by_one_and_so_are_its_gradients(bumpy, make_state, kind, depth):
    """Views are rendered before the first backward pass: each pass needs its own scene again."""
    state_of, names = scene_of(kind, bumpy, make_state)
    renderer = PathRenderer(state_of(torch.zeros(len(names))), SIZE, 4, depth, GradientBudget(4, 1, 1))
    generator = torch.Generator().manual_seed(0)
    starts = [0.05 * torch.randn(len(names), generator=generator) for _ in range(2)]
    weights = [functional(), -2 * functional()]
    together = [start.clone().requires_grad_() for start in starts]
    images = renderer.render_batch([state_of(p) for p in together], 7)
    with torch.no_grad():
        renderer.render(state_of(starts[1] + 0.3), 0)  # one more, that nothing is asked of
    sum((weight * image).sum() for weight, image in zip(weights, images)).backward()
    for i, start in enumerate(starts):
        alone = start.clone().requires_grad_()
        image = renderer.render(state_of(alone), 7 + i * path.BATCH)
        (weights[i] * image).sum().backward()
        torch.testing.assert_close(images[i], image)
        torch.testing.assert_close(together[i].grad, alone.grad, rtol=1e-3, atol=1e-3 * alone.grad.abs().max().item())
    assert (images[0] - images[1]).abs().max() > 0.01


def test_images_of_a_batch_have_noise_of_their_own(bumpy, make_state):
    state_of, names = scene_of("sun", bumpy, make_state)
    state = state_of(torch.zeros(len(names)))
    renderer = PathRenderer(state, SIZE, 4, 2)
    with torch.no_grad():
        first, second = renderer.render_batch([state, state], 7)
        converged = renderer.render(state, 8, 256)
    # Independent noise adds up: the difference of the two is longer than either's own by the root of 2.
    errors = [(image - converged).square().mean().sqrt().item() for image in (first, second)]
    assert (first - second).square().mean().sqrt().item() == pytest.approx(math.hypot(*errors), rel=0.1)
