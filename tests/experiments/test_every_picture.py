"""Every picture of every kind of run shows the array that it is said to show, in the scale that it states."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments import frames as course
from mitsuba_mei.experiments.reevaluate import FrozenEvaluator
from mitsuba_mei.io.images import read_image, to_srgb
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.scene.parameters import get_parameters, read_parameters
from tests.whole_runs import leave_out_run_pictures

pytestmark = pytest.mark.slow

MEAN, STD, SIZE = 120.0, 64.0, 32
CARD = f"{{type: complex_cell, parameters: {{frequency: 2}}, input: {{size: {SIZE}, mean: {MEAN}, std: {STD}}}}}"
SCENE = f"""
shape:
  {{template: {{type: icosphere, subdivisions: 2}}, rbf: {{control_points: 20}}, free: [offsets]}}
lighting:
  - {{type: sun, direction: [0.6, 0.5, -1], irradiance: 8, free: [direction]}}
  - {{type: constant, radiance: 0.3}}
pose: {{free: [rotation]}}
model: {{card: {CARD}}}
render: {{type: raster, resolution: {SIZE}}}
stimulus: {{norm: 15}}
optimizer: {{steps: 4, warmup: 0}}
evaluate: {{spp: 16, repeats: 2}}
pixel: {{steps: 6, restarts: 2}}
"""
OBJECTIVES = {
    "mei": "{type: activation}",
    "metamer": "{type: metamer, reference: truth.yaml}",
    "diverse": "{type: diverse, count: 2}",
    "image": "{type: image, target: truth.yaml}",
}
STATED = re.compile(r"grey levels (−?[\d.]+) to (−?[\d.]+) shown as black to white")


@dataclass
class Drawn:
    """A figure as it was saved: its texts, and the pixels of each image in it, read from the file."""

    texts: list[str]
    panels: list[tuple[str, np.ndarray, tuple[float, float] | None]]

    @property
    def scale(self) -> tuple[float, float]:
        (stated,) = {match.groups() for text in self.texts for match in STATED.finditer(" ".join(text.split()))}
        low, high = (float(each.replace("−", "-")) for each in stated)
        return low, high

    @property
    def exposure(self) -> float:
        found = [match[1] for text in self.texts if (match := re.search(r"exposure ([\d.]+)", text))]
        return float(found[0]) if found else 1.0

    def titled(self, title: str) -> list[np.ndarray]:
        return [pixels for name, pixels, _ in self.panels if re.fullmatch(title, name)]

    def shows_stimulus(self, panel: np.ndarray, grey: np.ndarray) -> None:
        low, high = self.scale
        assert low <= grey.min() and grey.max() <= high
        assert np.abs(panel[..., 0] - 255 * (grey - low) / (high - low)).max() <= 1

    def shows_render(self, panel: np.ndarray, radiance: np.ndarray) -> None:
        # The exposure is stated with two digits.
        assert np.abs(panel[..., 0] - to_srgb(self.exposure * radiance).astype(float)).max() <= 5


DRAWN: dict[Path, Drawn] = {}
CAPTIONS: dict[Path, tuple[str, str]] = {}


def read_panels(figure: Figure, path: Path) -> Drawn:
    pixels = iio.imread(path)[..., :3].astype(float)
    panels = []
    for axes in figure.axes:
        for image in axes.get_images():
            h, w = image.get_array().shape[:2]
            box = image.get_window_extent()
            x = box.x0 + (np.arange(w) + 0.5) * box.width / w
            y = len(pixels) - box.y1 + (np.arange(h) + 0.5) * box.height / h
            limits = (image.norm.vmin, image.norm.vmax)
            panels.append((axes.get_title(), pixels[np.ix_(y.astype(int), x.astype(int))], limits))
    return Drawn([text.get_text() for text in figure.findobj(Text)], panels)


@pytest.fixture(scope="module")
def watched() -> Iterator[None]:
    """Figures and videos are looked at as they are written."""
    save, video = Figure.savefig, course.write_video

    def saved(figure, path, **more):
        save(figure, path, **more)
        DRAWN[Path(path).with_name(Path(path).name.removeprefix(".").replace(".part", ""))] = read_panels(figure, path)

    def filmed(path, frames, captions, **more):
        video(path, frames, captions, **more)
        CAPTIONS[Path(path).parent] = captions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        patch.setattr(course, "write_video", filmed)
        yield
    DRAWN.clear()
    CAPTIONS.clear()


@pytest.fixture(scope="module")
def made(tmp_path_factory, watched) -> Path:
    """A folder with a run of every objective, a pixel MEI, a tuning and an evaluation."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "truth.yaml").write_text(SCENE.replace("free: [offsets]", "random: {size: 0.2, seed: 4}", 1))
    for kind, objective in OBJECTIVES.items():
        (folder / f"{kind}.yaml").write_text(f"objective: {objective}{SCENE}")
        more = ["--set", "compare_to=pixel"] * (kind == "mei")
        assert main([str(folder / f"{kind}.yaml"), "--out", str(folder / kind), "-q", *more]) == 0
    done(folder, "pixel", "mei.yaml")
    done(folder, "tune", "mei", "--over", "pose.rotation.z=0:90:5")
    done(folder, "evaluate", "mei")
    return folder


