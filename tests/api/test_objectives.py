"""Objectives and penalties of a Python program's own, and the least exciting stimulus."""

from __future__ import annotations

import csv

import pytest
import torch

import mitsuba_mei as mm
from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html.write import write_report

from .networks import small

INPUT = mm.Input(size=32, mean=124.5, std=70.3)


def problem(**more):
    scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20, scale=0.4), pose=mm.Pose(free=["rotation"]))
    return mm.MEI(small(neurons=3).eval(), input=INPUT, renderer="raster", scene=scene, evaluate={"spp": 16}, **more)


def metrics(run) -> list[dict[str, str]]:
    with open(run.folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_least_exciting_stimulus_is_less_exciting_and_its_activation_has_its_own_sign():
    most = problem(neuron=1).optimize(15, progress=False)
    least = problem(neuron=1, minimize=True).optimize(15, progress=False)
    assert least.activation.initial == most.activation.initial
    assert least.activation.final.mean < least.activation.initial.mean < most.activation.final.mean
    assert least.direction == "minimize" and least.config.objective.direction == "minimize"
    answer = small(neurons=3).eval()(torch.from_numpy(least.model_input))[0, 1].item()
    assert least.responses[0].final.mean == pytest.approx(answer, rel=1e-4)
    assert least.activation.final.mean == pytest.approx(answer, rel=1e-4)


@pytest.mark.slow
def test_of_several_starts_the_least_is_kept():
    run = problem(neuron=1, minimize=True).optimize(4, restarts=3, progress=False)
    ends = [each.activation.final.mean for each in run.restarts]
    assert run.restart == ends.index(min(ends)) and len(set(ends)) == 3


@pytest.mark.slow
def test_the_least_exciting_pixels_are_less_exciting_than_any_start():
    run = mm.pixel_mei(problem(neuron=1, minimize=True), steps=20, restarts=3, progress=False)
    assert run.activation == min(run.restarts)
    assert run.activation < problem(neuron=1, minimize=True).optimize(5, progress=False).activation.final.mean
    assert repr(run).startswith("The least exciting pixel stimulus reaches")


@pytest.mark.slow
def test_a_report_calls_it_by_its_name(tmp_path):
    run = problem(neuron=1, minimize=True).optimize(2, progress=False)
    page = write_report([run.folder], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "least exciting 3D stimulus" in page and "maximally exciting input (MEI)" not in page


@pytest.mark.slow
def test_a_function_of_the_responses_is_maximised():
    run = problem(objective=lambda responses: responses[:, 1] - responses[:, 0]).optimize(10, progress=False)
    assert run.objective == "function" and [each.neuron for each in run.responses] == [0, 1, 2]
    zero, one, _ = (each.final.mean for each in run.responses)
    assert run.activation.final.mean == pytest.approx(one - zero, rel=1e-4)
    assert run.activation.final.mean > run.activation.initial.mean


@pytest.mark.slow
def test_a_function_of_listed_neurons_sees_them_in_their_order():
    run = problem(neuron=[2, 0], objective=lambda responses: responses[0, 0]).optimize(2, progress=False)
    assert run.activation.final.mean == pytest.approx(run.responses[0].final.mean)
    assert run.responses[0].neuron == 2


@pytest.mark.slow
def test_a_function_of_stimulus_and_responses_has_both_gradients():
    def bright(image, responses):
        return image[..., 16:, :].mean() - image[..., :16, :].mean() + 0 * responses.sum()

    run = problem(objective=bright).optimize(20, progress=False)
    stimulus = run.model_input
    value = float(stimulus[..., 16:, :].mean() - stimulus[..., :16, :].mean())
    assert run.activation.final.mean == pytest.approx(value, rel=1e-4)
    assert run.activation.final.mean > run.activation.initial.mean + 0.1
    pixels = mm.pixel_mei(problem(objective=bright), steps=30, restarts=1, progress=False)
    assert pixels.activation > run.activation.final.mean


@pytest.mark.slow
def test_a_penalty_is_added_to_the_loss_and_recorded():
    def height(state):
        return 10 * state.vertices[:, 1].square().mean()

    free = problem(neuron=1).optimize(10, progress=False)
    low = problem(neuron=1, penalties=[height]).optimize(10, progress=False)
    rows = metrics(low)
    assert float(rows[-1]["height"]) < float(rows[0]["height"])
    assert abs(low.mesh.vertices[:, 1]).mean() < abs(free.mesh.vertices[:, 1]).mean()
    assert low.config.penalties == (f"{__name__}.test_a_penalty_is_added_to_the_loss_and_recorded.<locals>.height",)


@pytest.mark.slow
def test_a_folder_says_that_its_function_lived_in_python(tmp_path):
    run = problem(objective=lambda responses: responses.sum()).optimize(1, progress=False)
    path = run.save(tmp_path / "run") / "config.yaml"
    text = path.read_text().replace("<lambda>", "gone")
    path.write_text(text)
    with pytest.raises(UserError, match="is a function that lived in a Python process; run it from Python again"):
        mm.run(path, progress=False)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (lambda responses: responses, r"returns a tensor of shape \(1, 3\)"),
        (lambda responses: 3.0, r"returns no tensor \(3.0\)"),
        (lambda responses: responses.detach().sum(), "no path of gradients"),
        (lambda responses: responses.argmax(), "return one real number"),
        (5, "objective is 5; give a function"),
        (torch.nn.Linear, "give a function"),
    ],
)
def test_a_function_that_cannot_be_maximised_is_refused_before_the_first_step(objective, message, tmp_path):
    with pytest.raises(UserError, match=message):
        problem(objective=objective).optimize(1, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (lambda state: 3.0, "returns no scalar"),
        (lambda state: state.vertices, "returns no scalar"),
        (lambda state: state.vertices.detach().sum(), "does not depend on what is free"),
        ("area", "penalties.0. is 'area'; give a function"),
    ],
)
def test_a_penalty_that_is_none_is_refused_before_the_first_step(penalty, message, tmp_path):
    with pytest.raises(UserError, match=message):
        problem(neuron=1, penalties=[penalty]).optimize(1, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"objective": {"type": "target", "responses": [1.0]}}, "minimize is for the activation or a function"),
        ({"compare_to": "pixel"}, "compare_to is the pixel MEI's activation"),
    ],
)
def test_what_cannot_be_minimized_is_refused(more, message):
    with pytest.raises(UserError, match=message):
        problem(minimize=True, **more)


@pytest.mark.parametrize("experiment", [mm.compare, mm.factors])
def test_gains_of_what_is_minimized_are_refused(experiment, tmp_path):
    with pytest.raises(UserError, match="compares gains, and objective.direction is minimize"):
        experiment(problem(minimize=True), out=tmp_path / "out", progress=False)
