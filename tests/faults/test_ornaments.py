"""Whatever hinders a picture, a video or the object for viewers, a finished run is kept, and it is said."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.experiments import (
    compare as contest,
)
from mitsuba_mei.experiments import (
    factors,
)
from mitsuba_mei.experiments import (
    factors as factor_game,
)
from mitsuba_mei.experiments import (
    pixel as pixel_mei,
)
from mitsuba_mei.experiments import (
    reevaluate as evaluate_run,
)
from mitsuba_mei.experiments import (
    tune as tuning_leavings,
)
from mitsuba_mei.runs import folder as run_folder
from tests.faults.runs import SCENE

pytestmark = pytest.mark.slow

DATA = {"config.yaml", "metrics.csv", "result.json", "stimulus.npy", "render.exr", "mesh.ply", "parameters.npz"}
ORNAMENTS = ["stimulus.png", "initial_render.png", "mesh.glb", "summary.png", "progress.mp4"]


@pytest.fixture
def short(tmp_path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(re.sub(r"steps: \d+", "steps: 3", SCENE))
    return path


@pytest.fixture
def hindered(monkeypatch):
    """Lets no file of a name be written."""

    def hinder(name: str, error: Exception) -> None:
        whole = run_folder.write_whole

        def broken(target, writer, *others):
            if target.name == name:
                raise error
            return whole(target, writer, *others)

        monkeypatch.setattr(run_folder, "write_whole", broken)

    return hinder


@pytest.mark.parametrize("name", ORNAMENTS)
def test_a_full_disk_costs_a_picture_and_resume_writes_it(short, tmp_path, capsys, monkeypatch, hindered, name):
    hindered(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    folder = tmp_path / "run"
    assert main([str(short), "--out", str(folder), "-q"]) == 0
    said = capsys.readouterr().out
    assert f"not written: {name} (No space left on device)" in said and f"'resume {folder}' writes what" in said
    assert json.loads((folder / "result.json").read_text())["not_written"] == [f"{name} (No space left on device)"]
    left = {path.name for path in folder.iterdir()}
    assert DATA <= left and {*ORNAMENTS} - left == {name}
    first = json.loads((folder / "result.json").read_text())["activation"]["final"]
    monkeypatch.undo()
    assert main(["resume", str(folder), "-q"]) == 0
    assert (folder / name).is_file() and not (folder / "checkpoint").exists()
    assert json.loads((folder / "result.json").read_text())["activation"]["final"] == first
    capsys.readouterr()
    assert main(["resume", str(folder), "-q"]) == 2 and "come to its end" in capsys.readouterr().err


def test_what_a_library_says_stands_behind_our_own_words(short, tmp_path, capsys, hindered):
    hindered("summary.png", ZeroDivisionError("deep in there\nand more"))
    assert main([str(short), "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "not written: summary.png (it could not be made (ZeroDivisionError: deep in there))" in said


def test_many_pictures_are_told_of_in_one_sentence(tmp_path):
    folder, told = run_folder.RunFolder(tmp_path / "run"), []

    def full(path):
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for number in range(9):
        folder.adorn(f"{number}.png", full)
    folder.adorn("other.png", lambda path: path.write_bytes(b"all of it"))
    folder.tell_missing(told.append)
    assert told == ["not written: 0.png, 1.png, 2.png, 3.png and 5 more (No space left on device)"]
    assert not folder.missing()
    assert [path.name for path in folder.path.iterdir()] == ["other.png"]  # and no half of any


@pytest.mark.parametrize("broken", ["gone", "fails", "dies"])
def test_without_ffmpeg_everything_but_the_video_is_written(short, tmp_path, capsys, monkeypatch, broken):
    program = tmp_path / "ffmpeg"
    if broken != "gone":
        version = "echo ffmpeg version 6.0; exit 0" if broken == "dies" else "exit 1"
        program.write_text(f"#!/bin/sh\n[ $# = 1 ] && {{ {version}; }}\nexit 1\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    folder = tmp_path / "run"
    assert main([str(short), "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "not written: progress.mp4 (ffmpeg" in said and "Traceback" not in said
    assert ("IMAGEIO_FFMPEG_EXE" in said) == (broken != "dies")
    left = {path.name for path in folder.iterdir()}
    assert DATA | {*ORNAMENTS} - {"progress.mp4"} <= left and not [name for name in left if ".part" in name]


# ---------------------------------------------------------------------------------------- every kind of experiment


def never(*arguments, **more):
    raise ValueError("it cannot be drawn")


@pytest.mark.parametrize(
    ("words", "module", "drawing", "picture", "result"),
    [
        (("pixel",), pixel_mei, "write_pixel_summary", "summary.png", "result.json"),
        (("compare",), contest, "write_comparison", "*/comparison.png", "comparison.json"),
        (("factors", "--starts", "1"), factor_game, "write_factors", "*/factors.png", "factors.json"),
        (("factors", "--starts", "1"), factors, "write_factors", "factors.png", "factors.json"),
        (("tune", "--over", "pose.rotation.z=0:90:3"), tuning_leavings, "write_tuning", "tuning.png", "tuning.json"),
    ],
)
def test_no_figure_ends_its_experiment(
    short, tmp_path, capsys, monkeypatch, without_run_pictures, words, module, drawing, picture, result
):
    monkeypatch.setattr(module, drawing, never)
    small = ["--set", "pixel={steps: 2, restarts: 1}", "--set", "render={type: raster, resolution: 32}"]
    small += ["--set", "optimizer.steps=1", "--set", "evaluate={spp: 2, repeats: 2}"]
    command, *options = words
    assert main([command, str(short), "--out", str(tmp_path / "out"), *options, *small]) == 0
    printed = capsys.readouterr()
    said = " ".join(f"{printed.out} {printed.err}".split())
    name = picture.rpartition("/")[2]
    assert f"not written: {name} (it could not be made (ValueError: it cannot be drawn))" in said
    assert (tmp_path / "out" / result).is_file() and not [*(tmp_path / "out").glob(picture)]


def test_no_figure_ends_an_evaluation(short, tmp_path, capsys, monkeypatch, without_run_pictures):
    assert main([str(short), "--out", str(tmp_path / "run"), "-q"]) == 0
    monkeypatch.setattr(evaluate_run, "write_evaluation", never)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert "not written: evaluation-raster.png (it could not be made" in capsys.readouterr().err
    assert (tmp_path / "run" / "evaluation-raster.json").is_file()


# --------------------------------------------------------------------------------------------- the user's settings

STYLE = """
image.origin: lower
image.cmap: hot
text.color: white
axes.labelcolor: white
axes.titlesize: 40
figure.facecolor: black
savefig.dpi: 30
savefig.bbox: tight
font.family: no such font
text.usetex: True
"""


def summary_by(folder: Path, environment: dict[str, str]) -> np.ndarray:
    """The summary that another process draws in a folder, and under an environment; nothing is said."""
    code = (
        "import numpy as np; from pathlib import Path; from mitsuba_mei.report.figures.run import Summary, write_summary;"
        "x = np.linspace(0, 1, 16)[:, None] * np.ones((1, 16)); r = x[..., None];"
        "write_summary(Path('s.png'), Summary('title', {'a': r}, {'a': 255 * x}, [r] * 3, {'activation': [1, 2]},"
        " 'activation', (1, 0), (2, 0), None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return iio.imread(folder / "s.png")


def test_pictures_do_not_depend_on_the_users_matplotlib(tmp_path):
    found = []
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    for name, text, environment in (
        ("plain", None, {}),
        ("styled", STYLE.encode(), inline),
        ("unreadable", b"\xff\xfe\0", {"MPLBACKEND": "no such thing"}),
    ):
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "matplotlibrc").write_bytes(text)
        found.append(summary_by(tmp_path / name, environment))
    assert found[0].std() > 20
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_a_style_that_is_in_use_is_left_alone(tmp_path):
    import matplotlib

    from mitsuba_mei.report.figures.style import drawn, show

    ramp = (np.arange(64, dtype=np.uint8) * 4).reshape(8, 8)

    def picture(name: str) -> np.ndarray:
        with drawn(tmp_path / name, 2, 2) as figure:
            show(figure.subplots(), ramp, "up")
        return iio.imread(tmp_path / name)

    plain = picture("plain.png")
    with matplotlib.rc_context({"image.origin": "lower", "text.color": "white", "savefig.dpi": 30}):
        np.testing.assert_array_equal(picture("styled.png"), plain)
        assert matplotlib.rcParams["image.origin"] == "lower"


def test_one_module_alone_imports_matplotlib(root):
    importing = {
        str(path.relative_to(root / "mitsuba_mei"))
        for path in (root / "mitsuba_mei").rglob("*.py")
        if re.search(r"^\s*(from|import) matplotlib", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importing == {"report/figures/style.py"}
