"""What the neurons of a comparison say together."""

from __future__ import annotations

import csv
import math

import pytest

from mitsuba_mei.experiments.comparison import comparison_statistics
from mitsuba_mei.experiments.tables import comparison_row, write_rows
from mitsuba_mei.runs.results import ComparedNeuron

ENDS = ("initial", "path", "raster")


def mean(value: float, sem: float = 0.0) -> dict[str, float]:
    return {"mean": value, "sem": sem}


def compared(own: float, other: float, sem: float = 0.01, starts: int = 2, **more) -> ComparedNeuron:
    """Under path ``own`` against ``other``; under raster 1 against 1 / 2."""
    return ComparedNeuron.model_validate(told(own, other, sem, starts) | more)


def told(own: float, other: float, sem: float = 0.01, starts: int = 2) -> dict:
    table = {
        "path": {"path": mean(own, sem), "raster": mean(0.5)},
        "raster": {"path": mean(other, sem), "raster": mean(1.0)},
    }
    difference = {"mean": own - other, "sem": 0.1, "n": starts}
    said = {
        "scene": "a.yaml", "folder": "a-neuron-3", "model": "V4", "objective": "activation", "ended": "done", "seed": 0,
        "neurons": [3], "pixel": 2.0, "seconds": {"path": 2.0, "raster": 1.0},
        "initial": {"path": mean(0.1), "raster": mean(0.2)}, "activation": table,
        "ratio_to_pixel": {made: {by: mean(v["mean"] / 2) for by, v in row.items()} for made, row in table.items()},
        "gain": {"path": mean(1 - other / own), "raster": mean(0.5)},
        "starts": {"path": difference, "raster": difference},
        "stimuli": {"correlation": 0.9, "rms_difference": 3.0}, "transport": {"path": 0.1, "raster": 0.2},
        "shape": {"mean": 1.0, "rms": 2.0, "greatest": 3.0, "relative": 4.0, "rotation": 5.0, "translation": 6.0},
        "parameters": {"pose.scale": {"difference": {"unit": "relative", "value": 0.1}} | dict.fromkeys(ENDS, 1.0)},
    }  # fmt: skip
    return said


def cut() -> ComparedNeuron:
    """A neuron whose comparison was interrupted before there was a second object."""
    whole = told(1.0, 0.9)
    only = {name: {"path": whole[name]["path"]} for name in ("activation", "ratio_to_pixel", "initial", "seconds")}
    missing = dict.fromkeys(("gain", "starts", "stimuli", "transport", "shape", "parameters"))
    return ComparedNeuron.model_validate(whole | only | missing | {"ended": "interrupted"})


def test_a_row_is_flat_and_says_what_is_what():
    row = comparison_row(compared(1.0, 0.9))
    assert all(value is None or isinstance(value, (int, float, str)) for value in row.values())
    assert (row["path_mei_under_path"], row["raster_mei_under_path"], row["path_mei_under_raster"]) == (1.0, 0.9, 0.5)
    assert row["raster_mei_under_path_over_pixel"] == 0.45 and row["gain_under_path"] == pytest.approx(0.1)
    assert row["starts"] == 2 and row["path_less_raster_over_starts_under_path"] == pytest.approx(0.1)
    assert row["pose.scale [relative]"] == 0.1 and row["shape_greatest"] == 3.0 and row["transport_raster_mei"] == 0.2
    assert not any(name.startswith("validation") for name in row)


def test_rows_of_unlike_columns_share_a_file(tmp_path):
    second = {"model": "other", "pixel": None} | {name: told(2, 1)[name] for name in ("activation", "ratio_to_pixel")}
    judged = compared(1.0, 0.9, validation=second, pixel=math.nan)
    rows = [comparison_row(said) for said in (compared(1.0, 0.9), judged, cut())]
    write_rows(tmp_path / "all.csv", rows)
    with open(tmp_path / "all.csv", newline="") as file:
        first, other, last = csv.DictReader(file)
    assert list(first)[0] == "scene" and first["validation_path_mei_under_path"] == ""
    assert other["validation_path_mei_under_path"] == "2.0" and other["pixel"] == ""
    assert last["path_mei_under_path"] == "1.0" and last["raster_mei_under_path"] == last["gain_under_path"] == ""


def test_medians_are_over_the_neurons_that_are_done():
    every = [compared(1.0, other) for other in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)]
    statistics = comparison_statistics([*every, cut()])
    assert statistics.neurons == 7
    gain = statistics.gain["path"]
    assert gain.median == pytest.approx(0.4) and gain.low < 0.4 < gain.high and gain.n == 7
    assert statistics.gain["raster"].median == 0.5
    assert statistics.ratio_to_pixel["raster"]["path"].median == pytest.approx(0.3)


def test_who_differs_by_more_than_three_standard_errors_is_counted():
    # Differences of 0.1 and 0.02 with errors of 0.014 (renders) and 0.1 (starts); one has a single start.
    every = [compared(1.0, 0.9), compared(1.0, 0.98, starts=1), compared(1.0, 0.5)]
    apart = comparison_statistics(every).apart
    assert apart["path"].model_dump() == {
        "of_renders": {"neurons": 2, "of": 3}, "of_starts": {"neurons": 1, "of": 2},
    }  # fmt: skip
    assert apart["raster"].of_renders is None


def test_figures_that_are_none_or_no_number_are_left_out():
    every = [compared(1.0, 0.9, gain={"path": None, "raster": mean(math.nan)}), compared(1.0, 0.8)]
    statistics = comparison_statistics(every)
    assert statistics.gain["path"].n == statistics.gain["raster"].n == 1
    empty = comparison_statistics([])
    assert empty.neurons == 0 and empty.gain == {"path": None, "raster": None}
    assert empty.apart["path"].model_dump() == {"of_renders": None, "of_starts": None}
