"""What is said of runs."""

import dataclasses
import math

import pytest

from mitsuba_mei.report.html import words
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.runs.results import Estimate, InitialFinal, MeshFlaws
from tests.report.html.run_folders import write_run

SOUND = MeshFlaws(
    vertices=162,
    faces=320,
    flipped_faces=0,
    degenerate_faces=0,
    intersecting_faces=0,
    watertight=True,
    smallest_angle=30.0,
)
EXACT = Estimate(mean=20.0, sem=0.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("words") / "run", frames=0)
    return read_run_folder(Place(folder, "runs/run"))


def changed(run, **changes):
    """The run with other values in its result."""
    return dataclasses.replace(run, result=run.result.model_copy(update=changes))


def test_figures_are_four_digits_with_two_of_their_errors():
    assert words.measured(Estimate(mean=24.492176, sem=0.002134)) == "24.49 ± 0.0021"
    assert words.measured(Estimate(mean=-24.492176, sem=0.0)) == "−24.49"
    assert words.measured(Estimate(mean=1234567.0, sem=1.6e-5)) == "1.235×10⁶ ± 1.6×10⁻⁵"
    assert words.measured(Estimate(mean=None, sem=0.1)) == words.measured(None) == "–"
    assert words.measured(Estimate(mean=24.492176)) == "24.49" and words.measured(Estimate(mean=math.inf)) == "–"


def test_the_activation_is_said_beside_all_that_it_can_be_compared_with(run):
    said = " ".join(words.activation_sentences(run))
    for part in (
        "The activation is 20 (render s.e. 0.12), up from 1.5 (render s.e. 0.02) at the start.",
        "0.800 of the best that any image can reach (25) and",
        "0.900 (render s.e. 0.005) of what the pixel MEI reaches (22.22).",
        "“second model”, which the optimization never saw, answers 11 (render s.e. 0.2), up from 1 (render s.e. 0.1)",
        "; to the pixel MEI 10",
        "The best of 2 starts was kept. Over them the mean is 19 and the standard deviation 1.4 (18 to 20)",
        "3 % of the stimulus is darker than black",
    ):
        assert part in said


WAYS = [(1.5, "up"), (30.0, "down"), (20.0, "unchanged"), (20.00001, "unchanged")]


@pytest.mark.parametrize(("initial", "way"), WAYS)
def test_which_way_the_activation_went_is_said_as_it_went(run, initial, way):
    began = Estimate(mean=initial, sem=0.0)
    second = run.validation.model_copy(update={"activation": InitialFinal(initial=began, final=EXACT)})
    run = changed(run, activation=InitialFinal(initial=began, final=run.final), validation=second)
    first, *others = words.activation_sentences(run)
    assert first.endswith(f", {way} from {words.number(initial)} at the start.")
    assert f"answers 20, {way} from {words.number(initial)}" in " ".join(others)


@pytest.mark.parametrize(("fraction", "said"), [(1.0, "100 %"), (0.123, "12 %"), (0.0012, "0.12 %")])
def test_what_cannot_be_displayed_is_said_in_percent(run, fraction, said):
    sentences = words.activation_sentences(changed(run, outside_display=fraction))
    assert f"{said} of the stimulus is darker than black or brighter than white" in " ".join(sentences)


def test_a_run_that_failed_says_why(run):
    lost = InitialFinal(initial=run.initial, final=Estimate(mean=None, sem=None))
    failed = changed(run, ended="failed", reason="the object is lost", activation=lost)
    assert "The optimization ended early: failed (the object is lost)." in words.activation_sentences(failed)


def test_a_figure_without_noise_has_no_error(run):
    exact = changed(run, activation=InitialFinal(initial=run.initial, final=EXACT))
    (first, *_) = words.activation_sentences(exact)
    assert first == "The activation is 20 (its renders have no noise), up from 1.5 (render s.e. 0.02) at the start."


@pytest.mark.parametrize(
    ("change", "count", "short", "said"),
    [
        ({}, 0, "none", "No face is flipped, degenerate or passes through another. It is watertight"),
        ({"flipped_faces": 1}, 1, "1 face", "It has flaws that no object has: 1 face turned against their neighbours."),
        ({"flipped_faces": 2, "intersecting_faces": 16}, 18, "18 faces", "; 16 faces passing through others."),
        ({"watertight": False}, 0, "none, open", "It is not watertight"),
        ({"degenerate_faces": None}, None, "–", "How many faces are degenerate is not recorded."),
    ],
)
def test_the_mesh_in_words(change, count, short, said):
    quality = SOUND.model_copy(update=change)
    assert words.flaws(quality) == count and words.flaws_in_short(quality) == short
    assert said in " ".join(words.flaws_in_words(quality))


def test_the_commands_are_the_ones_that_run(run):
    commands = [command for _, command in words.commands(run)]
    assert commands == ["python run.py runs/run/config.yaml", "python run.py evaluate runs/run --render raster"]
    odd = dataclasses.replace(run, place=Place(run.place.folder, "runs/my run; rm -rf"))
    assert words.commands(odd)[0][1] == "python run.py 'runs/my run; rm -rf/config.yaml'"


def test_what_serves_another_objective_is_no_mei(run):
    other = changed(run, objective="target", neurons=(3, 4))
    assert words.title(other) == "3D stimulus of a model, neurons 3, 4 (target)"
    assert "maximally exciting" not in words.lead(other).lower()
    assert words.maximised(other) == "objective (target)"
