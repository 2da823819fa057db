"""Scenes recovered from images, metamers and diverse scenes: read, said and drawn."""

import copy
import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html import aim_words, words
from mitsuba_mei.report.html.aim_figures import CIVIDIS, aim_pictures, heat, level_figure, scene_caption
from mitsuba_mei.report.html.figures import activation_figure, curve_figures
from mitsuba_mei.report.html.mesh import unpack_mesh
from mitsuba_mei.report.html.page import page_of
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.runs.results import Estimate, MeshFlaws
from tests.report.html.run_folders import (
    DIVERSE,
    METAMER,
    RECOVERED,
    bumpy,
    write_diverse,
    write_metamer,
    write_recovered,
    write_run,
)

WRITTEN = {
    "image": (write_recovered, RECOVERED),
    "metamer": (write_metamer, METAMER),
    "diverse": (write_diverse, DIVERSE),
}


def read(folder):
    return read_run_folder(Place(folder, folder.name))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One of each, read."""
    folder = tmp_path_factory.mktemp("aims")
    return {kind: read(write(folder / kind)) for kind, (write, _) in WRITTEN.items()}


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Reads a run whose ``result.json`` says something else."""
    folder = tmp_path_factory.mktemp("changed")
    folders = {kind: write(folder / kind) for kind, (write, _) in WRITTEN.items()}

    def read_with(kind, result):
        (folders[kind] / "result.json").write_text(json.dumps(result))
        return read(folders[kind])

    return read_with


def said(run) -> str:
    return " ".join(words.activation_sentences(run))


def test_what_is_maximised_as_minus_an_error_is_read_as_that_error(runs):
    for kind, first, last in (("image", 0.5, 0.0099), ("metamer", 0.6, 0.015)):
        run = runs[kind]
        assert (run.initial, run.final) == (Estimate(mean=first, sem=0.01), Estimate(mean=last, sem=0.0002))
        assert run.is_error
        assert run.metrics["activation"][0] == pytest.approx(first) and (run.metrics["activation"] > 0).all()
        assert run.starts[0].final == run.final
        assert words.valued(run) == f"error {words.with_error(run.final)}"
    assert words.valued(runs["image"]) == "error 0.0099 (render s.e. 0.0002)"
    assert not runs["diverse"].is_error and words.valued(runs["diverse"]) == "mean activation 23 (render s.e. 0.0002)"


def test_recovery_is_said_with_its_distance_from_the_truth(runs):
    text = said(runs["image"])
    for part in (
        "The error (l2) is 0.0099 (render s.e. 0.0002)",
        "at the start it was 0.5 (render s.e. 0.01).",
        "The mean surface distance is 1.2 % of the true object’s diameter, 8 % at the start.",
        "After alignment, which leaves the shape alone to differ, it is 1.1 %.",
    ):
        assert part in text
    light, scale = runs["image"].other.truth.parameters.values()
    assert aim_words.value(light.final) == "(0.1, 0, −1)" and aim_words.value(scale.true) == "1"
    assert aim_words.away(light.unit, light.off.initial) == "45°"
    assert aim_words.away(scale.unit, scale.off.final) == "4 %"


def test_an_unknown_truth_is_said_to_be_unknown(changed):
    assert "near this is to the truth is not known" in said(changed("image", {**RECOVERED, "truth": None}))


@pytest.mark.parametrize(
    ("found", "near", "far", "parts"),
    [
        (
            True,
            True,
            True,
            ("A metamer was found.", "1.5 % (render s.e. 0.02 %) from the reference’s, within the 2 % asked for"),
        ),
        (False, False, True, ("No metamer was found.", "not within the 2 % asked for; at the start 60 %.")),
        (False, True, False, ("No metamer was found.", "0.31 of the radius apart, less than the 0.25 of the radius")),
    ],
)
def test_whether_a_metamer_was_found_is_said_plainly(changed, found, near, far, parts):
    result = copy.deepcopy(METAMER)
    result["metamer"]["found"] = found
    result["metamer"]["responses"]["near"], result["metamer"]["scene"]["far"] = near, far
    run = changed("metamer", result)
    assert all(part in said(run) for part in parts)
    assert words.served(run) == f"metamer, {'found' if found else 'not found'}"
    assert words.title(run) == ("Metamer for a model" if found else "No metamer found for a model")
    assert "all neurons of the model" in words.lead(run)


