"""Which folders are meant, and their names."""

from pathlib import Path

import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html.places import find_runs
from tests.report.html.run_folders import write_run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_runs_are_named_as_they_were_asked_for(here):
    for name in ("a", "b"):
        write_run(here / "runs" / name)
    places = find_runs([Path("runs/b"), here / "runs" / "a"])
    assert [place.name for place in places] == ["runs/b", "runs/a"]


def test_the_way_to_a_folder_elsewhere_is_not_told(here, tmp_path):
    write_run(tmp_path / "home" / "somebody" / "run-1")
    (place,) = find_runs([tmp_path / "home" / "somebody" / "run-1"])
    assert place.name == "run-1"


def test_the_runs_of_a_comparison_are_taken_in(here):
    for inner in ("x-neuron-1/path", "x-neuron-1/raster", "x-neuron-2/path"):
        write_run(here / "compare" / inner)
    (here / "compare" / "comparison.json").write_text("{}")
    (here / "compare" / "x-neuron-1" / "comparison.json").write_text("{}")
    names = [place.name for place in find_runs([Path("compare")])]
    assert names == ["compare/x-neuron-1/path", "compare/x-neuron-1/raster", "compare/x-neuron-2/path"]
    assert len(find_runs([Path("compare/x-neuron-1")])) == 2


def test_the_runs_of_a_factors_folder_are_taken_in(here):
    for inner in ("x-neuron-1/shape", "x-neuron-1/all"):
        write_run(here / "factors" / inner)
    (here / "factors" / "factors.json").write_text("{}")
    assert [place.name for place in find_runs([Path("factors")])] == [
        "factors/x-neuron-1/all",
        "factors/x-neuron-1/shape",
    ]


def test_bad_folders_are_refused_in_a_sentence(here):
    write_run(here / "run-one")
    (here / "empty").mkdir()
    (here / "empty" / "comparison.json").write_text("{}")
    for paths, said in {
        (): "no run is named",
        ("run-ome",): "did you mean 'run-one'",
        ("run-one/result.json",): "is a file",
        ("empty",): "holds no finished run yet",
        ("run-one", "run-one"): "run-one is named twice; name each once",
        ("run-one", "../here/run-one"): r"named twice \(as run-one too\)",
    }.items():
        with pytest.raises(UserError, match=said):
            find_runs([Path(path) for path in paths])
