"""Exports of a finished run, through the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import trimesh

from mitsuba_mei.cli.main import main

pytestmark = pytest.mark.slow

CARD = """
type: simple_cell
parameters: {frequency: 1.0, orientation: [0, 90], phase: [90, 270], sigma: 0.4}
input: {size: 32, channels: 1, mean: 124.5, std: 70}
"""
SCENE = """
shape: {template: {type: icosphere, subdivisions: 2}, rbf: {control_points: 16}}
model: {card: cell.yaml, neuron: 1}
stimulus: {norm: 10}
render: {type: raster, resolution: 32}
optimizer: {steps: 3, warmup: 0}
pixel: {steps: 5}
compare_to: pixel
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a run and a tuning of it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "cell.yaml").write_text(CARD)
    (folder / "scene.yaml").write_text(SCENE)
    assert main(["run", str(folder / "scene.yaml"), "--out", str(folder / "run"), "-q"]) == 0
    words = ["--over", "lighting.0.azimuth=0:90:3", "--over", "pose.scale=0.8:1:2", "--neurons", "all", "-q"]
    assert main(["tune", str(folder / "run"), *words]) == 0
    return folder


@pytest.fixture
def run(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made" / "run"


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "stimuli.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_stimulus_is_written_and_said_what_it_is(run, capsys):
    assert main(["export", str(run), "--for", "experiment"]) == 0
    out, printed = run / "export-001", capsys.readouterr().out
    assert "9 stimuli: stimulus, pixel MEI, initial stimulus, 6 variations" in printed
    assert "for a monitor that is not linear give --gamma" in printed and f"written to {out}" in printed
    rows, result = rows_of(out), json.loads((run / "result.json").read_text())
    assert [row["what"] for row in rows] == ["stimulus", "pixel MEI", "initial stimulus", *["variation"] * 6]
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 10)]
    final, initial = (result["activation"][when]["mean"] for when in ("final", "initial"))
    assert [float(row["activation"]) for row in rows[:3]] == pytest.approx(
        [final, result["pixel"]["activation"], initial], rel=1e-5
    )
    tuning = json.loads((run / "tuning-001" / "tuning.json").read_text())
    varied = rows[3 + 2 * 1 + 1]  # azimuth 45, scale 1
    assert varied["values"] == "lighting.0.azimuth=45;pose.scale=1" and varied["neurons"] == "0;1"
    expected = [neuron["mean"][1][1] for neuron in tuning["neurons"]]
    assert [float(value) for value in varied["activation"].split(";")] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert varied["source"] == "tuning-001/stimuli.npy" and varied["error"] == "0;0"
    assert {path.name for path in out.iterdir()} == {
        "stimuli.csv", *(f"{n:04d}.{kind}" for n in range(1, 10) for kind in ("png", "npy")),
    }  # fmt: skip


def test_as_the_neuron_saw_them_by_default(run):
    assert main(["export", str(run), "--for", "experiment"]) == 0
    out = run / "export-001"
    seen = 70 * np.load(run / "stimulus.npy")[0, 0] + 124.5
    first = np.load(out / "0001.npy", allow_pickle=False)
    np.testing.assert_allclose(first, seen.clip(0, 255) / 255, atol=1e-6)
    np.testing.assert_allclose(iio.imread(out / "0001.png"), 255 * first, atol=0.501)
    tuned = np.load(run / "tuning-001" / "stimuli.npy")
    np.testing.assert_allclose(np.load(out / "0009.npy"), tuned[2, 1].clip(0, 255) / 255, atol=1e-6)
    row = rows_of(out)[0]
    assert float(row["mean_luminance"]) == pytest.approx(first.mean(), rel=1e-4)
    assert float(row["rms_contrast"]) == pytest.approx(first.std(), rel=1e-4)
    assert row["gamma"].startswith("linear") and (row["width"], row["height"]) == ("32", "32")


def test_size_mean_contrast_and_gamma(run):
    words = ["--size", "80", "--mean", "0.4", "--contrast", "0.1", "--gamma", "2.2"]
    assert main(["export", str(run), "--for", "experiment", *words]) == 0
    out = run / "export-001"
    for row in rows_of(out):
        luminance, pixels = np.load(out / row["npy"]), iio.imread(out / row["png"])
        assert luminance.shape == pixels.shape == (80, 80) and pixels.dtype == np.uint8
        assert float(row["clipped_fraction"]) == 0
        assert (luminance.mean(), luminance.std()) == pytest.approx((0.4, 0.1), abs=1e-4)
        np.testing.assert_allclose((pixels / 255.0) ** 2.2, luminance, atol=0.0045)
        assert row["gamma"] == "exponent 2.2"


