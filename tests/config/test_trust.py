"""Nothing that a file says runs code, unless the user says --trust-code."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from mitsuba_mei.cli.arguments import COMMANDS
from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import json_schema, load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.registry import read_request, write_request
from mitsuba_mei.io.images import read_image
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.report.export.stimuli import read_array
from mitsuba_mei.runs.checkpoint import Checkpoints
from mitsuba_mei.runs.folder import RunFolder
from mitsuba_mei.scene.parameters import read_parameters
from mitsuba_mei.sweep.job import Job, do_job
from mitsuba_mei.sweep.plan import read_plan
from mitsuba_mei.sweep.run import every_neuron
from tests.strangers import Marking, mark_of, write_stranger

pytestmark = pytest.mark.slow


SWEEP = "scene: scene.yaml\naxes: {neurons: all}\n"

LOADS = {
    "run": "run scene.yaml -q --out out",
    "check": "check scene.yaml",
    "pixel": "pixel scene.yaml -q --out out",
    "compare": "compare scene.yaml -q --out out",
    "factors": "factors scene.yaml -q --out out",
    "tune": "tune scene.yaml --over pose.scale=1:1.2:2 -q --out out",
    "sweep": "sweep sweep.yaml -q --out out",
    "evaluate": "evaluate run --out out",
    "resume": "resume begun -q",
    "export": "export run --for experiment --out out",
}
"""The commands that load models, on a stranger's files."""

WITHOUT_MODEL = {"report": "report run", "schema": "schema", "doctor": "doctor"}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory) -> Path:
    """A folder of a stranger's, with a run in it that was trusted once, and one that was interrupted."""
    folder = tmp_path_factory.mktemp("stranger")
    scene = write_stranger(folder)
    (folder / "sweep.yaml").write_text(SWEEP)
    assert main(["run", str(scene), "-q", "--out", str(folder / "run"), "--trust-code"]) == 0
    assert mark_of(scene).exists()
    shutil.copytree(folder / "run", folder / "begun")
    result = json.loads((folder / "run" / "result.json").read_text())
    (folder / "begun" / "result.json").write_text(json.dumps(result | {"ended": "interrupted"}))
    return folder


