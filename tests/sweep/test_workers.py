"""Worker processes that are killed and renewed, a scheduler of someone else's, and what Slurm is asked for."""

from __future__ import annotations

import importlib.util
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mitsuba_mei.config.load import Config
from mitsuba_mei.config.sweep import Address, Slurm, Sweep, Workers
from mitsuba_mei.errors import UserError
from mitsuba_mei.sweep import workers as clusters
from mitsuba_mei.sweep.folder import SweepFolder
from mitsuba_mei.sweep.job import Job
from mitsuba_mei.sweep.scheduler import SweepScheduler
from mitsuba_mei.sweep.workers import local_workers, opened_pool, slurm_cluster, workers_wanted
from tests.sweep.stand_ins import light_work

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of dask and tornado


class Heard:
    def __init__(self):
        self.messages, self.last = [], None

    def update(self, standing):
        self.last = standing

    def message(self, text):
        self.messages.append(text)


def asked(cluster="local", **workers) -> Sweep:
    return Sweep(scene="scene.yaml", axes={"seeds": 0}, workers=Workers(memory="1GB", **workers), cluster=cluster)


def conducted(sweep: Sweep, path: Path, names: list[str], recycle=None, seconds=math.inf) -> tuple[SweepFolder, Heard]:
    folder, heard = SweepFolder(path), Heard()
    (path / "plan.json").write_text("{}")
    with opened_pool(sweep, path, light_work) as pool:
        pool.check(folder.path)
        conductor = SweepScheduler(
            pool, folder, lambda name: Job(name, Config(), folder.path, 1), heard, 1, recycle, seconds
        )
        conductor.run(names, len(names), lambda: False)
    return folder, heard


def killed_soon(path: Path) -> threading.Thread:
    """Kills the process that does the slow run, as soon as it has begun."""

    def kill() -> None:
        for _ in range(600):
            for note in path.glob("notes/slow.*"):
                return os.kill(int(note.suffix[1:]), signal.SIGKILL)
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_worker_that_is_killed_and_others_that_are_renewed_lose_nothing(tmp_path):
    names = ["slow", *(f"run-{i}" for i in range(6))]
    killer = killed_soon(tmp_path)
    folder, heard = conducted(asked(count=2, threads=3, gpus=[4, 7]), tmp_path, names, recycle=2)
    killer.join()
    attempts = list(folder.attempts())
    assert sorted(a.name for a in attempts if a.ended == "done") == sorted(names)
    assert [a.name for a in attempts if a.ended == "failed"] == ["slow"]
    assert heard.messages == ["slow: its process died: killed, or out of memory (workers.memory); tried again"]
    done_by = [a.process for a in attempts if a.ended == "done"]
    assert max(done_by.count(process) for process in done_by) <= 2
    seen = {note.read_text() for note in (tmp_path / "notes").iterdir()}
    assert seen == {"4 3", "7 3"}  # every process has one GPU, and its threads


def test_a_run_that_hangs_is_ended_with_its_process(tmp_path):
    folder, heard = conducted(asked(count=1), tmp_path, ["slow", "run-1"], seconds=1.5)
    assert folder.done() == {"slow", "run-1"}
    assert heard.messages == ["slow: it took longer than max_hours; tried again"]
    assert len({note.suffix for note in (tmp_path / "notes").glob("slow.*")}) == 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def separate_cluster(workers: int, *options: str):
    """``dask scheduler`` and ``dask worker``, as a user starts them."""
    port = free_port()
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    started = [[*here, "--port", str(port), "--dashboard-address", "127.0.0.1:0"]]
    started += [[f"tcp://127.0.0.1:{port}", *here, "--nthreads", "2", *options]] * workers
    modules = ["distributed.cli.dask_scheduler"] + ["distributed.cli.dask_worker"] * workers
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONWARNINGS": "ignore"}
    processes = [
        subprocess.Popen([sys.executable, "-m", module, *words], env=environment, stderr=subprocess.DEVNULL)
        for module, words in zip(modules, started)
    ]
    try:
        yield f"tcp://127.0.0.1:{port}", processes
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=20)


def answering(address: str) -> None:
    host, port = address.removeprefix("tcp://").split(":")
    for _ in range(400):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"no scheduler at {address}")


def test_runs_go_to_workers_that_are_there_already_one_at_a_time_and_a_dead_one_is_made_good(tmp_path):
    with separate_cluster(1) as (address, _):
        answering(address)
        killer = killed_soon(tmp_path)
        folder, heard = conducted(asked(Address(address=address)), tmp_path, ["slow", "run-1", "run-2"])
        killer.join()
    assert folder.done() == {"slow", "run-1", "run-2"}
    assert [a.ended for a in folder.attempts()].count("failed") == 1


def test_a_scheduler_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    asked_for, client = [], clusters.Client

    def connecting(*arguments, **settings):
        asked_for.append(settings["timeout"])
        return client(*arguments, **settings)

    monkeypatch.setattr(clusters, "Client", connecting)
    with pytest.raises(UserError, match=r"no scheduler answers at tcp://127.0.0.1:\d+ within 1 s"):
        with opened_pool(asked(Address(address=f"tcp://127.0.0.1:{free_port()}")), tmp_path):
            pass
    assert asked_for == [1]


def test_a_gpu_has_no_more_workers_than_may_share_it():
    workers = Workers(gpus=[0, 2], jobs_per_gpu=3)
    devices = [each["options"]["env"]["CUDA_VISIBLE_DEVICES"] for each in local_workers(workers).values()]
    assert sorted(devices) == ["0"] * 3 + ["2"] * 3
    assert workers_wanted(Workers(gpus=[0, 2], jobs_per_gpu=3, count=4)) == 4


def test_local_schedulers_and_workers_listen_on_this_machine_alone():
    for each in local_workers(Workers(count=3)).values():
        assert each["options"]["host"] == "127.0.0.1"
        assert each["options"]["dashboard"] is False


# ------------------------------------------------------------------------------------------------------------ Slurm


def test_slurm_is_asked_for_what_the_file_says(tmp_path):
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("dask-jobqueue is not installed")
    said = Slurm(
        partition="cpu", account="vision", time="12:00:00", cores=3, memory="3GB", directives=("--gres=gpu:1",)
    )
    sweep = asked(said, count=0 + 1)
    cluster = slurm_cluster(sweep, tmp_path, start=False)
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    lines = script.splitlines()
    wanted = ("-p cpu", "-A vision", "-t 12:00:00", "--cpus-per-task=3", "--mem=3G", "--gres=gpu:1", "-n 1")
    for option in wanted:
        assert f"#SBATCH {option}" in lines
    assert "export OMP_NUM_THREADS=3" in lines
    assert sys.executable in lines[-1] and "dask_worker" in lines[-1] and "--nthreads 3" in lines[-1]
    assert "--nanny" in lines[-1] and "--no-dashboard" in lines[-1]


def test_importing_dask_jobqueue_leaves_ctrl_c_alone(monkeypatch):
    """It sets a handler of its own when it is imported."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("dask-jobqueue is not installed")
    for name in [name for name in sys.modules if name.partition(".")[0] == "dask_jobqueue"]:
        monkeypatch.delitem(sys.modules, name)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert clusters._slurm_cluster().__name__ == "SLURMCluster"
        assert "dask_jobqueue.runner" in sys.modules  # which sets it
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_dask_jobqueue_it_is_told_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(UserError, match=r"needs dask-jobqueue.*pip install 'mitsuba-mei\[cluster\]'"):
        slurm_cluster(asked(Slurm()), tmp_path)
