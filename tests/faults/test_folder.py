"""A disk that is full, a folder that cannot be written to, is removed, or replaced, in the middle of a run."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import mitsuba_mei.runs.folder as run_folder
from tests.faults.runs import STEPS, steps_of

pytestmark = pytest.mark.slow

ALL = list(range(1, STEPS + 1))


@pytest.fixture
def small_disk(tmp_path) -> Path:
    """A disk of 1 MB; only root may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"there is no mount: {error}")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("seed", range(2))
def test_a_full_disk_costs_no_finished_step_and_the_run_goes_on_once_there_is_space(run, went_on, small_disk, seed):
    folder, filler = small_disk / "run", small_disk / "filler"
    at = random.Random(seed).randrange(1, STEPS)

    def fill():
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC

    code, said = run(folder, at, fill)
    assert code == 2 and said.count("\n") == 1
    assert "No space left on device; what was written before is kept" in said and f"'resume {folder}' goes on" in said
    kept = steps_of(folder)
    assert kept == ALL[: len(kept)] and len(kept) >= at
    filler.unlink()
    assert went_on(folder) == ALL


@pytest.mark.parametrize("name", ["start-0.npz", "mesh.ply", "stimulus.npy", "result.json"])
def test_wherever_the_disk_is_full_the_run_goes_on_from_what_it_kept(run, went_on, tmp_path, monkeypatch, name):
    whole = run_folder.write_whole

    def full(target, writer, *others):
        if target.name != name:
            return whole(target, writer, *others)
        target.with_name(".part").write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run_folder, "write_whole", full)
    folder = tmp_path / "run"
    code, said = run(folder)
    assert code == 2 and f"{name} cannot be written: No space left on device" in said and said.count("\n") == 1
    assert not list(folder.rglob(name)) and len(steps_of(folder)) >= (10 if name == "start-0.npz" else STEPS)
    monkeypatch.undo()
    assert went_on(folder) == ALL


def test_a_row_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    folder = run_folder.RunFolder(tmp_path / "run")
    for step in (1, 2):
        folder.add_metrics({"step": step, "loss": 0.5})

    class Short:
        """A file on a disk with four bytes left."""

        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            return self.file.write(data[:4])

    monkeypatch.setattr(folder, "_metrics", Short(folder._metrics))
    with pytest.raises(run_folder.UserError, match="metrics.csv cannot be written: No space left"):
        folder.add_metrics({"step": 3, "loss": 0.5})
    folder.close()
    assert steps_of(folder.path) == [1, 2]


def test_a_folder_that_may_not_be_written_to_any_more_keeps_what_is_in_it(run, went_on, tmp_path):
    folder = tmp_path / "run"
    root = os.geteuid() == 0

    def forbid(flag):
        """Root may write whatever the mode says, but into nothing that is immutable."""
        if root:
            if shutil.which("chattr") is None:
                pytest.skip("there is no chattr")
            done = [subprocess.run(["chattr", f"{flag}i", str(each)]) for each in (folder, folder / "checkpoint")]
            if flag == "+" and any(each.returncode for each in done):
                pytest.skip("this file system knows no immutable folders")
        else:
            for each in (folder, folder / "checkpoint"):
                each.chmod(0o555 if flag == "+" else 0o755)

    try:
        code, said = run(folder, 13, lambda: forbid("+"))
        assert code == 2 and said.count("\n") == 1 and f"'resume {folder}' goes on" in said
        assert "Operation not permitted" in said or "Permission denied" in said
        assert steps_of(folder) == ALL[: len(steps_of(folder))] and len(steps_of(folder)) >= 13
    finally:
        forbid("-")
    assert went_on(folder) == ALL


def test_a_folder_that_is_removed_or_replaced_ends_the_run_with_a_sentence(run, tmp_path):
    folder = tmp_path / "run"
    code, said = run(folder, 7, lambda: shutil.rmtree(folder))
    assert (code, said.count("\n")) == (2, 1) and f"the folder {folder} is gone" in said
    assert not folder.exists()

    def replace():
        shutil.rmtree(folder)
        folder.mkdir()

    code, said = run(folder, 7, replace)
    assert (code, said.count("\n")) == (2, 1) and "metrics.csv cannot be written: it was removed" in said


def test_a_place_where_nothing_can_be_written_is_refused_before_the_first_step(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, said = run(tmp_path / "file" / "run")
    assert code == 2 and "Not a directory; choose another --out" in said and said.count("\n") == 1
