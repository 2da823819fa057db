"""Converged responses of several neurons from one set of renders: no bias, and errors that mean what they say."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from mitsuba_mei.optimize.evaluate import Accuracy, respond

SIZE = 8


class Noisy:
    """Renders an image of known mean with noise whose variance falls with the samples."""

    noisy = True

    def __init__(self) -> None:
        self.mean = torch.linspace(0.2, 0.8, SIZE * SIZE).reshape(SIZE, SIZE, 1)
        self.asked: list[tuple[int, int]] = []

    def render(self, state, seed: int, spp: int | None = None) -> torch.Tensor:
        self.asked.append((seed, spp))
        noise = torch.randn(self.mean.shape, generator=torch.Generator().manual_seed(seed % 2**31))
        return self.mean + noise * (0.5 / math.sqrt(spp))


class Exact(Noisy):
    noisy = False

    def render(self, state, seed: int, spp: int | None = None) -> torch.Tensor:
        return self.mean


def pipeline(renderer):
    """One whose neurons see the image as it is."""
    observer = SimpleNamespace(stimulus=lambda image: image.permute(2, 0, 1)[None])
    return SimpleNamespace(scene=lambda: None, renderer=renderer, observer=observer)


def neurons(seen: torch.Tensor) -> torch.Tensor:
    """A linear, a quadratic and a silent one."""
    flat = seen.flatten(1)
    return torch.stack([flat.mean(1), flat.square().sum(1), 0 * flat[:, 0]], 1)


TRUTH = np.array([0.5, float(Noisy().mean.square().sum()), 0.0])


def test_samples_are_split_over_more_renders():
    assert Accuracy.split(512, 4) == Accuracy(64, 32)
    assert Accuracy.split(3, 2) == Accuracy(1, 6)
    assert Accuracy.split(1, 1) == Accuracy(1, 2)
    assert Accuracy.split(100, 4, 7) == Accuracy(58, 7)


def test_every_render_is_used_once_and_all_neurons_see_the_same():
    renderer, seen = Noisy(), []

    def counted(inputs):
        seen.append(len(inputs))
        return neurons(inputs)

    respond(pipeline(renderer), counted, Accuracy(5, 9), 1000)
    assert renderer.asked == [(1000 + i, 5) for i in range(9)]
    assert seen == [10]


def test_without_noise_there_is_no_error():
    found = respond(pipeline(Exact()), neurons, Accuracy(5, 9), 0)
    np.testing.assert_allclose(found.mean, TRUTH, rtol=1e-6)
    assert (found.sem == 0).all() and (found.low == found.mean).all() and (found.high == found.mean).all()


@pytest.mark.slow
def test_two_standard_errors_and_the_interval_hold_the_truth_as_often_as_they_say():
    """Of 32 renders, two standard errors do so with probability 0.9458, Student's interval with 0.95."""
    trials, accuracy, subject = 1500, Accuracy(4, 32), pipeline(Noisy())
    found = [respond(subject, neurons, accuracy, 64 * trial) for trial in range(trials)]
    mean, sem, low, high = (np.array([getattr(f, n) for f in found]) for n in ("mean", "sem", "low", "high"))
    expected = 2 * stats.t.cdf(2, 31) - 1
    for k in range(2):  # the plain mean of the quadratic one would be biased by 64 * 0.25 / 128 = 0.125, 1.3 errors
        spread = 3.5 * math.sqrt(expected * (1 - expected) / trials)
        assert np.mean(np.abs(mean[:, k] - TRUTH[k]) <= 2 * sem[:, k]) == pytest.approx(expected, abs=spread)
        assert np.mean((low[:, k] <= TRUTH[k]) & (TRUTH[k] <= high[:, k])) == pytest.approx(0.95, abs=spread)
        assert mean[:, k].mean() == pytest.approx(TRUTH[k], abs=4 * mean[:, k].std() / math.sqrt(trials))
        assert sem[:, k].mean() == pytest.approx(mean[:, k].std(), rel=0.08)
    assert (mean[:, 2] == 0).all() and (sem[:, 2] == 0).all()
