"""Neuron formats, objectives and regularizers that are added, by another package or by a change of few files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mitsuba_mei.config.card import CARDS
from mitsuba_mei.config.load import json_schema, load_config
from mitsuba_mei.config.objective import ACTIVATION_OBJECTIVES
from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.neurons.formats import FORMATS
from mitsuba_mei.objectives import OBJECTIVES, build_objective

ROOT = Path(__file__).resolve().parents[1]
ADDITIONS = ROOT / "tests" / "additions"
INSTALLED = ADDITIONS / "installed"
"""As site-packages are: a package, and what its installation says of it."""
CHANGED = {
    "format": ["config/card.py", "neurons/gratings.py"],
    "objective": ["config/objective.py", "objectives.py"],
    "regularizer": ["config/sections.py", "regularizers.py"],
}
"""What each addition to the package itself may touch."""

SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 20, scale: 0.4}, free: [offsets]}
pose: {free: [rotation]}
lighting:
  - {type: sun, direction: [-0.6, -0.5, -1.0], irradiance: 3.0, sharpness: 50, free: [direction]}
render: {type: raster, resolution: 32}
model: {card: {type: gratings, cycles: [2.0, 3.0], input: {size: 32, mean: 124.5, std: 70.3}}}
objective: {type: power_mean, neurons: [0, 1], exponent: 2.0}
optimizer: {steps: 2, warmup: 1}
pixel: {steps: 2, restarts: 1}
evaluate: {spp: 8, repeats: 2}
"""

COMMANDS = [
    "check scene.yaml",
    "scene.yaml -q --out run",
    "pixel scene.yaml -q --out pixel",
    "tune run -q --over pose.scale=0.9:1.1:3 --out tuned",
    "factors scene.yaml -q --starts 1 --out factored",
    "report run --out run.html",
]

DRIVER = """
import contextlib, io, json, sys
from mitsuba_mei.cli.main import main
from mitsuba_mei.report.figures import run as figure

drawn, said = {}, {}
ended = figure.end_axes

def kept(axes):
    ended(axes)
    drawn.setdefault(axes.get_title(), axes.get_legend_handles_labels()[1])

figure.end_axes = kept
for command in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(command.split())
    said[command] = [code, out.getvalue()]
print(json.dumps({"said": said, "drawn": drawn}))
"""


@pytest.fixture
def installed(monkeypatch):
    """The other package is installed."""
    monkeypatch.syspath_prepend(INSTALLED)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
        del sys.modules[name]


