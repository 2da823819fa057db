"""The loop, on a linear neuron whose best stimulus is known, and the evaluation after it."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn

from mitsuba_mei.errors import Terminated, UserError
from mitsuba_mei.neurons.observer import Observer
from mitsuba_mei.objectives import Activation
from mitsuba_mei.optimize.evaluate import evaluate
from mitsuba_mei.optimize.loop import CHECKPOINT_EVERY, MAX_NONFINITE_STEPS, MAX_ROLLBACKS, optimize
from mitsuba_mei.optimize.loss import ActivationLoss
from mitsuba_mei.optimize.optimizer import OptimizerSettings
from mitsuba_mei.optimize.state import Snapshot
from mitsuba_mei.pipeline import Pipeline
from mitsuba_mei.runs.results import Estimate

pytestmark = pytest.mark.slow


TARGET = torch.tensor([3.0, -4.0, 0.0, 12.0])


class Line(nn.Module):
    """A scene that is nothing but four numbers."""

    def __init__(self, start=(0.1, 0.1, 0.1, 0.1)) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(start))
        self.frozen = nn.Parameter(torch.tensor([1.0, 2.0]), requires_grad=False)

    def shape(self) -> torch.Tensor:
        return self.x

    def forward(self, shape: torch.Tensor | None = None) -> torch.Tensor:
        return self.x if shape is None else shape

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"shape": [self.x]}


class Pixels:
    """A renderer that shows the numbers as 2 x 2 pixels; ``spoil`` may change the image of a seed."""

    spp = 1
    noisy = True

    def __init__(self, spoil=lambda image, seed: image) -> None:
        self.spoil = spoil
        self.model_input: list[tuple[int, int | None]] = []

    def render(self, state: torch.Tensor, seed: int, spp: int | None = None) -> torch.Tensor:
        self.model_input.append((seed, spp))
        return self.spoil(state.reshape(2, 2, 1) * 1, seed)


class Size:
    """A regularizer: the mean square, with a weight."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, shape: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"size": shape.square().mean()}

    def total(self, terms: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.weight * terms["size"]


def drive(pipeline: Pipeline) -> ActivationLoss:
    """For a scene with which nothing can be wrong."""
    return ActivationLoss(pipeline, watch=lambda step: None)


def linear(weight: float = 1.0, gain: float = 1.0, renderer: Pixels | None = None) -> Pipeline:
    return Pipeline(
        scene=Line(),
        renderer=renderer or Pixels(),
        observer=Observer(
            stimulus=lambda image: image.permute(2, 0, 1)[None],
            model=None,
            neurons=lambda seen: gain * (seen.flatten(1) @ TARGET)[:, None],
            objective=Activation(0),
        ),
        regularizers=Size(weight),
        variant="none",
    )


def settings(steps: int, **changed) -> OptimizerSettings:
    return OptimizerSettings(**{"steps": steps, "lr": {"shape": 0.05}, "warmup": 5, **changed})


# ---------------------------------------------------------------------------------------------------- learning rates


@given(steps=st.integers(1, 500), warmup=st.integers(0, 50), decay=st.floats(0.01, 1))
@hypothesis_settings(max_examples=50, deadline=None)
def test_rates_rise_linearly_and_fall_along_a_cosine(steps, warmup, decay):
    s = OptimizerSettings(steps, {}, warmup, decay)
    rates = [s.rate(i) for i in range(max(steps, warmup + 1) + 1)]
    assert rates[:warmup] == pytest.approx([(i + 1) / warmup for i in range(warmup)])
    assert rates[warmup] == pytest.approx(1)
    assert all(a >= b - 1e-12 for a, b in zip(rates[warmup:steps], rates[warmup + 1 : steps]))
    if steps > warmup:
        middle = s.rate(warmup + (steps - warmup) / 2)
        assert middle == pytest.approx((1 + decay) / 2) and s.rate(steps) == pytest.approx(decay)


def test_the_first_step_is_the_first_rates():
    pipeline = linear(weight=0.0)
    before = pipeline.scene.x.detach().clone()
    optimize(drive(pipeline), settings(1, warmup=4), 0)
    # Adam's first step is the learning rate, whatever the gradient's length.
    step = pipeline.scene.x.detach() - before
    torch.testing.assert_close(step, 0.05 / 4 * TARGET.sign(), rtol=1e-3, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------- the loop


@pytest.mark.parametrize("gain", [1e-3, 1.0, 50.0])
def test_a_linear_neuron_finds_its_optimum_whatever_its_gain(gain):
    pipeline = linear(weight=1.0, gain=gain)
    outcome = optimize(drive(pipeline), settings(400), 0)
    x = pipeline.scene.x.detach()
    assert (outcome.steps, outcome.skipped, outcome.ended) == (400, 0, "done")
    assert nn.functional.cosine_similarity(x, TARGET, dim=0) > 0.999
    # Minimum of mean(x^2) - x.t / (|x| |t|'s running mean): where the norm is r, 2 x / 4 = t / (|t| r), so r^2 = 2.
    assert x.norm().item() == pytest.approx(math.sqrt(2), rel=0.02)
    assert torch.equal(pipeline.scene.frozen, torch.tensor([1.0, 2.0]))


def test_every_step_is_told_as_it_was_before_it():
    pipeline = linear(weight=0.5)
    steps = []
    optimize(drive(pipeline), settings(5), 3, on_step=steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    first = steps[0]
    start = torch.full((4,), 0.1)
    assert first.activation == pytest.approx((start @ TARGET).item())
    assert first.terms == pytest.approx({"size": 0.01})
    reach = start.norm() * TARGET.norm()
    assert first.loss == pytest.approx(0.5 * 0.01 - (start @ TARGET / reach).item(), rel=1e-5)
    gradient = 0.5 * 2 * start / 4 - TARGET / reach
    assert first.gradient_norm["shape"] == pytest.approx(gradient.norm().item(), rel=1e-5)
    assert first.image.shape == (2, 2, 1) and not first.image.requires_grad and not first.skipped
    assert steps[4].activation > first.activation


def test_every_step_has_a_seed_of_its_own():
    renderers = [Pixels() for _ in range(3)]
    for seed, renderer in enumerate(renderers):
        optimize(drive(linear(renderer=renderer)), settings(10), seed)
    seeds = [seen for renderer in renderers for seen, _ in renderer.model_input]
    assert len(set(seeds)) == len(seeds) == 30


# ---------------------------------------------------------------------------------------------------------- accidents


def with_gradient(image: torch.Tensor, factor: float) -> torch.Tensor:
    """The same image, its gradient multiplied."""
    return image.detach() + factor * (image - image.detach())


def test_a_gradient_that_is_not_finite_is_counted_and_skipped():
    accidents = {4: math.nan, 7: math.inf, 11: -math.inf}
    positions, steps = [], []

    def told(step):
        steps.append(step)
        positions.append(pipeline.scene.x.detach().clone())

    spoilt = Pixels(lambda image, seed: Spoil.apply(image, accidents[seed]) if seed in accidents else image)
    pipeline = linear(renderer=spoilt)
    outcome = optimize(drive(pipeline), settings(80), 0, on_step=told)
    assert outcome.skipped == 3 and [step.step - 1 for step in steps if step.skipped] == [4, 7, 11]
    for accident in accidents:
        assert torch.equal(positions[accident], positions[accident - 1])
    assert not torch.equal(positions[12], positions[11])
    assert torch.isfinite(pipeline.scene.x).all()
    assert nn.functional.cosine_similarity(pipeline.scene.x.detach(), TARGET, dim=0) > 0.9


class Spoil(torch.autograd.Function):
    """The identity, with a gradient of one value."""

    @staticmethod
    def forward(ctx, image, value):
        ctx.value = value
        return image.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.full_like(gradient, ctx.value), None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_image_that_is_not_finite_spoils_no_later_step(value):
    spoilt = Pixels(lambda image, seed: image + value if seed == 4 else image)
    pipeline = linear(renderer=spoilt)
    steps = []
    outcome = optimize(drive(pipeline), settings(60), 0, on_step=steps.append)
    assert outcome.skipped == 1 and math.isfinite(steps[-1].loss)
    assert nn.functional.cosine_similarity(pipeline.scene.x.detach(), TARGET, dim=0) > 0.9


def test_an_outlier_is_shortened():
    steps, positions = [], []

    def run(factor: float):
        renderer = Pixels(lambda image, seed: with_gradient(image, factor) if seed == 20 else image)
        pipeline = linear(renderer=renderer)
        positions.clear()
        outcome = optimize(
            drive(pipeline),
            settings(25),
            0,
            on_step=lambda step: (steps.append(step), positions.append(pipeline.scene.x.detach().clone())),
        )
        return outcome, [p.clone() for p in positions]

    plain, calm = run(1.0)
    wild, shaken = run(1000.0)
    assert (plain.shortened, wild.shortened) == (0, 1) and wild.skipped == 0
    assert (shaken[-1] - calm[-1]).norm() < 0.2
    assert max(step.gradient_norm["shape"] for step in steps) > 100 * steps[0].gradient_norm["shape"] / 10


# -------------------------------------------------------------------------------------------------------------- endings


def test_patience_ends_a_run_that_gets_no_better():
    pipeline = linear(weight=0.0)
    pipeline.observer.neurons = lambda seen: 1 + 0 * seen.flatten(1)[:, :1]
    outcome = optimize(drive(pipeline), settings(100, patience=7), 0)
    assert outcome.ended == "no better" and outcome.steps == 8


def test_patience_lets_a_run_that_gets_better_go_on():
    outcome = optimize(drive(linear(weight=0.01)), settings(60, patience=3), 0)
    assert (outcome.ended, outcome.steps) == ("done", 60)


def test_an_interruption_ends_after_a_whole_step():
    told = []
    outcome = optimize(drive(linear()), settings(50), 0, on_step=told.append, interrupted=lambda: len(told) == 3)
    assert (outcome.ended, outcome.steps, len(told)) == ("interrupted", 3, 3)


# ----------------------------------------------------------------------------------------------------------- evaluation


def noisy() -> Pixels:
    def spoil(image, seed):
        return image + torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))

    return Pixels(spoil)


def test_an_evaluation_is_mean_and_standard_error_of_independent_renders():
    renderer = noisy()
    pipeline = linear(renderer=renderer)
    estimate = evaluate(pipeline, spp=33, repeats=64, seed=5)
    seeds = [seed for seed, _ in renderer.model_input]
    assert len(set(seeds)) == 64 and all(spp == 33 for _, spp in renderer.model_input)
    values = []
    for seed in seeds:
        image = renderer.spoil(pipeline.scene.x.detach().reshape(2, 2, 1), seed)
        values.append((image.ravel() @ TARGET).item())
    values = torch.tensor(values)
    assert estimate.mean == pytest.approx(values.mean().item(), rel=1e-4)
    assert estimate.sem == pytest.approx(values.std().item() / 8, rel=1e-4)
    assert estimate.sem == pytest.approx(TARGET.norm().item() / 8, rel=0.4)
    assert estimate.image.shape == (2, 2, 1) and not estimate.image.requires_grad
    assert Estimate.model_validate(estimate).model_dump() == {"mean": estimate.mean, "sem": estimate.sem}


def test_evaluations_share_no_seed_with_each_other_or_with_the_optimization():
    seen = []
    for seed in (0, 1, 2**32 - 1):
        renderer = Pixels()
        pipeline = linear(renderer=renderer)
        optimize(drive(pipeline), settings(5), seed)
        evaluate(pipeline, 4, 5, seed)
        seen += [s for s, _ in renderer.model_input]
    assert len(set(seen)) == len(seen) == 30


def test_an_evaluation_changes_nothing():
    pipeline = linear(renderer=noisy())
    before = pipeline.scene.x.detach().clone()
    first, second = (evaluate(pipeline, 4, 3, 0) for _ in range(2))
    assert first.mean == second.mean and first.sem == second.sem
    assert torch.equal(pipeline.scene.x, before) and pipeline.scene.x.grad is None


def test_noise_does_not_bias_a_neuron_that_is_not_linear():
    """The squared sum of noisy pixels: its mean over renders is too high by the noise's variance."""

    def noisy(image, seed):
        return image + 0.5 * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed % 2**32))

    pipeline = linear(renderer=Pixels(noisy))
    pipeline.observer.neurons = lambda seen: seen.flatten(1).sum(1, keepdim=True).square()
    truth = 0.4**2
    found = [evaluate(pipeline, 1, 8, seed) for seed in range(400)]
    means = torch.tensor([estimate.mean for estimate in found], dtype=torch.float64)
    error = means.std() / 20
    assert abs(means.mean() - truth) < 3 * error
    assert truth + 1 > truth + 10 * error  # the plain mean is 4 * 0.25 = 1 too high
    # The reported errors are those that repeated evaluations have.
    reported = torch.tensor([estimate.sem for estimate in found], dtype=torch.float64).square().mean().sqrt()
    assert reported == pytest.approx(means.std().item(), rel=0.3)


