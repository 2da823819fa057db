"""Whole sweeps: what lies in the folder, what a second start does, and what becomes of runs that cannot be done."""

from __future__ import annotations

import csv
import importlib.util
import json
import queue
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet
import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments import registry as dispatch
from mitsuba_mei.sweep import job as jobs
from mitsuba_mei.sweep import run as runs
from mitsuba_mei.sweep.folder import Attempt, SweepFolder
from mitsuba_mei.sweep.job import Job, check_workers, do_job
from mitsuba_mei.sweep.plan import read_plan
from mitsuba_mei.sweep.summary import FIGURES, write_summary
from tests.sweep import slurm

SCENE = """
shape: {template: {type: icosphere, subdivisions: 1}, rbf: {control_points: 8}}
lighting: [{type: sun}, {type: constant, radiance: 0.3}]
model: {card: {type: simple_cell, parameters: {frequency: 2}, input: {size: 32, mean: 124, std: 70}}}
render: {type: raster, resolution: 32}
optimizer: {steps: 2, warmup: 0}
evaluate: {repeats: 2}
"""
SWEEP = """
scene: scene.yaml
axes: {seeds: 0-1, pose.translation: [[0, 0, 0], [90, 0, 0]], optimizer.steps: [1, 2]}
leave_out: [{pose.translation: [90, 0, 0], optimizer.steps: 2}, {seeds: 1, optimizer.steps: 1}]
workers: {count: 2, memory: 2GB}
"""
SEEN = [
    "seed-000_translation-0,0,0_steps-1",
    "seed-000_translation-0,0,0_steps-2",
    "seed-001_translation-0,0,0_steps-2",
]
UNSEEN = "seed-000_translation-90,0,0_steps-1"


class Here:
    """A pool of one worker: this process."""

    def __init__(self):
        self.did, self.results = [], queue.SimpleQueue()

    def check(self, folder):
        assert check_workers(folder, jobs.__version__) is None

    def workers(self):
        return {"here"}

    def submit(self, key, worker, job):
        self.did.append(job.name)
        self.results.put((key, do_job(job)))

    def ended(self, seconds):
        return self.results.get()


class Heard:
    def __init__(self):
        self.messages = []

    def update(self, standing):
        pass

    def message(self, text):
        self.messages.append(text)


@pytest.fixture
def here(monkeypatch) -> Here:
    """Sweeps of this test are done by this process."""
    pool = Here()

    @contextmanager
    def opened(sweep, folder):
        yield pool

    monkeypatch.setattr(runs, "opened_pool", opened)
    monkeypatch.setattr(jobs, "_bound_threads", lambda job: None)
    return pool


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return read_plan(tmp_path / "sweep.yaml")


def table(folder: Path) -> list[dict]:
    return pyarrow.parquet.read_table(folder / "summary.parquet").to_pylist()


@pytest.mark.slow
def test_a_sweep_is_done_summed_up_and_gone_on_with(plan, here, tmp_path):
    out, heard = tmp_path / "out", Heard()
    outcome = runs.run_sweep(plan, plan.sweep, out, heard)
    assert (outcome.done, outcome.failed, outcome.missing, outcome.before) == (3, 1, 0, 0)
    assert here.did == sorted([*SEEN, UNSEEN])
    assert sorted(path.name for path in (out / "runs").iterdir()) == SEEN
    assert list((out / "partial").iterdir()) == []
    assert (out / "sweep.yaml").read_text() == SWEEP
    assert outcome.report == out.resolve() / "report.html" and SEEN[2] in outcome.report.read_text()

    rows = {row["run"]: row for row in table(out)}
    assert list(rows) == [row.name for row in plan.rows]
    for name in SEEN:
        result = json.loads((out / "runs" / name / "result.json").read_text())
        row = rows[name]
        assert (row["state"], row["folder"], row["attempts"], row["reason"]) == ("done", f"runs/{name}", 1, None)
        assert row["seed"] == result["seed"] and row["optimizer.steps"] == result["steps"] == row["steps"]
        assert row["activation_final_mean"] == result["activation"]["final"]["mean"]
        assert row["activation_initial_sem"] == result["activation"]["initial"]["sem"]
        assert row["fraction_of_optimum"] == result["fraction_of_optimum"] is not None
        assert row["intersecting_faces"] == result["mesh"]["intersecting_faces"]
        assert row["pose.translation"] == "[0, 0, 0]"
    assert rows[UNSEEN]["state"] == "failed"
    assert rows[UNSEEN]["attempts"] == 1  # what a user can mend is not tried again
    assert rows[UNSEEN]["reason"].startswith("the object is outside the camera's view")
    with open(out / "summary.csv", newline="") as file:
        told = list(csv.DictReader(file))
    assert [(row["run"], row["state"]) for row in told] == [(name, row["state"]) for name, row in rows.items()]
    assert [float(row["activation_final_mean"] or "nan") for row in told if row["state"] == "done"] == [
        rows[name]["activation_final_mean"] for name in SEEN
    ]

    kept = (out / "runs" / SEEN[0] / "result.json").stat().st_mtime_ns
    shutil.rmtree(out / "runs" / SEEN[1])
    (out / "partial" / f"{SEEN[1]}-1234abcd").mkdir()
    here.did.clear()
    outcome = runs.run_sweep(plan, plan.sweep, out, heard)
    assert sorted(here.did) == sorted([SEEN[1], UNSEEN])
    assert (outcome.done, outcome.before) == (3, 2)
    assert "2 of 4 runs are done already; 2 are to do" in heard.messages
    assert (out / "runs" / SEEN[0] / "result.json").stat().st_mtime_ns == kept
    assert list((out / "partial").iterdir()) == []


