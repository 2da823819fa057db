"""Links within a run's folder, laid there by whoever made it, lead nothing of what is written out of it."""

from __future__ import annotations

import json
import shutil
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.io.files import make_writable
from mitsuba_mei.optimize.loop import Snapshot
from mitsuba_mei.runs.checkpoint import Checkpoints
from mitsuba_mei.runs.folder import RunFolder
from mitsuba_mei.sweep.folder import Attempt, SweepFolder
from mitsuba_mei.sweep.job import Job, do_job
from mitsuba_mei.sweep.plan import read_plan
from tests.strangers import write_stranger

STATE = Snapshot({"step": 1, "metrics": 4}, {"a": np.zeros(2)})
TEXT = "a,b\n1,2\nmine\n"


@pytest.fixture
def outside(tmp_path) -> Path:
    """A folder of the user's, with a file in it, and another in a folder."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "file").write_text(TEXT)
    (folder / "deep" / "start-0.npz").write_text(TEXT)
    return folder


def unchanged(outside: Path) -> bool:
    found = {path.relative_to(outside).as_posix(): path for path in outside.rglob("*") if path.is_file()}
    return found.keys() == {"file", "deep/start-0.npz"} and all(path.read_text() == TEXT for path in found.values())


def use(path: Path) -> None:
    """Everything that is done with the folder of a run that goes on."""
    folder = RunFolder(path, resumed=True, locked=True)
    with suppress(UserError):
        folder.continue_metrics(4)
    folder.close()
    for each in (
        lambda: folder.add_metrics({"a": 1}),
        lambda: folder.write_json("result.json", {"a": 1}),
        lambda: folder.write_text("config.yaml", "seed: 0\n"),
        lambda: folder.write("restarts/0/mesh.ply", lambda part: part.write_text("a")),
        lambda: folder.inside("restarts/0").write_text("config.yaml", "seed: 0\n"),
        lambda: Checkpoints(folder).write("start-0", STATE),
        lambda: Checkpoints(folder).remove(),
        lambda: Checkpoints.remove_below(folder),
    ):
        with suppress(UserError):
            each()
    folder.close()
    folder.release()


FILES = ["metrics.csv", "result.json", ".result.part.json", "config.yaml", ".config.part.yaml", ".writable", ".lock"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_a_link_is_not_written_through(tmp_path, outside, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(outside / "file")
    with suppress(UserError):
        use(tmp_path / "run")
    assert unchanged(outside)


@pytest.mark.parametrize("name", [*FILES, "checkpoint", "restarts"])
def test_a_link_to_nothing_makes_nothing(tmp_path, outside, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(outside / "new")
    with suppress(UserError):
        use(tmp_path / "run")
    assert unchanged(outside)


@pytest.mark.parametrize("name", ["checkpoint", "restarts", "restarts/0", "result.json", ".result.part.json"])
def test_a_folder_that_is_a_link_is_neither_written_into_nor_emptied(tmp_path, outside, name):
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).symlink_to(outside / "deep")
    use(tmp_path / "run")
    assert unchanged(outside) and (outside / "deep").is_dir()


@pytest.mark.parametrize(("name", "said"), [("metrics.csv", "remove it"), (".lock", "remove it"), ("restarts", "link")])
def test_what_is_in_the_way_is_named(tmp_path, outside, name, said):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(outside)
    with pytest.raises(UserError, match=rf"{name} is a link.*{said}"):
        with closing(RunFolder(tmp_path / "run", resumed=True, locked=True)) as folder:
            folder.add_metrics({"a": 1})
            folder.write("restarts/0/mesh.ply", lambda part: part.write_text("a"))


@pytest.mark.parametrize("name", ["checkpoint", "neuron/checkpoint", "neuron"])
def test_states_are_not_removed_beyond_a_link(tmp_path, outside, name):
    (outside / "deep").rename(outside / "checkpoint")
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).symlink_to(outside if name == "neuron" else outside / "checkpoint")
    Checkpoints.remove_below(RunFolder(tmp_path / "run", resumed=True))
    assert (outside / "checkpoint" / "start-0.npz").read_text() == TEXT


def test_the_way_to_a_run_may_lead_through_links(tmp_path):
    """As on clusters, where runs are a link to a large disk."""
    (tmp_path / "scratch" / "empty").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "scratch")
    for name in ("new", "empty"):
        use(tmp_path / "runs" / name)
        assert (tmp_path / "scratch" / name / "metrics.csv").is_file()
    (tmp_path / "named").symlink_to(tmp_path / "scratch" / "new")
    RunFolder(tmp_path / "named", resumed=True).write_text("a.txt", "a")
    assert (tmp_path / "scratch" / "new" / "a.txt").is_file()


def test_whether_a_folder_can_be_written_leaves_nothing(tmp_path):
    make_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.slow
def test_resume_and_evaluate_leave_what_links_lead_to(tmp_path, outside, capsys):
    scene = write_stranger(tmp_path / "scene")
    run, begun = tmp_path / "run", tmp_path / "begun"
    assert main(["run", str(scene), "-q", "--trust-code", "--out", str(run)]) == 0
    shutil.copytree(run, begun)
    (begun / "result.json").write_text(
        json.dumps(json.loads((run / "result.json").read_text()) | {"ended": "interrupted"})
    )
    for name in ("metrics.csv", "progress.mp4", ".summary.part.png", ".progress.part.mp4"):
        (begun / name).unlink(missing_ok=True)
        (begun / name).symlink_to(outside / "file")
    (begun / "checkpoint").symlink_to(outside / "deep")
    assert main(["resume", str(begun), "-q", "--trust-code"]) == 2 and unchanged(outside)
    (begun / "checkpoint").unlink()
    assert main(["resume", str(begun), "-q", "--trust-code"]) == 2 and unchanged(outside)
    (begun / "metrics.csv").unlink()
    assert main(["resume", str(begun), "-q", "--trust-code"]) == 0 and unchanged(outside), capsys.readouterr().err
    assert not (begun / "progress.mp4").is_symlink() and (begun / "progress.mp4").stat().st_size > 1000
    for name in ("evaluation-raster.json", "evaluation-raster.png", ".evaluation-raster.part.json"):
        (run / name).symlink_to(outside / "new")
    assert main(["evaluate", str(run), "--trust-code"]) == 0 and unchanged(outside)


@pytest.fixture
def plan(tmp_path):
    write_stranger(tmp_path)
    (tmp_path / "sweep.yaml").write_text('scene: scene.yaml\naxes: {seeds: [1], pose.scale: [1, "../../out", 2]}\n')
    return read_plan(tmp_path / "sweep.yaml", trust_code=True)


@pytest.mark.parametrize(
    "name", ["runs", "partial", "logs", "attempts.jsonl", ".lock", "plan.json", ".sweep.part.yaml"]
)
def test_links_in_the_folder_of_a_sweep(tmp_path, outside, plan, name):
    path = tmp_path / "sweep"
    with SweepFolder(path).opened(plan):
        pass
    target = path / name
    shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    target.symlink_to(outside / ("deep" if "." not in name else "file"))
    with suppress(UserError), SweepFolder(path).opened(plan) as folder:
        folder.record(Attempt("one", "failed"))
    assert unchanged(outside)


@pytest.mark.slow
def test_a_run_of_a_sweep_does_not_go_on_where_a_link_leads(tmp_path, outside, plan):
    path = tmp_path / "sweep"
    with SweepFolder(path).opened(plan) as folder:
        row = plan.rows[0]
        (path / "partial" / f"{row.name}-12345678").symlink_to(outside / "deep")
        assert do_job(Job(row.name, plan.config(row), folder.path, 1)).ended == "done"
    assert unchanged(outside)


def test_names_of_runs_lie_in_their_folder(plan):
    """Whatever the values are that they are named after."""
    names = [row.name for row in plan.rows]
    assert len(set(names)) == 3
    for name in names:
        assert Path(name).name == name and not name.startswith(".")
