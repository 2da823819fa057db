"""A run goes on from a damaged state, or says so in one sentence."""

from __future__ import annotations

import copy
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import Terminated
from mitsuba_mei.experiments.diverse import run_diverse
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.resume import resumable
from mitsuba_mei.optimize import start_search
from tests.fuzz.byte_damage import damaged
from tests.fuzz.outcomes import examples, outcome

pytestmark = pytest.mark.slow

SCENE = """
model: {card: {type: complex_cell, parameters: {frequency: 2}, input: {size: 16, mean: 124, std: 70}}}
shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 6}}
render: {type: raster, resolution: 16}
pose: {free: [rotation]}
optimizer: {steps: 15, search: 2}
evaluate: {spp: 1, repeats: 2}
"""
DIVERSE = "objective={type: diverse, count: 2, differ: shape}"


class Ending:
    """Ends a run by a signal, at a step."""

    def __init__(self, at: int) -> None:
        self._left = at

    def start(self, steps: int, label: str = "", done: int = 0) -> None: ...
    def doing(self, text: str) -> None: ...

    def step(self, info: dict) -> None:
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGTERM)

    def message(self, text: str) -> None: ...

    def stop(self) -> None: ...


def ended(folder: Path, overrides: list[str], run: Any, at: int) -> Path:
    """A run that was ended at a step."""
    scene = folder / "scene.yaml"
    scene.write_text(SCENE)
    with pytest.raises(Terminated):
        run(load_config(scene, overrides), folder / run.__name__, Ending(at))
    return folder / run.__name__


@pytest.fixture(scope="module", autouse=True)
def short_search():
    """Of each search, whose state is what is damaged."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"FIRST": 2, "SECOND": 1, "STEPS": 3}.items():
            patch.setattr(start_search, name, value)
        yield


@pytest.fixture(scope="module")
def run_folder(folder) -> Path:
    return ended(folder, [], run_mei, 15)


@pytest.fixture(scope="module")
def diverse_folder(folder) -> Path:
    return ended(folder, [DIVERSE, "optimizer.search=0"], run_diverse, 13)


def gone_on(folder: Path, run: Any, damage: dict[str, bytes]) -> Any:
    """What becomes of two more steps of a copy with some of its files replaced."""
    copied = folder.with_name("copy")
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(folder, copied)
    for name, content in damage.items():
        (copied / name).write_bytes(content)
    try:
        config = outcome(resumable, copied)
        return config and outcome(run, config, copied, Ending(2), resumed=True)
    except Terminated:
        return True


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "checkpoint").iterdir()) + ["metrics.csv"]


@given(data=st.data())
@examples(30)
def test_files_with_damaged_bytes(run_folder, data):
    name = data.draw(st.sampled_from(files(run_folder)))
    gone_on(run_folder, run_mei, {name: data.draw(damaged((run_folder / name).read_bytes()))})


NUMBERS = st.one_of(
    st.sampled_from([None, True, "", "done", [], {}, [1], -1, 0, 2**31, 2**70, 10**400, 1e308, -0.5, "nan"]),
    st.sampled_from([float("nan"), float("inf"), {"index": 1}, [None], [float("nan")], "interrupted", "failed"]),
    st.integers(-3, 100),
)
ARRAYS = st.sampled_from(
    [
        np.zeros(0),
        np.float32(np.nan),
        np.zeros((6, 3), np.int64),
        np.full((6, 3), np.nan, np.float32),
        np.full((6, 3), 1e38, np.float32),
        np.full((6, 3), -1, np.float32),
        np.zeros((6, 3), np.complex64),
        np.array(["text"] * 3),
        np.array([b"bytes"]),
        np.zeros((2, 2, 2, 2)),
        np.zeros((5, 4)),
        np.zeros((16, 16, 1), np.float32),
        np.zeros(3, "datetime64[s]"),
        np.zeros(3, [("a", "f4")]),
        np.zeros(3, np.float16),
        np.array(1e300),
    ]
)


@st.composite
def other_state(draw: st.DrawFn, path: Path) -> bytes:
    """A state in which values of some of its numbers and arrays are others, missing, or more."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    numbers = json.loads(arrays.pop("numbers").tobytes())
    for _ in range(draw(st.integers(1, 2))):
        inside = draw(st.sampled_from([arrays, arrays, *_mappings(numbers)]))
        name = draw(st.sampled_from([*inside, "extra"]))
        values = ARRAYS if inside is arrays else NUMBERS.map(copy.deepcopy)
        if draw(st.booleans()):
            inside[name] = draw(values)
        else:
            inside.pop(name, None)
    arrays["numbers"] = np.frombuffer(json.dumps(numbers).encode(), np.uint8)
    with open(path.with_name("changed.npz"), "wb") as file:
        np.savez(file, **arrays)
    return path.with_name("changed.npz").read_bytes()


def _mappings(tree: Any) -> list[dict]:
    found = [tree] if isinstance(tree, dict) else []
    return found + [inner for value in (tree.values() if found else []) for inner in _mappings(value)]


@given(data=st.data())
@examples(45)
def test_states_that_say_something_else(run_folder, data):
    name = data.draw(st.sampled_from([name for name in files(run_folder) if name.endswith("npz")] + 9 * [MAIN]))
    content = data.draw(other_state(run_folder / name))
    (run_folder / "checkpoint" / "changed.npz").unlink()
    gone_on(run_folder, run_mei, {name: content})


MAIN = "checkpoint/start-0.npz"


@given(data=st.data())
@examples(10)
def test_states_of_several_scenes(diverse_folder, data):
    (name,) = (name for name in files(diverse_folder) if "scenes" in name)
    content = data.draw(other_state(diverse_folder / name))
    (diverse_folder / "checkpoint" / "changed.npz").unlink()
    gone_on(diverse_folder, run_diverse, {name: content})
