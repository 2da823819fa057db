from __future__ import annotations

import math

import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.v4_curvature import CurvatureV4, contour_template
from mitsuba_mei.stimulus import Stimulus, image_coordinates

MEAN, STD = 124.54, 70.28
ECCENTRICITY = 0.5
STIMULUS = Stimulus((100, 100), 1, MEAN, STD, norm=25).double()


@pytest.fixture(scope="module")
def model() -> CurvatureV4:
    return CurvatureV4((100, 100)).double()


def shape(curvature: float, position: float, mirrored: bool = False) -> torch.Tensor:
    """A bright shape whose border is an arc of the given curvature with straight arms, drawn from the definition.

    ``mirrored`` reflects the border at its tangent in the apex: convex becomes concave and the other way round.
    """
    x, y = image_coordinates((300, 300), torch.float64)
    angle, turn, radius = math.radians(position), math.radians(70), 1 / abs(curvature)
    out = x * math.cos(angle) + y * math.sin(angle) - ECCENTRICITY
    along = (y * math.cos(angle) - x * math.sin(angle)).abs()
    arc = radius - (radius**2 - along**2).clamp_min(0).sqrt()
    arm = radius * (1 - math.cos(turn)) + math.tan(turn) * (along - radius * math.sin(turn))
    sag = torch.where(along < radius * math.sin(turn), arc, arm)
    towards_the_centre = (curvature > 0) != mirrored
    return (out < (-sag if towards_the_centre else sag)).double()[..., None]


# --- tuning


def test_at_least_16_units_from_concave_to_sharply_convex(model):
    curvatures = {c for c, _ in model.tuning}
    assert len(model.tuning) >= 16 and min(curvatures) < 0 and max(curvatures) >= 8
    assert model(torch.zeros(1, 1, 100, 100, dtype=torch.float64)).shape == (1, len(model.tuning))


def test_each_unit_prefers_its_contour_to_the_opposite(model):
    for i, (curvature, position) in enumerate(model.tuning):
        preferred = float(model(STIMULUS(shape(curvature, position)))[0, i])
        opposite = float(model(STIMULUS(shape(curvature, position, mirrored=True)))[0, i])
        assert preferred > 1.5 * opposite, (i, preferred, opposite)
        assert 0.5 < preferred < 1.2


def test_each_unit_prefers_its_own_curvature_at_its_position(model):
    curvatures = sorted({c for c, _ in model.tuning})
    for position in (0.0, 135.0):
        units = [model.tuning.index((c, position)) for c in curvatures]
        table = torch.stack([model(STIMULUS(shape(c, position)))[0, units] for c in curvatures])
        assert table.argmax(0).tolist() == list(range(len(curvatures))), table
        assert table.argmax(1).tolist() == list(range(len(curvatures))), table


def test_a_shape_turned_by_a_quarter_excites_the_unit_a_quarter_on(model):
    image = STIMULUS(shape(4.0, 0.0))
    turned = model(torch.rot90(image, 1, (2, 3)))[0].reshape(-1, 8)
    torch.testing.assert_close(turned.roll(-2, 1), model(image)[0].reshape(-1, 8), rtol=2e-3, atol=2e-3)


def test_polarity_does_not_count_and_uniform_light_is_not_seen(model):
    image = STIMULUS(shape(4.0, 45.0))
    torch.testing.assert_close(model(-image), model(image))
    torch.testing.assert_close(model(image + 3), model(image))
    assert float(model(torch.full_like(image, 0.7)).abs().max()) < 1e-6


def test_a_grating_s_energy_is_its_squared_amplitude(model):
    x, _ = image_coordinates((100, 100), torch.float64)
    energy = model.energy(0.3 * torch.cos(2 * math.pi * 6 * x)[None, None])[0, :, 24:36, 24:36]
    vertical = 8 + 4  # 6 cycles per half width, bars at 90 degrees
    assert int(energy.mean((1, 2)).argmax()) == vertical
    torch.testing.assert_close(energy[vertical], torch.full((12, 12), 0.09, dtype=torch.float64), rtol=0.02, atol=0)


def test_orientation_channels_are_in_the_direction_of_the_bars(model):
    x, y = image_coordinates((100, 100), torch.float64)
    rising = torch.cos(2 * math.pi * 6 * (y - x) / math.sqrt(2))[None, None]  # bars along 45 degrees
    assert int(model.energy(rising)[0, :, 24:36, 24:36].mean((1, 2)).argmax()) == 8 + 2


# --- contours


