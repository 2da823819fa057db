"""What is left out of a picture is said by check, and at the start of a run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mitsuba_mei.cli.main import main
from mitsuba_mei.config.load import load_config
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.render.backend import prepare
from tests.io.pictures.written import write_exr

LIGHT = "lighting: [{type: environment, path: FILE}]\nrender: {type: raster, resolution: 100}\n"
TARGET = "objective: {type: image, target: FILE}\nrender: {type: raster, resolution: 100}\n"


@pytest.fixture(scope="module", autouse=True)
def mono():
    prepare("llvm_ad_mono", 1)


def pictures(folder, height: int, width: int) -> dict[str, str]:
    """Files, and what is to be said of each."""
    level = np.full((height, width), 0.5, np.float32)
    write_exr(folder / "ya.exr", {"Y": level, "A": 0.5 * level})
    write_exr(folder / "rgbz.exr", {name: level for name in "RGBZ"})
    specks = level.copy()
    specks[0, 0] = -1e-7
    write_exr(folder / "specks.exr", {"Y": specks})
    Image.new("LA", (width, height), (128, 100)).save(folder / "la.png")
    return {
        "ya.exr": "its alpha is below 1",
        "rgbz.exr": "its channels Z are left out",
        "specks.exr": "below 0, the least -1e-07; they are taken as 0",
        "la.png": "its transparency",
    }


@pytest.mark.parametrize("what", ["light", "target"])
def test_check_says_what_is_left_out_of_a_picture(tmp_path, capsys, what):
    scene = tmp_path / "scene.yaml"
    for name, said in pictures(tmp_path, *((16, 32) if what == "light" else (100, 100))).items():
        scene.write_text((LIGHT if what == "light" else TARGET).replace("FILE", name))
        assert main(["check", str(scene)]) == 0
        printed = capsys.readouterr()
        assert f"{scene} is fine" in printed.out
        assert name in printed.err and said in printed.err and printed.err.count(said) == 1


@pytest.mark.slow
def test_a_run_says_it_once(tmp_path):
    pictures(tmp_path, 16, 48)
    (tmp_path / "scene.yaml").write_text(LIGHT.replace("FILE", "rgbz.exr"))
    told: list[str] = []
    build_pipeline(load_config(tmp_path / "scene.yaml"), told.append)
    assert [note.partition("exr: ")[2][:23] for note in told] == ["its channels Z are left", "it has 48 x 16 pixels, "]
