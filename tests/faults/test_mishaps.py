"""What is raised in the middle of a run: by the user's model, for want of memory, and by a mistake of ours."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys

import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.experiment import Config
from mitsuba_mei.io.memory import free_memory_mb, is_out_of_memory
from mitsuba_mei.render.memory import memory_mb
from mitsuba_mei.sweep import job as jobs
from tests.faults.runs import STEPS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

MODEL = """
import torch
from pathlib import Path


class Moody(torch.nn.Module):
    def forward(self, images):
        if (Path(__file__).parent / "moody").exists():
            raise ValueError("not today")
        return images.flatten(1).square().mean(1, keepdim=True)
"""
ALL = list(range(1, STEPS + 1))


def raising(error: BaseException):
    def fault(*arguments):
        raise error

    return fault


def test_a_model_that_raises_is_named_with_its_line_and_the_run_goes_on_once_it_is_mended(run, went_on, tmp_path):
    (tmp_path / "moody.py").write_text(MODEL)
    card = {"name": "moody", "module": "moody.py:Moody", "input": {"size": 32, "mean": 124.5, "std": 70.3}}
    (tmp_path / "moody.yaml").write_text(json.dumps(card))
    (tmp_path / "scene.yaml").write_text(
        (tmp_path / "scene.yaml").read_text().replace("model: {card: {", "model: {card: moody.yaml}\nx: {card: {")
    )
    text = (tmp_path / "scene.yaml").read_text().splitlines()
    (tmp_path / "scene.yaml").write_text("\n".join(line for line in text if not line.startswith("x:")))
    folder, moody = tmp_path / "run", tmp_path / "moody"
    code, said = run(folder, 17, moody.touch, "--trust-code")
    assert code == 2 and said.count("\n") == 1
    assert "model 'moody' fails (moody.py, line 9): ValueError: not today; the state is kept" in said
    moody.unlink()
    assert went_on(folder, "--trust-code") == ALL


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("jit_malloc(): out of memory! Could not allocate 4096 bytes of host memory."),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_a_sentence_and_the_run_goes_on(run, went_on, tmp_path, error):
    assert is_out_of_memory(error)
    folder = tmp_path / "run"
    code, said = run(folder, 12, raising(error))
    assert code == 2 and said.count("\n") == 1
    assert said.startswith("error: memory ran out (") and f"'resume {folder}' goes on" in said
    if isinstance(error, MemoryError):
        assert went_on(folder) == ALL


def test_what_nobody_expected_is_a_traceback_and_a_sentence_and_the_run_goes_on(run, went_on, tmp_path):
    folder = tmp_path / "run"
    code, said = run(folder, 12, raising(ZeroDivisionError("by zero")))
    last = said.splitlines()[-1]
    assert code == 1 and said.count("Traceback") == 1
    assert last.startswith("error: something that should not happen ended this (ZeroDivisionError: by zero)")
    assert f"the state is kept, and 'resume {folder}' goes on from there" in last
    assert went_on(folder) == ALL


def test_a_sweep_records_that_memory_ran_out_and_tries_again(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "_bound_threads", raising(MemoryError()))
    attempt = jobs.do_job(jobs.Job("seed-000", Config(), tmp_path, 1))
    assert (attempt.ended, attempt.reason) == ("failed", "memory ran out: MemoryError")


def test_what_the_system_refuses_outside_a_run_is_a_sentence(run, tmp_path):
    code, said = run(tmp_path / "run", 12, raising(OSError(errno.EMFILE, os.strerror(errno.EMFILE))))
    assert code == 2 and said.startswith("error: the system refused something: ") and said.count("\n") == 1


# ------------------------------------------------------------------------------------------------------- memory


def limited(scene, root, megabytes: int, *words: str) -> tuple[int, str]:
    """A run by the command line in a process that may map so much."""
    command = f"ulimit -v {megabytes * 1024}; exec {sys.executable} run.py {scene} -q {' '.join(words)}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(["bash", "-c", command], cwd=root, env=environment, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v limits nothing here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["render.type=path", "render.resolution=2048"], "and [0-9,]+ MB are free for this process; lower render"),
        (["shape.template.subdivisions=7"], "memory ran out .*lower render.resolution"),
    ],
    ids=["refused", "ran out"],
)
def test_two_gigabytes_that_do_not_suffice_are_a_sentence(scene, root, tmp_path, words, said):
    code, err = limited(scene, root, 2048, "--out", str(tmp_path / "run"), "--set", *words)
    assert code == 2 and re.search(said, err) and "Traceback" not in err


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v limits nothing here")
def test_less_than_the_libraries_need_is_refused_at_once(monkeypatch, capsys):
    import resource

    usual = resource.getrlimit
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2**30, 2**30) if which == resource.RLIMIT_AS else usual)
    assert main(["check", "scene.yaml"]) == 2
    assert "may map 1,024 MB of memory (ulimit -v), and its libraries alone take up to" in capsys.readouterr().err


def test_a_step_takes_more_memory_with_more_pixels_samples_and_segments():
    def needed(channels=1, **changed):
        return memory_mb(Config.model_validate({"render": {"type": "path", **changed}}).render, channels)

    usual = needed()
    assert 100 < usual < 300
    for more in ({"resolution": 400}, {"spp": 64}, {"max_depth": 8}, {"gradient": {"interior": 200}}, {"channels": 3}):
        assert needed(**more) > usual
    assert needed(resolution=2048) > 20 * 2048**2 * 4 / 2**20  # each sample of the gradient keeps a float
    assert free_memory_mb() > 0