@pytest.mark.parametrize("curvature", [-4.0, 2.0, 10.0])
@pytest.mark.parametrize("position", [0.0, 90.0, 200.0])
def test_template_is_an_arc_through_its_apex(curvature, position):
    points, tangents = contour_template(curvature, position, 0.5, 0.4)
    phi = math.radians(position)
    apex = torch.tensor([0.5 * math.cos(phi), 0.5 * math.sin(phi)], dtype=torch.float64)
    assert float((points[4] - apex).norm()) < 1e-9
    assert float(tangents[4]) == pytest.approx(phi + math.pi / 2)
    turned = (tangents - phi - math.pi / 2).abs() < math.radians(69)
    centre = apex * (1 - 1 / (0.5 * curvature))
    distance = (points[turned] - centre).norm(dim=1)
    torch.testing.assert_close(distance, torch.full_like(distance, 1 / abs(curvature)), rtol=0, atol=1e-9)


def test_template_points_are_evenly_spaced_and_symmetric():
    points, tangents = contour_template(4.0, 0.0, 0.5, 0.9)
    torch.testing.assert_close(points[:, 0], points[:, 0].flip(0), rtol=0, atol=1e-9)
    torch.testing.assert_close(points[:, 1], -points[:, 1].flip(0), rtol=0, atol=1e-9)
    steps = (points[1:] - points[:-1]).norm(dim=1)
    assert float(steps.max()) <= 0.1 + 1e-9 and float(steps.min()) > 0.09


def test_template_without_curvature_is_straight():
    points, tangents = contour_template(0.0, 0.0, 0.5, 0.9)
    torch.testing.assert_close(points[:, 0], torch.full((9,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(points[:, 1], torch.linspace(-0.4, 0.4, 9, dtype=torch.float64))
    torch.testing.assert_close(tangents, torch.full((9,), math.pi / 2, dtype=torch.float64))


# --- gradients


@pytest.mark.parametrize("start", ["noise", "disc", "opposite"])
def test_gradient_against_finite_differences(model, start):
    generator = torch.Generator().manual_seed(0)
    x, y = image_coordinates((100, 100), torch.float64)
    image = {
        "noise": STIMULUS(torch.rand(100, 100, 1, dtype=torch.float64, generator=generator)),
        "disc": STIMULUS((x.hypot(y) < 0.6).double()[..., None]),
        "opposite": STIMULUS(shape(4.0, 0.0, mirrored=True)),
    }[start].requires_grad_()
    units = [0, 9, 18, 27]
    for unit in units:
        (gradient,) = torch.autograd.grad(model(image)[0, unit], image)
        direction = torch.randn(image.shape, dtype=torch.float64, generator=generator) + 30 * gradient / gradient.norm()
        step = 1e-5 * direction
        with torch.no_grad():
            difference = float(model(image + step)[0, unit] - model(image - step)[0, unit]) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-4)
        assert float(gradient.norm()) > 1e-3  # no dead zone


def test_gradient_is_finite_on_a_uniform_image(model):
    image = torch.zeros(1, 1, 100, 100, dtype=torch.float64, requires_grad=True)
    model(image).sum().backward()
    assert torch.isfinite(image.grad).all()


def test_gradient_ascent_from_a_disc_at_least_doubles_every_curvature(model):
    x, y = image_coordinates((100, 100))
    single = CurvatureV4((100, 100))
    show = Stimulus((100, 100), 1, MEAN, STD, norm=25)
    for unit in (0, 26):
        image = (x.hypot(y) < 0.6).float()[..., None].requires_grad_()
        optimizer = torch.optim.Adam([image], lr=0.05)
        first = float(single(show(image))[0, unit].detach())
        for _ in range(25):
            optimizer.zero_grad()
            response = single(show(image))[0, unit]
            (-response).backward()
            optimizer.step()
        assert float(response.detach()) > 2 * first


# --- sizes, speed, bad input


def test_batches_are_independent(model):
    images = torch.cat([STIMULUS(shape(4.0, 0.0)), STIMULUS(shape(-4.0, 90.0))])
    torch.testing.assert_close(model(images), torch.cat([model(images[:1]), model(images[1:])]))


@pytest.mark.parametrize("size", [(64, 64), (80, 101), (200, 200)])
def test_other_sizes_respond_alike(model, size):
    other = CurvatureV4(size, positions=1).double()
    image = shape(4.0, 0.0)
    show = Stimulus(size, 1, MEAN, STD, norm=25 * math.sqrt(size[0] * size[1]) / 100).double()
    reference = model(STIMULUS(image))[0, ::8]
    torch.testing.assert_close(other(show(image))[0], reference, rtol=0.15, atol=0.02)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"curvatures": []}, "one finite number"),
        ({"curvatures": [float("nan")]}, "one finite number"),
        ({"positions": 0}, "at least 1"),
        ({"length": 0}, "length is 0"),
        ({"tolerance": -1}, "tolerance is -1"),
        ({"eccentricity": 1.0}, "eccentricity is 1"),
        ({"eccentricity": 0.9}, r"curvature -4 at 0 degrees leaves the image"),
        ({"image_size": (40, 40)}, "too small"),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises(UserError, match=message):
        CurvatureV4(**({"image_size": (100, 100)} | wrong))
