"""NaN and infinity in image, gradient and model, at random steps, for a while and for good."""

from __future__ import annotations

import csv
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mitsuba_mei.experiments.mei as mei
from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.optimize.checks import check_start
from mitsuba_mei.optimize.evaluate import EVALUATION_SEEDS, evaluate
from mitsuba_mei.optimize.loop import MAX_NONFINITE_STEPS, MAX_ROLLBACKS
from mitsuba_mei.pipeline import build_pipeline
from tests.small_scene import write_scene
from tests.whole_runs import Silent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

STEPS = 14
VALUES = (math.nan, math.inf, -math.inf)


class SpoiltGradient(torch.autograd.Function):
    """The identity, with a gradient of one value."""

    @staticmethod
    def forward(ctx, tensor, value):
        ctx.value = value
        return tensor.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.full_like(gradient, ctx.value), None


def spoilt(tensor: torch.Tensor, value: float) -> torch.Tensor:
    """The same but for a single number, like what one bad sample leaves."""
    bad = torch.zeros_like(tensor)
    bad.view(-1)[tensor.numel() // 2] = value
    return tensor + bad


class Faulty:
    """A renderer, and the neurons behind it, that fail in what :meth:`at` says of a seed.

    Parameters
    ----------
    experiment : Pipeline
    at : callable
        From the seed of a render to what is put there, if anything.
    place : str
        ``image``, ``gradient`` or ``model``.
    noisy : bool
        Whether renders differ a little, pixel by pixel: a model that sees a fixed norm is blind to their brightness.
    """

    spp, own_threads = 1, False

    def __init__(self, pipeline, at, place, noisy=False):
        self._renderer, self._neurons = pipeline.renderer, pipeline.observer.neurons
        self.at, self.place, self.noisy = at, place, noisy
        self.resolution = pipeline.renderer.resolution
        self._next = None
        observer = replace(pipeline.observer, neurons=self.neurons)
        self.pipeline = replace(pipeline, renderer=self, observer=observer)

    def render(self, state, seed, spp=None):
        image, value = self._renderer.render(state, seed, spp), self.at(seed)
        self._next = value if self.place == "model" else None
        if self.noisy:
            generator = torch.Generator().manual_seed(seed % 2**31)
            image = image * (1 + 1e-2 * torch.randn(image.shape, generator=generator))
        if value is None or self.place == "model":
            return image
        return spoilt(image, value) if self.place == "image" else SpoiltGradient.apply(image, value)

    def render_batch(self, states, seed, spp=None):
        return torch.stack([self.render(state, seed, spp) for state in states])

    def neurons(self, seen):
        responses = self._neurons(seen)
        return responses if self._next is None else responses + self._next


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Optimizes with faults; gives the folder, what is in result.json, and the experiment."""

    def done(at, place, noisy=False, **optimizer):
        made = []

        def build(config, told):
            faulty = Faulty(build_pipeline(config, told), at, place, noisy)
            made.append(faulty.pipeline)
            return faulty.pipeline

        monkeypatch.setattr(mei, "build_pipeline", build)
        config = load_config(
            write_scene(tmp_path, "scene", optimizer={"steps": STEPS, "warmup": 1, **optimizer}), trust_code=True
        )
        folder = run_mei(config, tmp_path / "run", Silent()).folder
        return folder, json.loads((folder / "result.json").read_text()), made[0]

    return done


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def in_steps(value_at: dict[int, float]):
    """At these steps of the optimization, counted from 0, and nowhere else."""
    return lambda seed: value_at.get(seed % 2**20) if 0 < seed < EVALUATION_SEEDS else None


@pytest.mark.parametrize("place", ["image", "gradient", "model"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_step_without_a_finite_value_is_skipped_and_counted(run, place, seed):
    draw = random.Random(f"{place} {seed}")
    bad = {step: draw.choice(VALUES) for step in draw.sample(range(1, STEPS), 4)}
    folder, result, pipeline = run(in_steps(bad), place)
    assert (result["ended"], result["steps"], result["skipped_steps"]) == ("done", STEPS, 4)
    assert [int(row["step"]) - 1 for row in rows(folder) if row["skipped"] == "1"] == sorted(bad)
    assert len(rows(folder)) == STEPS
    assert all(torch.isfinite(p).all() for p in pipeline.scene.parameters())
    with np.load(folder / "parameters.npz") as kept:
        assert all(np.isfinite(kept[name]).all() for name in kept.files)
    final, initial = (result["activation"][when]["mean"] for when in ("final", "initial"))
    assert final > initial


@pytest.mark.pictured
@pytest.mark.parametrize("place", ["image", "gradient", "model"])
def test_where_it_lasts_the_run_has_failed_with_its_last_good_state(run, place):
    folder, result, pipeline = run(in_steps(dict.fromkeys(range(12, 500), math.nan)), place, steps=500)
    assert (result["ended"], result["restarts"][0]["setbacks"]) == ("failed", MAX_ROLLBACKS + 1)
    assert "finite" in result["restarts"][0]["reason"]
    assert (
        result["skipped_steps"]
        == MAX_NONFINITE_STEPS * (MAX_ROLLBACKS + 1)
        == sum(row["skipped"] == "1" for row in rows(folder))
    )
    assert result["activation"]["final"]["mean"] > result["activation"]["initial"]["mean"]
    assert (folder / "mesh.ply").is_file() and (folder / "summary.png").is_file()


def test_a_result_that_is_not_finite_is_no_success(run):
    """The model answers in every step, and no more to what is published."""
    calls = []

    def at(seed):
        if seed >= EVALUATION_SEEDS:
            calls.append(seed)
        return math.nan if len(calls) > 1 else None

    folder, result, _ = run(at, "image")
    assert result["activation"]["final"]["mean"] is None and result["activation"]["initial"]["mean"] is not None
    assert result["ended"] == "failed" and "without a finite value" in result["restarts"][0]["reason"]
    assert len(rows(folder)) == STEPS
    assert np.isfinite(np.load(folder / "stimulus.npy")).all()
    with np.load(folder / "parameters.npz") as kept:
        assert all(np.isfinite(kept[name]).all() for name in kept.files)


@pytest.fixture
def pipeline(tmp_path):
    return build_pipeline(load_config(write_scene(tmp_path, "scene"), trust_code=True))


def test_a_bad_render_of_an_evaluation_is_left_out_and_counted(pipeline):
    def measured(at):
        return evaluate(Faulty(pipeline, at, "image", noisy=True).pipeline, 4, 8, 0)

    clean = measured(lambda seed: None)
    shaken = measured(lambda seed: math.nan if seed == EVALUATION_SEEDS + 3 else None)
    assert (clean.left_out, shaken.left_out) == (0, 1)
    rounding = 1e-5 * abs(clean.mean)
    assert min(clean.sem, shaken.sem) > 10 * rounding  # a spread of responses, and not of their last digits
    assert rounding < abs(shaken.mean - clean.mean) < 4 * math.hypot(shaken.sem, clean.sem)
    # What is left is the mean of the seven others, and its figures those of a jackknife over these.
    renderer = Faulty(pipeline, lambda seed: None, "image", noisy=True)
    state = pipeline.scene()
    others = [renderer.render(state, EVALUATION_SEEDS + i, 4) for i in range(8) if i != 3]
    torch.testing.assert_close(shaken.image, torch.stack(others).mean(0))
    whole, *without = (
        pipeline.observer.observe(image).activation.double()
        for image in (sum(others) / 7, *((sum(others) - image) / 6 for image in others))
    )
    values = 7 * whole - 6 * torch.stack(without)
    assert shaken.mean == pytest.approx(values.mean().item(), abs=rounding)
    assert shaken.sem == pytest.approx((values.std() / math.sqrt(7)).item(), rel=1e-2)
    lost = measured(lambda seed: None if seed == EVALUATION_SEEDS else math.inf)
    assert math.isnan(lost.mean) and lost.left_out == 7 and torch.isfinite(lost.image).all()


def test_a_start_without_a_finite_value_is_refused_and_a_single_bad_sample_is_not(pipeline):
    def start(at, place):
        check_start(Faulty(pipeline, at, place).pipeline, 0)

    with pytest.raises(UserError, match="the first render has values that are not finite"):
        start(lambda seed: math.nan, "image")
    with pytest.raises(UserError, match="gives a response to the first render that is not finite"):
        start(lambda seed: math.inf, "model")
    start(lambda seed: math.nan if seed == 0 else None, "image")
