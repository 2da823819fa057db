"""Ctrl-C: it ends the program at any moment, with exit code 130 and a word on what is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mitsuba_mei.experiments.multistart as starts
from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.resume import resumable
from mitsuba_mei.interrupts import at_once, finishing, interruptible
from tests.faults.runs import SCENE
from tests.whole_runs import Silent, called

pytestmark = pytest.mark.usefixtures("without_pictures")

SWALLOWING = """
import os, time
from pathlib import Path

Path("loading").touch()
while True:
    try:
        time.sleep(60)
    except:
        pass
"""
"""A library that is being imported, and lets nothing out; it has many brothers."""

DOORS = {
    "run.py": ["run.py"],
    "python -m": ["-m", "mitsuba_mei"],
    "the command": ["-c", "from mitsuba_mei.__main__ import main; main()"],
}


@pytest.mark.parametrize("ignored", [False, True], ids=["", "ignored"])
@pytest.mark.parametrize("door", DOORS)
def test_no_library_can_swallow_it(door, ignored, root, tmp_path):
    """While everything is still to be imported; and where it was ignored, as in the background of a script."""
    (tmp_path / "typer").mkdir()
    (tmp_path / "typer/__init__.py").write_text(SWALLOWING)
    words = [str(root / word) if word == "run.py" else word for word in DOORS[door]]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if ignored else None
    try:
        process = subprocess.Popen(
            [sys.executable, *words, "scene.yaml"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        )
    finally:
        if ignored:
            signal.signal(signal.SIGINT, before)
    while process.poll() is None and not (tmp_path / "loading").exists():
        pass
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, "interrupted\n")


def test_what_has_nothing_to_finish_is_interrupted_at_once():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interrupted:
        with pytest.raises(KeyboardInterrupt), at_once():
            signal.raise_signal(signal.SIGINT)
        with at_once():
            with finishing() as begin:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
                assert not interrupted()
                begin()
                signal.raise_signal(signal.SIGINT)
                assert interrupted()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


@pytest.fixture
def scene(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(SCENE)
    return Path("scene.yaml")


def read(folder: Path) -> dict:
    times = ("seconds", "seconds_per_step", "peak_memory_mb", "restarts")
    return {key: value for key, value in json.loads((folder / "result.json").read_text()).items() if key not in times}


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2], ids=["of the start", "of the end"])
def test_an_evaluation_is_interrupted_at_once_and_the_run_goes_on(scene, monkeypatch, at):
    config = load_config(scene, ["deterministic=true"])
    whole = run_mei(config, Path("whole"), Silent())
    evaluate, left = starts.evaluate, [at]

    def evaluated(*arguments):
        left[0] -= 1
        if not left[0]:
            signal.raise_signal(signal.SIGINT)
        return evaluate(*arguments)

    monkeypatch.setattr(starts, "evaluate", evaluated)
    with pytest.raises(KeyboardInterrupt):
        run_mei(config, Path("run"), Silent())
    assert not Path("run/result.json").exists()
    run_mei(resumable(Path("run")), Path("run"), Silent(), resumed=True)
    assert read(Path("run")) == read(whole.folder) and read(Path("run"))["ended"] == "done"


@pytest.mark.slow
def test_an_interrupted_run_has_its_code_and_names_resume(scene, monkeypatch):
    add, left = starts.History.add, [5]

    def added(record, step):
        add(record, step)
        left[0] -= 1
        if not left[0]:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(starts.History, "add", added)
    code, out, err = called("run", "scene.yaml")
    assert code == 130 and "5 steps in" in out
    last = err.splitlines()[-1]
    assert last == "interrupted; the state is kept, and 'resume runs/scene-001' goes on from there"
    code, out, err = called("resume", "runs/scene-001")
    assert code == 0 and "written to runs/scene-001" in out
    assert err.splitlines()[-1] == "'report runs/scene-001' writes a page about it, to look at and to send"


def test_an_end_before_anything_was_written_leaves_no_folder(scene, monkeypatch):
    def interrupted(*arguments):
        assert Path("runs/scene-001").is_dir()
        raise KeyboardInterrupt

    monkeypatch.setattr("mitsuba_mei.experiments.registry.run_experiment", interrupted)
    assert called("run", "scene.yaml") == (130, "", "interrupted\n")
    assert not Path("runs").exists()


def test_a_pixel_mei_has_no_state_to_resume(scene):
    assert called("pixel", "scene.yaml", "--set", "pixel.steps=2", "-q", "--out", "pixel")[0] == 0
    result = json.loads(Path("pixel/result.json").read_text())
    Path("pixel/result.json").write_text(json.dumps(result | {"ended": "interrupted"}))
    code, _, err = called("resume", "pixel")
    assert code == 2 and "is of a pixel MEI, of which no state is kept; 'pixel pixel/config.yaml' finds it anew" in err
