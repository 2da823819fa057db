"""Tuning curves and maps, read and drawn."""

import json

import numpy as np
import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.colors import COLOUR_MAP, colour_range
from mitsuba_mei.report.html.reading import read_tunings
from mitsuba_mei.report.html.tuning_figures import summary_rows, tuning_figures
from tests.report.html.run_folders import write_tuning


def test_a_curve_is_drawn_in_ascending_order_with_its_errors(tmp_path):
    write_tuning(tmp_path)
    ((_, tuning),) = read_tunings(tmp_path)
    (figure,) = tuning_figures(tuning)
    first, second = figure["data"]
    assert first["x"] == [0, 20, 40, 60, 80]
    assert first["y"] == [
        pytest.approx(y, rel=1e-4) for y in 10 * np.exp(-((np.array([-40, -20, 0, 20]) / 30) ** 2))
    ] + [None]
    assert first["error_y"]["array"] == [0.1] * 5
    assert first["line"]["dash"] != second["line"]["dash"] and first["marker"]["symbol"] != second["marker"]["symbol"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "camera.azimuth (degrees)"
    assert figure["layout"]["shapes"][0]["x0"] == 35
    assert "neuron 7 answers most, 10, at camera.azimuth 40 degrees" in figure["alt"]


def test_a_map_has_its_axes_where_they_belong(tmp_path):
    write_tuning(tmp_path, axes=2)
    ((_, tuning),) = read_tunings(tmp_path)
    figures = tuning_figures(tuning)
    assert len(figures) == 2
    heat, here = figures[0]["data"]
    assert heat["y"] == [0, 20, 40, 60, 80] and heat["x"] == [-1, 0, 1]
    assert heat["z"][2][1] == 10.0 and heat["z"][2][0] == pytest.approx(10 * np.exp(-1), rel=1e-4)
    assert (here["x"], here["y"]) == ([0.25], [35.0])
    assert figures[0]["layout"]["yaxis"]["title"]["text"] == "camera.azimuth (degrees)"


def test_the_summary_is_a_row_a_neuron(tmp_path):
    write_tuning(tmp_path, axes=2)
    rows = summary_rows(read_tunings(tmp_path)[0][1])
    assert [row["neuron"] for row in rows] == ["7", "9"]
    assert rows[0]["preferred camera.azimuth (degrees)"] == "41 ± 0.5"
    assert rows[0]["bandwidth of camera.azimuth (degrees)"] == "50"
    assert rows[0]["bandwidth of pose.translation.0 (scene units)"] == "–"
    assert rows[0]["selectivity"] == "0.4 (circular variance)"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"over": []}, "over: tuple should have at least 1 item"),
        ({"neurons": []}, "neurons: tuple should have at least 1 item"),
        ({"neurons": [{"neuron": 7, "mean": [1, 2], "sem": 5 * [0]}]}, "a neuron's mean is no grid of 5 numbers"),
        ({"neurons": [{"neuron": 7, "mean": "x", "sem": 5 * [0]}]}, "neurons.0.mean: could not convert string"),
        ({"neurons": [{"neuron": 7, "mean": 5 * [1], "sem": {}}]}, "neurons.0.sem: should be a list of numbers"),
        ({"neurons": [{"neuron": 7, "mean": 5 * [1]}]}, "it does not say neurons.0.sem"),
        ({"neurons": [{"mean": 5 * [1], "sem": 5 * [0]}]}, "it does not say neurons.0.neuron"),
        ({"over": [{"values": [1, 2]}]}, "it does not say over.0.path"),
        ({"over": [{"path": "pose.scale"}]}, "it does not say over.0.values"),
        ({"renderer": 3}, "renderer: input should be a valid string"),
    ],
)
def test_what_is_no_measurement_is_refused(tmp_path, change, said):
    path = write_tuning(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=f"tuning.json is damaged: {said}"):
        read_tunings(tmp_path)


def test_only_values_and_responses_are_needed(tmp_path):
    path = write_tuning(tmp_path)
    neuron = {"neuron": 7, "mean": [1, None], "sem": [None, None]}
    said = {"over": [{"path": "pose.scale", "values": [1, 2]}], "neurons": [neuron]}
    path.write_text(json.dumps(said))
    ((_, tuning),) = read_tunings(tmp_path)
    assert tuning_figures(tuning)[0]["data"][0]["y"] == [1, None]
    row = summary_rows(tuning)[0]
    assert row.pop("neuron") == "7" and set(row.values()) == {"–"}


def test_a_map_has_the_colours_of_its_picture(tmp_path):
    write_tuning(tmp_path, axes=2)
    ((_, tuning),) = read_tunings(tmp_path)
    heat = tuning_figures(tuning)[0]["data"][0]
    assert heat["colorscale"].lower() == COLOUR_MAP
    assert (heat["zmin"], heat["zmax"]) == colour_range(tuning.neurons[0].mean) == (0.0, 10.0)
