"""Runs of the command line in this process, with something done to them at a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mitsuba_mei.cli.options as common
from mitsuba_mei.cli.main import main
from tests.faults.runs import SCENE, Told, steps_of


@pytest.fixture
def scene(tmp_path) -> Path:
    path = tmp_path / "scene.yaml"
    path.write_text(SCENE)
    return path


@pytest.fixture
def run(scene, monkeypatch, capsys):
    """Does a run into a folder, with a fault after a step; gives the exit code, and what the standard error says."""

    def done(folder: Path, at: int = 0, fault: Callable[[], None] = lambda: None, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(common, "LiveProgress", Told)
        monkeypatch.setattr(Told, "at", at)
        monkeypatch.setattr(Told, "fault", staticmethod(fault))
        code = main(["run", str(scene), "--out", str(folder), *words])
        return code, capsys.readouterr().err

    return done


@pytest.fixture
def went_on(monkeypatch, capsys):
    """Resumes the run in a folder; gives the numbers of the steps in its metrics.csv."""

    def done(folder: Path, *words: str) -> list[int]:
        monkeypatch.setattr(common, "LiveProgress", Told)
        monkeypatch.setattr(Told, "at", 0)
        code = main(["resume", str(folder), *words])
        assert code == 0, capsys.readouterr().err
        assert (folder / "result.json").is_file() and not (folder / "checkpoint").exists()
        return steps_of(folder)

    return done
