"""Commands that are suggested say --trust-code where they would be refused without it."""

from __future__ import annotations

import html
import re
import shlex
import signal
from pathlib import Path

import pytest

import mitsuba_mei.experiments.multistart as starts
from tests.faults.runs import SCENE
from tests.whole_runs import called

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

MODEL = """
import torch

class Summing(torch.nn.Module):
    def forward(self, images):
        return images.flatten(1).square().mean(1, keepdim=True)
"""
CARD = "{module: own.py:Summing, input: {size: 32, mean: 124, std: 70}}"


@pytest.fixture(params=["a file", "in place"])
def scene(request, tmp_path, monkeypatch) -> Path:
    """A scene whose model is code, in a card of its own or in place."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(MODEL)
    Path("own.yaml").write_text(CARD[1:-1].replace(", input", "\ninput"))
    card = "own.yaml" if request.param == "a file" else CARD
    lines = SCENE.strip().splitlines()[1:]
    Path("scene.yaml").write_text("\n".join([f"model: {{card: {card}}}", *lines]).replace("steps: 26", "steps: 4"))
    return Path("scene.yaml")


def suggested(folder: str) -> list[list[str]]:
    """The commands of a report, as they would be typed."""
    assert called("report", folder)[0] == 0
    page = html.unescape(Path(f"{folder}/report.html").read_text())
    found = re.findall(r"python run\.py ([^<\n]*config\.yaml[^<\n]*|evaluate [^<\n]*)", page)
    return [shlex.split(each) for each in found if "python run.py" not in each]


def test_a_report_of_a_model_that_is_code_repeats_it(scene):
    assert called("run", "scene.yaml", "--trust-code", "--out", "run", "-q")[0] == 0
    commands = suggested("run")
    assert ["run/config.yaml", "--trust-code"] in commands
    assert ["evaluate", "run", "--render", "path", "--trust-code"] in commands
    assert called("run", "run/config.yaml", "--out", "again", "-q")[0] == 2
    assert called(*commands[0], "--out", "again", "-q")[0] == 0
    Path("own.yaml").unlink()  # a folder that was sent without the card
    assert ["run/config.yaml", "--trust-code"] in suggested_again("run")


def suggested_again(folder: str) -> list[list[str]]:
    Path(f"{folder}/report.html").unlink()
    return suggested(folder)


def test_a_report_of_another_model_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scene.yaml").write_text(SCENE)
    assert called("run", "scene.yaml", "--set", "optimizer.steps=2", "--out", "run", "-q")[0] == 0
    assert ["run/config.yaml"] in suggested("run")


def test_what_was_interrupted_names_resume_with_it(scene, monkeypatch):
    add = starts.History.add

    def added(record, step):
        add(record, step)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(starts.History, "add", added)
        code, _, err = called("run", "scene.yaml", "--trust-code", "--out", "run", "-q")
    (command,) = re.findall(r"'(resume [^']*)' goes on", err)
    assert code == 130 and command == "resume run --trust-code"
    assert called(*command.split(), "-q")[0] == 0
