"""Short deterministic runs of all kinds, by the command line."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest.mock import patch

from mitsuba_mei.cli.progress import LiveProgress
from tests.whole_runs import called, no_pictures

__all__ = ["COMMANDS", "do_runs"]

CARD = "{type: complex_cell, parameters: {frequency: 2}, input: {size: 32, mean: 124, std: 70}}"
CELLS = "{card: models/v4_curvature.yaml, neuron: 25}"
SCENE = f"""
deterministic: true
shape: {{template: {{type: icosphere, subdivisions: 2}}, rbf: {{control_points: 20}}, free: [offsets, scales]}}
pose: {{free: [rotation]}}
lighting:
  - {{type: sun, direction: [0.6, 0.5, -1], irradiance: 8, free: [direction]}}
  - {{type: constant, radiance: 0.3}}
model: {{card: {CARD}}}
render: {{type: raster, resolution: 32}}
stimulus: {{norm: 15}}
optimizer: {{steps: 4}}
evaluate: {{spp: 16, repeats: 2}}
pixel: {{steps: 6, restarts: 2}}
"""
FILES = {
    "scene.yaml": SCENE,
    "truth.yaml": "extends: scene.yaml\npose: {rotation: [0, 40, 0]}\nmaterial: {type: plastic, roughness: 0.3}\n",
    "cells.yaml": f"extends: scene.yaml\nmodel: {CELLS}\nrender: {{type: raster, resolution: 100}}\n",
    "sweep.yaml": "scene: scene.yaml\naxes: {seeds: [0, 1]}\nworkers: {count: 1, memory: 2GB}\n",
}
COMMANDS = {
    "path": ["run", "scene.yaml", "--set", "render={type: path, resolution: 32, spp: 8}"],
    "raster": ["run", "scene.yaml", "--set", "optimizer={steps: 4, restarts: 2, search: 5}", "compare_to=pixel"],
    "pixel": ["pixel", "scene.yaml"],
    "compare": ["compare", "scene.yaml", "--set", "render.spp=8"],
    "factors": ["factors", "scene.yaml", "--starts", "2"],
    "tune": ["tune", "{raster}", "--over", "pose.rotation.y=-90:90:5"],
    "diverse": ["run", "scene.yaml", "--set", "objective={type: diverse, count: 2}"],
    "metamer": ["run", "cells.yaml", "--set", "objective={type: metamer, reference: truth.yaml}"],
    "image": ["run", "scene.yaml", "--set", "objective={type: image, target: truth.yaml}"],
    "evaluate": ["evaluate", "{raster}", "--render", "path"],
    "sweep": ["sweep", "sweep.yaml"],
    "resume": ["resume", "{interrupted}"],
}
"""By name: what is asked for; ``{name}`` is the folder of an earlier run."""

INTERRUPTED = ["run", "scene.yaml", "--seed", "3"]
"""Ended at its second step, for ``resume``."""


def do_runs(folder: Path, root: Path) -> dict[str, Path]:
    """Do all runs within a folder, without the pictures, of which :mod:`tests.goldens.record` keeps nothing.

    Parameters
    ----------
    folder : Path
        An empty one.
    root : Path
        The repository's, where ``models`` lies.

    Returns
    -------
    dict of str to Path
        The output folder of each, by its name in ``COMMANDS``.
    """
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("models/", f"{root}/models/"))
    folders = {name: folder / name for name in (*COMMANDS, "interrupted")}
    with no_pictures():
        with patch.object(LiveProgress, "step", _interrupt_second_step()):
            _do(folder, INTERRUPTED, folders, "interrupted", 130)
        for name, arguments in COMMANDS.items():
            _do(folder, arguments, folders, name, 0)
    return {name: folders["interrupted" if name == "resume" else name] for name in COMMANDS}


def _interrupt_second_step():
    step, seen = LiveProgress.step, []

    def interrupting(self, info) -> None:
        step(self, info)
        seen.append(info)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    return interrupting


def _do(folder: Path, arguments: list[str], folders: dict[str, Path], name: str, expected: int) -> None:
    words = [each.format(**folders) if each.startswith("{") and each.endswith("}") else each for each in arguments]
    words = [str(folder / each) if each.endswith(".yaml") else each for each in words]
    out = [] if words[0] == "resume" else ["--out", str(folders[name])]
    code, printed, complaints = called(*words, *out)
    assert code == expected, f"{name} ended with {code}: {printed}{complaints}"