def done(folder: Path, command: str, subject: str, *options: str) -> None:
    assert main([command, str(folder / subject), "--out", str(folder / command), *options]) == 0


@pytest.fixture(scope="module")
def contested(made) -> Path:
    """The same folder with a comparison and a game of factors; the pictures of their runs are those of any run."""
    short = ["--set", "optimizer.steps=2"]
    with pytest.MonkeyPatch.context() as patch:
        leave_out_run_pictures(patch)
        done(made, "compare", "mei.yaml", *short)
        done(made, "factors", "mei.yaml", "--starts", "2", *short)
    return made


def grey_of(path: Path) -> np.ndarray:
    """The grey levels of what a file holds that the neuron saw."""
    return np.load(path)[0, 0] * STD + MEAN


def png(path: Path) -> np.ndarray:
    return iio.imread(path).astype(float)


def true_levels(grey: np.ndarray) -> np.ndarray:
    return np.clip(grey, 0, 255)


def scene_of(run: Path, parameters: str) -> tuple[np.ndarray, np.ndarray]:
    """The render (H, W, 1) and the grey levels of a scene of a run, made anew."""
    config = load_config(run / "config.yaml")
    config = config.model_copy(update={"objective": load_config(run.parent / "mei.yaml").objective})
    evaluator = FrozenEvaluator(build_pipeline(config.with_nothing_free()), config.evaluate)
    estimate = evaluator(read_parameters(run / parameters, get_parameters(evaluator.pipeline.scene)), config.seed)
    with torch.no_grad():
        seen = evaluator.pipeline.observer.stimulus(estimate.image)
    return estimate.image.numpy(), seen[0, 0].numpy() * STD + MEAN


def rendered(path: Path) -> np.ndarray:
    """An EXR file's radiance (H, W, 1)."""
    return read_image(path)[..., :1]


def check_end(run: Path, exposure: float) -> None:
    assert np.abs(png(run / "stimulus.png") - true_levels(grey_of(run / "stimulus.npy"))).max() <= 0.51
    shown = to_srgb(exposure * rendered(run / "render.exr")).astype(float)
    assert np.abs(png(run / "render.png") - shown).max() <= 1


def check_steps(run: Path, scenes: int = 1) -> None:
    """A fixed norm and mean leave of a render all but its brightness and contrast."""
    for step in (1, 2, 3, 4):
        shown, seen = (png(run / f"frames/step-{step:05d}-{what}.png") for what in ("render", "stimulus"))
        for render, stimulus in zip(np.split(shown, scenes, axis=1), np.split(seen, scenes, axis=1)):
            unclipped = (render < 255) & (0 < stimulus) & (stimulus < 255)
            radiance = ((render[unclipped] / 255 + 0.055) / 1.055) ** 2.4
            assert unclipped.mean() > 0.9 and np.corrcoef(radiance, stimulus[unclipped])[0, 1] > 0.999


# ------------------------------------------------------------------------------------------ pictures by themselves


