from __future__ import annotations

import pytest
import torch

from mitsuba_mei.stimulus import gaussian_blur


def test_a_point_becomes_a_gaussian_of_that_width():
    image = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    image[0, 0, 20, 20] = 1
    blurred = gaussian_blur(image, 3.0)[0, 0]
    place = torch.arange(41, dtype=torch.float64) - 20
    assert blurred.sum().item() == pytest.approx(1, abs=1e-6)
    for axis in (0, 1):
        variance = (blurred.sum(1 - axis) * place.square()).sum().item()
        assert variance == pytest.approx(9, rel=0.05)


def test_channels_and_images_do_not_mix_and_zero_leaves_all_as_it_is():
    images = torch.zeros(2, 3, 15, 17)
    images[1, 2] = 1
    blurred = gaussian_blur(images, 1.0)
    assert blurred.shape == images.shape
    assert (blurred[0] == 0).all() and (blurred[1, :2] == 0).all()
    assert blurred[1, 2, 7, 8].item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(gaussian_blur(images, 0.0), images)
