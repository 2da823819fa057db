"""Gradients through normalizations, of single images, whatever order their memory has."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mitsuba_mei as mm
from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.freeze import freeze


class GaussianReadout(nn.Module):
    """A window for each neuron over normalized features; the einsum leaves gradients in another order of memory."""

    def __init__(self, normalization: nn.Module, inplace: bool) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(1, 4, 3, padding=1)
            self.windows = nn.Parameter(torch.rand(3, 12, 12))
            self.features = nn.Parameter(torch.randn(4))
        self.normalization, self.elu = normalization, nn.ELU(inplace=inplace)

    def forward(self, images):
        features = self.elu(self.normalization(self.conv(images)))
        return torch.einsum("bchw,nhw->bnc", features, self.windows) @ self.features


def slope_error(model: nn.Module) -> float:
    """How far autograd's directional derivative is from finite differences, relative."""
    generator = torch.Generator().manual_seed(1)
    image, direction = torch.randn(2, 1, 1, 12, 12, generator=generator, dtype=torch.float64)
    model = copy.deepcopy(model).double()
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(model(image).sum(), image)
    with torch.no_grad():
        difference = model(image + 1e-5 * direction).sum() - model(image - 1e-5 * direction).sum()
    truth = difference.item() / 2e-5
    return abs((gradient * direction).sum().item() - truth) / abs(truth)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("normalization", [nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True)])
def test_the_gradient_of_a_single_image_is_that_of_finite_differences(normalization, inplace):
    model = freeze(GaussianReadout(copy.deepcopy(normalization), inplace))
    assert slope_error(model) < 1e-6
    assert len(freeze(model).normalization._forward_hooks) == 1


class Functional(GaussianReadout):
    """The same with torch.nn.functional, which no hook reaches."""

    def forward(self, images):
        size = images.new_ones(4)
        features = F.batch_norm(self.conv(images), 0 * size, size)
        return torch.einsum("bchw,nhw->bnc", features, self.windows) @ self.features


def test_a_wrong_gradient_that_cannot_be_mended_is_refused():
    model = Functional(nn.Identity(), False).eval()
    if slope_error(model) < 1e-6:
        pytest.skip("this version of torch computes the gradient of batch_norm right")
    with pytest.raises(UserError, match="gradient by an image alone is off by .* use the modules nn.BatchNorm2d"):
        mm.MEI(model, 1, input=mm.Input(size=12, mean=124.5, std=70.3))


def test_the_mended_one_is_taken():
    mei = mm.MEI(GaussianReadout(nn.BatchNorm2d(4), True), 1, input=mm.Input(size=12, mean=124.5, std=70.3))
    assert mei.config.neurons == (1,)
