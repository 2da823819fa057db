"""Toy lights and a toy material, added by patches to as few files as docs/developers/adding.md says, work everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PATCHES = Path(__file__).parent / "additions"

FILES = {
    "local_emitter": {
        "config/scene.py",
        "scene/local_emitters.py",
        "render/path/lights.py",
        "render/raster/lights.py",
    },
    "distant_emitter": {"config/scene.py", "scene/distant_emitters.py"},
    "material": {"config/scene.py", "scene/material.py", "render/path/bsdf.py", "render/raster/bsdf.py"},
    "experiment": {
        "config/objective.py",
        "experiments/calm.py",
        "report/sentences_calm.py",
        "runs/results/calm.py",
    },
}
"""What each addition may touch."""

SCENE = """
deterministic: true
shape: {template: {type: icosphere, subdivisions: 3}, rbf: {control_points: 20}, free: [offsets]}
lighting:
  - {type: lantern, position: [2, 2, 3], intensity: 20, falloff: 1.5, free: [position, intensity, falloff]}
  - {type: overcast, radiance: 0.4, free: [radiance]}
material: {type: metal, roughness: 0.5, free: [roughness]}
model: {card: {type: complex_cell, parameters: {frequency: 2}, input: {size: 24, mean: 124, std: 70}}}
render: {type: raster, resolution: 24}
stimulus: {norm: 15}
optimizer: {steps: 2}
evaluate: {spp: 64, repeats: 4}
"""

COMMANDS = {
    "schema": ["schema"],
    "check": ["check", "toy.yaml"],
    "range": ["check", "toy.yaml", "--set", "lighting.0.falloff=5"],
    "unknown": ["check", "toy.yaml", "--set", "lighting.0.free=[fallof]"],
    "raster": ["run", "toy.yaml", "--out", "raster"],
    "path": ["run", "toy.yaml", "--out", "path", "--set", "render={type: path, resolution: 24, spp: 16, max_depth: 2}"],
    "tune": ["tune", "raster", "--over", "lighting.0.falloff=1:3:3", "--out", "tune"],
    "tune roughness": ["tune", "raster", "--over", "material.roughness=0.2:1:3", "--out", "rough"],
    "tune too far": ["tune", "raster", "--over", "lighting.0.falloff=0:3:3", "--out", "far"],
    "experiment": ["run", "toy.yaml", "--out", "calm", "--set", "objective={type: calm, floor: 100}"],
    "experiment report": ["report", "calm", "--out", "calm.html"],
    "experiment resumed": ["resume", "calm"],
    "experiment refused": ["check", "toy.yaml", "--set", "objective={type: calm, flor: 1}"],
    "export": ["export", "raster", "--for", "blender", "--out", "blender"],
}

CALLER = """
import contextlib, io, json, sys
from mitsuba_mei.cli.main import main

if __name__ == "__main__":
    done = {}
    for name, arguments in json.loads(sys.argv[1]).items():
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(arguments)
        done[name] = code, said.getvalue()
    print(json.dumps(done))
"""


@pytest.mark.parametrize("name", FILES)
def test_an_addition_touches_these_files_alone(name):
    text = (PATCHES / f"{name}.patch").read_text()
    touched = set(re.findall(r"^\+\+\+ b/mitsuba_mei/(\S+)$", text, re.MULTILINE))
    assert touched == FILES[name] and len(re.findall(r"^\+\+\+ ", text, re.MULTILINE)) == len(touched)


@pytest.fixture(scope="module")
def done(tmp_path_factory, root) -> tuple[Path, dict[str, tuple[int, str]]]:
    """A copy of the package with all three additions, and what its command line said."""
    folder = tmp_path_factory.mktemp("additions")
    shutil.copytree(root / "mitsuba_mei", folder / "mitsuba_mei", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        patch = ["patch", "--silent", "--strip", "1", "--input", str(PATCHES / f"{name}.patch")]
        subprocess.run(patch, cwd=folder, check=True, capture_output=True)
    (folder / "toy.yaml").write_text(SCENE)
    (folder / "caller.py").write_text(CALLER)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "caller.py", json.dumps(COMMANDS)]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout.splitlines()[-1])


def slow(test):
    """A test of the copied package."""
    return pytest.mark.skipif(not shutil.which("patch"), reason="no patch")(
        pytest.mark.slow(pytest.mark.timeout(300)(test))
    )


@slow
def test_the_schema_and_the_check_know_them(done):
    _, said = done
    refused = {"range", "unknown", "tune too far", "experiment resumed", "experiment refused"}
    assert {name: code for name, (code, _) in said.items() if code} == dict.fromkeys(refused, 2)
    definitions = json.loads(said["schema"][1])["$defs"]
    assert set(definitions["Lantern"]["properties"]) == {"type", "position", "intensity", "falloff", "free"}
    assert {"Overcast", "Metal"} < set(definitions)
    assert said["range"][0] == 2 and "lighting.0.falloff: must be at most 4, not 5" in said["range"][1]
    assert said["unknown"][0] == 2 and "did you mean 'falloff'?" in said["unknown"][1]


@slow
def test_they_are_optimized_under_either_renderer_alike(done):
    folder, _ = done
    results = {name: json.loads((folder / name / "result.json").read_text()) for name in ("raster", "path")}
    activation = {name: result["activation"]["final"]["mean"] for name, result in results.items()}
    assert activation["raster"] == pytest.approx(activation["path"], rel=0.03)
    for name in results:
        start, end = (read(folder / name / f"{file}.npz") for file in ("initial_parameters", "parameters"))
        moved = ("lighting.0.position", "lighting.0.intensity", "lighting.0.falloff", "lighting.1.radiance")
        assert all((start[path] != end[path]).any() for path in (*moved, "material.roughness"))


@slow
def test_they_are_tuned_and_exported(done):
    folder, said = done
    assert said["tune too far"][0] == 2 and "it must be above 0 and at most 4" in said["tune too far"][1]
    assert "lighting.0.falloff" in (folder / "tune" / "tuning.json").read_text()
    assert "material.roughness" in (folder / "rough" / "tuning.json").read_text()
    assert "lighting.0 (lantern)" in said["export"][1] and "lighting.1 (overcast)" in said["export"][1]


def read(path: Path) -> dict[str, np.ndarray]:
    """A file of parameters."""
    with np.load(path) as arrays:
        return {name: np.atleast_1d(arrays[name]) for name in arrays}


@slow
def test_an_experiment_has_its_own_result_sentences_and_report(done):
    folder, said = done
    assert "response " in said["experiment"][1] and ": quiet" in said["experiment"][1]
    result = json.loads((folder / "calm" / "result.json").read_text())
    assert (result["objective"], result["quiet"], result["ended"]) == ("calm", True, "done")
    assert result["response"]["mean"] == -result["activation"]["final"]["mean"]
    assert "objective (calm)" in (folder / "calm.html").read_text()
    assert "has come to its end (done)" in said["experiment resumed"][1]
    assert "did you mean 'floor'?" in said["experiment refused"][1]
