"""Run folders read: whole, incomplete, damaged, newer."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html.page import page_of
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.runs.results import Estimate, MEIResult
from tests.report.html.run_folders import RESULT, bumpy, result_with, write_pixel_run, write_run, write_tuning


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
    assert (run.is_pixel, run.model, run.neurons, run.objective) == (False, "a model", (7,), "activation")
    assert (run.initial, run.final) == (Estimate(mean=1.5, sem=0.02), Estimate(mean=20.0, sem=0.125))
    assert (run.optimum, run.fraction, run.pixel) == (25.0, 0.8, 22.22)
    assert run.ratio == Estimate(mean=0.9, sem=0.005)
    second = run.validation
    assert (second.model, second.activation.final, second.pixel) == (
        "second model",
        Estimate(mean=11.0, sem=0.2),
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
    assert [name for name, _ in run.tunings] == ["tuning-azimuth"]
    assert run.view.side == pytest.approx(np.ptp(bumpy().vertices, axis=0).max())
    assert (run.result.seed, run.result.steps, run.mesh.watertight) == (3, 50, True)


def test_a_pixel_mei_has_no_object(tmp_path):
    run = read(write_pixel_run(tmp_path / "pixel"))
    assert (run.is_pixel, run.solids, run.mesh, run.initial) == (True, (), None, None)
    assert (run.final.mean, run.validation.activation) == (22.22, 10.0) and np.isnan(run.final.sem)
    assert [start.kept for start in run.starts] == [False, True]
    assert "22.22" in page_of([run])


NEEDED = {"activation", "mesh"}

OLD_NULLS = {"ended", "exposure", "restart"}
"""Keys that files of version 0 may leave open, and others not."""

MAY_BE_NULL = {key for key, field in MEIResult.model_fields.items() if field.default is None} | OLD_NULLS


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(MEIResult.model_fields))
def test_a_key_that_is_missing_has_its_default_but_for_activation_and_mesh(changed, key):
    result = result_with()
    result.pop(key, None)
    if key in NEEDED:
        with pytest.raises(UserError, match=f"result.json is damaged: it does not say {key}$"):
            changed(result)
    else:
        assert "20 (render s.e. 0.12)" in page_of([changed(result)])


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(MEIResult.model_fields))
def test_a_key_that_is_null_is_unknown_where_it_may_be_and_else_refused(changed, key):
    if key in MAY_BE_NULL:
        assert "20 (render s.e. 0.12)" in page_of([changed(result_with(**{key: None}))])
    elif key == "schema_version":
        with pytest.raises(UserError, match="its results have schema version None"):
            changed(result_with(**{key: None}))
    else:
        with pytest.raises(UserError, match=f"result.json is damaged: {key}: input should be [^\n]*$"):
            changed(result_with(**{key: None}))


@pytest.mark.parametrize("key", sorted(OLD_NULLS))
def test_of_the_present_version_none_of_these_may_be_null(changed, key):
    with pytest.raises(UserError, match=f"result.json is damaged: {key}: input should be"):
        changed(result_with(schema_version=1, **{key: None}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mesh": {"faces": "many"}}, "mesh.faces: input should be a valid integer, unable to parse string"),
        ({"neurons": [7, {}]}, "neurons.1: input should be a valid integer"),
        ({"restarts": [{"restart": 0}]}, "it does not say restarts.0.activation"),
        ({"responses": {}}, "responses: input should be a valid tuple"),
        ({"ratio_to_pixel": 0.9}, "ratio_to_pixel: input should be a valid dictionary or object"),
        ({"versions": {"mitsuba_mei": 3}}, "versions.mitsuba_mei: input should be a valid string"),
        ({"activation": {"final": {"mean": 1.0}}}, "it does not say activation.initial"),
        ({"activation": 20.0}, "activation: input should be a valid dictionary or object"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_its_place(changed, change, said):
    with pytest.raises(UserError) as caught:
        changed(result_with(**change))
    assert f"result.json is damaged: {said}" in str(caught.value) and "\n" not in str(caught.value)


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
        where = re.search(r"result\.json is damaged: (it does not say )?(the final )?([a-z_]+)", str(error))
        assert key == (where.group(3) if where else "versions") and "\n" not in str(error)
    else:
        assert page.rstrip().endswith("</html>")


def test_other_objectives_and_keys_are_shown_as_they_are(changed):
    result = result_with(objective="likeness", likeness={"of": "cat.png", "distance": 0.25})
    page = page_of([changed(result)])
    assert "serves the objective “likeness” for" in page and "cat.png" in page and "objective (likeness)" in page


def test_pictures_that_could_not_be_written_are_said(changed):
    lacking = "render.png: the disk is full"
    assert lacking in page_of([changed(result_with(not_written=[lacking]))])
    assert "What else result.json says" not in page_of([changed(result_with(not_written=[]))])


@pytest.mark.parametrize(
    "camera", [[1], "north", {"azimuth": "north", "distance": True}, {"elevation": math.inf}, None]
)
def test_a_camera_that_says_no_numbers_is_unknown(changed, camera):
    plain = changed(result_with(scene={}))
    other = changed(result_with(scene={"camera": camera}))
    assert other.view.eye.tolist() == plain.view.eye.tolist() and not other.view.exact


def test_a_pixel_mei_keeps_the_best_start_of_those_that_are_known(tmp_path):
    folder = write_pixel_run(tmp_path / "pixel")
    path = folder / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "restarts": [None, 21.0, 22.22]}))
    assert [start.kept for start in read(folder).starts] == [False, False, True]


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
        ("result.json", b"[1]"): "result.json is damaged: it says nothing by name",
        ("result.json", b"{}"): "result.json is damaged: it does not say activation",
        ("result.json", b"[" * 10**5): "result.json is damaged: it is not JSON",
        ("config.yaml", b"\xff\xfe\x00"): "config.yaml is damaged: it is no text",
        ("mesh.ply", b"nothing"): "mesh.ply is damaged",
        ("mesh.ply", ply): "mesh.ply is damaged",
        ("stimulus.png", b"GIF89a"): "stimulus.png is damaged or missing: it cannot be read as a PNG picture",
        ("stimulus.png", b"\x89PNG\r\n\x1a\n" + 40 * b"x"): "stimulus.png is damaged",
        ("tuning-x/tuning.json", b"{}"): "tuning.json is damaged: it does not say over",
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


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0.dev3", "strange"])
def test_an_older_or_unknown_version_is_read(changed, version):
    assert changed(result_with(versions={"mitsuba_mei": version})).model == "a model"


def test_an_unfinished_row_of_the_metrics_is_left_out(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    (folder / "metrics.csv").write_text("step,activation\n1,2.5\n2,nan\n3")
    metrics = read(folder).metrics
    assert metrics["step"].tolist() == [1, 2]
    assert metrics["activation"][0] == 2.5 and np.isnan(metrics["activation"][1])