@pytest.mark.parametrize("kind", ["mei", "metamer"])
def test_stimulus_and_render_are_what_their_names_say(made, kind):
    run = made / kind
    exposure = json.loads((run / "result.json").read_text())["exposure"]
    assert exposure < 0.9  # the sun is bright
    check_end(run, exposure)
    render, grey = scene_of(run, "initial_parameters.npz")
    assert np.abs(png(run / "initial_stimulus.png") - true_levels(grey)).max() <= 1
    assert np.abs(png(run / "initial_render.png") - to_srgb(exposure * render)).max() <= 1
    check_steps(run)


def test_what_belongs_to_a_run_is_what_its_name_says(made):
    for name in ("mei/pixel_stimulus", "pixel/stimulus"):
        assert np.abs(png(made / f"{name}.png") - true_levels(grey_of(made / f"{name}.npy"))).max() <= 0.51
    exposure = json.loads((made / "metamer/result.json").read_text())["exposure"]
    reference, grey = scene_of_truth(made)
    assert np.abs(rendered(made / "metamer/reference.exr") - reference).max() < 1e-3
    assert np.abs(png(made / "metamer/reference.png") - to_srgb(exposure * reference)).max() <= 1
    assert np.abs(png(made / "metamer/reference_stimulus.png") - true_levels(grey)).max() <= 1


def scene_of_truth(made: Path) -> tuple[np.ndarray, np.ndarray]:
    truth = load_config(made / "truth.yaml")
    evaluator = FrozenEvaluator(build_pipeline(truth.with_nothing_free()), truth.evaluate)
    with torch.no_grad():
        image = evaluator.pipeline.render(0)
        return image.numpy(), evaluator.pipeline.observer.stimulus(image)[0, 0].numpy() * STD + MEAN


def test_diverse_scenes_are_what_their_names_say(made):
    run = made / "diverse"
    exposure = json.loads((run / "result.json").read_text())["exposure"]
    for scene in ("scenes/0", "scenes/1"):
        check_end(run / scene, exposure)
    both = [grey_of(run / f"scenes/{i}/stimulus.npy") for i in range(2)]
    assert np.abs(png(run / "stimulus.png") - true_levels(np.concatenate(both, axis=1))).max() <= 0.51
    renders = np.concatenate([rendered(run / f"scenes/{i}/render.exr") for i in range(2)], axis=1)
    assert np.abs(png(run / "render.png") - to_srgb(exposure * renders)).max() <= 1
    check_steps(run, scenes=2)


def test_an_image_run_shows_differences_and_calls_them_so(made):
    run = made / "image"
    result = json.loads((run / "result.json").read_text())
    target, render = rendered(run / "target.exr"), rendered(run / "render.exr")
    for name, image in (("target", target), ("render", render)):
        assert np.abs(png(run / f"{name}.png") - to_srgb(result["exposure"] * image)).max() <= 1
    difference = (render - target)[..., 0]
    assert np.abs(png(run / "frames/final-difference.png") - np.clip(127.5 * (1 + difference), 0, 255)).max() <= 1
    coloured = png(run / "difference.png")
    darker, brighter = (difference * sign > 0.2 * result["difference"]["reach"] for sign in (-1, 1))
    assert darker.any() and (coloured[darker, 2] > coloured[darker, 0]).all()
    assert brighter.any() and (coloured[brighter, 0] > coloured[brighter, 2]).all()
    assert not [path for path in run.rglob("*stimulus*")]


# ----------------------------------------------------------------------------------------------------------- video