@pytest.fixture
def here(trusted, tmp_path, monkeypatch) -> Path:
    """A copy of that, without the mark."""
    shutil.copytree(trusted, tmp_path / "here", ignore=shutil.ignore_patterns("mark"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_every_command_is_known_to_load_models_or_not_to():
    assert {*LOADS, *WITHOUT_MODEL} == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", LOADS)
def test_no_command_runs_a_stranger_s_code(command, here, capsys):
    assert main(LOADS[command].split()) == 2
    said = capsys.readouterr().err
    assert not mark_of(here / "scene.yaml").exists()
    assert "card.yaml:2: module would run code of stranger.py" in said and "--trust-code" in said
    assert said.count("\n") == 1 and not any((here / "out").glob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "pixel", "tune", "evaluate", "resume", "export"])
def test_who_trusts_it_has_it_run(command, here, capsys):
    assert main([*LOADS[command].split(), "--trust-code"]) == 0, capsys.readouterr().err
    assert mark_of(here / "scene.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "factors"])
def test_a_comparison_that_goes_on_asks_again(command, here, capsys):
    """It was trusted when it began; that is not kept."""
    config = load_config(here / "scene.yaml", trust_code=True)
    write_request(
        RunFolder(here / "asked"), command, [(here / "scene.yaml", config)], 3 if command == "factors" else None
    )
    assert main(["resume", "asked", "-q"]) == 2
    assert "card.yaml:2: module would run code" in capsys.readouterr().err and not mark_of(here / "scene.yaml").exists()
    assert read_request(here / "asked", trust_code=True).scenes[0][1].trusts_code


@pytest.mark.slow
def test_a_report_needs_no_model(here):
    assert main(["report", "run"]) == 0 and main("export run --for blender --out out".split()) == 0
    assert not mark_of(here / "scene.yaml").exists()


@pytest.mark.slow
def test_a_job_of_a_sweep_takes_the_trust_with_it(here):
    for trust in (False, True):
        plan = read_plan(here / "sweep.yaml", (), lambda config: range(3), trust)
        folder = here / f"sweep-{trust}"
        (folder / "runs").mkdir(parents=True)
        job = pickle.loads(pickle.dumps(Job("one", plan.config(plan.rows[0]), folder, 1)))
        attempt = do_job(job)
        assert (attempt.ended == "done") is trust is mark_of(here / "scene.yaml").exists()
        assert trust or "--trust-code" in attempt.reason
    assert list(every_neuron(plan.base)) == [0, 1, 2]


SAYS_SO = ["trust_code: true", "_trusts_code: true", "trusts_code: true", "trust: true"]


@pytest.mark.parametrize("line", SAYS_SO)
@pytest.mark.parametrize("file", ["scene.yaml", "card.yaml", "sweep.yaml", "run/config.yaml"])
def test_no_file_can_say_that_it_is_trusted(here, file, line, capsys):
    with open(here / file, "a") as text:
        text.write(f"{line}\n")
    command = {"sweep.yaml": LOADS["sweep"], "run/config.yaml": LOADS["evaluate"]}.get(file, LOADS["check"])
    assert main(command.split()) == 2
    assert "unknown key" in capsys.readouterr().err and not mark_of(here / "scene.yaml").exists()


def test_there_is_one_way_to_say_it(here, capsys):
    """Not --set, and not what a run that was trusted leaves."""
    for line in SAYS_SO:
        assert main(["check", "scene.yaml", "--set", line.replace(": ", "=")]) == 2
    own = "model.card={module: stranger.py:Mean, input: {size: 32, mean: 120, std: 60}}"
    assert main(["check", "scene.yaml", "--set", own]) == 2
    assert "model.card: module would run code of" in capsys.readouterr().err
    assert not mark_of(here / "scene.yaml").exists()
    schema = json.dumps(json_schema()).replace("run only with --trust-code", "")  # what a description says of it
    assert "trust" not in (here / "run" / "config.yaml").read_text() + schema
    assert not load_config(here / "run" / "config.yaml").trusts_code


@pytest.mark.parametrize("key", ["validate", "card"])
def test_a_second_model_and_a_reference_are_asked_about_too(here, key, capsys):
    (here / "mine.yaml").write_text(
        "type: simple_cell\nparameters: {phase: [0, 90, 180]}\ninput: {size: 32, mean: 124.5, std: 70.3}\n"
    )
    cards = {"card": "mine.yaml", key: "card.yaml"}
    (here / "own.yaml").write_text(f"extends: scene.yaml\nmodel: {json.dumps(cards)}\n")
    assert main(["check", "own.yaml"]) == 2
    assert "--trust-code" in capsys.readouterr().err and not mark_of(here / "scene.yaml").exists()


def test_a_package_that_is_installed_is_code_too(tmp_path):
    card = {"module": "torch.nn:Flatten", "input": {"size": 8, "mean": 124.0, "std": 70.0}}
    with pytest.raises(UserError, match="would run code of the package torch.nn; if you trust it, say --trust-code"):
        load_card(card, tmp_path)
    assert load_card(card, tmp_path, trust_code=True).n_neurons == 64


# ------------------------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize("tag", ["apply:os.mkdir", "new:os.mkdir"])
@pytest.mark.parametrize("file", ["scene.yaml", "card.yaml", "sweep.yaml"])
def test_a_yaml_tag_makes_nothing(here, file, tag, capsys):
    with open(here / file, "a") as text:
        text.write(f"description: !!python/object/{tag} [made]\n")
    assert main((LOADS["sweep"] if file == "sweep.yaml" else LOADS["check"]).split() + ["--trust-code"]) == 2
    assert "tag" in capsys.readouterr().err and not (here / "made").exists()


def test_the_pickles_of_these_tests_would_show(tmp_path):
    pickle.loads(pickle.dumps(Marking(tmp_path / "made")))
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_of_weights_makes_nothing(tmp_path, legacy):
    torch.save({"core": Marking(tmp_path / "made")}, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    card = {"type": "nnvision", "weights": "a.pth", "input": {"size": 32, "mean": 124.0, "std": 70.0}}
    with pytest.raises(UserError, match="could run code; nothing in it was run"):
        load_card(card, tmp_path, trust_code=True)
    assert not (tmp_path / "made").exists()


def test_the_state_of_a_run_makes_nothing(here):
    evil = np.array([Marking(here / "made")], dtype=object)
    (here / "begun" / "checkpoint").mkdir(exist_ok=True)
    np.savez(here / "begun" / "checkpoint" / "start-0.npz", numbers=evil, other=evil)
    with pytest.raises(UserError, match="start-0.npz is damaged"):
        Checkpoints(RunFolder(here / "begun", resumed=True)).read("start-0")
    assert main(["resume", "begun", "-q", "--trust-code"]) == 2
    np.savez(here / "run" / "parameters.npz", **{"pose.start": evil})
    with pytest.raises(UserError, match="pose.start is 1 of object"):
        read_parameters(here / "run" / "parameters.npz", {"pose.start": np.zeros(1, np.float32)})
    np.save(here / "run" / "stimulus.npy", evil)
    with pytest.raises(UserError, match="stimulus.npy is damaged"):
        read_array(here / "run" / "stimulus.npy")
    assert not (here / "made").exists()


def test_a_postscript_file_that_is_called_png_starts_no_interpreter(tmp_path, monkeypatch):
    """Pillow would give it to Ghostscript."""
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *arguments, **named: started.append(arguments))
    (tmp_path / "sky.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(UserError, match="no PNG image"):
        read_image(tmp_path / "sky.png")
    assert not started


# --------------------------------------------------------------------------------------------------------- clusters


def test_a_sweep_file_connects_to_no_scheduler_by_itself(here, capsys):
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        scheduler.setblocking(False)
        address = f"tcp://127.0.0.1:{scheduler.getsockname()[1]}"
        (here / "own.yaml").write_text(
            "extends: scene.yaml\nmodel: {card: {type: simple_cell, input: {size: 32, mean: 124.5, std: 70}}}\n"
        )
        (here / "sweep.yaml").write_text(f"scene: own.yaml\naxes: {{seeds: [1]}}\ncluster: {{address: '{address}'}}\n")
        assert main(LOADS["sweep"].split()) == 2
        said = capsys.readouterr().err
        assert "sweep.yaml:3: cluster: address: a scheduler can have any code run" in said and "--scheduler" in said
        with pytest.raises(BlockingIOError):
            scheduler.accept()


REFUSED = [
    "--chdir=/tmp",
    "--export=LD_PRELOAD=/tmp/a.so",
    "--output=/tmp/a",
    "--qos=a --chdir=/tmp",
    "-D/tmp",
    "--o=/a",
]


@pytest.mark.parametrize("directive", REFUSED)
def test_options_of_sbatch_that_do_more_than_ask_are_refused(here, directive, capsys):
    (here / "own.yaml").write_text("model: {card: {type: simple_cell, input: {size: 32, mean: 124.5, std: 70}}}\n")
    cluster = json.dumps({"type": "slurm", "directives": ["--gres=gpu:1 -C fast --time 10", directive]})
    (here / "sweep.yaml").write_text(f"scene: own.yaml\naxes: {{seeds: [1]}}\ncluster: {cluster}\n")
    assert main(LOADS["sweep"].split()) == 2
    said = capsys.readouterr().err
    assert "sweep.yaml:3: cluster: directives: -" in said and "--trust-code" in said and not (here / "out").exists()
