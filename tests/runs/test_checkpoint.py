"""States of a run on disk, whole and damaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.optimize.state import Snapshot
from mitsuba_mei.runs.checkpoint import Checkpoints
from mitsuba_mei.runs.folder import RunFolder

ARRAYS = {
    "shape.0.value": np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3),
    "history.loss": np.array([1 / 3, np.nan]),
}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_what_is_written_is_read_to_the_last_bit(folder):
    checkpoints = Checkpoints(folder)
    numbers = {"index": 7, "smooth": 0.1 + 0.2, "best": None, "usual": {"shape": [1e-300, 2.5]}}
    checkpoints.write("start-0", Snapshot({"index": 1}, {}))
    checkpoints.write("start-0", Snapshot(numbers, ARRAYS))
    found = checkpoints.read("start-0")
    assert found.numbers == numbers and found.step == 7
    assert {name: values.tobytes() for name, values in found.arrays.items()} == {
        k: v.tobytes() for k, v in ARRAYS.items()
    }
    assert checkpoints.read("start-1") is None
    checkpoints.remove()
    assert checkpoints.read("start-0") is None and not list(folder.path.glob("checkpoint*"))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_one_is_refused_in_a_sentence_or_read(folder, data):
    """Cut off, or some bits flipped: never anything else."""
    checkpoints = Checkpoints(folder)
    checkpoints.write("start-0", Snapshot({"index": 3, "smooth": 0.5}, ARRAYS))
    path = folder.path / "checkpoint" / "start-0.npz"
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found = checkpoints.read("start-0")
    except UserError as error:
        assert "is damaged" in str(error) or "cannot be read" in str(error)
    else:
        assert isinstance(found, Snapshot)


def test_nothing_in_it_is_executed(folder, tmp_path):
    """An array of objects would be unpickled; it is refused."""

    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("evil").touch, ())

    path = folder.path / "checkpoint"
    path.mkdir()
    np.savez(path / "start-0.npz", numbers=np.array([Evil()], dtype=object))
    with pytest.raises(UserError, match="is damaged"):
        Checkpoints(folder).read("start-0")
    assert not (tmp_path / "evil").exists()
