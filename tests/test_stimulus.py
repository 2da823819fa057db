from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.stimulus import Stimulus, image_coordinates

MEAN, STD = 124.54, 70.28


def stimulus(size=(20, 24), channels=1, **constraint) -> Stimulus:
    return Stimulus(size, channels, MEAN, STD, **constraint).double()


def picture(seed: int, h: int = 20, w: int = 24, channels: int = 1) -> torch.Tensor:
    return torch.rand(h, w, channels, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_coordinates_are_pixel_centres_with_y_up():
    x, y = image_coordinates((2, 4))
    assert x[0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert y[:, 0].tolist() == [0.25, -0.25]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    norm=st.floats(0.1, 1000),
    gain=st.floats(1e-3, 1e3),
    offset=st.floats(0, 10),
    sigma=st.none() | st.floats(0.2, 2),
)
def test_norm_is_fixed_and_brightness_does_not_count(seed, norm, gain, offset, sigma):
    mask = sigma and {"sigma": sigma, "center": [0.1, -0.2]}
    show, image = stimulus(norm=norm, mask=mask), picture(seed)
    z = show(image)
    assert z.shape == (1, 1, 20, 24)
    assert float(torch.linalg.vector_norm(z)) == pytest.approx(norm)
    assert float(z.sum()) == pytest.approx(0, abs=1e-9 * norm)
    torch.testing.assert_close(show(gain * image + offset), z, rtol=1e-6, atol=1e-8 * norm)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), contrast=st.floats(0.01, 0.5), mean=st.floats(0.1, 0.9), channels=st.sampled_from([1, 3])
)
def test_mean_and_contrast_are_fixed(seed, contrast, mean, channels):
    show = stimulus(channels=channels, contrast=contrast, display_mean=mean, mask={"sigma": 0.5})
    grey = (show(picture(seed, channels=3)) * STD + MEAN) / 255
    assert float(grey.mean()) == pytest.approx(mean)
    assert float(grey.std(correction=0)) == pytest.approx(contrast)


def test_radius_is_the_norm_of_what_varies():
    for constraint in ({"norm": 12}, {"contrast": 0.2, "display_mean": 0.4}):
        show = stimulus(**constraint)
        z = show(picture(3))
        assert float(torch.linalg.vector_norm(z - show.background)) == pytest.approx(show.radius)
    assert stimulus(clip=True).radius is None


def test_channels_of_unlike_std():
    means, stds = [123.7, 116.3, 103.5], [58.4, 57.1, 57.4]
    image = picture(0, channels=3)
    z = Stimulus((20, 24), 3, means, stds, norm=10).double()(image)
    assert float(torch.linalg.vector_norm(z)) == pytest.approx(10)
    grey = z * torch.tensor(stds).reshape(3, 1, 1)
    c = (image - image.mean((0, 1))).permute(2, 0, 1)[None]
    torch.testing.assert_close(grey / grey.norm(), c / c.norm(), rtol=1e-5, atol=1e-8)
    assert Stimulus((20, 24), 3, means, stds, contrast=0.1).radius is None


def test_norm_25_is_the_default():
    assert stimulus().radius == 25


def test_clip_shows_radiance_as_grey_level():
    image = torch.linspace(-0.5, 1.5, 20 * 24, dtype=torch.float64).reshape(20, 24, 1)
    show = stimulus(clip=True)
    grey = show(image)[0, 0] * STD + MEAN
    torch.testing.assert_close(grey, 255 * image[..., 0].clamp(0, 1), rtol=1e-6, atol=1e-4)


def test_clip_fades_to_the_mean_under_the_mask():
    image = picture(1, 21, 21)
    show = stimulus((21, 21), clip=True, mask={"sigma": 0.2})
    grey = show(image)[0, 0] * STD + MEAN
    m = float((show.mask * image[..., 0]).sum() / show.mask.sum())
    assert float(grey[0, 0]) == pytest.approx(255 * m, abs=1e-3)
    assert float(grey[10, 10]) == pytest.approx(255 * float(image[10, 10]), abs=1e-3)


def test_mask_is_a_gaussian_about_its_centre():
    mask = stimulus((40, 40), mask={"sigma": 0.3, "center": [0.5, 0.25]}).mask
    x, y = image_coordinates((40, 40), torch.float64)
    assert float((mask * x).sum() / mask.sum()) == pytest.approx(0.5, abs=0.08)
    row, column = divmod(int(mask.argmax()), 40)
    assert abs(float(x[row, column]) - 0.5) <= 0.026 and abs(float(y[row, column]) - 0.25) <= 0.026
    along = mask[row].log()
    second = along[2:] - 2 * along[1:-1] + along[:-2]
    torch.testing.assert_close(second, torch.full_like(second, -(0.05**2) / 0.3**2), rtol=1e-2, atol=1e-5)


def test_colour_is_shown_as_rec_709_luminance_and_grey_is_repeated():
    image = picture(2, channels=3)
    luminance = (image * torch.tensor([0.2126, 0.7152, 0.0722])).sum(-1, keepdim=True)
    show = stimulus(norm=25)
    torch.testing.assert_close(show(image), show(luminance), rtol=1e-6, atol=1e-8)
    repeated = stimulus(channels=3)(luminance)
    assert repeated.shape == (1, 3, 20, 24)
    torch.testing.assert_close(repeated[:, 0], repeated[:, 2])