@given(st.integers(0, 39), st.integers(1, 3))
@hypothesis_settings(max_examples=15, deadline=None)
def test_an_optimization_that_goes_on_ends_to_the_last_bit_as_one_without_a_break(stop, seed):
    whole, broken = linear(), linear()
    noise = Pixels(
        lambda image, seed: image + 0.1 * torch.rand(4, generator=torch.Generator().manual_seed(seed)).view(2, 2, 1)
    )
    whole.renderer = broken.renderer = noise
    expected = optimize(drive(whole), settings(40), seed)
    kept: list[Snapshot] = []
    asked = iter(range(41))
    optimize(drive(broken), settings(40), seed, interrupted=lambda: next(asked) == stop, keep=kept.append)
    fresh = linear(renderer=noise)
    outcome = optimize(drive(fresh), settings(40), seed, since=kept[-1])
    assert torch.equal(fresh.scene.x, whole.scene.x) and outcome == expected


@pytest.mark.slow
@given(st.lists(st.integers(0, 70), min_size=1, max_size=3), st.integers(1, 3))
@hypothesis_settings(max_examples=25, deadline=None)
def test_so_does_one_that_is_set_back(stops, seed):
    """Beyond 0.5 something is wrong, which is noticed late, and now and then nothing is finite."""

    def spoil(image: torch.Tensor, seed: int) -> torch.Tensor:
        noise = 0.1 * torch.rand(4, generator=torch.Generator().manual_seed(seed)).view(2, 2, 1)
        return image + noise if (seed % 2**20) % 37 < 14 else image * math.nan

    def wrong(pipeline: Pipeline) -> ActivationLoss:
        x = pipeline.scene.x
        return ActivationLoss(
            pipeline, lambda step: "too far" if step % 5 == 0 and x.detach().abs().max() > 0.5 else None
        )

    def run(stop: int | None, since: Snapshot | None):
        pipeline, asked = linear(renderer=Pixels(spoil)), iter(range(10**6))
        kept: list[Snapshot] = []
        outcome = optimize(
            wrong(pipeline), settings(70), seed, lambda s: None, lambda: next(asked) == stop, kept.append, since
        )
        last = kept[-1]
        return outcome, pipeline.scene.x, Snapshot(json.loads(json.dumps(last.numbers)), last.arrays)

    expected, x, _ = run(None, None)
    assert expected.setbacks and expected.skipped
    since = None
    for stop in stops:
        _, _, since = run(stop, since)
    outcome, found, _ = run(None, since)
    assert torch.equal(found, x) and outcome == expected


