"""Run folders read: whole, incomplete, damaged, newer."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html.files import Figure
from mitsuba_mei.report.html.page import page_of
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import SAID, read_run_folder
from tests.html_report.run_folders import RESULT, bumpy, result_with, write_pixel_run, write_run, write_tuning


def read(folder):
    return read_run_folder(Place(folder, folder.name))


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Reads a run whose ``result.json`` says something else."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "run", frames=0)

    def read_with(result):
        (folder / "result.json").write_text(json.dumps(result))
        return read(folder)

    return read_with


def test_a_whole_run_is_read(tmp_path):
    folder = write_run(tmp_path / "run")
    write_tuning(folder)
    run = read(folder)
    assert (run.kind, run.model, run.neurons, run.objective) == ("3d", "a model", (7,), "activation")
    assert (run.initial, run.final) == (Figure(1.5, 0.02), Figure(20.0, 0.125))
    assert (run.optimum, run.fraction, run.pixel, run.ratio) == (25.0, 0.8, 22.22, Figure(0.9, 0.005))
    assert (run.validation.model, run.validation.final, run.validation.pixel) == (
        "second model",
        Figure(11.0, 0.2),
        10.0,
    )
    assert [(start.number, start.final.mean, start.kept) for start in run.starts] == [(1, 18, False), (2, 20, True)]
    assert [frame.label for frame in run.frames] == [
        "step 1",
        "step 9",
        "step 17",
        "step 25",
        "final, converged render",
    ]
    assert run.metrics["activation"][-1] == pytest.approx(1 + 25 * 0.7)
    assert [tuning.folder for tuning in run.tunings] == ["tuning-azimuth"]
    assert run.view.side == pytest.approx(np.ptp(bumpy().vertices, axis=0).max())
    assert (run.seed, run.steps, run.quality.watertight) == (3, 50, True)


def test_a_pixel_mei_has_no_object(tmp_path):
    run = read(write_pixel_run(tmp_path / "pixel"))
    assert (run.kind, run.solids, run.quality, run.initial) == ("pixel", (), None, None)
    assert run.final == Figure(22.22) and run.validation.final == Figure(10.0)
    assert [start.kept for start in run.starts] == [False, True]
    assert "22.22" in page_of([run])


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(SAID - {"activation"}))
@pytest.mark.parametrize("how", ["missing", "null"])
def test_no_key_but_the_activation_is_needed(changed, key, how):
    result = result_with()
    result.pop(key, None) if how == "missing" else result.update({key: None})
    assert "20 (render s.e. 0.12)" in page_of([changed(result)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(RESULT)), JSON)
def test_whatever_a_key_says_there_is_a_page_or_one_sentence(changed, key, value):
    try:
        page = page_of([changed(result_with(**{key: value}))])
    except UserError as error:
        assert key in ("activation", "versions") and "\n" not in str(error)
    else:
        assert page.rstrip().endswith("</html>")


def test_other_objectives_and_keys_are_shown_as_they_are(changed):
    result = result_with(objective="likeness", likeness={"of": "cat.png", "distance": 0.25})
    page = page_of([changed(result)])
    assert "serves the objective “likeness” for" in page and "cat.png" in page and "objective (likeness)" in page


def test_what_is_missing_is_said(tmp_path):
    for name, said in {
        "result.json": "holds no finished run: there is no result.json in it",
        "config.yaml": "is no whole run folder: there is no config.yaml in it",
        "mesh.ply": "is no whole run folder: there is no mesh.ply in it",
        "stimulus.png": "is no whole run folder: there is no stimulus.png in it",
    }.items():
        folder = write_run(tmp_path / f"without {name}", frames=0)
        (folder / name).unlink()
        with pytest.raises(UserError, match=said):
            read(folder)


def test_pictures_that_a_run_has_not_are_left_out(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    for name in ("initial_stimulus.png", "pixel_stimulus.png", "render.png", "initial_render.png", "metrics.csv"):
        (folder / name).unlink()
    run = read(folder)
    assert set(run.pictures) == {"stimulus", "stimulus_thumbnail"} and run.frames == () and run.metrics == {}
    assert "How it came about" not in page_of([run])


def test_what_is_damaged_is_said(tmp_path):
    axes = b"".join(b"property float %c\n" % axis for axis in b"xyz")
    ply = b"ply\nformat ascii 1.0\nelement vertex 1\n" + axes + b"end_header\n0 0 0\n"
    damages = {
        ("result.json", b"{"): "result.json is damaged: it is not JSON",
        ("result.json", b"[1]"): "result.json is damaged: it holds no mapping",
        ("result.json", b"{}"): "result.json is damaged: it does not say the final activation",
        ("result.json", b"[" * 10**5): "result.json is damaged: it is not JSON",
        ("config.yaml", b"\xff\xfe\x00"): "config.yaml is damaged: it is no text",
        ("mesh.ply", b"nothing"): "mesh.ply is damaged",
        ("mesh.ply", ply): "mesh.ply is damaged",
        ("stimulus.png", b"GIF89a"): "stimulus.png is damaged or missing: it cannot be read as a PNG picture",
        ("stimulus.png", b"\x89PNG\r\n\x1a\n" + 40 * b"x"): "stimulus.png is damaged",
        ("tuning-x/tuning.json", b"{}"): "tuning.json is damaged: it varies no value",
    }
    for number, ((name, data), said) in enumerate(damages.items()):
        folder = write_run(tmp_path / str(number), frames=0)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        with pytest.raises(UserError, match=said):
            read(folder)


@pytest.mark.parametrize("version", ["99.0", "0.99.0rc1", "1"])
def test_a_newer_versions_run_is_refused(changed, version):
    with pytest.raises(UserError, match=f"was written by mitsuba_mei {version}, and this is"):
        changed(result_with(versions={"mitsuba_mei": version}))


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0.dev3", "strange", 3])
def test_an_older_or_unknown_version_is_read(changed, version):
    assert changed(result_with(versions={"mitsuba_mei": version})).model == "a model"


def test_an_unfinished_row_of_the_metrics_is_left_out(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    (folder / "metrics.csv").write_text("step,activation\n1,2.5\n2,nan\n3")
    metrics = read(folder).metrics
    assert metrics["step"].tolist() == [1, 2]
    assert metrics["activation"][0] == 2.5 and np.isnan(metrics["activation"][1])
