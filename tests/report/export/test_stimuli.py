"""Size, mean and contrast of what is displayed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.export.stimuli import DisplaySettings, prepare

WAVE = 127.5 + 40 * np.sin(np.linspace(0, 4 * np.pi, 32, endpoint=False))[None].repeat(24, 0).astype(np.float32)


@settings(deadline=None)
@given(st.floats(0.3, 0.7), st.floats(0.01, 0.2), st.integers(16, 90))
def test_mean_and_contrast_are_those_asked_for_at_any_size(mean, contrast, size):
    picture = prepare(WAVE, DisplaySettings(size, mean, contrast))
    assert picture.luminance.shape == (round(size * 24 / 32), size) and picture.luminance.dtype == np.float32
    assert picture.luminance.mean() == pytest.approx(mean, abs=1e-5) == pytest.approx(picture.mean, abs=1e-5)
    assert picture.luminance.std() == pytest.approx(contrast, abs=1e-5) == pytest.approx(picture.contrast, abs=1e-5)
    assert picture.clipped == 0


def test_as_it_is_where_nothing_is_asked_for():
    picture = prepare(WAVE, DisplaySettings())
    np.testing.assert_allclose(picture.luminance, WAVE / 255, atol=1e-6)
    moved = prepare(WAVE, DisplaySettings(mean=0.4))
    np.testing.assert_allclose(moved.luminance, WAVE / 255 - 0.1, atol=1e-6)
    assert moved.contrast == pytest.approx(picture.contrast) == pytest.approx(40 / 255 / np.sqrt(2))


def test_what_is_beyond_the_display_is_clipped_and_counted():
    grey = np.full((10, 10), 100.0, np.float32)
    grey[0, :7], grey[1, :3] = 300, -5
    grey[2, :2] = 255.4  # rounds to white
    picture = prepare(grey, DisplaySettings())
    assert picture.clipped == pytest.approx(0.1)
    assert picture.luminance.max() == 1 and picture.luminance.min() == 0
    assert picture.mean == pytest.approx(picture.luminance.mean())


def test_a_smooth_picture_keeps_its_shape_when_it_grows():
    """Lanczos: a wave stays the wave, but near the edges, where it is cut off."""
    picture = prepare(WAVE, DisplaySettings(320))
    place = (np.arange(320) + 0.5) / 10 - 0.5  # in pixels of the original
    expected = (127.5 + 40 * np.sin(place / 32 * 4 * np.pi)) / 255
    np.testing.assert_allclose(picture.luminance[100, 40:-40], expected[40:-40], atol=0.003)


def test_colours_are_shifted_and_scaled_alike():
    grey = np.stack([WAVE, 0.5 * WAVE + 50, 0 * WAVE + 90], axis=2)
    picture = prepare(grey, DisplaySettings(mean=0.5, contrast=0.05))
    weights = np.array([0.2126, 0.7152, 0.0722])
    assert (picture.luminance @ weights).mean() == pytest.approx(0.5, abs=1e-5)
    assert (picture.luminance @ weights).std() == pytest.approx(0.05, abs=1e-5)
    red, green, blue = np.moveaxis(picture.luminance, 2, 0)
    assert np.ptp(red) == pytest.approx(2 * np.ptp(green), rel=1e-4) and np.ptp(blue) < 1e-6
    assert prepare(grey, DisplaySettings(16)).luminance.shape == (12, 16, 3)


def test_a_uniform_stimulus_stays_uniform():
    picture = prepare(np.full((8, 8), 60, np.float32), DisplaySettings(mean=0.3, contrast=0.2))
    assert picture.contrast < 1e-12 and picture.luminance == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (DisplaySettings(15), "--size 15: it must be 16 to 4096 pixels"),
        (DisplaySettings(4097), "16 to 4096"),
        (DisplaySettings(mean=0.0), "--mean 0: it must lie between 0, black, and 1, white"),
        (DisplaySettings(mean=1.5), "--mean 1.5"),
        (DisplaySettings(mean=float("nan")), "--mean nan"),
        (DisplaySettings(contrast=0.0), "--contrast 0: it must be above 0"),
        (DisplaySettings(contrast=0.51), "at most 0.5, which black and white alone have at a mean of 0.5"),
        (DisplaySettings(mean=0.1, contrast=0.31), "at most 0.3, which black and white alone have at a mean of 0.1"),
    ],
)
def test_what_no_display_shows_is_refused(look, expected):
    with pytest.raises(UserError) as caught:
        look.check()
    assert expected in str(caught.value)


@given(st.floats(0.02, 0.98))
def test_the_highest_contrast_is_that_of_black_and_white(mean):
    n = 1000
    values = (np.arange(n) < round(mean * n)).astype(float)
    DisplaySettings(mean=values.mean(), contrast=values.std() * 0.999999).check()
    with pytest.raises(UserError):
        DisplaySettings(mean=values.mean(), contrast=values.std() * 1.001).check()
