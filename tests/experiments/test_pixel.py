"""Pixel MEIs of cells whose best stimulus is known, and the constraint that they share with renders."""

from __future__ import annotations

import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.pixel import run_pixel
from mitsuba_mei.neurons.observer import build_observer
from mitsuba_mei.optimize.pixel import find_pixel_mei
from tests.whole_runs import Interrupting, Silent, written

CELL = """
model:
  card:
    type: complex_cell
    parameters: {frequency: [2.0, 1.5], orientation: [30, 80], sigma: 0.3}
    input: {size: 48, channels: 1, mean: 124.54, std: 70.28}
pixel: {steps: 60, restarts: 2}
"""


@pytest.fixture
def config(tmp_path):
    def loaded(*overrides):
        path = tmp_path / "scene.yaml"
        path.write_text(CELL)
        return load_config(path, overrides)

    return loaded


def pixel_mei(config, **told):
    return find_pixel_mei(build_observer(config), config.pixel, config.seed, **told)


@pytest.mark.parametrize("parameters", ["pixels", "fourier"])
@pytest.mark.parametrize(
    "stimulus", ["{norm: 25}", "{contrast: 0.2, mean: 0.4}", "{norm: 10, mask: {sigma: 0.3, center: [0.2, 0]}}"]
)
def test_every_start_reaches_the_known_optimum(config, parameters, stimulus):
    made = config(f"stimulus={stimulus}", f"pixel.parameters={parameters}")
    optimum = build_observer(made).optimum()
    pixel = pixel_mei(made)
    assert pixel.activation <= optimum * (1 + 1e-5)
    assert min(pixel.restarts) > 0.995 * optimum
    assert pixel.activation == max(pixel.restarts) == pytest.approx(pixel.responses[0])


def test_the_stimulus_keeps_the_constraint_exactly(config):
    pixel = pixel_mei(config())
    assert pixel.model_input.shape == (1, 1, 48, 48)
    assert pixel.model_input.norm().item() == pytest.approx(25, rel=1e-5)
    assert pixel.model_input.sum().item() == pytest.approx(0, abs=1e-2)
    made = config("stimulus={contrast: 0.2, mean: 0.4}")
    luminance = (pixel_mei(made).model_input * 70.28 + 124.54) / 255
    assert luminance.mean().item() == pytest.approx(0.4, abs=1e-5)
    assert luminance.std(correction=0).item() == pytest.approx(0.2, rel=1e-5)


def test_a_clipped_stimulus_uses_the_whole_range_and_no_more(config):
    made = config("stimulus={clip: true}")
    observer = build_observer(made)
    pixel = pixel_mei(made)
    luminance = observer.stimulus.to_grey(pixel.model_input) / 255
    assert 0 <= luminance.min() < 0.01 and 0.99 < luminance.max() <= 1
    # No image in 0..1 has a larger product with the filters than their signs; the energy of two cannot exceed that.
    even, odd = (
        observer.model.module.preferred(0, build_observer(config()).stimulus).flatten(),
        pixel.model_input.flatten(),
    )
    assert torch.corrcoef(torch.stack([even, odd]))[0, 1].abs() > 0.3
    assert pixel.activation > max(pixel.history[0])


def test_the_best_start_is_kept_and_the_way_there_is_recorded(config):
    made = config("pixel.steps=3", "pixel.restarts=3")
    told = []
    pixel = pixel_mei(made, on_step=lambda step, value: told.append((step, value)))
    assert [step for step, _ in told] == [1, 2, 3]
    assert [value for _, value in told] == [max(values) for values in pixel.history[:3]]
    assert len(pixel.history) == 4 and len(set(pixel.restarts)) == 3
    best = pixel.restarts.index(pixel.activation)
    torch.testing.assert_close(pixel.model_input[0], pixel.stimuli[best])
    assert pixel_mei(made).restarts == pixel.restarts
    assert pixel_mei(config("pixel.steps=3", "pixel.restarts=3", "seed=1")).restarts != pixel.restarts


def test_it_can_be_stopped(config):
    asked = iter([False, True])
    pixel = pixel_mei(config(), interrupted=lambda: next(asked))
    assert pixel.ended == "interrupted" and len(pixel.history) == 3


