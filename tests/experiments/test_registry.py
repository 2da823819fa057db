"""What an experiment with many neurons was asked for, written and read again, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.registry import ExperimentRequest, read_request, write_request
from mitsuba_mei.io.files import without_home
from mitsuba_mei.runs.folder import RunFolder
from mitsuba_mei.runs.results import FactorsResult, result_json


@pytest.fixture
def folder(tmp_path, root) -> Path:
    scenes = [root / "scenes" / name for name in ("compare_v4.yaml", "convex.yaml")]
    folder = RunFolder(tmp_path / "run")
    write_request(folder, "factors", [(scene, load_config(scene)) for scene in scenes], 4)
    return folder.path


def said(folder: Path, **changed) -> None:
    path = folder / "asked" / "asked.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_what_was_asked_for_is_read_again(folder, root):
    scenes = [root / "scenes" / name for name in ("compare_v4.yaml", "convex.yaml")]
    named = [Path(without_home(str(scene))) for scene in scenes]
    assert read_request(folder) == ExperimentRequest("factors", tuple(zip(named, map(load_config, scenes))), 4)
    assert read_request(folder.parent) is None


DAMAGED = {
    "asked.json is damaged: scenes: ": {"scenes": "convex.yaml"},
    "there is no command 'remove' that goes on": {"command": "remove"},
    "which may not understand it": {"versions": {"mitsuba_mei": "999.0"}},
    "asked/002.yaml": {"scenes": ["a", "b", "c"]},
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_what_cannot_be_gone_on_with_is_told(folder, sentence):
    said(folder, **DAMAGED[sentence])
    with pytest.raises(UserError, match=sentence):
        read_request(folder)


def test_what_is_done_does_not_go_on(folder):
    result = FactorsResult(neurons=(), asked=4)
    (folder / "factors.json").write_text(json.dumps(result_json(result)))
    with pytest.raises(UserError, match="has come to its end"):
        read_request(folder)
    (folder / "factors.json").write_text(json.dumps(result_json(result) | {"ended": "interrupted"}))
    assert read_request(folder).command == "factors"
    (folder / "factors.json").write_text('{"ended": "done"}')
    with pytest.raises(UserError, match="factors.json is damaged: it does not say neurons"):
        read_request(folder)
