"""The benchmarks' arithmetic and tables; not what they measure."""

from __future__ import annotations

import io
import json
import math

import imageio.v3 as iio
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.finite_differences import Probe, along, weighting
from benchmarks.measure import agrees, best_split, compared, mean_and_error, telling
from benchmarks.panels import Panel, draw_panels
from benchmarks.report import Report, Target
from benchmarks.setting import BUMPY, SIMPLE_CELL
from benchmarks.tuning import seen_bars, seen_sphere, write_bars
from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.geometry.mesh import file

AMOUNT = st.floats(1e-3, 1e3)


def test_the_mean_and_its_error():
    assert mean_and_error([1.0, 3.0]) == (2.0, pytest.approx(1.0))


def test_agreement_allows_a_margin_beyond_the_error():
    assert agrees((100.0, 0.0), (104.9, 0.0))
    assert not agrees((100.0, 0.0), (105.1, 0.0))
    assert agrees((100.0, 3.0), (114.9, 4.0))
    assert not agrees((100.0, 3.0), (115.1, 4.0))
    assert agrees((-100.0, 0.0), (-95.1, 0.0))


def test_an_agreement_means_something_where_the_error_is_small():
    assert telling((-100.0, 3.0), (0.0, 4.0))
    assert not telling((-100.0, 3.1), (0.0, 4.0))


@given(st.tuples(AMOUNT, AMOUNT, AMOUNT), st.tuples(AMOUNT, AMOUNT, AMOUNT), AMOUNT, st.floats(0.5, 2))
def test_no_other_split_at_the_same_cost_has_less_variance(variances, costs, total, change):
    variances, costs = dict(zip("abc", variances)), dict(zip("abc", costs))
    best = best_split(variances, costs, total)
    assert sum(costs[k] * n for k, n in best.items()) == pytest.approx(total)

    def variance(split):
        return sum(variances[k] / n for k, n in split.items())

    other = {**best, "a": best["a"] * change}
    scale = total / sum(costs[k] * n for k, n in other.items())
    assert variance(best) <= variance({k: n * scale for k, n in other.items()}) * (1 + 1e-9)


def test_the_gradient_along_a_probe():
    probe = Probe("p", "x", torch.tensor([1.0, 2.0]), 0.1)
    found = {"x": torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)}
    assert along(found, probe) == (2.0, pytest.approx(1.0))


def test_the_weighting_is_smooth_and_has_both_signs():
    weight = weighting(32)
    assert weight.shape == (32, 32)
    assert weight.max() > 0.5 and weight.min() < -0.3
    assert (weight[1:] - weight[:-1]).abs().max() < 0.2


@pytest.mark.parametrize(
    ("truth", "gradient", "verdict"),
    [
        ((10.0, 0.1), (10.1, 0.1), "agrees"),
        ((10.0, 0.1), (8.0, 0.1), "DIFFERS"),
        ((1.0, 0.1), (0.9, 0.0), "too noisy to tell"),
    ],
)
def test_the_verdict_of_a_comparison(truth, gradient, verdict):
    assert compared("p", truth, gradient, 0.0)["verdict"] == verdict


def test_targets():
    assert Target("t", 20.0, least=20).met
    assert not Target("t", 19.9, least=20).met
    assert Target("t", 1.0, 0.9, 1.1).met
    assert not Target("t", 1.2, 0.9, 1.1).met
    assert Target("t", 30.0, least=20, bound=True).met
    assert not Target("t", 1.0, most=2, bound=True).met


def test_a_report_prints_and_keeps(tmp_path):
    text = io.StringIO()
    report = Report("speed", tmp_path / "new", Console(file=text, width=100))
    report.table("Times", [{"loop": "ours", "ms": 12.3456789}, {"loop": "theirs", "ms": None}], "a note", "times")
    report.targets(Target("ratio", 21.0, least=20), Target("memory", 2.0, most=1))
    report.save()
    assert "12.35" in text.getvalue() and "a note" in text.getvalue() and "MISSED" in text.getvalue()
    kept = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert kept["times"][0] == {"loop": "ours", "ms": 12.3456789}
    assert [target["met"] for target in kept["targets"]] == [True, False]
    assert kept["machine"]["versions"]["mitsuba"]


def test_a_report_needs_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made"):
        Report("speed", tmp_path / "file" / "x", Console(file=io.StringIO()))


def test_the_picture_of_a_bank(tmp_path):
    panel = Panel("2 cycles: 0.97", *(torch.zeros(8, 8).numpy() for _ in range(3)))
    heads = ("best image", "stimulus", "render")
    draw_panels([panel] * 5, heads, tmp_path / "with.png", below=panel)
    draw_panels([panel] * 5, heads, tmp_path / "without.png")
    heights = [iio.imread(tmp_path / name).shape[0] for name in ("with.png", "without.png")]
    assert heights[0] > heights[1] > 300


@pytest.mark.parametrize("scene", [BUMPY, SIMPLE_CELL])
def test_the_scenes_are_valid(scene):
    load_config(scene)


def test_the_closed_form_of_bars_turns_with_them(tmp_path):
    write_bars(tmp_path / "bars.ply")
    template = file(tmp_path / "bars.ply")
    assert template.is_watertight and template.vertices.norm(dim=1).max() == pytest.approx(1)
    level, upright = seen_bars(0)[..., 0], seen_bars(90)[..., 0]
    assert (upright - level.rot90(1)).abs().max() < 1e-6  # counter-clockwise, as pose.rotation.z
    assert level[32].mean() > 0.3 and level[32, 32] == pytest.approx(0.81) and level[0, 0] == pytest.approx(0.1)
    crossings = (level[:, 32].sub(0.45).sign().diff() != 0).sum()
    assert crossings == 2 * 5


def test_the_closed_form_of_a_ball_is_brightest_where_it_faces_the_light():
    radius = 32 * math.tan(math.asin(1 / 5)) / math.tan(math.radians(17.5))  # of the outline, pixels
    for elevation in (0, 20, 40):
        image = seen_sphere(elevation)[..., 0]
        assert image.max() == pytest.approx(0.8 * 3 / math.pi, rel=2e-3)
        height = math.sin(math.radians(elevation)) / (5 - math.cos(math.radians(elevation)))
        expected = 31.5 - 32 * height / math.tan(math.radians(17.5))
        assert divmod(int(image.argmax()), 64)[0] == pytest.approx(expected, abs=1.5)
    assert int((image > 0).any(1).sum()) <= 2 * radius + 1
    assert seen_sphere(180).max() < 0.01 * seen_sphere(0).max()
