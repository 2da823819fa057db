"""The pictures of diverse scenes and of metamers."""

from __future__ import annotations

import contextlib

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.figures import diversity as report_unlike
from mitsuba_mei.report.figures import style as drawing
from mitsuba_mei.report.figures.diversity import DiversePicture, MetamerPicture, write_diverse, write_metamer

pytestmark = pytest.mark.slow


def drawn(path) -> np.ndarray:
    return iio.imread(path)[..., :3].astype(int)


RENDER = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20, 1)
GREY = 255 * RENDER[..., 0]


@pytest.mark.parametrize(("count", "apart"), [(2, 0.0), (3, 1.0), (10, 1.0)])
def test_every_scene_is_drawn_to_a_number_that_can_be_seen(tmp_path, count, apart):
    pairs = apart * (np.ones((count, count)) - np.eye(count))
    of_each = [[RENDER] * count, [GREY] * count, [RENDER] * count, [f"{i}" for i in range(count)]]
    picture = DiversePicture("title", *of_each, pairs, "degrees", ("one", "two"))
    write_diverse(tmp_path / "summary.png", picture)
    pixels = drawn(tmp_path / "summary.png")
    assert abs(pixels.shape[1] - 110 * (2.2 * min(count, 8) + 4.2)) < 3
    scenes = pixels[100:, : int(110 * 2.2 * min(count, 8))]
    assert (np.ptp(scenes, axis=2) < 10).all() and (scenes < 200).any(axis=2).mean() > 0.2


@pytest.mark.parametrize("previews", [(), ("metamer",), ("reference", "metamer")])
def test_a_metamer_is_drawn_with_the_objects_that_there_are(tmp_path, previews):
    both = ("reference", "metamer")
    picture = MetamerPicture(
        title="title",
        renders=dict.fromkeys(both, RENDER),
        stimuli=dict.fromkeys(both, GREY),
        previews={name: [RENDER, RENDER] for name in previews},
        responses={"reference": np.arange(5.0), "metamer": np.arange(5.0) + 0.1},
        statements=("a sentence",),
    )
    write_metamer(tmp_path / "summary.png", picture)
    pixels = drawn(tmp_path / "summary.png")
    columns = 4 if previews else 2
    assert abs(pixels.shape[1] - 110 * (2.4 * columns + 5)) < 3
    ink = (pixels < 200).any(axis=2)
    half, width = len(pixels) // 2, int(110 * 2.4)
    for row, name in ((slice(40, half), "reference"), (slice(half, None), "metamer")):
        assert ink[row, : 2 * width].mean() > 0.1
        if previews:
            assert (ink[row, 2 * width : 4 * width].mean() > 0.1) == (name in previews)


@pytest.mark.parametrize("previews", [False, True], ids=["without objects", "with objects"])
def test_a_metamers_figure_leaves_no_blank_between_its_parts(tmp_path, monkeypatch, previews):
    figures = []

    @contextlib.contextmanager
    def kept(*size):
        with drawing.drawn(*size) as figure:
            figures.append(figure)
            yield figure

    monkeypatch.setattr(report_unlike, "drawn", kept)
    both = ("reference", "metamer")
    of_both = dict.fromkeys(both, [RENDER, RENDER]) if previews else {}
    responses = dict.fromkeys(both, np.arange(5.0))
    scenes = dict.fromkeys(both, RENDER), dict.fromkeys(both, GREY)
    write_metamer(tmp_path / "summary.png", MetamerPicture("title", *scenes, of_both, responses, ("a sentence",) * 4))
    (figure,) = figures
    left, right = figure.subfigs
    above, *_, below = (axes.get_window_extent() for axes in left.axes)
    inch = figure.dpi
    assert above.y0 - below.y1 < 0.75 * inch  # a title lies between them
    note = left._supxlabel.get_window_extent()
    assert 0 < below.y0 - note.y1 < 0.6 * inch
    (sentences,) = right.subfigs[1].axes[0].texts
    assert 0 <= sentences.get_window_extent().y0 < 0.6 * inch  # the text ends where the figure does
