"""The pictures of comparisons hold what they are to show."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.figures.comparison import (
    MEI,
    ComparedMEIs,
    EvaluatedView,
    write_comparison,
    write_evaluation,
    write_overview,
)
from mitsuba_mei.runs.results import ComparedNeuron, ComparisonResult, EvaluationResult

pytestmark = pytest.mark.slow


def picture(level: float, channels: int = 1) -> np.ndarray:
    image = np.full((20, 20, channels), 0.2, np.float32)
    image[5:15, 5:15] = level
    return image


def compared(
    gain: float | None = 0.05, pixel: bool = True, label: str = "neuron 3", own: float = 1.0
) -> ComparedNeuron:
    values = {"path": {"path": own, "raster": 0.9}, "raster": {"path": 0.95, "raster": 0.97}}
    table = {made: {shown: {"mean": v, "sem": 0.01} for shown, v in row.items()} for made, row in values.items()}
    nothing = {made: dict.fromkeys(row) for made, row in values.items()}
    said = {
        "label": label,
        "model": "V4",
        "neurons": [3],
        "initial": {"path": {"mean": 0.3, "sem": 0.01}, "raster": {"mean": 0.31, "sem": 0.0}},
        "activation": table,
        "ratio_to_pixel": table if pixel else nothing,
        "pixel": 1.0 if pixel else None,
        "gain": {"path": None if gain is None else {"mean": gain, "sem": 0.01}, "raster": {"mean": 0.02, "sem": 0.0}},
    }
    return ComparedNeuron.model_validate(said)


def overview(neurons: list[ComparedNeuron], gain: dict) -> ComparisonResult:
    statistics = {"neurons": len(neurons), "gain": gain}
    return ComparisonResult.model_validate({"neurons": neurons, "statistics": statistics})


def ink(pixels: np.ndarray) -> float:
    return (pixels < 200).any(axis=2).mean()


@pytest.mark.parametrize(("channels", "pixel"), [(1, True), (3, False)])
def test_the_picture_of_a_neuron_shows_every_part(tmp_path, channels, pixel):
    renders = {"path": picture(0.9, channels), "raster": picture(0.4, channels)}
    grey = np.linspace(0, 255, 400).reshape(20, 20)
    mei = MEI(renders, grey, picture(1.0, channels))
    contest = ComparedMEIs("V4, neuron 3", {"path": mei, "raster": mei}, grey if pixel else None, compared(pixel=pixel))
    write_comparison(tmp_path / "comparison.png", contest)
    pixels = iio.imread(tmp_path / "comparison.png")[..., :3]
    height, width = pixels.shape[:2]
    assert ink(pixels[: height // 2, : width // 2]) > 0.1 and ink(pixels[height // 2 :, : width // 2]) > 0.1
    assert ink(pixels[height // 2 :, 3 * width // 4 :]) > 0.01
    # Where the path-traced render is brighter, the difference is orange.
    orange = (pixels[..., 0] > 190) & (pixels[..., 1] < 130) & (pixels[..., 2] < 60)
    assert orange.mean() > 0.005


def interval(median: float, n: int) -> dict:
    return {"median": median, "low": None if n < 6 else median - 0.01, "high": None if n < 6 else median + 0.01, "n": n}


@pytest.mark.parametrize("pixel", [True, False])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_all_neurons_are_in_one_picture(tmp_path, count, pixel):
    every = [compared(gain, pixel, f"neuron {i}") for i, gain in enumerate(np.linspace(-0.05, 0.1, count))]
    gains = {"path": interval(0.02, count), "raster": interval(0.02, count)}
    write_overview(tmp_path / "all.png", overview(every, gains))
    assert ink(iio.imread(tmp_path / "all.png")[..., :3]) > 0.005


def test_what_has_no_gain_is_no_obstacle(tmp_path):
    every = [compared(None, False, "neuron 3", own=-1.0), compared(0.1, False, "neuron 4")]
    write_overview(tmp_path / "all.png", overview(every, {"path": None, "raster": interval(0.02, 2)}))
    assert (tmp_path / "all.png").stat().st_size > 10_000


@pytest.mark.parametrize("renderers", [("path",), ("raster",), ("path", "raster")])
def test_an_evaluation_shows_both_scenes_by_every_renderer(tmp_path, renderers):
    grey = np.linspace(0, 255, 400).reshape(20, 20)
    views = {when: {name: EvaluatedView(picture(0.9), grey) for name in renderers} for when in ("initial", "final")}
    said = {"activation": {"initial": {"mean": 0.1, "sem": 0.0}, "final": {"mean": 0.2, "sem": 0.01}}}
    write_evaluation(tmp_path / "evaluation.png", "run", views, EvaluationResult.model_validate(said))
    pixels = iio.imread(tmp_path / "evaluation.png")[..., :3]
    assert (pixels.shape[1] > 1200) == (len(renderers) == 2)
    assert ink(pixels) > 0.1
