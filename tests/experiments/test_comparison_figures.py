"""The figures of one neuron's comparison, of estimates that are made up."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from mitsuba_mei.experiments.comparison import _gain, _start_by_start, _transport
from mitsuba_mei.optimize.evaluate import SceneEstimate


def estimate(mean: float, sem: float = 0.0, image: torch.Tensor | None = None) -> SceneEstimate:
    return SceneEstimate(mean, sem, torch.zeros(4, 4, 1) if image is None else image)


def test_a_gain_carries_the_errors_of_both():
    kept = {
        "path": {"path": estimate(2.0, 0.02), "raster": estimate(1.0)},
        "raster": {"path": estimate(1.5, 0.03), "raster": estimate(-1.0)},
    }
    gain = _gain(kept, "path")
    assert gain.mean == pytest.approx(0.25)
    # Of 1 - b / a, with a = 2 ± 0.02 and b = 1.5 ± 0.03.
    assert gain.sem == pytest.approx(math.hypot(0.03 / 2, 1.5 * 0.02 / 4))
    assert _gain(kept, "raster") is None


def test_starts_are_paired_and_one_that_is_no_number_is_left_out():
    first = [estimate(1.0, 0.1), estimate(math.nan), estimate(3.0, 0.1)]
    second = [estimate(0.5, 0.1), estimate(1.0), estimate(2.0, 0.1), estimate(9.0)]
    starts = {"path": {"path": first}, "raster": {"path": second}}
    found = _start_by_start(starts, "path")
    assert (found.mean, found.n) == (0.75, 2)
    assert found.sem == pytest.approx(0.25)
    assert found.raster == (0.5, 1.0, 2.0, 9.0) and len(found.path) == 3
    nothing = _start_by_start({"path": {"path": first[1:2]}, "raster": {"path": second}}, "path")
    assert (nothing.mean, nothing.n) == (None, 0)


@pytest.mark.parametrize("added", [0.0, 0.1])
def test_noise_is_not_taken_for_transport(added):
    """Where the noise is as large as what is looked for."""
    generator = torch.Generator().manual_seed(0)
    shaded = torch.rand((200, 200, 1), generator=generator)
    light = added * torch.rand((200, 200, 1), generator=generator)
    traced, again = (shaded + light + 0.1 * torch.randn((200, 200, 1), generator=generator) for _ in range(2))
    contested = SimpleNamespace(
        evaluators={"path": lambda parameters, seed: estimate(1.0, image=again)},
        ends={"path": {}},
        settings=SimpleNamespace(seed=0),
        kept={"path": {"path": estimate(1.0, image=traced), "raster": estimate(1.0, image=shaded)}},
    )
    expected = light.square().mean().sqrt() / (shaded + light).std()
    assert _transport(contested, "path") == pytest.approx(expected.item(), abs=0.02)
    contested.kept["path"]["path"] = estimate(1.0, image=torch.ones(200, 200, 1))
    contested.evaluators["path"] = lambda parameters, seed: estimate(1.0, image=torch.ones(200, 200, 1))
    assert _transport(contested, "path") is None
