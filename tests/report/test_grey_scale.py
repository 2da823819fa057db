"""One grey scale for stimuli that stand side by side, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from mitsuba_mei.report.grey_scale import DISPLAY, GreyScale


def test_stimuli_of_different_contrast_keep_it():
    ground = np.full(100, 124.0)
    faint, strong = (np.concatenate([ground, 124 + np.array([-reach, reach])]) for reach in (25.0, 100.0))
    scale = GreyScale.of([faint, strong])
    assert (scale.low, scale.high) == (24, 224)
    assert np.ptp(scale(strong).astype(int)) == 255
    assert np.ptp(scale(faint).astype(int)) == pytest.approx(255 / 4, abs=1)


def test_its_ends_are_what_it_says():
    levels = np.array([124.3] * 9 + [61.7, 200.2])
    scale = GreyScale.of([levels])
    assert scale.caption == "grey levels 48 to 201 shown as black to white"
    assert scale(np.array([48, 201])).tolist() == [0, 255]
    assert scale(np.array([61.7]))[0] == round(255 * (61.7 - 48) / (201 - 48))
    assert scale(np.array([-400.0, 400.0, np.nan])).tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([7.0, 7.0], "grey levels 6.5 to 7.5 shown"),
        ([100.0, 100.0, 104.26], "grey levels 95.7 to 104.3 shown"),
        ([120.0, 120.0, 400.0], "grey levels −160 to 400 shown"),
        ([np.nan, 100.0, 100.0, 150.0], "grey levels 50 to 150 shown"),
        ([], "grey levels 0 to 255 shown"),
    ],
)
def test_narrow_wide_and_no_stimuli(levels, said):
    scale = GreyScale.of([np.array(levels)])
    assert scale.caption.startswith(said)
    assert scale.low < scale.high


def test_colours_share_one_scale():
    colour = np.full((4, 4, 3), 100.0)
    colour[0, 0] = [150.0, 100.0, 60.0]
    scale = GreyScale.of([colour, np.full((4, 4), 100.0)])
    assert (scale.low, scale.high) == (50, 150)
    assert scale(colour)[0, 0].tolist() == [255, 128, 26]


def test_true_grey_levels():
    assert DISPLAY(np.array([-3.0, 0.4, 127.6, 300.0])).tolist() == [0, 0, 128, 255]
