"""Numbers and colours in one or three channels."""

from __future__ import annotations

import pytest
import torch

from mitsuba_mei.scene.color import LUMINANCE, to_channels


def test_the_weights_add_up_to_one():
    assert sum(LUMINANCE) == pytest.approx(1)


def test_a_number_is_grey_and_a_grey_is_that_number():
    grey = to_channels(torch.tensor([0.4]), 3)
    assert grey.tolist() == pytest.approx([0.4] * 3)
    torch.testing.assert_close(to_channels(grey, 1), torch.tensor([0.4]))


def test_a_colour_has_its_luminance():
    colour = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.5, 0.1]])
    expected = [[0.2126], [0.7152], [0.0722], [0.2 * 0.2126 + 0.5 * 0.7152 + 0.1 * 0.0722]]
    torch.testing.assert_close(to_channels(colour, 1), torch.tensor(expected))


@pytest.mark.parametrize("channels", [1, 3])
def test_what_fits_is_left_alone(channels):
    values = torch.rand(4, channels)
    assert to_channels(values, channels) is values


def test_a_gradient_goes_through():
    number = torch.tensor([0.4], requires_grad=True)
    to_channels(number, 3).sum().backward()
    assert number.grad.item() == 3
