"""What is answered to files and words that are wrong: everything that is, each with its line, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from tests.whole_runs import called

SCENE = "model: {card: card.yaml}\n"
CARD = "type: simple_cell\nparameters: {frequency: 2}\ninput: {size: 32, mean: 124, std: 70}\n"
SWEEP = "scene: scene.yaml\naxes: {seeds: 0-1}\n"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"scene": SCENE, "card": CARD, "sweep": SWEEP}.items():
        Path(f"{name}.yaml").write_text(text)
    Path("run").mkdir()
    Path("run/config.yaml").write_text(SCENE)
    return tmp_path


def said(*words: str) -> list[str]:
    code, out, err = called(*words)
    assert code == 2 and out == "" and "Traceback" not in err
    return [line.removeprefix("error: ") for line in err.splitlines()]


def test_every_mistake_of_a_file_is_told_with_its_line(here):
    Path("many.yaml").write_text("evaluate: {spp: 0}\nseed: -1\nrendr: {}\ncamera:\n  fov: 400\n")
    assert said("run", "many.yaml") == [
        "many.yaml:1: evaluate.spp: must be at least 1, not 0",
        "many.yaml:2: seed: must be at least 0, not -1",
        "many.yaml:3: rendr: unknown key; did you mean 'render'?",
        "many.yaml:5: camera.fov: must be below 170, not 400",
    ]


def test_values_that_do_not_go_together_are_all_told_where_they_are_written(here):
    Path("many.yaml").write_text(
        "seed: 0\noptimizer: {restarts: 3}\nshape: {free: [scales]}\n"
        "model: {neuron: 1}\nobjective: {neurons: 2}\ncompare_to: null\n"
    )
    first, second = said("run", "many.yaml")
    assert first.startswith("many.yaml:2: optimizer.restarts is 3, but neither shape.offsets nor the pose is free")
    assert second.startswith("many.yaml:4: model.neuron and objective.neurons name different neurons")


def test_every_file_that_is_missing_is_told(here):
    Path("many.yaml").write_text("model: {card: no.yaml}\n\nlighting: [{type: environment, path: no.exr}]\n")
    told = said("check", "many.yaml")
    assert [line.split(";")[0].split(" (")[0] for line in told] == [
        "many.yaml:3: lighting.0.path: there is no file 'no.exr'",
        "many.yaml:1: model.card: there is no file 'no.yaml'",
    ]


def test_cards_and_sweeps_tell_all_of_theirs(here):
    Path("card.yaml").write_text("type: simple_cell\ninput: {size: -1, mean: x}\nnam: a\n")
    assert len(said("check", "scene.yaml")) == 4  # size, mean, std, nam
    Path("sweep.yaml").write_text("scene: scene.yaml\naxes: {seeds: 0-1}\nretries: -1\nworker: {}\n")
    assert [line.split(": ")[0] for line in said("sweep", "sweep.yaml")] == ["sweep.yaml:3", "sweep.yaml:4"]


def test_ten_are_listed_and_the_others_counted(here):
    Path("many.yaml").write_text("".join(f"key{i}: 0\n" for i in range(13)))
    told = said("run", "many.yaml")
    assert [line.split(":")[1] for line in told[:-1]] == [str(i) for i in range(1, 11)]
    assert told[-1] == "and 3 more mistakes"
    with pytest.raises(UserError) as caught:
        load_config("many.yaml")
    assert len(caught.value.sentences) == 13 and str(caught.value).endswith("(and 12 more mistakes)")


@pytest.mark.parametrize("text", ["", "# nothing yet\n\n", "null\n", "---\n"])
def test_a_file_that_says_nothing_is_no_scene(here, text):
    Path("empty.yaml").write_text(text)
    for command in ("run", "check", "pixel", "compare", "factors"):
        (told,) = said(command, "empty.yaml")
        assert told.startswith("empty.yaml: says nothing: there is no scene in it")
    assert said("sweep", "empty.yaml")[0].startswith("empty.yaml: says nothing; a sweep file names a scene and axes")
    Path("above.yaml").write_text("extends: empty.yaml\nseed: 1\n")
    assert said("run", "above.yaml")[0].startswith("empty.yaml: says nothing")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("sweep scene.yaml", "this is a scene file, no sweep; 'run scene.yaml' optimizes it"),
        ("sweep card.yaml", "this is a model card, no sweep"),
        ("run sweep.yaml", "this is a sweep file, no scene file; 'sweep sweep.yaml' does its runs"),
        ("check sweep.yaml", "'sweep sweep.yaml' does its runs"),
        ("compare sweep.yaml", "'sweep sweep.yaml' does its runs"),
        ("tune sweep.yaml --over pose.scale=1:2:3", "'sweep sweep.yaml' does its runs"),
        ("run card.yaml", "this is a model card, no scene file; a scene file names it, as in model: {card: card.yaml}"),
        ("run run", "'report run' writes a page about what is finished; its scene file is run/config.yaml"),
        ("sweep run", "'resume run' goes on with what was interrupted"),
        ("evaluate scene.yaml", "the folder of a run is needed, and 'run scene.yaml' makes one"),
        ("resume scene.yaml", "the folder of a run is needed, and 'run scene.yaml' makes one"),
        ("report scene.yaml", "the folder of a run is needed, and 'run scene.yaml' makes one"),
        ("export scene.yaml --for blender", "the folder of a run is needed, and 'run scene.yaml' makes one"),
        ("report sweep.yaml", "'sweep sweep.yaml' does its runs"),
        ("scene.yaml compare", "the command comes first: compare scene.yaml"),
        ("scene.yaml --quiet compare", "the command comes first: compare scene.yaml --quiet"),
        ("--quiet factors scene.yaml", "the command comes first: factors --quiet scene.yaml"),
        ("scene.yaml --steps 10", "No such option: --steps; write --set optimizer.steps=10"),
        ("pixel scene.yaml --steps=10", "No such option: --steps; write --set pixel.steps=10"),
        ("scene.yaml --neuron 3", "No such option: --neuron; write --set model.neuron=3 or --neurons 3"),
        ("scene.yaml --spp 64", "No such option: --spp; write --set render.spp=64 or --set evaluate.spp=64"),
        ("scene.yaml --render raster", "No such option: --render; write --set render.type=raster"),
        ("check scene.yaml --lr 0.1", "No such option: --lr; write --set optimizer.lr=0.1"),
        ("scene.yaml --gamma 2.2", "No such option: --gamma; it goes with export"),
        ("report run --seed 3", "No such option: --seed; it goes with run, "),
    ],
)
def test_what_is_right_is_named(here, words, right):
    (told,) = said(*words.split())
    assert right in told
    assert not Path("runs").exists()


def test_a_file_that_is_called_like_a_command_is_a_file(here):
    Path("compare").write_text(SCENE)
    assert called("check", "compare")[0] == 0
    code, _, err = called("scene.yaml", "--out", "report", "--set", "seed=-1")
    assert code == 2 and "seed: must be at least 0" in err