def test_a_diverse_set_is_said_scene_by_scene(runs):
    run = runs["diverse"]
    for part in (
        "No such set of scenes was found.",
        "2 of 3 drive the neurons to at least 0.9 of the known optimum (25); the least reaches 0.880.",
        "In what the neurons see two of them lie 0.80 (a correlation of 0.2) apart in the mean, at least the 0.50",
    ):
        assert part in said(run)
    assert (
        scene_caption(3, run.other.diverse.scenes[2])
        == "Scene 3: 0.880 of the maximum, activation 22 (render s.e. 0.25), below the level"
    )
    figure = level_figure(run.other.diverse)
    shown = {trace["y"][0]: (trace["x"][0], trace["error_x"]["array"][0]) for trace in figure["data"]}
    assert shown == {"scene 1": (0.96, 0.01), "scene 2": (0.92, 0.01), "scene 3": (0.88, 0.01)}
    assert figure["layout"]["shapes"][0]["x0"] == 0.9
    assert run.starts == ()  # they are no starts of which one is kept


def test_the_heat_map_is_darkest_where_scenes_are_alike_and_its_letters_can_be_read(runs):
    cells = heat(runs["diverse"].other.diverse)
    assert [[None if cell is None else cell.text for cell in row] for row in cells] == [
        [None, "0.40", "1.20"],
        ["0.40", None, "0.80"],
        ["1.20", "0.80", None],
    ]
    assert cells[0][2].ground == f"rgb{CIVIDIS[-1]}"  # the most
    for row in cells:
        for cell in filter(None, row):
            assert contrast(colour(cell.ground), (0, 0, 0) if cell.ink == "#000000" else (255, 255, 255)) >= 4.5


def colour(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.removeprefix("rgb(").removesuffix(")").split(","))


def contrast(first, second) -> float:
    """As WCAG 2.2 defines it."""
    light = []
    for rgb in (first, second):
        x = np.asarray(rgb) / 255
        linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)
    return max(light) / min(light)


@pytest.mark.parametrize("place", np.linspace(0, 1, 41))
def test_every_colour_of_the_heat_map_has_letters_that_can_be_read(changed, place):
    result = copy.deepcopy(DIVERSE)
    result["diverse"]["pairs"]["image"] = [[0, place, 1], [place, 0, 1], [1, 1, 0]]
    cell = heat(changed("diverse", result).other.diverse)[0][1]
    assert contrast(colour(cell.ground), (0, 0, 0) if cell.ink == "#000000" else (255, 255, 255)) >= 4.5


def test_the_pictures_are_those_to_compare(runs):
    captions = [shown.caption for shown in aim_pictures(runs["image"])]
    first, last = "Start: error 0.5 (render s.e. 0.01)", "Recovered: error 0.0099 (render s.e. 0.0002)"
    assert captions[:3] == ["Target", first, last]
    assert captions[3].endswith("full colour ±0.13 of radiance") or captions[3].endswith(
        "full colour ±0.12 of radiance"
    )
    assert [shown.caption for shown in aim_pictures(runs["metamer"])] == [
        "Reference, as the neurons saw it",
        "Metamer, as the neurons saw it",
        "Render of the reference",
        "Render of the metamer",
    ]
    assert all(scene.render and scene.stimulus for scene in runs["diverse"].scenes)
    assert [frame.label for frame in runs["image"].frames] == [
        *(f"step {step}" for step in (1, 9, 17, 25)),
        "final, converged render",
    ]


