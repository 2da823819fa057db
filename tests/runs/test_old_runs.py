"""Run folders of an earlier version: every command opens them, or refuses them as it refuses its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mitsuba_mei.runs.results import (
    ComparisonResult,
    DiverseResult,
    EvaluationResult,
    FactorsResult,
    InverseResult,
    MEIResult,
    MetamerResult,
    PixelResult,
    TuningResult,
    read_result,
    read_run_result,
)
from tests.whole_runs import called, read_json

pytestmark = pytest.mark.slow

KEPT = Path(__file__).resolve().parents[1] / "data" / "runs_0.1.0"
RUNS = {
    "raster": MEIResult,
    "path": MEIResult,
    "interrupted": MEIResult,
    "pixel": PixelResult,
    "diverse": DiverseResult,
    "metamer": MetamerResult,
    "image": InverseResult,
}
OTHERS = {
    "compare/comparison.json": ComparisonResult,
    "factors/factors.json": FactorsResult,
    "tune/tuning.json": TuningResult,
    "evaluate/evaluation-path.json": EvaluationResult,
}
FOLDERS = [*RUNS, "compare", "factors", "tune", "evaluate"]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of a kept folder, beside what its configuration names."""
    kept = tmp_path / "tests" / "data" / "runs_0.1.0"
    kept.mkdir(parents=True)
    for scene in KEPT.glob("*.yaml"):
        shutil.copy(scene, kept)
    (tmp_path / "models").symlink_to(KEPT.parents[2] / "models")
    shutil.copytree(KEPT / request.param, kept / request.param)
    return kept / request.param


def said_by(data: object, result: object, at: str = "") -> list[str]:
    """Keys of an old file whose value is not that of the result."""
    if isinstance(data, dict):
        values = {key: getattr(result, key, None) if not isinstance(result, dict) else result.get(key) for key in data}
        values |= {"from": getattr(result, "source", None)} if "from" in data else {}
        return [line for key, value in data.items() for line in said_by(value, values[key], f"{at}.{key}")]
    if isinstance(data, list):
        items = result.tolist() if hasattr(result, "tolist") else list(result)  # type: ignore[call-overload]
        return [line for i, value in enumerate(data) for line in said_by(value, items[i], f"{at}.{i}")]
    unlike = not (data is None and result != result) and data != result
    return [f"{at}: {data!r} -> {result!r}"] if unlike else []


@pytest.mark.parametrize("name", RUNS)
def test_every_value_of_an_old_run_is_read(name: str) -> None:
    result = read_run_result(KEPT / name)
    assert type(result) is RUNS[name]
    assert said_by(read_json(KEPT / name / "result.json"), result) == []


@pytest.mark.parametrize("name", OTHERS)
def test_every_value_of_another_old_result_is_read(name: str) -> None:
    assert said_by(read_json(KEPT / name), read_result(KEPT / name, OTHERS[name])) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
def test_report_opens_it(folder: Path) -> None:
    code, _, complaints = called("report", str(folder), "--out", str(folder.parent / "report.html"))
    assert (code, complaints) == (0, "")
    assert "mitsuba_mei" in (folder.parent / "report.html").read_text()


@pytest.mark.parametrize("folder", ["raster", "path"], indirect=True)
def test_evaluate_gives_its_figures_again(folder: Path) -> None:
    reported = read_run_result(folder).activation
    assert called("evaluate", str(folder))[0] == 0
    (file,) = folder.glob("evaluation-*.json")
    again = read_result(file, EvaluationResult).activation
    assert again.final.mean == pytest.approx(reported.final.mean, rel=2e-3)
    assert again.initial.mean == pytest.approx(reported.initial.mean, rel=2e-3)


@pytest.mark.parametrize("folder", ["raster"], indirect=True)
def test_tune_varies_it_and_export_has_the_tuning(folder: Path) -> None:
    assert called("tune", str(folder), "--over", "pose.rotation.y=-20:20:3", "--quiet")[0] == 0
    code, printed, _ = called("export", str(folder), "--for", "experiment")
    assert code == 0
    assert "3 variations" in printed


@pytest.mark.parametrize("folder", ["pixel", "diverse", "metamer"], indirect=True)
def test_export_writes_its_stimuli(folder: Path) -> None:
    code, _, complaints = called("export", str(folder), "--for", "experiment", "--out", str(folder.parent / "out"))
    assert (code, complaints) == (0, "")
    assert list((folder.parent / "out").glob("*.png"))


@pytest.mark.parametrize("folder", ["path", "metamer", "image"], indirect=True)
def test_export_writes_its_scene(folder: Path) -> None:
    assert called("export", str(folder), "--for", "blender")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["interrupted"], indirect=True)
def test_resume_goes_on_with_it(folder: Path) -> None:
    assert read_run_result(folder).ended == "interrupted"
    assert called("resume", str(folder), "--quiet")[0] == 0
    result = read_run_result(folder)
    assert (result.ended, result.steps, result.schema_version) == ("done", 4, 1)


@pytest.mark.parametrize("folder", ["raster", "diverse", "compare", "factors", "tune"], indirect=True)
def test_resume_says_that_there_is_nothing_to_do(folder: Path) -> None:
    code, _, complaints = called("resume", str(folder), "--quiet")
    assert code == 2
    assert complaints.count("error:") == 1
