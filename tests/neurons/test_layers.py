"""A layer of a model in place of its neurons."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.model import FeatureExtractor


class Net(nn.Module):
    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.core = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(inplace=in_place), nn.Conv2d(2, 3, 3))
        self.again = self.core[0]
        self.pair = Pair()
        self.unused = nn.Linear(2, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.core(images)
        self.pair(values)
        return values.mean((2, 3))


class Pair(nn.Module):
    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return values, values


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("in_place", [False, True])
def test_the_layer_is_the_one_that_was_named(images, in_place):
    torch.manual_seed(0)
    net = Net(in_place)
    with torch.no_grad():
        torch.testing.assert_close(FeatureExtractor(net, "core.0")(images), net.core[0](images).flatten(1))
        torch.testing.assert_close(FeatureExtractor(net, "again")(images), net.core[0](images).flatten(1))
        torch.testing.assert_close(FeatureExtractor(net, "core.1")(images), net.core[0](images).relu().flatten(1))
        torch.testing.assert_close(FeatureExtractor(net, "core")(images), net.core(images).flatten(1))


def test_the_gradient_flows_through(images):
    net = Net(in_place=True)
    images.requires_grad_()
    weights = torch.randn(4, 2 * 36, generator=torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad((FeatureExtractor(net, "core.0")(images) * weights).sum(), images)
    (expected,) = torch.autograd.grad((net.core[0](images).flatten(1) * weights).sum(), images)
    torch.testing.assert_close(found, expected)


def test_nothing_is_left_behind_in_the_model(images):
    net = Net()
    with pytest.raises(UserError):
        FeatureExtractor(net, "pair")(images)
    FeatureExtractor(net, "core.1")(images)
    assert not any(layer._forward_hooks for layer in net.modules())


def test_an_unknown_layer_is_told_the_nearest_name():
    with pytest.raises(UserError, match=r"objective.layer: the model has no layer 'unusde'; did you mean 'unused'\?"):
        FeatureExtractor(Net(), "unusde")
    with pytest.raises(UserError, match="no layer ''"):
        FeatureExtractor(Net(), "")


@pytest.mark.parametrize("name", ["pair", "unused"])
def test_a_layer_without_one_row_an_image_is_refused(images, name):
    with pytest.raises(UserError, match=f"'{name}' gives no tensor with one row an image"):
        FeatureExtractor(Net(), name)(images)