def test_a_dead_start_does_no_harm(config):
    """A rectified cell has no gradient where it is silent; the other starts go on."""
    made = config("model.card={type: simple_cell, input: {size: 48, channels: 1, mean: 124.54, std: 70.28}}")
    pixel = find_pixel_mei(build_observer(made), made.pixel.model_copy(update={"restarts": 6}), 0)
    assert all(np.isfinite(pixel.restarts))
    assert pixel.activation > 0.99 * build_observer(made).optimum()


def test_other_objectives(config):
    alone = pixel_mei(config())
    observer = build_observer(config())
    told_apart = pixel_mei(config("objective={type: discriminate, against: [1], temperature: 0.5}"))
    with torch.no_grad():
        both = [observer.model(pixel.model_input)[0] for pixel in (alone, told_apart)]
    assert both[1][0] - both[1][1] > both[0][0] - both[0][1]
    wanted = pixel_mei(config("objective={type: target, neurons: [0, 1], responses: [7, 3]}"))
    assert wanted.responses == pytest.approx([7, 3], abs=0.3)


def test_the_second_model_judges_the_best(config, tmp_path):
    card = (
        "{type: complex_cell, parameters: {orientation: [30, 0], sigma: 0.29}, "
        "input: {size: 48, channels: 1, mean: 100, std: 50}}"
    )
    made = config(f"model.validate={card}")
    observer = build_observer(made)
    pixel = pixel_mei(made)
    grey = pixel.model_input * 70.28 + 124.54
    expected = observer.validator.model((grey - 100) / 50)[0, 0].item()
    assert pixel.validation == pytest.approx(expected, rel=1e-5)
    assert pixel.validation == pytest.approx(pixel.activation * 70.28 / 50, rel=0.05)


def test_a_run_leaves_its_figures_and_pictures(config, tmp_path):
    made, progress = config("pixel.steps=20"), Silent()
    outcome = run_pixel(made, tmp_path / "run", progress)
    names = {path.name for path in outcome.folder.iterdir()}
    assert names == {"config.yaml", "metrics.csv", "result.json", "stimulus.npy", "stimulus.png", "summary.png"}
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result == written(outcome.result)
    assert progress.messages == []
    assert len(progress.steps) == progress.total == result["steps"] == 20
    assert result["fraction_of_optimum"] == pytest.approx(result["activation"] / result["optimum"])
    seen = torch.from_numpy(np.load(outcome.folder / "stimulus.npy"))
    with torch.no_grad():
        assert build_observer(made).model(seen)[0, 0].item() == pytest.approx(result["activation"], rel=1e-5)
    assert iio.imread(outcome.folder / "summary.png").std() > 5
    assert load_config(outcome.folder / "config.yaml") == made


def test_fourier_steps_move_the_mean_where_it_is_free(config):
    """Under clip a brighter image may be better: both ways of stepping must find that."""
    made = config("stimulus={clip: true}", "pixel={steps: 80, restarts: 1}")
    reached = {}
    for parameters in ("pixels", "fourier"):
        observer = build_observer(made)
        observer.neurons = lambda seen: seen.mean((1, 2, 3))[:, None]
        pixel = find_pixel_mei(observer, made.pixel.model_copy(update={"parameters": parameters}), 0)
        reached[parameters] = pixel.activation
    white = (255 - 124.54) / 70.28
    assert reached == {"pixels": pytest.approx(white, rel=0.02), "fourier": pytest.approx(white, rel=0.02)}


def test_more_starts_than_fit_one_batch(config):
    few, many = config("pixel={steps: 5, restarts: 4}"), config("pixel={steps: 5, restarts: 10}")
    assert len(pixel_mei(many).restarts) == len(pixel_mei(many).stimuli) == 10
    assert len(pixel_mei(few).history[0]) == 4


def test_an_unfinished_one_is_said_and_a_frozen_scene_will_do(config, tmp_path):
    path = tmp_path / "scene.yaml"
    path.write_text(CELL + "shape: {free: []}\n")
    made = load_config(path, rendered=False)
    progress = Interrupting(3)
    outcome = run_pixel(made, tmp_path / "run", progress)
    assert outcome.result.ended == "interrupted" and outcome.result.steps == 3
    assert any("no pixel MEI yet" in text for text in progress.messages)
