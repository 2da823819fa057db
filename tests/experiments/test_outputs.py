"""What inverse rendering, searches for metamers and for diverse scenes leave, small ones, and what refuses them."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import trimesh

from mitsuba_mei.cli.main import main
from mitsuba_mei.io.images import read_image
from mitsuba_mei.report.figures.style import DIVERGING
from mitsuba_mei.report.html.write import write_report

pytestmark = pytest.mark.slow

SCENE = """
shape:
  {{template: {{type: icosphere, subdivisions: 1}}, rbf: {{control_points: 20}}, random: {random}, free: [offsets]}}
lighting:
  - {{type: sun, direction: [0.6, 0.5, -1]}}
  - {{type: constant, radiance: 0.3}}
model: {{card: {{type: v4_curvature, input: {{size: 48, mean: 124.5, std: 70}}}}, neuron: 25}}
render: {{type: raster, resolution: 48}}
optimizer: {{steps: 3, warmup: 0}}
evaluate: {{spp: 8, repeats: 2}}
"""
SECOND = "{type: v4_curvature, input: {size: 48, mean: 9, std: 9}}"
OBJECTIVES = {
    "image": "{type: image, target: truth.yaml, views: [{azimuth: 0}, {azimuth: 90}]}",
    "metamer": "{type: metamer, reference: truth.yaml}",
    "diverse": "{type: diverse, count: 2}",
}


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> Path:
    """A folder with a run of each objective, and the scenes that they came from."""
    folder = tmp_path_factory.mktemp("unlike")
    (folder / "truth.yaml").write_text(SCENE.format(random="{size: 0.2, seed: 4}"))
    for kind, objective in OBJECTIVES.items():
        (folder / f"{kind}.yaml").write_text(f"objective: {objective}{SCENE.format(random='null')}")
        assert main([str(folder / f"{kind}.yaml"), "--out", str(folder / kind), "-q"]) == 0
    return folder


def stills(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "frames").iterdir())


def test_inverse_rendering_leaves_its_target_and_a_signed_difference(left, tmp_path):
    run = left / "image"
    result = json.loads((run / "result.json").read_text())
    target, render = (read_image(run / f"{name}.exr") for name in ("target", "render"))
    apart = (render - target).mean(-1)
    assert apart.shape == (48, 96)  # two views, side by side
    assert result["difference"]["reach"] == pytest.approx(np.abs(apart).max(), rel=1e-5)
    shown = iio.imread(run / "difference.png").astype(float)
    expected = 255 * np.asarray(DIVERGING(0.5 + 0.5 * apart / np.abs(apart).max()))[..., :3]
    assert np.abs(shown - expected).max() <= 2
    assert iio.imread(run / "target.png").shape == iio.imread(run / "initial_render.png").shape == (48, 96)
    assert stills(run) == [
        "final-difference.png",
        *(f"step-{step:05d}-{what}.png" for step in (1, 2, 3) for what in ("difference", "render")),
    ]
    grey = iio.imread(run / "frames/final-difference.png").astype(float)
    assert np.abs(grey - 127.5 * (1 + apart)).max() <= 1
    assert {"true_mesh.ply", "mesh.ply", "progress.mp4"} <= {path.name for path in run.iterdir()}
    true = trimesh.load(run / "true_mesh.ply", process=False)
    assert np.ptp(true.vertices) != pytest.approx(np.ptp(trimesh.load(run / "mesh.ply").vertices), rel=1e-3)


def test_a_metamer_lies_beside_its_reference(left):
    run = left / "metamer"
    for name in ("reference", "reference_stimulus", "render", "stimulus", "initial_render", "initial_stimulus"):
        assert iio.imread(run / f"{name}.png").shape == (48, 48)
    assert np.load(run / "stimulus.npy").shape == (1, 1, 48, 48)
    assert stills(run) == [f"step-{step:05d}-{what}.png" for step in (1, 2, 3) for what in ("render", "stimulus")]
    assert (run / "reference_mesh.ply").is_file()


def test_diverse_scenes_lie_side_by_side_at_first_on_the_way_and_at_last(left):
    run = left / "diverse"
    each = [iio.imread(run / f"scenes/{i}/stimulus.png") for i in range(2)]
    assert (iio.imread(run / "stimulus.png") == np.concatenate(each, axis=1)).all()
    for name in ("render", "initial_render", "initial_stimulus", *(Path("frames") / still for still in stills(run))):
        assert iio.imread((run / name).with_suffix(".png")).shape == (48, 96)
    assert len(stills(run)) == 6 and json.loads((run / "result.json").read_text())["neurons"] == [25]
    # What the first step began with is what the renders of the start show, without noise; but for the first scene,
    # which is displaced a little before it, and whose start is what the file says.
    shown = [iio.imread(run / name).astype(int) for name in ("frames/step-00001-render.png", "initial_render.png")]
    apart = np.abs(shown[0] - shown[1])
    assert apart[:, 48:].max() <= 1 < apart[:, :48].max()


def test_reports_take_them(left, tmp_path):
    text = write_report([left / kind for kind in OBJECTIVES], tmp_path / "all.html").read_text(encoding="utf-8")
    for part in (
        "Scene recovered from images",
        "etamer found for ",
        "diverse",
        "The mean surface distance is ",
        "scene 2",
    ):
        assert part in text


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("command", ["compare", "factors", "pixel", "evaluate"])
def test_what_needs_an_activation_refuses_them_in_a_sentence(left, tmp_path, capsys, command, kind):
    named = left / (kind if command == "evaluate" else f"{kind}.yaml")
    out = tmp_path / "out"
    assert main([command, str(named), "--out", str(out)]) == 2
    expected = f"error: {named}: {command} works with objective.type activation, discriminate, target or function, not '{kind}', "
    printed = capsys.readouterr()
    assert printed.err == f"{expected}whose result is no activation\n" and printed.out == ""
    assert not out.exists()


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("change", ["compare_to=pixel", f"model.validate={SECOND}"])
def test_what_would_be_ignored_is_refused(left, capsys, kind, change):
    assert main(["check", str(left / f"{kind}.yaml"), "--set", change]) == 2
    error = capsys.readouterr().err
    name = change.partition("=")[0]
    assert f"{name} goes with objective.type activation, discriminate, target or function, not '{kind}'" in error
    assert error.count("\n") == 1


def test_an_ordinary_run_is_not_evaluated_for_another_objective(left, tmp_path, capsys):
    assert main([str(left / "truth.yaml"), "--out", str(tmp_path / "run"), "-q"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--set", "objective={type: diverse}"]) == 2
    assert "evaluate works with objective.type" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run"), "--set", "objective={type: target, responses: [0.5]}"]) == 0