def test_what_cannot_be_used_is_told_before_the_first_run(plan, here, tmp_path):
    def sentence(text: str) -> str:
        (tmp_path / "sweep.yaml").write_text("scene: scene.yaml\n" + text)
        plan = read_plan(tmp_path / "sweep.yaml", (), runs.every_neuron)
        with pytest.raises(UserError) as caught:
            runs.run_sweep(plan, plan.sweep, tmp_path / "out", Heard())
        assert not (tmp_path / "out").exists() and not here.did
        return str(caught.value)

    assert "sweep.yaml:2: axes: neurons: model 'unnamed': there is no neuron 1; allowed: 0 only" in sentence(
        "axes: {neurons: 0-2}"
    )
    assert "has 16 x 16 pixels" in sentence("axes: {seeds: 0}\noverrides: {render.resolution: 16}")


# ------------------------------------------------------------------------------------------------------ the folder


def test_another_sweep_is_kept_out_of_a_folder(plan, tmp_path):
    folder = SweepFolder(tmp_path / "out")
    with folder.opened(plan):
        pass
    with folder.opened(plan):  # the same
        pass
    (tmp_path / "sweep.yaml").write_text(SWEEP.replace("0-1", "0-2").replace("count: 2", "count: 7"))
    with pytest.raises(UserError, match="holds another sweep, which differs in its axes and runs"):
        with folder.opened(read_plan(tmp_path / "sweep.yaml")):
            pass
    with pytest.raises(UserError, match="holds another sweep, which differs in its scene and axes"):
        with folder.opened(read_plan(tmp_path / "sweep.yaml", ["background=0.7"])):
            pass


def test_workers_may_change_from_start_to_start(plan, tmp_path):
    folder = SweepFolder(tmp_path / "out")
    with folder.opened(plan):
        pass
    (tmp_path / "sweep.yaml").write_text(SWEEP.replace("count: 2", "count: 7"))
    with folder.opened(read_plan(tmp_path / "sweep.yaml")):
        assert "count: 7" in (tmp_path / "out" / "sweep.yaml").read_text()


