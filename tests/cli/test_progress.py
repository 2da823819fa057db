"""The line on the terminal: what stays where there is little room."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import pytest
from rich.cells import cell_len
from rich.console import Console

from mitsuba_mei.cli.progress import LiveProgress
from mitsuba_mei.cli.sweep import SweepProgress
from mitsuba_mei.sweep.scheduler import SweepStatus

TERMS = {"activation": -0.123456, "smoothness": 0.0042, "area": 0.00257, "edge_length": 0.00479, "rigidity": 0.00719}
BAR, COUNT, TIME = "━{3,}", r"61/150", r"\d:\d\d:\d\d|-:--:--"


def shown(width: int, label: str = "", steps: int = 61, terms: Mapping[str, float] = TERMS) -> list[str]:
    """The line as it stood last, and whatever stood below it."""
    screen = io.StringIO()
    progress = LiveProgress(Console(file=screen, force_terminal=True, width=width, color_system=None))
    progress.start(150, label, done=60)
    for _ in range(steps - 60):
        progress.step({"step": 1, **terms})
    progress.stop()
    text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", screen.getvalue())
    return [line.rstrip() for line in text.replace("\r", "\n").splitlines() if "61/150" in line][-1:]


@pytest.mark.parametrize("label", ["", "neuron 25 (12 of 20), path, start 1 of 2"], ids=["alone", "labelled"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_bar_count_and_time_stay_at_any_width(width, label):
    (line,) = shown(width, label)
    assert cell_len(line) <= width
    for part in (BAR, COUNT, TIME):
        assert re.search(part, line), line
    values = {f"{name} {value:.4g}" for name, value in TERMS.items()}
    said = re.split(r"\d:\d\d:\d\d|-:--:--", line)[1].strip()
    assert not said or set(re.split(r"  +", said)) <= values  # whole, or not at all
    if width >= 80 and not label:
        assert "activation -0.1235" in line


def test_a_resumed_run_counts_from_where_it_is():
    screen = io.StringIO()
    progress = LiveProgress(Console(file=screen))
    progress.start(150, done=59)
    progress.step({"activation": 0.5})
    assert screen.getvalue() == "step 60/150  activation 0.5\n"


def test_a_difference_on_the_way_is_called_an_estimate_and_fits_into_eighty_columns():
    info = {"step": 1, "error": 0.0234567, "difference": 0.0796789, "smoothness": 0.0042}
    screen = io.StringIO()
    LiveProgress(Console(file=screen)).step(info)
    assert "  error 0.02346  est. difference 0.0797  smoothness 0.0042" in screen.getvalue()
    (line,) = shown(80, terms=info)
    assert line.endswith("error 0.02346  est. difference 0.0797")


def test_what_is_under_way_is_said_at_once_on_a_terminal_alone():
    for terminal in (True, False):
        screen = io.StringIO()
        progress = LiveProgress(Console(file=screen, force_terminal=terminal, width=80))
        progress.doing("loading the libraries")
        progress.doing("evaluating what was reached")
        progress.stop()
        for text in ("loading the libraries", "evaluating what was reached"):
            assert (text in screen.getvalue()) == terminal


def test_a_sweeps_table_fits_into_eighty_columns():
    screen = io.StringIO()
    with SweepProgress(Console(file=screen, force_terminal=True, width=80, color_system=None)) as told:
        told.update(SweepStatus(123_456, 23_456, 50_000, 1_234, 16, 16, 3.5 * 86_400, 1234.5))
    text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", screen.getvalue())
    head, row = (next(line for line in text.splitlines() if word in line) for word in ("failed", "123456"))
    assert "time left" in head and "about" in row and "…" not in head + row
    assert max(map(cell_len, text.splitlines())) <= 80
