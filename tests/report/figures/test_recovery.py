"""The picture of a run of inverse rendering."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.figures.recovery import Recovery, write_recovery

pytestmark = pytest.mark.slow


def recovery(count: int, errors: list[float], left: float = 0.3, truth: tuple[str, ...] = ("a line",)) -> Recovery:
    x = np.linspace(0, 1, 24, dtype=np.float32)
    target = [np.broadcast_to((x + i / 10)[:, None, None], (24, 24, 1)) for i in range(count)]
    views = {"target": target, "initial": [0.5 * t for t in target], "final": [t + left for t in target]}
    ends = (errors[0], 0.0) if errors else (0.0, 0.0)
    return Recovery("shape.offsets: l2 error", views, [target[0]] * 3, errors, ends, (ends[0] / 2, 0.001), truth)


@pytest.mark.parametrize(("count", "errors"), [(1, [0.5, 0.3, 0.2]), (9, []), (2, [0.0, 0.0])])
def test_it_can_be_drawn(tmp_path, count, errors):
    path = tmp_path / "summary.png"
    write_recovery(path, recovery(count, errors))
    pixels = iio.imread(path)[..., :3]
    assert pixels.shape[0] > 900 and pixels.shape[1] > 1200
    assert ((pixels < 200).any(axis=2)).mean() > 0.05


def test_what_is_left_is_blank_where_nothing_is_and_coloured_where_something_is(tmp_path):
    inks = []
    for left in (0.0, 0.3):
        write_recovery(tmp_path / f"{left}.png", recovery(1, [0.5, 0.2], left))
        pixels = iio.imread(tmp_path / f"{left}.png")[..., :3].astype(int)
        lower = pixels[int(0.7 * len(pixels)) : int(0.9 * len(pixels)), : pixels.shape[1] // 4]
        inks.append((np.ptp(lower, axis=2) > 60).mean())
    assert inks[0] < 0.01 < 0.1 < inks[1]
