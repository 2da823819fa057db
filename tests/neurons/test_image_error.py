"""Errors of images and of responses against a target's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.image_error import ERRORS, ImageError
from mitsuba_mei.stimulus import Stimulus

IMAGES = ("l2", "l1")


def images(error: str, target: torch.Tensor, views: int = 1) -> ImageError:
    return ImageError(None, None, None, None, target=target, views=views, error=error)


def answers(target: torch.Tensor, views: int = 1, weights: torch.Tensor | None = None) -> ImageError:
    stimulus = Stimulus((6, 6), 1, 120.0, 60.0, norm=10).double()
    weights = drawn(3, 36, seed=9) if weights is None else weights

    def neurons(seen: torch.Tensor) -> torch.Tensor:
        return torch.tanh(seen.flatten(1) @ weights.T)

    return ImageError(stimulus, None, neurons, None, target=target, views=views, error="responses")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def error_of(likeness: ImageError, image: torch.Tensor) -> float:
    return -likeness.observe(image).activation.item()


TWO_VIEWS = torch.tensor([[0.0, 2, 5, 7], [2, 0, 7, 5]])[..., None]


@pytest.mark.parametrize("error", IMAGES)
def test_the_error_is_over_the_contrast_of_each_view_about_its_own_mean(error):
    # Each view deviates by 1 from its mean everywhere; together they have another mean.
    assert error_of(images(error, TWO_VIEWS, 2), TWO_VIEWS + 3) == pytest.approx(3)
    together = {"l2": (1 + 2.5**2) ** 0.5, "l1": 2.5}[error]
    assert error_of(images(error, TWO_VIEWS, 1), TWO_VIEWS + 3) == pytest.approx(3 / together)


def test_l2_and_l1_are_what_their_names_say():
    target = torch.tensor([[1.0, 3.0], [1.0, 3.0]])[..., None]
    image = target + torch.tensor([[2.0, 0.0], [0.0, 0.0]])[..., None]
    assert error_of(images("l2", target), image) == pytest.approx(1.0)
    assert error_of(images("l1", target), image) == pytest.approx(0.5)


def test_responses_are_compared_by_the_length_of_the_targets():
    target, image = drawn(6, 6, 1), drawn(6, 6, 1, seed=1)
    likeness = answers(target)
    first, second = (likeness.neurons(likeness.stimulus(each)) for each in (target, image))
    look = likeness.observe(image)
    torch.testing.assert_close(look.responses, second[0])
    assert -look.activation.item() == pytest.approx((torch.dist(first, second) / first.norm()).item())
    assert look.model_input.shape == (1, 1, 6, 6)


def test_responses_to_several_views_are_those_to_each():
    target, image = drawn(6, 12, 1), drawn(6, 12, 1, seed=1)
    likeness = answers(target, 2)
    each = [likeness.neurons(likeness.stimulus(view)) for view in image.chunk(2, dim=1)]
    torch.testing.assert_close(likeness.observe(image).responses, torch.cat(each).flatten())


@given(st.sampled_from(sorted(ERRORS)), st.integers(0, 1000), st.sampled_from([1, 2]))
def test_nothing_is_nearer_than_the_target_itself(error, seed, views):
    target, image = drawn(6, 6 * views, 1, seed=seed), drawn(6, 6 * views, 1, seed=seed + 1)
    likeness = answers(target, views) if error == "responses" else images(error, target, views)
    assert error_of(likeness, target) == 0
    assert error_of(likeness, image) > 0
    assert not likeness.is_silent(likeness.observe(target)) and likeness.is_silent(likeness.observe(image))


@given(st.sampled_from(IMAGES), st.floats(-5, 5), st.integers(0, 1000))
def test_a_brighter_light_changes_no_error(error, exponent, seed):
    target, image, factor = drawn(5, 5, 1, seed=seed), drawn(5, 5, 1, seed=seed + 1), 10**exponent
    expected = error_of(images(error, target), image)
    assert error_of(images(error, factor * target), factor * image) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("error", sorted(ERRORS))
def test_the_gradient_is_that_of_finite_differences(error):
    target = drawn(6, 12, 1)
    likeness = answers(target, 2) if error == "responses" else images(error, target, 2)
    image = drawn(6, 12, 1, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: likeness.observe(x).activation, image)


def test_at_the_target_the_gradient_is_finite():
    target = drawn(6, 6, 1)
    for likeness in (images("l2", target), images("l1", target), answers(target)):
        image = target.clone().requires_grad_()
        likeness.observe(image).activation.backward()
        assert not image.grad.any()


@pytest.mark.parametrize("error", IMAGES)
@pytest.mark.parametrize("level", [0.0, 0.3, 1e-4, 3000.1])
def test_a_target_that_shows_nothing_is_refused(error, level):
    with pytest.raises(UserError, match="nothing is to be seen in the target image"):
        images(error, torch.full((16, 16, 1), level))


def test_silent_neurons_are_refused():
    with pytest.raises(UserError, match="the neurons are silent at the target image"):
        answers(drawn(6, 6, 1), weights=torch.zeros(2, 36, dtype=torch.float64))


@pytest.mark.parametrize("error", IMAGES)
def test_smaller_images_are_means_of_the_larger(error):
    small = drawn(4, 8, 3)
    large = small.repeat_interleave(3, 0).repeat_interleave(3, 1)
    shrunk = images(error, large, 2).smaller(4)
    torch.testing.assert_close(shrunk.target, small)
    assert shrunk.views == 2 and shrunk.error == error
    other = drawn(4, 8, 3, seed=1)
    assert error_of(shrunk, other) == pytest.approx(error_of(images(error, small, 2), other))


def test_what_is_shown_is_the_difference():
    likeness = images("l2", TWO_VIEWS, 2)
    torch.testing.assert_close(likeness.difference(TWO_VIEWS), torch.zeros(2, 4))
    torch.testing.assert_close(likeness.difference(TWO_VIEWS + 0.5), torch.full((2, 4), 0.5))
    assert likeness.optimum() is None and likeness.is_visible(torch.zeros(2, 4, 1))