def test_a_folder_of_something_else_is_left_alone(plan, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(UserError, match="exists already and holds no sweep"):
        with SweepFolder(tmp_path / "out").opened(plan):
            pass


def test_two_processes_do_not_work_on_a_sweep_and_a_killed_one_leaves_no_lock(plan, tmp_path):
    out = tmp_path / "out"
    program = (
        "import sys, time; from pathlib import Path; from mitsuba_mei.sweep.plan import read_plan;"
        "from mitsuba_mei.sweep.folder import SweepFolder\n"
        f"with SweepFolder(Path({str(out)!r})).opened(read_plan(Path({str(tmp_path / 'sweep.yaml')!r}))):\n"
        "    print('open', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(UserError, match="another process is at work in"):
            with SweepFolder(out).opened(plan):
                pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with SweepFolder(out).opened(plan):
        pass


def test_a_line_that_a_dying_process_left_unfinished_is_passed_over(plan, tmp_path):
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        folder.record(Attempt("a", "failed", "no luck"))
        with open(folder.path / "attempts.jsonl", "a") as file:
            file.write('{"name": "b", "en\n')
        folder.record(Attempt("c", "done", seconds=1.0))
        assert list(folder.attempts()) == [Attempt("a", "failed", "no luck"), Attempt("c", "done", seconds=1.0)]


def test_a_damaged_result_is_a_row_with_a_reason_and_unknown_values_are_empty(plan, tmp_path):
    activation = {"initial": {"mean": None}, "final": {"mean": 0.5}}
    odd = {"activation": activation, "mesh": {}, "steps": None, "seconds": None, "ended": "done"}
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        for name, text in {
            SEEN[0]: "{",
            SEEN[1]: json.dumps(odd),
            SEEN[2]: json.dumps(odd | {"steps": "many"}),
            UNSEEN: json.dumps(odd | {"mesh": 3}),
        }.items():
            folder.run(name).mkdir()
            (folder.run(name) / "result.json").write_text(text)
        assert write_summary(folder, plan) == {"done": 1, "failed": 3, "missing": 0}
        rows = {row["run"]: row for row in table(folder.path)}
    damaged, row, *wrong = (rows[name] for name in (*SEEN, UNSEEN))
    assert "result.json is damaged: it is not JSON" in damaged["reason"]
    assert (row["steps"], row["seconds"], row["intersecting_faces"], row["ended"]) == (None, None, None, "done")
    assert row["activation_initial_mean"] is row["activation_final_sem"] is None
    assert row["activation_final_mean"] == 0.5
    for each, place in zip(wrong, ("steps", "mesh")):
        assert each["state"] == "failed" and f"result.json is damaged: {place}: input should be" in each["reason"]
    assert set(FIGURES) <= row.keys()


@pytest.mark.slow
def test_the_same_run_done_twice_is_kept_once(plan, here, tmp_path):
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        other = folder.run(SEEN[0])
        other.mkdir()
        (other / "result.json").write_text('{"by": "another"}')
        attempt = do_job(Job(SEEN[0], plan.config(plan.rows[0]), folder.path, 1))
        assert attempt.ended == "done"
        assert json.loads((other / "result.json").read_text()) == {"by": "another"}
        assert list((folder.path / "partial").iterdir()) == []


class EndsAt:
    """Is told how a run goes on, until it is killed."""

    def __init__(self, step):
        self.left = step

    def step(self, info):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def start(self, steps, label="", done=0): ...
    def doing(self, text): ...
    def message(self, text): ...
    def stop(self): ...


@pytest.mark.slow
def test_a_run_goes_on_in_what_a_process_that_died_left(plan, here, tmp_path, monkeypatch):
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        job = Job(SEEN[1], plan.config(plan.rows[1]), folder.path, 1)
        left = folder.path / "partial" / f"{job.name}-0123abcd"
        with pytest.raises(KeyboardInterrupt):
            dispatch.run_experiment(job.config, left, EndsAt(1))
        assert not (left / "result.json").exists()
        asked, whole = [], dispatch.run_experiment

        def noted(config, out, progress, resumed=False):
            asked.append((out, resumed))
            return whole(config, out, progress, resumed)

        monkeypatch.setattr(dispatch, "run_experiment", noted)
        assert do_job(job).ended == "done"
        assert asked == [(left, True)]
        result = json.loads((folder.run(job.name) / "result.json").read_text())
        assert (result["steps"], result["ended"]) == (job.config.optimizer.steps, "done")
        assert list((folder.path / "partial").iterdir()) == []


# ---------------------------------------------------------------------------------------------------- command line


def command(tmp_path: Path, *words: str) -> list[str]:
    return [sys.executable, "run.py", "sweep", str(tmp_path / "sweep.yaml"), "--out", str(tmp_path / "out"), *words]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_sweep_that_is_killed_goes_on_and_ctrl_c_leaves_a_summary(plan, here, tmp_path, root):
    """With one worker: what becomes of several is in ``test_workers`` and ``test_scheduler``."""
    text = "scene: scene.yaml\naxes: {seeds: 0-3}\nworkers: {count: 1, memory: 2GB}\n"
    (tmp_path / "sweep.yaml").write_text(text)
    done = tmp_path / "out" / "runs"
    finished = []
    # The last start is done by this process: those that end are two of their own, with workers.
    for end in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            command(tmp_path), cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        before = len(finished)
        for _ in range(1200):
            finished = list(done.glob("*/result.json"))
            if len(finished) > before:
                break
            time.sleep(0.05)
        process.send_signal(end)
        out, err = process.communicate(timeout=60)
        finished = list(done.glob("*/result.json"))
        assert len(finished) < 4
    assert process.returncode == 130
    assert "interrupted: what is under way (" in err and "are missing; the same command goes on with them" in out
    assert sum(row["state"] == "done" for row in table(tmp_path / "out")) == len(finished)
    assert main(["sweep", str(tmp_path / "sweep.yaml"), "--out", str(tmp_path / "out"), "-q"]) == 0
    attempts = [json.loads(line) for line in (tmp_path / "out" / "attempts.jsonl").read_text().splitlines()]
    assert max(sum(a["name"] == b["name"] for b in attempts if b["ended"] == "done") for a in attempts) == 1
    assert [row["state"] for row in table(tmp_path / "out")] == ["done"] * 4


@pytest.mark.slow
@pytest.mark.slurm
def test_slurm_does_a_sweep_and_another_job_goes_on_for_one_that_is_cancelled(plan, tmp_path, root):
    if slurm.problem() is not None:
        pytest.skip(slurm.problem())
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("dask-jobqueue is not installed")
    cluster = '{type: slurm, partition: cpu, time: "00:10:00"}'
    text = (
        f"scene: scene.yaml\naxes: {{seeds: 0-2}}\nworkers: {{count: 1, memory: 2GB}}\ncluster: {cluster}\nretries: 2\n"
    )
    (tmp_path / "sweep.yaml").write_text(text)
    with slurm.single_node(tmp_path / "slurm") as environment:
        process = subprocess.Popen(
            command(tmp_path, "-q"), cwd=root, env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(1200):
            if list((tmp_path / "out").glob("runs/*/result.json")):
                break
            time.sleep(0.05)
        subprocess.run(["scancel", "--user", "root"], env=environment, check=True)
        out, _ = process.communicate(timeout=100)
        left = subprocess.run(["squeue", "-h"], env=environment, capture_output=True, text=True).stdout
    assert process.returncode == 0 and "3 of 3 runs are done" in out
    assert len(list((tmp_path / "out" / "logs").glob("*.err"))) >= 2
    assert "RUNNING" not in left