def test_shrinking_is_antialiased():
    stripes = (torch.arange(96) % 2).double().expand(80, 96)[..., None]
    shown = stimulus().resample(stripes)[0]
    assert shown.shape == (20, 24)
    torch.testing.assert_close(shown[:, 1:-1], torch.full((20, 22), 0.5, dtype=torch.float64), rtol=0, atol=0.02)


def test_other_aspect_ratios_are_cropped_about_the_centre():
    image = torch.zeros(60, 60, 1, dtype=torch.float64)
    image[24:36] = 1.0
    shown = stimulus((10, 50)).resample(image)[0]
    torch.testing.assert_close(shown, torch.ones(10, 50, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(20, 24), (24, 24), (400, 100)])
def test_large_enough_renders_pass(size):
    stimulus().check_resolution(*size)


@pytest.mark.parametrize("size", [(19, 24), (20, 23), (10, 10), (400, 23)])
def test_small_renders_are_refused(size):
    with pytest.raises(UserError, match="render.resolution must be at least 24"):
        stimulus().check_resolution(*size)


@pytest.mark.parametrize("constraint", [{"norm": 25}, {"contrast": 0.2}, {"clip": True}])
@pytest.mark.parametrize("mask", [None, {"sigma": 0.4}])
def test_gradient_against_finite_differences(constraint, mask):
    show = Stimulus((5, 6), 1, MEAN, STD, **constraint, mask=mask).double()
    image = picture(5, 8, 10, channels=3).requires_grad_()
    assert torch.autograd.gradcheck(show, image)


@pytest.mark.parametrize("constraint", [{"norm": 25}, {"contrast": 0.2}, {"clip": True}])
@pytest.mark.parametrize("level", [0.0, 0.3, 1e4])
@pytest.mark.parametrize("mask", [None, {"sigma": 0.3}])
def test_constant_image_has_no_contrast_and_no_gradient(constraint, level, mask):
    show = Stimulus((100, 100), 1, MEAN, STD, **constraint, mask=mask)
    image = torch.full((100, 100, 1), level, requires_grad=True)
    z = show(image)
    torch.testing.assert_close(z, torch.ones_like(z) * z.detach().mean(), rtol=1e-4, atol=1e-5)
    z.square().sum().backward()
    assert torch.isfinite(image.grad).all()
    if not show.constraint == "clip":
        assert (image.grad == 0).all()
    assert show.contrast_energy(image) == 0


def test_contrast_energy_tells_what_is_seen():
    show = stimulus(mask={"sigma": 0.3})
    image = torch.full((20, 24, 1), 0.5, dtype=torch.float64)
    assert show.contrast_energy(image) == 0
    image[8:12, 10:14] = 0.6
    seen = show.contrast_energy(image)
    assert seen > 0
    assert show.contrast_energy(7 * image) == pytest.approx(seen)
    image[0, 0] = float("nan")
    assert math.isnan(show.contrast_energy(image))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sigma=st.sampled_from([0.02, 0.3]))
def test_inputs_are_attainable_and_the_projection_is_orthogonal(seed, sigma):
    show = stimulus(norm=3, mask={"sigma": sigma * 2})
    z = show(picture(seed))
    torch.testing.assert_close(show.attainable(z), z)
    other = picture(seed + 1)[None, None, :, :, 0]
    projected = show.attainable(other)
    assert float(((other - projected) * projected).sum()) == pytest.approx(0, abs=1e-9)


def test_to_grey():
    z = torch.tensor([[[[-10.0, 0.0, 1.0, 10.0]]]], dtype=torch.float64)
    expected = torch.tensor([[0, MEAN, MEAN + STD, 255]], dtype=torch.float64)
    torch.testing.assert_close(stimulus((1, 4)).to_grey(z), expected, rtol=1e-6, atol=1e-4)
    assert stimulus((1, 4), channels=3).to_grey(z.expand(1, 3, 1, 4)).shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"norm": 25, "clip": True}, "norm and clip; exactly one"),
        ({"norm": 25, "contrast": 0.2}, "norm and contrast; exactly one"),
        ({"norm": 0}, "stimulus.norm is 0"),
        ({"norm": float("inf")}, "stimulus.norm is inf"),
        ({"contrast": -0.1}, "stimulus.contrast is -0.1"),
        ({"contrast": 0.1, "display_mean": 1.0}, "stimulus.mean is 1.0"),
        ({"mask": {"sigma": 0}}, "stimulus.mask.sigma is 0"),
        ({"mask": {}}, "stimulus.mask.sigma is None"),
        ({"mask": {"sgima": 0.3}}, "did you mean 'sigma'"),
        ({"mask": {"sigma": 0.3, "center": [0]}}, "two numbers"),
        ({"mask": {"sigma": 0.1, "center": [5, 5]}}, "less than one pixel"),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises(UserError, match=message):
        stimulus(**wrong)


def test_an_image_of_two_channels_is_refused():
    with pytest.raises(ValueError, match="H, W, 1 or 3"):
        stimulus()(torch.zeros(20, 24, 2, dtype=torch.float64))


def test_what_no_display_shows_is_counted():
    stimulus = Stimulus((10, 10), 1, 120.0, 60.0)
    z = torch.zeros(1, 1, 10, 10)
    assert stimulus.outside_display(z) == 0
    z[0, 0, 0, :3] = 2.3  # 258 grey levels
    z[0, 0, 1, :2] = -2.1  # -6
    z[0, 0, 2, 0] = 2.25  # 255: white
    assert stimulus.outside_display(z) == pytest.approx(0.05)
    assert stimulus.to_grey(z).max() == 255 and stimulus.to_grey(z, clip=False).max() == pytest.approx(258)