def test_what_an_optimization_ended_with_is_not_gone_on_with():
    pipeline, kept = linear(weight=5.0), []
    first = optimize(drive(pipeline), settings(400, patience=7), 0, keep=kept.append)
    assert first.ended == "no better" and first.steps < 400
    again = linear(weight=5.0)
    outcome = optimize(drive(again), settings(400, patience=7), 0, since=kept[-1])
    assert outcome == first and torch.equal(again.scene.x, pipeline.scene.x)


def test_a_snapshot_of_other_parameters_is_refused():
    kept: list[Snapshot] = []
    optimize(drive(linear()), settings(3), 0, keep=kept.append)
    other = linear()
    other.scene.x = nn.Parameter(torch.zeros(5))
    with pytest.raises(UserError, match="other parameters"):
        optimize(drive(other), settings(3), 0, since=kept[-1])


def test_a_scene_that_goes_wrong_is_brought_back_with_smaller_steps():
    """Beyond 0.5 something is wrong: steps shrink until the optimization has failed, and what stays is good."""
    pipeline = linear()
    x = pipeline.scene.x
    wrong = ActivationLoss(pipeline, watch=lambda step: "too far" if x.detach().abs().max() > 0.5 else None)
    outcome = optimize(wrong, settings(2000), 0)
    assert outcome.ended == "failed" and outcome.reason == "too far" and outcome.setbacks == MAX_ROLLBACKS + 1
    assert 0.1 < x.detach().abs().max() <= 0.5


def test_nothing_finite_for_long_is_trouble():
    pipeline = linear(renderer=Pixels(lambda image, seed: image * math.nan if seed % 2**20 >= 12 else image))
    kept: list[Snapshot] = []
    outcome = optimize(drive(pipeline), settings(500), 0, keep=kept.append)
    assert outcome.ended == "failed" and "finite" in outcome.reason
    assert outcome.skipped == MAX_NONFINITE_STEPS * (MAX_ROLLBACKS + 1) and torch.isfinite(pipeline.scene.x).all()
    assert kept[0].step == CHECKPOINT_EVERY and kept[-1].step == CHECKPOINT_EVERY


def test_what_ends_an_optimization_from_outside_leaves_its_state():
    def terminated() -> bool:
        raise Terminated

    kept: list[Snapshot] = []
    with pytest.raises(Terminated):
        optimize(drive(linear()), settings(50), 0, interrupted=terminated, keep=kept.append)
    assert [snapshot.step for snapshot in kept] == [1]
