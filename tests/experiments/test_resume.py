"""Runs that are ended before their end, and go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import Terminated, UserError
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.resume import resumable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

SCENE = """
deterministic: true
model: {card: {type: complex_cell, parameters: {frequency: 2}, input: {size: 32, mean: 124, std: 70}}}
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 24}}
render: {type: raster, resolution: 32}
optimizer: {steps: 34, restarts: 2}
pose: {free: [rotation]}
evaluate: {spp: 16, repeats: 2}
"""


class Ending:
    """Ends a run by a signal to this process at a step, counted over all starts."""

    def __init__(self, at: int, number: int) -> None:
        self.left, self.number = at, number

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...
    def doing(self, text: str) -> None: ...

    def step(self, info: dict) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def scene(tmp_path) -> Path:
    path = tmp_path / "scene.yaml"
    path.write_text(SCENE)
    return path


def read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("result.json", "mesh.ply", "parameters.npz")}


def without_times(folder: Path) -> list[str]:
    return [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()]


@pytest.mark.parametrize("render", ["raster", "path"])
def test_a_run_ended_twice_ends_as_one_without_a_break(scene, tmp_path, render, short_search):
    search = 3 if render == "raster" else 0  # a search is rasterized, whatever the renderer
    more = [f"render.type={render}", f"optimizer.search={search}"]
    config = load_config(scene, more + (["optimizer.steps=14", "render.spp=4"] if render == "path" else []))
    whole = run_mei(config, tmp_path / "whole", Ending(-1, signal.SIGTERM))
    steps = config.optimizer.steps
    with pytest.raises(Terminated):
        run_mei(config, tmp_path / "run", Ending(search + steps - 3, signal.SIGTERM))
    assert not (tmp_path / "run" / "result.json").exists()
    with pytest.raises(Terminated):
        run_mei(config, tmp_path / "run", Ending(3 + search + steps // 2, signal.SIGTERM), resumed=True)
    again = run_mei(resumable(tmp_path / "run"), tmp_path / "run", Ending(-1, signal.SIGTERM), resumed=True)
    assert read(again.folder) == read(whole.folder)
    assert without_times(again.folder) == without_times(whole.folder)
    assert not (again.folder / "checkpoint").exists() and not (again.folder / ".lock").exists()


@pytest.mark.pictured
def test_after_ctrl_c_everything_is_written_and_the_run_can_go_on(scene, tmp_path):
    config = load_config(scene, ["optimizer.restarts=1"])
    whole = run_mei(config, tmp_path / "whole", Ending(-1, signal.SIGINT))
    stopped = run_mei(config, tmp_path / "run", Ending(17, signal.SIGINT))
    assert stopped.result.ended == "interrupted" and stopped.result.steps == 17
    again = run_mei(resumable(stopped.folder), stopped.folder, Ending(-1, signal.SIGINT), resumed=True)
    assert again.result.ended == "done" and read(again.folder) == read(whole.folder)


def test_diverse_scenes_go_on(scene, tmp_path):
    more = ["objective={type: diverse, count: 2, differ: shape}", "optimizer.restarts=1", "optimizer.steps=22"]
    config = load_config(scene, more)
    whole = run_diverse(config, tmp_path / "whole", Ending(-1, signal.SIGTERM))
    with pytest.raises(Terminated):
        run_diverse(config, tmp_path / "run", Ending(13, signal.SIGTERM))
    again = run_diverse(config, tmp_path / "run", Ending(-1, signal.SIGTERM), resumed=True)
    assert (again.folder / "result.json").read_bytes() == (whole.folder / "result.json").read_bytes()


def test_a_killed_process_loses_nothing_that_it_had_kept(scene, tmp_path, root):
    """SIGKILL, at no moment in particular."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mitsuba_mei", "run", str(scene), "--out", str(folder), "-q"]
    process = subprocess.Popen([*command, "--set", "optimizer.steps=400"], cwd=root)
    while not (folder / "checkpoint" / "start-0.npz").exists() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    config = resumable(folder)
    with pytest.raises(Terminated):
        run_mei(config, folder, Ending(1, signal.SIGTERM), resumed=True)
    rows = [int(line.split(",")[1]) for line in without_times(folder)[1:]]
    assert rows == list(range(1, len(rows) + 1)) and len(rows) > 1


def test_what_cannot_go_on_is_said(scene, tmp_path, capsys):
    config = load_config(scene, ["optimizer={steps: 2}"])
    folder = run_mei(config, tmp_path / "run", Ending(-1, signal.SIGTERM)).folder
    with pytest.raises(UserError, match="has come to its end"):
        resumable(folder)
    with pytest.raises(UserError, match="no config.yaml"):
        resumable(tmp_path)
    assert main(["resume", str(tmp_path / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_run_that_is_terminated_ends_with_its_own_code(scene, tmp_path, capsys, monkeypatch):
    import mitsuba_mei.experiments.mei as mei

    def terminated(*arguments, **others):
        raise Terminated

    monkeypatch.setattr(mei, "optimize_from_starts", terminated)
    assert main(["run", str(scene), "--out", str(tmp_path / "run"), "-q"]) == 143
    assert "resume" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["pixel", "tune"])
def test_what_cannot_go_on_is_not_said_to(scene, tmp_path, capsys, monkeypatch, command):
    from mitsuba_mei.experiments import pixel as pixel_mei
    from mitsuba_mei.experiments import tune

    def terminated(*arguments, **others):
        raise Terminated

    monkeypatch.setattr(pixel_mei, "find_pixel_mei", terminated)
    monkeypatch.setattr(tune, "points", terminated)
    words = ["--over", "lighting.0.elevation=0:60:3"] if command == "tune" else []
    assert main([command, str(scene), "--out", str(tmp_path / "run"), *words]) == 143
    assert "terminated; what was written into" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "run")]) == 2
    assert "there is no config.yaml" in capsys.readouterr().err


@pytest.mark.pictured
def test_a_run_does_not_go_on_as_another_one(scene, tmp_path):
    config = load_config(scene, ["optimizer.restarts=1", "optimizer.steps=14"])
    with pytest.raises(Terminated):
        run_mei(config, tmp_path / "run", Ending(12, signal.SIGTERM))
    path = tmp_path / "run" / "config.yaml"
    text = path.read_text()
    for old, new, said in (
        ("frequency: 2", "frequency: 3", "model.card.parameters.frequency was 2 and is 3"),
        ("resolution: 32", "resolution: 48", "render.resolution was 32 and is 48"),
        ("steps: 14", "steps: 16", "optimizer.steps was 14 and is 16"),
    ):
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError, match=said):
            resumable(tmp_path / "run")
    path.write_text("{}")
    with pytest.raises(UserError, match="is not what this run was begun with"):
        resumable(tmp_path / "run")
    # How it is judged is another matter; and a damaged picture is black, so that all others are those of their steps.
    assert text.count("spp: 16, repeats: 2") == 1
    path.write_text(text.replace("spp: 16, repeats: 2", "spp: 16, repeats: 3"))
    (tmp_path / "run" / "checkpoint" / "frame-0-1.npz").write_bytes(b"half of it")
    again = run_mei(resumable(tmp_path / "run"), tmp_path / "run", Ending(-1, signal.SIGTERM), resumed=True).folder
    whole = run_mei(config, tmp_path / "whole", Ending(-1, signal.SIGTERM)).folder
    names = sorted(file.relative_to(whole) for file in (whole / "frames").glob("*-render.png"))
    same = [(whole / name).read_bytes() == (again / name).read_bytes() for name in names]
    assert len(same) > 5 and same[0] and not same[1] and all(same[2:])