@pytest.mark.parametrize("kind", ["mei", "metamer", "diverse"])
def test_a_video_has_one_grey_scale_which_it_states(made, read_video, kind):
    run = made / kind
    left, right = CAPTIONS[run]
    low, high = (float(each.replace("−", "-")) for each in STATED.search(right).groups())
    assert right.startswith("stimulus") and re.fullmatch(r"render at exposure 0\.\d+", left)
    across = 2 if kind == "diverse" else 1
    video = read_video(run / "progress.mp4", 352, 640 * across).astype(float)
    pixels = slice(5, 320, 10)  # the middle of each pixel of 32
    seen = video[:, :320, 320 * across :, 0][:, pixels, 5::10]
    # Steps, and six times the end.
    assert len(video) == 4 + 6 and (video[:, 320:] < 120).any(axis=(1, 2, 3)).all()
    for frame, name in ((0, "frames/step-00001-stimulus"), (-1, "stimulus")):
        grey = png(run / f"{name}.png")
        inside = (grey > 0) & (grey < 255)  # elsewhere the file is clipped, and the video is not
        assert inside.mean() > 0.9
        assert np.abs(seen[frame] - 255 * (grey - low) / (high - low))[inside].mean() < 3


def test_a_video_of_differences_has_one_scale_which_it_states(made, read_video):
    run = made / "image"
    (reach,) = {abs(float(each)) for each in re.findall(r"(?:blue −|orange )([\d.]+)", CAPTIONS[run][1])}
    assert CAPTIONS[run][1].startswith("render − target")
    video = read_video(run / "progress.mp4", 352, 640).astype(float)
    end = video[-1, 5:320:10, 325::10]
    difference = (rendered(run / "render.exr") - rendered(run / "target.exr"))[..., 0] / reach
    assert np.abs(difference).max() < 1.05
    assert np.corrcoef((end[..., 0] - end[..., 2]).ravel(), difference.ravel())[0, 1] > 0.97
    assert end[np.abs(difference) < 0.01].mean() > 245


# --------------------------------------------------------------------------------------------------------- figures


def test_the_summary_of_a_mei(made):
    drawn, run = DRAWN[made / "mei/summary.png"], made / "mei"
    (seen,), (pixel,) = drawn.titled("stimulus, final"), drawn.titled("stimulus, pixel MEI")
    drawn.shows_stimulus(seen, grey_of(run / "stimulus.npy"))
    drawn.shows_stimulus(pixel, grey_of(run / "pixel_stimulus.npy"))
    render, grey = scene_of(run, "initial_parameters.npz")
    drawn.shows_stimulus(drawn.titled("stimulus, initial")[0], grey)
    drawn.shows_render(drawn.titled("render, initial")[0], render)
    drawn.shows_render(drawn.titled("render, final")[0], rendered(run / "render.exr"))


def test_the_summary_of_a_pixel_mei(made):
    drawn = DRAWN[made / "pixel/summary.png"]
    first = next(pixels for title, pixels, _ in drawn.panels if title.startswith("start"))
    assert len(drawn.titled("start .*")) == 2
    drawn.shows_stimulus(first, grey_of(made / "pixel/stimulus.npy"))


def test_the_summary_of_a_metamer(made):
    drawn, run = DRAWN[made / "metamer/summary.png"], made / "metamer"
    assert not json.loads((run / "result.json").read_text())["metamer"]["found"]  # so that it is not called one
    drawn.shows_stimulus(drawn.titled("nearest scene, stimulus")[0], grey_of(run / "stimulus.npy"))
    drawn.shows_render(drawn.titled("nearest scene, render")[0], rendered(run / "render.exr"))
    reference, grey = scene_of_truth(made)
    drawn.shows_stimulus(drawn.titled("reference, stimulus")[0], grey)
    drawn.shows_render(drawn.titled("reference, render")[0], reference)


def test_the_summary_of_diverse_scenes(made):
    drawn = DRAWN[made / "diverse/summary.png"]
    for i, (render, seen) in enumerate(zip(drawn.titled(r"scene \d\n.*"), drawn.titled("stimulus"), strict=True)):
        drawn.shows_stimulus(seen, grey_of(made / f"diverse/scenes/{i}/stimulus.npy"))
        drawn.shows_render(render, rendered(made / f"diverse/scenes/{i}/render.exr"))


def test_the_summary_of_an_image_run(made):
    drawn, run = DRAWN[made / "image/summary.png"], made / "image"
    target, render = rendered(run / "target.exr"), rendered(run / "render.exr")
    drawn.shows_render(drawn.titled("target")[0], target)
    drawn.shows_render(drawn.titled("final")[0], render)
    ((_, pixels, limits),) = (panel for panel in drawn.panels if panel[0] == "final − target")
    check_difference(pixels, (render - target)[..., 0], limits)


