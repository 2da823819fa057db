"""Random numbers: uniform, stratified in a pixel, independent elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.render.path.sampler import Sampler


def chi_square(x: np.ndarray, bins: int = 64) -> float:
    """Standardised chi-square statistic of uniformity."""
    counts = np.histogram(x, bins, (0, 1))[0]
    expected = len(x) / bins
    return (((counts - expected) ** 2 / expected).sum() - (bins - 1)) / np.sqrt(2 * (bins - 1))


@pytest.mark.parametrize("spp", [1, 16])
def test_every_dimension_is_uniform(spp):
    sampler = Sampler(40_000, spp, 7, 3)
    for values in (sampler.next_1d().numpy(), *sampler.next_2d().numpy(), sampler.next_1d().numpy()):
        assert values.min() >= 0 and values.max() < 1
        # Those of one pixel depend on each other; each by itself is uniform over the pixels.
        for each in values.reshape(40_000, spp).T:
            assert chi_square(each) < 5


@given(seed=st.integers(0, 2**63), stream=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_seeds_and_streams_repeat_and_differ(seed, stream):
    x = Sampler(1000, 1, seed, stream).next_1d().numpy()
    np.testing.assert_array_equal(x, Sampler(1000, 1, seed, stream).next_1d().numpy())
    for other in (Sampler(1000, 1, seed + 1, stream), Sampler(1000, 1, seed, stream + 1)):
        assert abs(np.corrcoef(x, other.next_1d().numpy())[0, 1]) < 0.17  # more than five standard errors


def test_images_of_different_seeds_are_as_little_alike_as_independent_ones():
    """Over pairs of seeds, a correlation of independent images of N pixels has the variance 1 / N."""
    x = np.stack([Sampler(4096, 1, seed, 0).next_1d().numpy() for seed in range(300)])
    pairs = np.corrcoef(x)[np.triu_indices(300, 1)] * 64
    assert abs(pairs.std() - 1) < 0.02  # 44850 pairs, hardly dependent: seven standard errors
    assert np.abs(pairs).max() < 6
    # And the mean over the pixels varies as that of independent ones does: twelve per pixel, standard error 4 per cent.
    assert abs(np.sqrt(12 * 4096) * x.mean(1).std() - 1) < 0.2


def test_pixels_and_dimensions_are_independent():
    sampler = Sampler(20_000, 1, 0, 0)
    x, (y, z) = sampler.next_1d().numpy(), sampler.next_2d().numpy()
    for a, b in ((x[:-1], x[1:]), (x, y), (y, z), (x, z)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.04


def test_samples_of_a_pixel_are_spread_evenly():
    sampler = Sampler(500, 16, 0, 0)
    x, y = sampler.next_2d().numpy().reshape(2, 500, 16)
    product = ((x < 0.5) & (y < 0.5)).mean(1)
    assert product.mean() == pytest.approx(0.25, abs=0.01)
    assert product.std() < 0.6 * np.sqrt(0.25 * 0.75 / 16)
    means = sampler.next_1d().numpy().reshape(500, 16).mean(1)
    assert means.std() < 0.4 * np.sqrt(1 / 12 / 16)
    gaps = np.diff(np.sort(sampler.next_1d().numpy().reshape(500, 16), axis=1), axis=1)
    assert gaps.min() > 0.3 / 16


def test_all_dimensions_of_one_pixel_together_fill_their_space():
    """With a step shared by two dimensions a pixel would converge to an integral over a diagonal."""
    sampler = Sampler(50, 4096, 0, 0)
    halves = [sampler.next_1d().numpy().reshape(50, 4096) < 0.5 for _ in range(9)]
    for i in range(9):
        for j in range(i):
            joint = (halves[i] & halves[j]).mean(1)
            assert np.abs(joint - 0.25).max() < 0.02, (i, j)


def test_a_restored_sampler_repeats_itself():
    sampler = Sampler(100, 4, 1, 2)
    sampler.next_2d()
    state = sampler.state()
    first = sampler.next_2d().numpy(), sampler.next_1d().numpy()
    sampler.restore(state)
    again = sampler.next_2d().numpy(), sampler.next_1d().numpy()
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