def test_the_objects_are_named_and_seen_from_one_place(runs):
    names = {kind: [solid.name for solid in run.solids] for kind, run in runs.items()}
    assert names == {
        "image": ["the final object", "the true object"],
        "metamer": ["the final object", "the reference"],
        "diverse": ["scene 1", "scene 2", "scene 3"],
    }
    run = runs["diverse"]
    vertices = np.concatenate([unpack_mesh(solid.mesh)[0] for solid in run.solids])
    assert (np.abs(vertices - run.view.centre) <= 0.5 * run.view.side * (1 + 1e-4)).all()
    assert np.ptp(unpack_mesh(run.solids[2].mesh)[0][:, 1]) == pytest.approx(
        3 * np.ptp(bumpy(1).vertices[:, 1]), rel=1e-3
    )


def test_curves_are_of_what_they_say(runs):
    error, terms = curve_figures(runs["image"])
    assert error["layout"]["yaxis"]["title"]["text"] == "error (l2)" and error["data"][0]["y"][0] == 0.5
    assert [trace["name"] for trace in terms["data"]] == ["smoothness"]
    _, apart, terms = curve_figures(runs["metamer"])
    assert apart["data"][0]["y"][-1] == 0.8 and apart["data"][1]["y"] == [0.25, 0.25]
    assert apart["layout"]["yaxis"]["title"]["text"] == "surface distance over the radius (estimate)"
    assert [trace["name"] for trace in terms["data"]] == ["smoothness"]  # the difference is none
    missed, apart, _ = curve_figures(runs["diverse"])
    assert missed["data"][0]["y"][0] == 9 and len(missed["data"]) == 1  # the activation is another figure
    rows = {trace["y"][0]: trace["x"][0] for trace in activation_figure(runs["metamer"])["data"]}
    assert rows == {"metamer": 0.015, "start": 0.6, "asked for, at most": 0.02}


def test_a_table_keeps_errors_apart_from_activations(runs, tmp_path):
    ordinary = read(write_run(tmp_path / "ordinary"))
    page = page_of([ordinary, *runs.values()])
    table = page[page.index('<table class="sortable">') : page.index("</table>")]
    rows = {row.split('href="#run-')[1][0]: row for row in table.split("<tr>")[2:]}
    numbers = {
        key: [cell.split('"')[0] for cell in row.split('<td class="n" data-value="')[1:]] for key, row in rows.items()
    }
    activation, error = ([numbers[key][column] for key in "1234"] for column in (1, 2))
    assert activation == ["20.0", "", "", "23.0"] and error == ["", "0.0099", "0.015", ""]
    said = {key: re.sub("<[^>]*>", "", row) for key, row in rows.items()}
    assert "0.0099 ± 0.0002 (l2)" in said["2"] and "0.015 ± 0.0002 (responses)" in said["3"]
    assert "23 ± 0.0002 (mean)" in said["4"] and "diverse, not found" in said["4"]
    assert "<h1>4 runs</h1>" in page and "evaluate diverse" not in page
    assert ">error<" not in page_of([ordinary, read(write_run(tmp_path / "other"))])


def test_paths_in_a_result_lead_nowhere(runs):
    assert "elsewhere" not in page_of([runs["diverse"]])


@pytest.mark.parametrize("missing", ["scenes/1/mesh.ply", "scenes/0/render.png", "frames/step-00001-render.png"])
def test_files_of_a_set_may_be_missing(tmp_path, missing):
    folder = write_diverse(tmp_path / "run")
    (folder / missing).unlink()
    assert "No such set of scenes was found." in page_of([read(folder)])


# --------------------------------------------------------------------------------------------- whatever may be there


