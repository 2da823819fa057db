"""What is varied, and which ranges are refused."""

from __future__ import annotations

import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.runs.results import Axis
from mitsuba_mei.runs.tuning_grid import axes_of, parse_over, points
from mitsuba_mei.scene.scalar_parameters import ParameterInfo


class Numbers:
    """Stands in for a scene: two angles and a length."""

    quantities = {
        "pose.rotation.z": ParameterInfo("pose.rotation.z", "deg", period=360.0),
        "lighting.0.azimuth": ParameterInfo("lighting.0.azimuth", "deg", period=360.0),
        "pose.scale": ParameterInfo("pose.scale", "", 0),
    }

    def quantity(self, path):
        if path not in self.quantities:
            raise UserError(f"there is no number '{path}'")
        return self.quantities[path]

    def own(self, path):
        return 5.0


def axes(*texts: str, relative: bool = False) -> tuple[Axis, ...]:
    return axes_of([parse_over(text) for text in texts], Numbers(), relative)


def test_a_range_is_spread_evenly_with_both_ends():
    (axis,) = axes("pose.scale=0.5:2.5:5")
    assert axis.values.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert (axis.unit, axis.at, axis.period, axis.step, axis.closed) == ("", 5.0, None, 0.5, False)
    (axis,) = axes("pose.scale=-1:1:3", relative=True)
    assert axis.values.tolist() == [4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("text", "period", "closed", "half"),
    [
        ("pose.rotation.z=0:360:13", 360.0, True, None),
        ("pose.rotation.z=-180:170:36", 360.0, False, None),
        ("pose.rotation.z=-90:90:19", None, False, 180.0),
        ("pose.rotation.z=0:165:12", None, False, 180.0),
        ("pose.rotation.z=0:160:12", None, False, None),
        ("lighting.0.azimuth=-90:90:19", None, False, None),
        ("lighting.0.azimuth=0:345:24", 360.0, False, None),
        ("pose.scale=1:361:13", None, False, None),
    ],
)
def test_periods_follow_from_the_range(text, period, closed, half):
    (axis,) = axes(text)
    assert (axis.period, axis.closed, axis.half_turn_period) == (period, closed, half)


def test_a_grid_runs_over_the_last_axis_first():
    grid = points(axes("pose.scale=1:2:2", "pose.rotation.z=0:20:3"))
    assert [index for index, _ in grid] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert grid[4][1] == {"pose.scale": 2.0, "pose.rotation.z": 10.0}
    assert np.prod([2, 3]) == len(grid)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["pose.scale"], "must read path=first:last:points"),
        (["pose.scale=1:2"], "must read path=first:last:points"),
        (["=1:2:3"], "must read path=first:last:points"),
        (["pose.scale=a:2:3"], "ends must be numbers"),
        (["pose.scale=1:2:3.5"], "must be a whole number, not '3.5'"),
        (["pose.scale=1:2:0"], "must be 2 to 2500, not 0"),
        (["pose.scale=1:2:-4"], "must be 2 to 2500, not -4"),
        (["pose.scale=1:2:2501"], "must be 2 to 2500, not 2501"),
        (["pose.scale=2:1:3"], "from a smaller to a larger finite number"),
        (["pose.scale=1:inf:3"], "from a smaller to a larger finite number"),
        (["pose.scale=nan:2:3"], "from a smaller to a larger finite number"),
        (["pose.scale=0:2:3"], "pose.scale would be 0; it must be above 0"),
        (["pose.rotation.z=0:540:3"], "more than a full turn, 360 deg"),
        (["pose.size=1:2:3"], "there is no number 'pose.size'"),
        (["pose.scale=1:2:3", "pose.scale=1:3:3"], "pose.scale is named twice"),
        (["pose.scale=1:2:51", "pose.rotation.z=0:1:50"], "2550 points are too many; a grid may have 2500"),
        (["pose.scale=1:2:3"] * 3, "one or two numbers can be varied, not 3"),
        ([], "one or two numbers can be varied, not 0"),
    ],
)
def test_what_is_refused(texts, expected):
    with pytest.raises(UserError) as caught:
        axes(*texts)
    assert expected in str(caught.value) and str(caught.value).startswith("--over")


def test_a_relative_range_is_checked_where_it_leads():
    axes("pose.scale=-4.9:2:3", relative=True)
    with pytest.raises(UserError, match="pose.scale would be 0"):
        axes("pose.scale=-5:2:3", relative=True)
