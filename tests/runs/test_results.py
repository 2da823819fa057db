"""Results as types: what their files say, earlier and newer versions, damage."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mitsuba_mei import __version__
from mitsuba_mei.config.objective import EXPERIMENTS
from mitsuba_mei.errors import UserError
from mitsuba_mei.io.files import json_text
from mitsuba_mei.runs.results import (
    Axis,
    Estimate,
    InitialFinal,
    Maximum,
    MEIResult,
    MeshFlaws,
    TunedNeuron,
    TuningResult,
    read_result,
    read_run_result,
    result_json,
)
from mitsuba_mei.runs.results.files import result_type
from mitsuba_mei.runs.results.optimization import SCHEMA_VERSION, OptimizationResult, Result


def mei(**changes: object) -> MEIResult:
    activation = InitialFinal(initial=Estimate(mean=1.0, sem=0.1), final=Estimate(mean=2.0, sem=math.nan))
    return MEIResult(**{"activation": activation, "mesh": MeshFlaws(faces=80), "renderer": "raster", **changes})


def write(folder: Path, data: dict) -> Path:
    (folder / "result.json").write_text(json.dumps(data))
    return folder


def test_a_result_comes_back_from_its_file(tmp_path):
    result = mei(neurons=(3,), versions={"mitsuba_mei": __version__})
    (tmp_path / "result.json").write_text(json_text(result_json(result)))
    again = read_run_result(tmp_path)
    assert type(again) is MEIResult
    assert math.isnan(again.activation.final.sem)  # null in the file
    assert result_json(again.model_copy(update={"activation": None})) == result_json(
        result.model_copy(update={"activation": None})
    )
    assert read_result(tmp_path / "result.json", MEIResult).schema_version == SCHEMA_VERSION


def test_a_tuning_comes_back_with_its_grids(tmp_path):
    axis = Axis(path="pose.scale", values=np.array([0.5, 1.0, 1.5]), at=1.0)
    grid = np.array([1.0, math.nan, 3.0])
    tuning = TuningResult(over=(axis,), neurons=(TunedNeuron(neuron=3, mean=grid, sem=0 * grid),))
    (tmp_path / "tuning.json").write_text(json_text(result_json(tuning)))
    again = read_result(tmp_path / "tuning.json", TuningResult)
    np.testing.assert_array_equal(again.neurons[0].mean, grid)
    np.testing.assert_array_equal(again.over[0].values, axis.values)


def test_what_was_added_by_hand_is_kept(tmp_path):
    write(
        tmp_path,
        {**result_json(mei()), "note": "the good one", "activation": {"initial": {"mean": 1}, "final": {"mean": 2}}},
    )
    assert read_run_result(tmp_path).model_extra == {"note": "the good one"}


def test_a_result_never_changes():
    with pytest.raises(ValidationError, match="frozen"):
        mei().seed = 4


def test_keys_with_a_word_of_python_have_their_own_name():
    assert result_json(Result())["schema_version"] == SCHEMA_VERSION
    assert Maximum(value=3.0, source="one scene alone").model_dump(by_alias=True)["from"] == "one scene alone"


@pytest.mark.parametrize("objective", ["activation", "discriminate", "target", *EXPERIMENTS])
def test_every_objective_has_a_result(objective):
    assert issubclass(result_type(objective), OptimizationResult)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"activation": {"initial": {"mean": 1.0}}}, "it does not say activation.final"),
        ({"mesh": "round"}, "mesh: "),
        (
            {"restarts": [{"restart": "x", "activation": {"initial": {"mean": 1}, "final": {"mean": 2}}}]},
            "restarts.0.restart",
        ),
    ],
)
def test_damage_is_one_sentence_that_says_where(tmp_path, changes, message):
    write(tmp_path, {"activation": {"initial": {"mean": 1}, "final": {"mean": 2}}, "mesh": {}, **changes})
    with pytest.raises(UserError, match="result.json is damaged") as raised:
        read_run_result(tmp_path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_newer_schema_is_refused_with_both_versions(tmp_path):
    data = {**json.loads(json_text(result_json(mei()))), "schema_version": SCHEMA_VERSION + 1}
    write(tmp_path, {**data, "versions": {"mitsuba_mei": __version__}})
    with pytest.raises(UserError) as raised:
        read_run_result(tmp_path)
    assert f"schema version {SCHEMA_VERSION + 1}" in str(raised.value)
    assert f"mitsuba_mei {__version__} reads up to {SCHEMA_VERSION}" in str(raised.value)


def test_a_ratio_to_nothing_is_none():
    assert Estimate(mean=1.0, sem=0.1).over(None) is None
    assert Estimate(mean=1.0, sem=0.1).over(0.0) is None
    assert Estimate(mean=1.0, sem=0.1).over(2.0) == Estimate(mean=0.5, sem=0.05)
