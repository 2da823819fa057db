import csv
import itertools
import json
import math
import shutil
import subprocess
import sys
import threading

import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.files import take_name
from mitsuba_mei.runs.folder import RunFolder


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    folder = RunFolder(tmp_path / "a" / "b")
    assert folder.path.is_dir()
    assert list(folder.path.iterdir()) == []


def test_what_exists_is_never_overwritten(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(UserError, match="exists already.*never overwritten"):
        RunFolder(tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        RunFolder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_process_left_that_died_before_its_first_file_is_no_run(tmp_path):
    for name in (".lock", ".config.part.yaml"):
        (tmp_path / name).touch()
    RunFolder(tmp_path, locked=True).write_text("config.yaml", "seed: 0")
    assert (tmp_path / "config.yaml").read_text() == "seed: 0"
    with pytest.raises(UserError, match="exists already"):
        RunFolder(tmp_path)


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot write to the output folder .*choose another --out"):
        RunFolder(tmp_path / "file" / "run")


def test_a_writer_that_fails_leaves_no_file_of_that_name(tmp_path):
    folder = RunFolder(tmp_path / "run")

    def half(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(UserError, match="render.png cannot be written: disk full; what was written before is kept"):
        folder.write("render.png", half)
    assert not (folder.path / "render.png").exists()


def test_metrics_are_on_disk_after_every_row(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for step in (1, 2):
        folder.add_metrics({"step": step, "activation": 0.5 * step})
        with open(folder.path / "metrics.csv", newline="") as file:
            assert len(list(csv.DictReader(file))) == step
    folder.close()


def test_what_json_cannot_say_becomes_null(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_json(
        "result.json", {"activation": float("nan"), "list": [1.5, float("inf"), {"deep": -math.inf}], "n": 3}
    )
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert found == {"activation": None, "list": [1.5, None, {"deep": None}], "n": 3}


def test_another_process_at_work_is_named(tmp_path):
    """The lock ends with its process, however that ends."""
    code = (
        "import sys, time; from pathlib import Path; from mitsuba_mei.runs.folder import RunFolder;"
        "folder = RunFolder(Path(sys.argv[1]), locked=True); print('locked', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "locked"
    with pytest.raises(UserError, match=f"another process is at work in .*: process {process.pid} on "):
        RunFolder(tmp_path / "run", resumed=True, locked=True)
    process.kill()
    process.communicate()
    folder = RunFolder(tmp_path / "run", resumed=True, locked=True)
    folder.release()
    assert not list((tmp_path / "run").iterdir())


def test_metrics_go_on_after_what_was_kept(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.add_metrics({"step": 1, "loss": 0.5})
    size = folder.metrics_size
    folder.add_metrics({"step": 2, "loss": 0.25})
    folder.close()
    folder.release()
    again = RunFolder(tmp_path / "run", resumed=True)
    again.continue_metrics(size)
    again.add_metrics({"loss": 0.125, "step": 2})
    again.close()
    assert (tmp_path / "run" / "metrics.csv").read_text().split() == ["step,loss", "1,0.5", "2,0.125"]


def test_a_folder_that_is_gone_is_said_in_a_sentence(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_text("a.txt", "a")
    shutil.rmtree(folder.path)
    with pytest.raises(UserError, match="is gone, and b.txt cannot be written"):
        folder.write_text("b.txt", "b")
    assert not folder.path.exists()


def test_a_name_that_nobody_has_is_taken_by_one_alone(tmp_path):
    """Of a report or an evaluation, which is written long after its name was looked for."""
    taken, together = [], threading.Barrier(4)

    def take():
        together.wait()
        taken.extend(take_name(tmp_path / f"report-{number}.html" for number in itertools.count(1)) for _ in range(5))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(taken) == {tmp_path / f"report-{number}.html" for number in range(1, 21)} and len(taken) == 20
