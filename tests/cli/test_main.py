"""The command line: what it accepts, prints, and answers to mistakes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from mitsuba_mei import __version__
from mitsuba_mei.cli.arguments import COMMANDS
from mitsuba_mei.cli.main import main
from mitsuba_mei.cli.progress import LiveProgress
from mitsuba_mei.errors import UserError
from mitsuba_mei.runs.results import MEIResult


@pytest.fixture
def scene(tmp_path, monkeypatch) -> Path:
    """A scene file beside its model card, in the working directory."""
    monkeypatch.chdir(tmp_path)
    card = "type: simple_cell\nparameters: {frequency: 2}\ninput: {size: 32, mean: 124, std: 70}\n"
    (tmp_path / "card.yaml").write_text(card)
    (tmp_path / "scene.yaml").write_text("model: {card: card.yaml}\n")
    return Path("scene.yaml")


@dataclass
class Outcome:
    folder: Path
    result: MEIResult


@pytest.fixture
def calls(monkeypatch) -> list:
    """The calls of a stand-in for the experiment, which optimizes nothing."""
    made = []

    def run_experiment(config, out, progress):
        made.append((config, out, progress))
        progress.start(2)
        progress.step({"step": 0, "activation": 0.25, "smoothness": 0.5})
        progress.message("[bold] as it is")
        progress.step({"step": 1, "activation": 0.75, "smoothness": 0.5})
        result = MEIResult(
            activation={"initial": {"mean": 0.25, "sem": 0.01}, "final": {"mean": 0.75, "sem": 0.02}},
            mesh={"flipped_faces": 0, "degenerate_faces": 0, "intersecting_faces": 7},
            fraction_of_optimum=0.9,
            steps=2,
            seconds=1.5,
        )
        return Outcome(out, result)

    module = ModuleType("mitsuba_mei.experiments.registry")
    module.run_experiment = run_experiment
    monkeypatch.setitem(sys.modules, "mitsuba_mei.experiments", ModuleType("mitsuba_mei.experiments"))
    monkeypatch.setitem(sys.modules, "mitsuba_mei.experiments.registry", module)
    return made


# --------------------------------------------------------------------------------------------------------- running


def test_run_hands_over_the_varied_configuration(scene, calls, capsys):
    words = "--set render.spp=3 --free pose lighting.0 --frozen shape --seed 9 --out there"
    assert main([str(scene), *words.split()]) == 0
    ((config, out, _),) = calls
    assert (config.render.spp, config.seed, config.shape.free, out) == (3, 9, (), Path("there"))
    assert config.pose.free == ("rotation", "translation", "scale")
    assert config.lighting[0].free == ("direction", "irradiance")
    assert config.lighting[1].free == ()
    printed = capsys.readouterr()
    assert printed.out == (
        "The activation is 0.75 (render s.e. 0.02), up from 0.25 (render s.e. 0.01) at the start.\n"
        "This is 0.900 of the best that any image can reach.\n"
        "the mesh has faces that no object has: 7 intersecting\n"
        "2 steps in 1.5 s; written to there\n"
    )
    assert "step 2/2  activation 0.75  smoothness 0.5" in printed.err
    assert "[bold] as it is" in printed.err


def test_the_default_folder_is_the_first_free_number(scene, calls):
    Path("runs/scene-001").mkdir(parents=True)
    assert main([str(scene), "--quiet"]) == 0
    assert calls[0][1] == Path("runs/scene-002")


def test_compare_hands_over_every_scene_with_the_list(scene, monkeypatch, capsys):
    made = []

    def run_comparison(configs, out, progress):
        made.append((configs, out))
        raise UserError("enough")

    module = ModuleType("mitsuba_mei.experiments.compare")
    module.run_comparison = run_comparison
    monkeypatch.setitem(sys.modules, "mitsuba_mei.experiments.compare", module)
    Path("other.yaml").write_text("extends: scene.yaml\ncompare: {neurons: [1]}\n")
    Path("runs/compare-scene-001").mkdir(parents=True)
    words = "compare scene.yaml other.yaml --free pose --neurons 0,2-4 --seed 3 --set render.spp=3"
    assert main(words.split()) == 2
    assert main(["compare", "other.yaml", "--out", "there"]) == 2
    (configs, out), (single, there) = made
    assert [path for path, _ in configs] == [Path("scene.yaml"), Path("other.yaml")]
    for _, config in configs:
        assert config.compare.neurons == (0, 2, 3, 4) and config.seed == config.render.spp == 3
        assert config.pose.free == ("rotation", "translation", "scale")
    assert (out, there) == (Path("runs/compare-scene-002"), Path("there"))
    assert single[0][1].compare.neurons == (1,)


def test_factors_hands_over_every_scene_with_the_list_and_the_starts(scene, monkeypatch):
    made = []

    def run_factors(configs, out, progress, starts):
        made.append((configs, out, starts))
        raise UserError("enough")

    module = ModuleType("mitsuba_mei.experiments.factors")
    module.run_factors = run_factors
    monkeypatch.setitem(sys.modules, "mitsuba_mei.experiments.factors", module)
    Path("other.yaml").write_text("extends: scene.yaml\nshape: {free: []}\n")
    assert main("factors scene.yaml other.yaml --neurons 0,2-4 --seed 3 --set render.spp=3 --starts 5".split()) == 2
    assert main(["factors", "other.yaml", "--out", "there"]) == 2
    (configs, out, starts), (single, there, default) = made
    assert [path for path, _ in configs] == [Path("scene.yaml"), Path("other.yaml")]
    for _, config in configs:
        assert config.compare.neurons == (0, 2, 3, 4) and config.seed == config.render.spp == 3
    assert (out, starts, there, default) == (Path("runs/factors-scene-001"), 5, Path("there"), None)
    assert single[0][1].shape.free == ()


def test_quiet_prints_the_result_alone(scene, calls, capsys):
    assert main([str(scene), "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_an_interruption_is_no_traceback(scene, monkeypatch, calls, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["mitsuba_mei.experiments.registry"], "run_experiment", interrupted)
    assert main([str(scene)]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_the_live_line_ends_whatever_happens(scene, monkeypatch, calls):
    stopped = []

    def fails(config, out, progress):
        progress.stop = lambda: stopped.append(True)
        raise UserError("no light reaches the object")

    monkeypatch.setattr(sys.modules["mitsuba_mei.experiments.registry"], "run_experiment", fails)
    assert main([str(scene)]) == 2
    assert stopped == [True]


def test_the_live_line_shows_activation_terms_and_time_left():
    screen = io.StringIO()
    progress = LiveProgress(Console(file=screen, force_terminal=True, width=120))
    progress.start(4)
    progress.step({"step": 0, "activation": 0.125, "loss": -0.5, "note": "no number", "flag": True})
    progress.message("above")
    progress.stop()
    progress.stop()
    text = screen.getvalue()
    assert "1/4" in text and "activation 0.125  loss -0.5" in text and "above" in text
    assert "no number" not in text and "flag" not in text


def test_the_live_line_says_what_part_of_a_longer_experiment_it_is_about():
    for terminal in (True, False):
        screen = io.StringIO()
        progress = LiveProgress(Console(file=screen, force_terminal=terminal, width=120))
        progress.start(2, "neuron [3] (1 of 2), raster")
        progress.step({"activation": 0.5})
        progress.stop()
        assert "neuron [3] (1 of 2), raster" in screen.getvalue() and "activation 0.5" in screen.getvalue()


# -------------------------------------------------------------------------------------------------- other commands


def test_check_says_what_it_understood(scene, capsys):
    assert main(["check", str(scene), "--free", "pose.scale"]) == 0
    printed = capsys.readouterr().out
    assert "scene.yaml is fine" in printed
    assert "free      shape.offsets, shape.scales, pose.scale" in printed
    assert "render    path, 100 x 100 pixels" in printed and "compare" not in printed
    assert main(["check", str(scene), "--set", "render.type=raster", "compare.neurons=[0]"]) == 0
    printed = capsys.readouterr().out
    assert "render    raster, 100 x 100 pixels" in printed and "compare   neurons 0" in printed


@pytest.mark.slow
def test_check_renders_nothing(scene):
    """Not even the libraries for it are loaded, though the model and the mesh are."""
    code = (
        "import sys; from mitsuba_mei.cli.main import main; code = main(['check', 'scene.yaml']);"
        "sys.exit(code or ' '.join({'drjit', 'mitsuba'} & set(sys.modules)))"
    )
    repository = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {repository!r}); {code}"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "\n" or done.stderr == ""


def test_schema_is_json(tmp_path, capsys):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["seed"]["default"] == 0
    assert main(["schema", "--out", str(tmp_path / "schema.json")]) == 0
    assert json.loads((tmp_path / "schema.json").read_text()) == schema


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    found = dict(
        line.split(None, 1) for line in capsys.readouterr().out.replace("llvm version", "llvm_version").splitlines()
    )
    assert found["mitsuba"].strip().startswith("3.9")
    assert found["variant"].strip() in ("llvm_ad_mono", "cuda_ad_mono")
    assert int(found["threads"]) >= 1


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_help_names_every_command(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in COMMANDS)


def test_help_cuts_no_description_at_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "Find the pixel MEI" in printed and "..." not in printed.split("Commands:")[1]
    assert max(map(len, printed.splitlines())) <= 80


# -------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("docter", "'docter' is neither a scene file nor a command; did you mean 'doctor'?"),
        ("scen.yaml", "there is no file 'scen.yaml'; did you mean 'scene.yaml'?"),
        ("check", "Missing argument 'SCENE'."),
        ("scene.yaml --sede 3", "No such option: --sede"),
        ("scene.yaml --seed x", "Invalid value for '--seed'"),
        ("scene.yaml --free nose", "--free nose: there is no such parameter; did you mean 'pose'?"),
        ("check scene.yaml --set render.spp=-4", "--set render.spp=-4: render.spp: must be at least 1, not -4"),
        ("scene.yaml --free", "--free needs at least one name"),
        ("schema --out nowhere/x.json", "--out nowhere/x.json: cannot be written"),
        ("compare", "Missing argument 'SCENE...'."),
        ("evaluate", "Missing argument 'RUN'."),
        ("compare scene.yaml --neurons 3,x", "--neurons 3,x: 'x' is neither an index nor a range of them"),
        ("compare scene.yaml --neurons 4-2", "--neurons 4-2: '4-2' is neither an index nor a range of them"),
        ("compare scene.yaml --neurons 2,0-3", "--neurons 2,0-3: neuron 2 is named 2 times"),
        ("compare scene.yaml --neurons 0-99999", "--neurons 0-99999: must name 1 to 10000 neurons"),
        ("compare scene.yaml --neurons 7", "scene.yaml: model 'card': there is no neuron 7"),
        ("compare scene.yaml scene.yaml", "2 scene files are called 'scene'"),
        ("compare scene.yaml scen.yaml", "there is no file 'scen.yaml'; did you mean 'scene.yaml'?"),
        ("compare scene.yaml --set render.type=rastr", "--set render.type=rastr: render.type: 'rastr' is not allowed"),
        ("scene.yaml --set render.type=rastr", "--set render.type=rastr: render.type: 'rastr' is not allowed"),
        (
            "compare scene.yaml --neurons 0 --set objective.type=discriminate",
            "scene.yaml:1: compare.neurons lists neurons whose activations are compared, but objective.type is 'discr",
        ),
        ("factors", "Missing argument 'SCENE...'."),
        ("factors scene.yaml --starts 0", "Invalid value for '--starts'"),
        ("factors scene.yaml --neurons 7", "scene.yaml: model 'card': there is no neuron 7"),
        ("factors scene.yaml --free pose", "No such option: --free"),
        ("evaluate nowhere", "there is no folder 'nowhere'"),
        ("evaluate . --render rastr", "--render rastr: there is no such renderer; did you mean 'raster'?"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_2(scene, capsys, words, message):
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.slow
@pytest.mark.parametrize("door", [["run.py"], ["-m", "mitsuba_mei"]])
def test_the_doors(door, root):
    done = subprocess.run([sys.executable, *door, "nowhere.yaml"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: there is no file 'nowhere.yaml'\n"


def test_check_tries_the_model_and_the_mesh(scene, capsys):
    scene.write_text("model: {neuron: 99999}\n")
    assert main(["check", str(scene)]) == 2
    assert "scene.yaml" in (said := capsys.readouterr().err) and "99999" in said
    (scene.parent / "noise.ply").write_bytes(bytes(range(256)) * 20)
    scene.write_text("shape: {template: {type: file, path: noise.ply}}\n")
    assert main(["check", str(scene)]) == 2
    assert "noise.ply" in capsys.readouterr().err


def test_a_schema_is_not_written_over_a_file(tmp_path, capsys):
    (tmp_path / "mine.json").write_text("mine")
    assert main(["schema", "--out", str(tmp_path / "mine.json")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "mine"