def keys(data, path=()) -> Iterator[tuple]:
    """The way to every value of a mapping."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from keys(value, (*path, key))


OWN = {
    kind: [path for path in keys(result) if path[0] in ("error", "difference", "truth", "views", "metamer", "diverse")]
    for kind, (_, result) in WRITTEN.items()
}
EVERY = [(kind, path) for kind, paths in OWN.items() for path in paths]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def altered(kind, path, value=None, gone=False):
    result = copy.deepcopy(WRITTEN[kind][1])
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    if gone:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return result


NEEDED = {
    "image": """error error.initial error.initial.mean error.final error.final.mean difference.reach
        truth.surface.initial truth.surface.initial.of_diameter truth.surface.final truth.surface.final.of_diameter
        truth.surface.alignment truth.surface.alignment.of_diameter
        truth.parameters.*.off truth.parameters.*.off.initial truth.parameters.*.off.final""",
    "metamer": """metamer metamer.found metamer.responses metamer.responses.distance
        metamer.responses.distance.initial metamer.responses.distance.initial.mean
        metamer.responses.distance.final metamer.responses.distance.final.mean metamer.responses.tolerance
        metamer.responses.near metamer.scene metamer.scene.differ metamer.scene.difference metamer.scene.apart
        metamer.scene.far metamer.differences.*.value""",
    "diverse": """diverse diverse.found diverse.maximum diverse.maximum.value diverse.level diverse.differ
        diverse.difference diverse.apart diverse.far diverse.scenes diverse.scenes.*.activation
        diverse.scenes.*.activation.initial diverse.scenes.*.activation.initial.mean
        diverse.scenes.*.activation.final diverse.scenes.*.activation.final.mean diverse.scenes.*.of_maximum
        diverse.scenes.*.reached diverse.differences.*.mean""",
}
"""Keys without which a file is damaged; * is any of several. All others have defaults."""

MAY_BE_NULL = {
    "image": """error.kind error.initial.mean error.initial.sem error.final.mean error.final.sem
        difference difference.reach truth truth.surface truth.surface.diameter truth.surface.initial.of_diameter
        truth.surface.final.of_diameter truth.surface.alignment.of_diameter truth.parameters.*.true
        truth.parameters.*.true.* truth.parameters.*.initial truth.parameters.*.initial.* truth.parameters.*.final
        truth.parameters.*.final.* truth.parameters.*.off.initial truth.parameters.*.off.final""",
    "metamer": """metamer.responses.distance.initial.mean metamer.responses.distance.initial.sem
        metamer.responses.distance.final.mean metamer.responses.distance.final.sem metamer.responses.layer
        metamer.scene.difference metamer.differences.*.value""",
    "diverse": """diverse.maximum.value diverse.maximum.sem diverse.difference
        diverse.scenes.*.activation.initial.mean diverse.scenes.*.activation.initial.sem
        diverse.scenes.*.activation.final.mean diverse.scenes.*.activation.final.sem diverse.scenes.*.of_maximum
        diverse.differences.*.mean diverse.pairs.*.*.*""",
}
"""Numbers that may not be finite, and what may be unknown; null is refused of all others."""

SEVERAL = ("parameters", "differences", "pairs")


def pattern(path) -> str:
    """The keys to a value, as ``NEEDED`` names them."""
    before = (None, *path)
    return ".".join("*" if isinstance(key, int) or last in SEVERAL else key for last, key in zip(before, path))


def refusal(changed, kind, path, **change) -> str | None:
    """What is said of a run that is altered there; None where there is a report."""
    try:
        run = changed(kind, altered(kind, path, **change))
    except UserError as error:
        return str(error)
    assert said(run) and words.title(run), path
    if len(path) < 3:
        assert page_of([run]).rstrip().endswith("</html>"), path
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(WRITTEN))
def test_the_keys_that_are_needed_are_these(changed, kind):
    for path in OWN[kind]:
        refused = refusal(changed, kind, path, gone=True)
        if pattern(path) in NEEDED[kind].split():
            assert refused.endswith(f"result.json is damaged: it does not say {'.'.join(map(str, path))}"), path
        else:
            assert refused is None, (path, refused)
    assert {pattern(path) for path in OWN[kind]} >= set(NEEDED[kind].split())


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(WRITTEN))
def test_the_keys_that_may_be_null_are_these(changed, kind):
    for path in OWN[kind]:
        refused = refusal(changed, kind, path, value=None)
        if pattern(path) in MAY_BE_NULL[kind].split():
            assert refused is None, (path, refused)
        else:
            place = ".".join(map(str, path))
            assert f"result.json is damaged: {place}: input should be" in refused and "\n" not in refused, path
    assert {pattern(path) for path in OWN[kind]} >= set(MAY_BE_NULL[kind].split())


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(EVERY), JSON)
def test_whatever_a_key_says_there_is_a_page_or_one_sentence(changed, where, value):
    kind, path = where
    try:
        page = page_of([changed(kind, altered(kind, path, value))])
    except UserError as error:
        place = re.escape(".".join(map(str, path)))
        assert re.search(rf"result\.json is damaged: (it does not say )?{place}\b[^\n]*$", str(error)), str(error)
    else:
        assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize(("kind", "own"), [("image", "error"), ("metamer", "metamer"), ("diverse", "diverse")])
def test_an_ordinary_run_that_names_such_an_objective_is_refused(tmp_path, kind, own):
    result = {**copy.deepcopy(RECOVERED), "objective": kind}
    for key in ("error", "difference", "truth", "views"):
        del result[key]
    with pytest.raises(UserError, match=f"result.json is damaged: it does not say {own}$"):
        read(write_run(tmp_path / "run", result))


@pytest.mark.parametrize("pairs", [[[0, 1], [1, 0]], [[0, 1, 2], [1, 0], [2, 1, 0]], []])
def test_pairs_that_are_no_square_of_all_scenes_are_left_out(changed, pairs):
    result = copy.deepcopy(DIVERSE)
    result["diverse"]["pairs"] = {"image": pairs}
    run = changed("diverse", result)
    assert heat(run.other.diverse) == [] and "How far every two scenes lie apart" not in page_of([run])


def test_a_set_of_which_little_is_known_is_shown(changed):
    result = copy.deepcopy(DIVERSE)
    scenes = result["diverse"]["scenes"]
    scenes[0]["reached"] = False
    scenes[0]["of_maximum"] = scenes[0]["activation"]["final"]["mean"] = None
    del scenes[2]
    run = changed("diverse", result)
    assert "1 of 2 drive the neurons to at least 0.9 of the known optimum (25); the least reaches 0.920." in said(run)
    assert [trace["y"] for trace in level_figure(run.other.diverse)["data"]] == [["scene 2"]]
    page = page_of([run])
    assert "Scene 1: activation –, below the level;" in page and "Scene 3;" in page and "nan" not in said(run)
    scenes[1]["of_maximum"] = None
    run = changed("diverse", result)
    assert "(25)." in said(run) and level_figure(run.other.diverse)["alt"] == "Activation over the maximum: unknown."
    result["diverse"]["scenes"] = []
    with pytest.raises(UserError, match="result.json is damaged: diverse.scenes: tuple should have at least 1 item"):
        changed("diverse", result)


@pytest.mark.parametrize(
    ("setting", "text"),
    [(None, "–"), ("red", "–"), (True, "–"), ([], "–"), (10**400, "–"), ([1, None, 2.5], "(1, –, 2.5)"), (35, "35")],
)
def test_a_value_that_is_no_number_is_a_dash(setting, text):
    assert aim_words.value(setting) == text


def test_errors_that_are_unknown_are_no_lack_of_noise(changed):
    result = copy.deepcopy(RECOVERED)
    result["activation"]["final"]["sem"] = result["error"]["final"]["sem"] = None
    run = changed("image", result)
    assert said(run).startswith("The error (l2) is 0.0099 (its error is unknown); at the start")
    assert "noise biases it" not in page_of([run]) and "nan" not in said(run)


def test_the_meshes_of_all_diverse_scenes_are_said(runs):
    scenes = runs["diverse"].other.diverse.scenes
    assert words.flaws_of_each(scenes) is None  # an older folder does not say it

    def with_flaws(*counts):
        flaws = [MeshFlaws(flipped_faces=0, degenerate_faces=0, intersecting_faces=count) for count in counts]
        return [scene.model_copy(update={"mesh": mesh}) for scene, mesh in zip(scenes, flaws)]

    said = words.flaws_of_each(with_flaws(0, 216, 1))
    assert said.endswith("(flipped, degenerate or passing through others): scene 2: 216 faces; scene 3: 1 face.")
    assert "In no scene" in words.flaws_of_each(with_flaws(0, 0, 0))
