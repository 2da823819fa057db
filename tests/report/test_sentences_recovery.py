"""What is said of inverse rendering."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitsuba_mei.report.sentences import describe_run
from mitsuba_mei.report.statements import describe_parameters, describe_truth
from mitsuba_mei.runs.results import InverseResult, Truth


def result(truth=None, sem: float | None = 0.0, ended: str = "done", **more) -> InverseResult:
    error = {"kind": "l2", "initial": {"mean": 0.51234, "sem": sem}, "final": {"mean": 0.0251, "sem": sem}}
    said = {"error": error, "truth": truth, "ended": ended, "steps": 12, "seconds": 3.21, "mesh": {}}
    activation = {when: {"mean": -error[when]["mean"], "sem": sem} for when in ("initial", "final")}
    return InverseResult.model_validate(said | {"activation": activation} | more)


def test_an_error_goes_from_and_to():
    assert describe_run(Path("runs/a"), result()) == [
        "The error (l2) is 0.0251 (its renders have no noise); at the start it was 0.5123.",
        "How near this is to the truth is not known.",
        "12 steps in 3.2 s; written to runs/a",
    ]
    assert describe_run(Path("a"), result(sem=None))[0].startswith("The error (l2) is 0.0251 (its error is unknown)")
    first, _, last = describe_run(Path("a"), result(sem=0.00123, ended="interrupted"))
    assert "is 0.0251 (render s.e. 0.0012); at" in first and "3.2 s, interrupted;" in last


def test_the_truth_is_said_in_parts_of_its_diameter():
    surface = {
        when: {"of_diameter": value} for when, value in (("initial", 0.05), ("final", 0.012), ("alignment", 0.01))
    }
    assert describe_truth(Truth.model_validate({"surface": surface, "parameters": {}})) == [
        "The mean surface distance is 1.2 % of the true object’s diameter, 5 % at the start.",
        "After alignment, which leaves the shape alone to differ, it is 1 %.",
    ]
    assert describe_truth(None) == ["How near this is to the truth is not known."]


@pytest.mark.parametrize(
    ("unit", "initial", "final", "expected"),
    [
        ("degrees", 123.4, -0.567, ("123°", "0.57°")),
        ("scene units", 0.25, 0.0123, ("0.25 scene units", "0.012 scene units")),
        ("relative", -4.5, 0.021, ("450 %", "2.1 %")),
        ("absolute", 0.3, 0.02, ("0.3", "0.02")),
    ],
)
def test_every_unit(unit, initial, final, expected):
    found = {"off": {"initial": initial, "final": final}, "unit": unit}
    lines = describe_parameters(Truth.model_validate({"surface": None, "parameters": {"some.parameter": found}}))
    assert lines == [f"some.parameter lies {expected[1]} from its true value, {expected[0]} at the start."]


def test_the_mesh_that_was_recovered_is_said():
    mesh = {"flipped_faces": 2, "degenerate_faces": 0, "intersecting_faces": 0}
    assert "the mesh has faces that no object has: 2 flipped" in describe_run(Path("a"), result(mesh=mesh))