def changed(folder: Path) -> Path:
    """A copy of the package with all three additions; gives what is put on the path."""
    for name in ("mitsuba_mei", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for kind in CHANGED:
        patch = ADDITIONS / "changed" / f"{kind}.patch"
        done = subprocess.run(["patch", "-p1", "-i", patch], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def driven(folder: Path, commands: list[str], *path: Path) -> dict:
    """What these commands say and draw, with these folders on the path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    driver = [sys.executable, "-c", DRIVER, json.dumps(commands)]
    done = subprocess.run(driver, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for command, (code, said) in found["said"].items():
        assert code == 0, f"{command}: {said}"
    return found


@pytest.mark.parametrize("kind", CHANGED)
def test_an_addition_touches_few_files(kind):
    text = (ADDITIONS / "changed" / f"{kind}.patch").read_text()
    assert re.findall(r"^\+\+\+ b/mitsuba_mei/(\S+)", text, re.MULTILINE) == CHANGED[kind]


TERMS = ["smoothness", "area", "edge length", "rigidity"]
SAID = "The objective is power_mean: it is a mean of the responses in which strong ones count more."


def check_run(folder: Path, found: dict, terms: list[str]) -> None:
    """The objective and these regularizers are in the check, the result, the summary figure and the report."""
    assert "objective the mean of power 2 of 2 neurons" in found["said"][COMMANDS[0]][1]
    result = json.loads((folder / "run" / "result.json").read_text())
    assert result["objective"] == "power_mean" and len(result["responses"]) == 2
    assert found["drawn"]["regularizers, unweighted"] == terms
    assert "objective (power_mean)" in found["drawn"]
    page = (folder / "run.html").read_text(encoding="utf-8")
    assert SAID in page and all(term in page for term in terms)


@pytest.mark.slow
def test_what_a_package_offers_is_served_everywhere(tmp_path):
    """Checked, run, tuned, taken apart and reported, without another change."""
    (tmp_path / "scene.yaml").write_text(SCENE)
    check_run(tmp_path, driven(tmp_path, COMMANDS, INSTALLED, ROOT), TERMS)
    assert json.loads((tmp_path / "pixel" / "result.json").read_text())["objective"] == "power_mean"
    (neuron,) = json.loads((tmp_path / "factored" / "factors.json").read_text())["neurons"]
    assert neuron["objective"] == "power_mean" and neuron["ended"] == "done"
    assert len(json.loads((tmp_path / "tuned" / "tuning.json").read_text())["neurons"]) == 2


@pytest.mark.slow
def test_what_is_added_to_the_package_itself_is_served_everywhere(tmp_path):
    """With a regularizer, which another package cannot offer; tuning and factors read the same registries."""
    (tmp_path / "scene.yaml").write_text(SCENE + "regularizers: {displacement: 1.0}\n")
    commands = [COMMANDS[0], COMMANDS[1], COMMANDS[-1]]
    check_run(tmp_path, driven(tmp_path, commands, changed(tmp_path / "copy")), [*TERMS, "displacement"])


# ----------------------------------------------------------------------------------------------- installed packages


def test_what_a_package_offers_is_in_schema_and_registry(installed):
    text = json.dumps(json_schema())
    assert "Per image, one for each neuron." in text and "1 is the mean." in text
    assert {"gratings", "module"} <= {*CARDS} == {*FORMATS}
    assert {"power_mean", "activation"} <= {*ACTIVATION_OBJECTIVES} == {*OBJECTIVES}
    assert "gratings" not in CARDS.own and "image" not in ACTIVATION_OBJECTIVES


def write(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "scene.yaml"
    path.write_text(SCENE.replace(old, new) if old else SCENE)
    return path


def test_a_scene_file_names_it(installed, tmp_path):
    config = load_config(write(tmp_path))
    assert config.objective.exponent == 2 and config.neurons == (0, 1)
    assert config.model_dump()["objective"] == {"type": "power_mean", "neurons": (0, 1), "exponent": 2.0}
    model = load_card(config.model.card)
    assert model.n_neurons == 2 and model.guarded


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "type: power_mean",
            "type: powermean",
            "scene.yaml:8: objective: unknown type 'powermean'; did you mean 'power_mean'?",
        ),
        ("exponent: 2.0", "exponent: 0.5", "scene.yaml:8: objective.exponent: must be at least 1, not 0.5"),
        ("exponent: 2.0", "exponnt: 2.0", "objective.exponnt: unknown key; did you mean 'exponent'?"),
        (
            "type: power_mean",
            "type: broken",
            "scene.yaml:8: objective: the package toy offers type broken (entry point mitsuba_mei.objectives: "
            "toy.nowhere), which cannot be imported: ModuleNotFoundError: No module named 'toy.nowhere'; "
            "mend or remove that package",
        ),
        ("type: power_mean", "type: nameless", "the package toy offers type nameless"),
    ],
)
def test_a_mistake_is_one_sentence(installed, tmp_path, old, new, said):
    with pytest.raises(UserError) as caught:
        load_config(write(tmp_path, old, new))
    assert said in str(caught.value), caught.value


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"type": "grating"}, "unknown type 'grating'; did you mean 'gratings'?"),
        ({"type": "gratings", "cycles": []}, "cycles: must not be empty"),
        ({"type": "broken"}, "toy offers type broken (entry point mitsuba_mei.formats: toy.broken:Missing)"),
        ({"type": "unbuildable"}, "the model of type unbuildable fails: RuntimeError: no network today"),
    ],
)
def test_a_mistake_in_a_card_is_one_sentence(installed, card, said):
    with pytest.raises(UserError) as caught:
        load_card({**card, "input": {"size": 32, "mean": 124.5, "std": 70.3}})
    assert said in str(caught.value), caught.value


def test_an_objective_that_fails_is_one_sentence(installed, tmp_path):
    config = load_config(write(tmp_path, "type: power_mean, neurons: [0, 1], exponent: 2.0", "type: unbuildable"))
    with pytest.raises(UserError, match="objective.type unbuildable cannot be built: RuntimeError: no time"):
        build_objective(config.objective, [0], 2)


def test_a_name_that_two_packages_offer_is_refused(installed, tmp_path, monkeypatch):
    other = tmp_path / "other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[mitsuba_mei.objectives]\npower_mean = other\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="both offer type power_mean; remove one of them"):
        ACTIVATION_OBJECTIVES["power_mean"]


def test_without_the_package_its_types_are_unknown(tmp_path):
    with pytest.raises(
        UserError, match="unknown type 'power_mean'; allowed: activation, discriminate, diverse, function, image"
    ):
        load_config(write(tmp_path))


def test_a_scene_that_names_nothing_of_it_imports_nothing_of_it(installed, tmp_path):
    load_config(write(tmp_path, "type: power_mean, neurons: [0, 1], exponent: 2.0", "neurons: [0, 1]"))
    assert not any(name.partition(".")[0] == "toy" for name in sys.modules)


def test_checking_a_scene_file_and_the_schema_loads_no_torch(tmp_path):
    code = (
        "import sys; from mitsuba_mei.config.load import json_schema, load_config; "
        "json_schema(); load_config(sys.argv[1]); assert 'toy' in sys.modules and 'torch' not in sys.modules"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (INSTALLED, ROOT)))}
    subprocess.run([sys.executable, "-c", code, str(write(tmp_path))], env=environment, check=True)
