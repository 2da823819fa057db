"""What is kept and said holds no environment variables, and not the way to the user's home."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import Config, dump, load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.per_neuron import NeuronResults, Task
from mitsuba_mei.io.files import named_from, without_home
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.write import write_page
from mitsuba_mei.runs.folder import RunFolder
from mitsuba_mei.runs.results import PopulationResult, result_json
from mitsuba_mei.runs.results.populations import Neuron
from mitsuba_mei.sweep.folder import Attempt, SweepFolder
from mitsuba_mei.sweep.job import Job, do_job
from mitsuba_mei.sweep.plan import read_plan
from mitsuba_mei.sweep.summary import write_summary
from tests.strangers import CARD, MODULE, write_stranger

SOMEBODY, SECRET = "somebody-of-these-tests", "secret-of-these-tests"
INLINE = "{module: stranger.py:Mean, input: {size: 32, mean: 124.5, std: 70.3}}"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The home folder of a user who works in it, with something secret in the environment."""
    folder = tmp_path / SOMEBODY
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.chdir(folder)
    return folder


def told(folder: Path) -> list[str]:
    """The files within a folder that hold, or are named after, somebody or something secret; packed ones unpacked."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = os.fsencode(path.relative_to(folder))
        if path.is_file():
            data += path.read_bytes()
        if path.suffix == ".npz":
            data += b"".join(map(zipfile.ZipFile(path).read, zipfile.ZipFile(path).namelist()))
        if path.suffix == ".gz":
            data += gzip.decompress(path.read_bytes())
        if any(word.encode() in data for word in (SOMEBODY, SECRET)):
            found.append(str(path.relative_to(folder)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("where", "card"), [("runs/run", "card.yaml"), ("../elsewhere/run", INLINE)])
def test_a_run_tells_nobody_where_somebody_lives(home, card, where, capsys):
    """The scene is named by its whole path; in the home and outside, everything goes on from the folder alone."""
    scene = write_stranger(home / "work")
    (home / "work" / "second.yaml").write_text(CARD.replace("stranger.py:Mean", "stranger.py:Other"))
    words = [
        str(scene),
        "-q",
        "--trust-code",
        "--out",
        where,
        "--set",
        f"model={{card: {card}, validate: second.yaml}}",
    ]
    assert main(words) == 0
    run = home / where
    assert told(run) == []
    again, first = load_config(run / "config.yaml"), load_config(scene, words[-1:])
    assert again == first
    (run / "result.json").write_text(
        json.dumps(json.loads((run / "result.json").read_text()) | {"ended": "interrupted"})
    )
    capsys.readouterr()
    for command in ("resume {run} -q", "evaluate {run}", "tune {run} --over pose.scale=1:1.2:2 -q"):
        assert main([*command.format(run=run.resolve()).split(), "--trust-code"]) == 0, capsys.readouterr().err
    for command in ("export {run} --for experiment --trust-code", "export {run} --for blender", "report {run}"):
        assert main(command.format(run=run.resolve()).split()) == 0, capsys.readouterr().err
    assert {"evaluation-raster.json", "report.html", "tuning-001", "export-002"} <= {
        path.name for path in run.iterdir()
    }
    assert told(run) == [] and not (run / ".lock").exists()


def test_what_is_said_of_many_neurons_and_why_one_was_left_out(home):
    gathered = NeuronResults(RunFolder(home / "out"), 2)
    gathered.write = lambda: None
    task = Task(home / "work" / "scene.yaml", Config(), "scene-neuron-3", "neuron 3")
    gathered.add(task, Neuron(model="V4", neurons=(3,)))
    gathered.add_failure(task, UserError(f"there is no file '{home}/gone.ply'"))
    result = PopulationResult(neurons=gathered.neurons, left_out=gathered.left_out)
    gathered.folder.write_json("comparison.json", result_json(result))
    assert gathered.neurons[0].scene == "~/work/scene.yaml"  # tables are written from it as well
    assert told(home / "out") == [] and "~/gone.ply" in (home / "out" / "comparison.json").read_text()


@pytest.mark.slow
def test_a_sweep_and_why_its_runs_failed(home):
    write_stranger(home / "work")
    (home / "sweep.yaml").write_text(f"scene: {home}/work/scene.yaml\naxes: {{seeds: [1, 2, 3]}}\n")
    plan = read_plan(home / "sweep.yaml", trust_code=True)
    names = [row.name for row in plan.rows]
    with SweepFolder(home / "sweep").opened(plan) as folder:
        for row in plan.rows[:2]:
            folder.record(do_job(Job(row.name, plan.config(row), folder.path, 1)))
        folder.record(Attempt(names[2], "failed", f"there is no file '{home}/gone.ply'"))
        (folder.run(names[1]) / "result.json").write_text("damaged")
        assert write_summary(folder, plan) == {"done": 1, "failed": 2, "missing": 0}
        write_page([Place(folder.run(names[0]), names[0])], folder.path / "report.html")
    assert told(home / "sweep") == []
    summary = (home / "sweep" / "summary.csv").read_text()
    assert "~/gone.ply" in summary and "~/sweep/runs" in summary
    with SweepFolder(home / "sweep").opened(read_plan(home / "sweep.yaml", trust_code=True)):
        pass  # it is the same sweep
    shutil.copy(home / "sweep" / "sweep.yaml", home / "copied.yaml")
    assert read_plan(home / "copied.yaml").base == read_plan(home / "sweep.yaml").base


def test_a_sentence_about_a_mistake(home, capsys):
    scene = write_stranger(home / "work")
    assert main(["check", str(scene)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ~/work/card.yaml:2: ") and SOMEBODY not in said


def test_a_file_does_nothing_to_the_terminal(tmp_path, capsys):
    (tmp_path / "scene.yaml").write_text('material: {type: "\\e]0;title\\a\\e[2J"}')
    assert main(["check", str(tmp_path / "scene.yaml")]) == 2
    assert capsys.readouterr().err.strip().isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{home}/a.yaml:3: no", "~/a.yaml:3: no"),
        ("'{home}' and ({home}/b)", "'~' and (~/b)"),
        ("{home}-other/a {home}2 /x{home}/a ..{home}/a", "{home}-other/a {home}2 /x{home}/a ..{home}/a"),
        ("file://{home}/a", "file://{home}/a"),
    ],
)
def test_the_home_in_a_text(home, text, expected):
    assert without_home(text.format(home=home)) == expected.format(home=home)


def test_a_home_that_is_a_link_or_the_whole_disk(home, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    assert without_home(f"{home}/a {tmp_path}/link/a") == "~/a ~/a"
    assert named_from(tmp_path / "b", f"{home.resolve()}/a") == "~/a"
    monkeypatch.setenv("HOME", "/")
    assert without_home("/a /") == "/a /" and named_from(tmp_path / "b", f"{tmp_path}/a") == "../a"


def test_files_are_named_from_the_home_only_where_the_way_would_tell_of_it(home, tmp_path):
    home = home.resolve()
    assert named_from(home / "runs" / "1", f"{home}/a/b.ply") == "../../a/b.ply"
    assert named_from(tmp_path / "runs", f"{home}/a/b.ply") == "~/a/b.ply"
    assert named_from(home / "runs", f"{tmp_path.resolve()}/b.ply") == "../../b.ply"


def test_a_module_in_a_card_written_in_place_moves_with_the_run(home, tmp_path):
    """Relative to the run's folder, so that both can be moved together."""
    scene = write_stranger(tmp_path / "one" / "work")
    config = load_config(scene, [f"model.card={INLINE}"])
    (tmp_path / "one" / "run").mkdir()
    text = dump(config, tmp_path / "one" / "run")
    assert "module: ../work/stranger.py:Mean" in text
    (tmp_path / "one" / "run" / "config.yaml").write_text(text)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = load_config(tmp_path / "two" / "run" / "config.yaml").model.card
    assert moved["module"] == f"{(tmp_path / 'two' / 'work').resolve()}/stranger.py:Mean"
    assert "class Mean" in MODULE
    with pytest.raises(UserError, match="no file"):
        load_config(scene)