def test_what_is_clipped_is_said(run, capsys):
    assert main(["export", str(run), "--for", "experiment", "--contrast", "0.45"]) == 0
    assert "of them are clipped" in capsys.readouterr().out
    for row in rows_of(run / "export-001"):
        luminance = np.load(run / "export-001" / row["npy"])
        ends = float(((luminance == 0) | (luminance == 1)).mean())
        assert 0 < float(row["clipped_fraction"]) <= ends + 1e-5
        assert float(row["rms_contrast"]) == pytest.approx(luminance.std(), rel=1e-4)
        assert luminance.std() < 0.45


def test_points_that_were_not_rendered_are_left_out(run):
    stimuli = np.load(run / "tuning-001" / "stimuli.npy")
    stimuli[1:] = np.nan
    np.save(run / "tuning-001" / "stimuli.npy", stimuli)
    assert main(["export", str(run), "--for", "experiment"]) == 0
    assert len(rows_of(run / "export-001")) == 5


def test_the_scene_for_blender(run, capsys):
    assert main(["export", str(run), "--for", "blender"]) == 0
    printed = capsys.readouterr().out
    assert "they are in the scene's extras alone: lighting.1 (constant)" in printed
    data = (run / "export-001" / "scene.glb").read_bytes()
    gltf = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    said = json.loads((run / "result.json").read_text())["scene"]
    assert gltf["materials"][0]["extras"]["reflectance"] == pytest.approx(said["material"]["reflectance"])
    vertices = gltf["accessors"][gltf["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    ply = np.asarray(trimesh.load(run / "mesh.ply", process=False).vertices)
    assert vertices["count"] == len(ply) and vertices["max"] == pytest.approx(ply.max(0).tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--for monitor", "--for monitor: there is no such purpose; allowed: blender, experiment"),
        ("--for experiment --size 8", "--size 8: it must be 16 to 4096 pixels"),
        ("--for experiment --mean 1.2", "--mean 1.2: it must lie between 0, black, and 1, white"),
        ("--for experiment --contrast 0.6", "at most 0.5"),
        ("--for experiment --gamma 9", "--gamma 9: the exponent must be 0.2 to 5"),
        ("--for experiment --gamma none.csv", "neither an exponent"),
        ("--for blender --size 100", "--size is about stimuli; it goes with --for experiment"),
        ("", "Missing option '--for'"),
    ],
)
def test_what_cannot_be_exported_is_said(run, capsys, words, expected):
    assert main(["export", str(run), *words.split()]) == 2
    printed = capsys.readouterr()
    assert expected in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (run / "export-001").exists()


def test_what_is_no_finished_run_or_damaged_is_said(run, capsys):
    def refused(folder: Path, purpose: str = "experiment") -> str:
        assert main(["export", str(folder), "--for", purpose]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        return printed.err

    for purpose in ("experiment", "blender"):
        assert "is no run folder: there is no config.yaml in it" in refused(run.parent, purpose)
        assert "there is no folder" in refused(run / "nowhere", purpose)
    tuning = run / "tuning-001" / "tuning.json"
    said = tuning.read_text()
    for text in ("{", "[]", '{"over": []}', said.replace('"mean"', '"average"'), said.replace("45.0", '"x"', 1)):
        tuning.write_text(text)
        assert "tuning.json is damaged" in refused(run)
    tuning.write_text(said)
    (run / "tuning-001" / "stimuli.npy").write_bytes(b"\x93NUMPY")
    assert "stimuli.npy is damaged" in refused(run)
    np.save(run / "tuning-001" / "stimuli.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "stimuli.npy is damaged" in refused(run)
    shutil.rmtree(run / "tuning-001")
    np.save(run / "stimulus.npy", np.zeros((1, 1, 8, 8), np.float32))
    assert "stimulus.npy is damaged, or of another model" in refused(run)
    (run / "stimulus.npy").unlink()
    assert "there is no file" in refused(run)
    assert not (run / "export-001").exists()