def check_difference(pixels: np.ndarray, difference: np.ndarray, limits: tuple[float, float]) -> None:
    assert limits[0] == -limits[1]
    from mitsuba_mei.report.figures.style import DIVERGING

    expected = 255 * np.asarray(DIVERGING(0.5 + 0.5 * difference / limits[1]))[..., :3]
    assert np.abs(pixels - expected).max() <= 3


def test_the_figure_of_a_comparison(contested):
    (path,) = (path for path in DRAWN if path.name == "comparison.png" and path.parent.parent == contested / "compare")
    drawn, runs = DRAWN[path], [path.parent / renderer for renderer in ("path", "raster")]
    traced, shaded = drawn.titled("path traced"), drawn.titled("rasterized")
    drawn.shows_render(traced[0], rendered(runs[0] / "render.exr"))
    drawn.shows_render(shaded[1], rendered(runs[1] / "render.exr"))
    drawn.shows_stimulus(drawn.titled("stimulus, path traced")[0], grey_of(runs[0] / "stimulus.npy"))
    drawn.shows_stimulus(drawn.titled("pixel MEI: .*")[0], grey_of(runs[0] / "pixel_stimulus.npy"))
    differences = [panel for panel in drawn.panels if panel[0] == "path traced − rasterized"]
    for (_, pixels, limits), first, second in zip(differences, traced, shaded, strict=True):
        assert limits[0] == -limits[1]
        brighter = (first - second)[..., 0] > 40
        assert (pixels[brighter, 0] > pixels[brighter, 2]).all()


def test_the_figure_of_the_factors(contested):
    (path,) = (path for path in DRAWN if path.name == "factors.png" and path.parent.parent == contested / "factors")
    drawn, figures = DRAWN[path], json.loads((path.parent / "factors.json").read_text())
    start = figures["shown_start"]
    ends = [trial["activation"]["mean"] for trial in figures["trials"]["all"]]
    assert start == int(np.argmax(ends)) and any(f"start {start + 1} in every column" in text for text in drawn.texts)
    assert any("nothing free:" in text for text in drawn.texts)
    low, high = drawn.scale
    stimuli = drawn.panels[1::2]
    assert len(stimuli) == 8
    for name, (_, pixels, _) in zip(("shape", "pose", "light"), stimuli[1:4]):
        grey = png(path.parent / name / f"restarts/{start}/stimulus.png")  # of what that very start ended with
        inside = (grey > 0) & (grey < 255)
        assert np.abs(pixels[..., 0] - 255 * (grey - low) / (high - low))[inside].max() <= 2
    drawn.shows_stimulus(stimuli[-1][1], grey_of(path.parent / "all/stimulus.npy"))


def test_the_figure_of_a_tuning(made):
    drawn = DRAWN[made / "tune/tuning.png"]
    (sheet,) = drawn.titled(r"stimuli \(.*\)")
    stimuli = np.load(made / "tune/stimuli.npy")
    assert len(stimuli) == 5
    low, high = drawn.scale
    step = (sheet.shape[1] - SIZE) / 4
    for i, grey in enumerate(stimuli):
        shown = sheet[:, round(i * step) :][:, :SIZE, 0]
        assert np.abs(shown - 255 * (grey - low) / (high - low)).max() <= 2


def test_the_figure_of_an_evaluation(made):
    (path,) = (path for path in DRAWN if path.parent == made / "evaluate")
    drawn = DRAWN[path]
    first, last = drawn.titled("stimulus, rasterized")
    drawn.shows_stimulus(last, grey_of(made / "mei/stimulus.npy"))
    drawn.shows_stimulus(first, scene_of(made / "mei", "initial_parameters.npz")[1])
    drawn.shows_render(drawn.titled("rasterized")[1], rendered(made / "mei/render.exr"))


def test_the_users_style_is_put_back(contested):
    assert len(DRAWN) >= 10 and matplotlib.rcParams["image.origin"] == "upper"
