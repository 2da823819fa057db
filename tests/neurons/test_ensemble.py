from __future__ import annotations

import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.model import Ensemble
from mitsuba_mei.neurons.nnvision import Encoder, build_nnvision
from tests.neurons.checkpoints import attention_state, point_pooled_state

SIZE = (14, 14)
FORMATS = {"point pooled": point_pooled_state, "attention": attention_state}


def members(make=attention_state, count: int = 3, **architecture) -> list[Encoder]:
    return [build_nnvision(make(seed=seed, **architecture), SIZE).double() for seed in range(count)]


def noise(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_the_response_is_the_mean_of_the_members(make):
    single = members(make)
    ensemble, images = Ensemble(single), noise()
    assert ensemble.n_neurons == 5
    wanted = sum(member(images) for member in single) / 3
    torch.testing.assert_close(ensemble(images), wanted)
    assert (ensemble(images) - single[0](images)).abs().max() > 1e-2


def test_an_ensemble_of_one_is_its_member():
    (member,) = members(count=1)
    assert torch.equal(Ensemble([member])(noise()), member(noise()))


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("neurons", [[3], [4, 0, 2], [0, 1, 2, 3, 4]])
def test_selection_is_indexing_in_every_member(make, neurons):
    ensemble, images = Ensemble(members(make)), noise()
    selected = ensemble.select(neurons)
    torch.testing.assert_close(selected(images), ensemble(images)[:, neurons])
    assert selected.n_neurons == len(neurons)
    assert [member.n_neurons for member in selected.members] == [len(neurons)] * 3


def test_gradient_is_the_mean_of_the_members():
    single, image = members(), noise(1).requires_grad_()
    (found,) = torch.autograd.grad(Ensemble(single)(image)[0, 2], image)
    wanted = torch.stack([torch.autograd.grad(member(image)[0, 2], image)[0] for member in single]).mean(0)
    torch.testing.assert_close(found, wanted)


def test_members_may_be_of_both_formats():
    mixed = [*members(attention_state, 1), *members(point_pooled_state, 1)]
    torch.testing.assert_close(Ensemble(mixed)(noise()), (mixed[0](noise()) + mixed[1](noise())) / 2)


def test_members_must_have_the_same_neurons():
    with pytest.raises(UserError, match="member 2 has 4 neurons and member 0 has 5"):
        Ensemble([*members(count=2), *members(count=1, neurons=4)])


def test_an_ensemble_needs_a_member():
    with pytest.raises(UserError, match="no members"):
        Ensemble([])


def test_selection_of_a_neuron_that_is_not_there():
    with pytest.raises(UserError, match="no neuron 5"):
        Ensemble(members()).select([5])
