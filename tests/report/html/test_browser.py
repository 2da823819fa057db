"""Reports as a reader has them: in a browser, without a network. How they are laid out is in ``test_layout``."""

from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.html.write import write_report
from tests.report.html.run_folders import (
    bumpy,
    result_with,
    write_diverse,
    write_metamer,
    write_pixel_run,
    write_recovered,
    write_run,
    write_tuning,
)
from tests.report.html.test_page import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.browser]

EYE = "() => document.querySelector('[data-plot=mesh]')._fullLayout.scene._scene.getCamera().eye"

BRIGHTNESS = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.drawImage(document.querySelector("[data-frame=render]"), 0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data[0];
}"""


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Path:
    """A report of one run with everything."""
    folder = write_run(tmp_path_factory.mktemp("single") / "run-1")
    write_tuning(folder)
    write_tuning(folder, axes=2)
    return write_report([folder])


@pytest.fixture(scope="module")
def several(tmp_path_factory) -> Path:
    """A report of twelve runs: a pixel MEI, a hostile one, and others of different figures."""
    folder = tmp_path_factory.mktemp("several")
    runs = [write_pixel_run(folder / "pixel")]
    activation = {"initial": {"mean": None}, "final": {"mean": 3.0}}
    hostile = result_with(model=HOSTILE, objective=HOSTILE, activation=activation, fraction_of_optimum=None, steps=9)
    runs.append(write_run(folder / "hostile", hostile, scene=f"# {HOSTILE}\nseed: 0\n"))
    for i in range(10):
        activation = {"initial": {"mean": 0.0, "sem": 0.0}, "final": {"mean": 10.0 + (7 * i) % 10, "sem": 0.1}}
        result = result_with(activation=activation, steps=100 * i, seconds=float(100 - i), fraction_of_optimum=i / 10)
        runs.append(write_run(folder / f"run-{i}", result, frames=2))
    return write_report(runs, folder / "several.html")


@pytest.fixture(scope="module")
def unlike(tmp_path_factory) -> dict[str, Path]:
    """Reports of diverse scenes, and of them among runs of other objectives."""
    folder = tmp_path_factory.mktemp("unlike")
    runs = [write_recovered(folder / "recovered"), write_metamer(folder / "metamer"), write_diverse(folder / "diverse")]
    several = [*runs, write_run(folder / "ordinary")]
    return {"diverse": write_report(runs[2:]), "all": write_report(several, folder / "all.html")}


@pytest.fixture(scope="module")
def reader(window, single):
    """The single run's report, where the object is drawn."""
    page = window(single)
    drawn(page)
    return page


def drawn(page) -> None:
    """Wait until the object is there."""
    plot = page.locator(".plot[data-plot=mesh]:visible").first
    plot.scroll_into_view_if_needed()
    plot.locator("canvas").first.wait_for(state="attached")
    page.wait_for_timeout(200)


def as_at_first(page) -> None:
    page.get_by_role("button", name="As at first").click()
    page.wait_for_timeout(100)


def length(eye: dict[str, float]) -> float:
    return float(np.linalg.norm([eye[axis] for axis in "xyz"]))


def pixels(page, selector: str = "[data-plot=mesh]") -> np.ndarray:
    return iio.imread(io.BytesIO(page.locator(selector).screenshot()))[..., :3].astype(float)


def look_at_everything(page) -> None:
    """Scroll over the page, so that all of it is drawn."""
    for plot in page.locator(".plot:visible").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for(state="attached")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_comparison_fits_the_screen_and_its_table_scrolls_by_itself(window, heard, several, artefacts, width):
    page = window(several, width)
    if width == 1280:
        page.locator("#run-3").evaluate("(run) => { run.open = true; }")
        look_at_everything(page)
    page.screenshot(path=artefacts / f"several-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        box = page.locator(".scroll").first
        box.evaluate("(b) => { b.scrollLeft = 200; }")
        assert box.evaluate("(b) => b.scrollLeft") == 200


def test_the_object_turns_under_the_mouse_and_the_wheel_brings_it_nearer(reader, heard):
    page = reader
    as_at_first(page)
    plot = page.locator("[data-plot=mesh]")
    plot.scroll_into_view_if_needed()
    before, eye = pixels(page), page.evaluate(EYE)
    assert before.std() > 5  # there is an object on the ground
    box = plot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y + 30, steps=6)
    page.mouse.up()
    page.wait_for_timeout(300)
    turned = page.evaluate(EYE)
    assert length({axis: turned[axis] - eye[axis] for axis in "xyz"}) > 0.1 * length(eye)
    assert (np.abs(pixels(page) - before).max(axis=2) > 30).mean() > 0.01
    scrolled = page.evaluate("scrollY")
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(300)
    assert length(page.evaluate(EYE)) < 0.95 * length(turned)
    assert page.evaluate("scrollY") == scrolled


def test_the_object_in_the_page_is_the_runs_and_stands_as_the_camera_sees_it(reader, heard):
    page = reader
    as_at_first(page)
    found = page.evaluate(
        "() => { const t = document.querySelector('[data-plot=mesh]').data[0]; return [t.x, t.y, t.z, t.i, t.j, t.k]; }"
    )
    mesh = bumpy()
    np.testing.assert_allclose(np.array(found[:3]).T, mesh.vertices, atol=2.6 / 65535)
    assert (np.array(found[3:]).T == mesh.faces).all()
    eye = page.evaluate(EYE)
    azimuth, elevation = np.degrees(np.arctan2(eye["x"], eye["z"])), np.degrees(np.arcsin(eye["y"] / length(eye)))
    centre = 0.5 * (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0))
    a, e = np.radians((30, 20))
    away = 5 * np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]) - centre
    expected = np.degrees(np.arctan2(away[0], away[2])), np.degrees(np.arcsin(away[1] / np.linalg.norm(away)))
    assert (azimuth, elevation) == pytest.approx(expected, abs=0.1)


def test_the_object_turns_by_the_keyboard(reader, heard):
    page = reader
    as_at_first(page)
    eye = page.evaluate(EYE)
    for name, changes in {"Nearer": 0.85, "Turn right": 0.85, "Turn up": 0.85, "Further": 1.0}.items():
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
        assert length(page.evaluate(EYE)) == pytest.approx(changes * length(eye), rel=1e-3), name
    turned = page.evaluate(EYE)
    assert turned["y"] > eye["y"]
    assert np.degrees(np.arctan2(turned["x"], turned["z"]) - np.arctan2(eye["x"], eye["z"])) == pytest.approx(
        15, abs=0.2
    )
    page.get_by_role("button", name="As at first").click()
    page.wait_for_timeout(100)
    assert page.evaluate(EYE) == pytest.approx(eye, abs=1e-3)


def test_the_slider_goes_through_the_frames(reader, heard):
    page = reader
    slider = page.get_by_role("slider")
    seen = []
    for key, label in (("End", "final, converged render"), ("Home", "step 1"), ("ArrowRight", "step 9")):
        slider.press(key)
        page.wait_for_timeout(100)
        assert page.locator("output").inner_text() == slider.get_attribute("aria-valuetext") == label
        seen.append(page.evaluate(BRIGHTNESS))
    assert seen[1] < seen[2] < seen[0]  # the frames get brighter


def column(page, title: str) -> list[str]:
    titles = page.locator(".sortable thead th").evaluate_all("(all) => all.map((th) => th.textContent.trim())")
    number = titles.index(title) + 1
    return page.locator(
        f".sortable tbody tr td:nth-child({number}), .sortable tbody tr th:nth-child({number})"
    ).all_inner_texts()


def test_the_table_sorts_both_ways_with_mouse_and_keyboard(window, heard, several):
    page = window(several)
    title = page.get_by_role("columnheader", name="activation")
    title.get_by_role("button").click()
    rising = [float(cell.split(" ")[0]) for cell in column(page, "activation")]
    assert rising == sorted(rising) and title.get_attribute("aria-sort") == "ascending" and len(rising) == 12
    title.get_by_role("button").click()
    assert [float(cell.split(" ")[0]) for cell in column(page, "activation")] == rising[::-1]
    assert title.get_attribute("aria-sort") == "descending"

    fraction = page.get_by_role("columnheader", name="of optimum")
    fraction.get_by_role("button").focus()
    for key, way in (("Enter", 1), ("Space", -1)):
        page.keyboard.press(key)
        cells = column(page, "of optimum")
        assert cells[-1] == "–"  # what is unknown stays last
        assert [float(cell) for cell in cells[:-1]] == sorted(map(float, cells[:-1]))[::way]
    assert title.get_attribute("aria-sort") == "none" and fraction.get_attribute("aria-sort") == "descending"

    page.get_by_role("columnheader", name="run", exact=True).get_by_role("button").click()
    names = [name.rpartition("/")[2] for name in column(page, "run")]
    assert names == ["hostile", "pixel", *(f"run-{i}" for i in range(10))]


def test_of_many_open_runs_only_some_are_drawn_and_closing_gives_all_back(window, heard, several):
    page = window(several)
    for number in range(3, 12):
        page.locator(f"#run-{number}").evaluate("(run) => { run.open = true; }")
        page.locator(f"#run-{number} [data-plot=mesh]").scroll_into_view_if_needed()
        page.wait_for_function("(n) => document.querySelector(`#run-${n} [data-plot=mesh] canvas`)", arg=number)
    canvases = page.locator("[data-plot=mesh] canvas")
    assert page.locator("[data-plot=mesh].js-plotly-plot:has(canvas)").count() == 8
    page.locator("#run-3").get_by_role("button", name="Draw the object again").click()
    page.wait_for_function("() => document.querySelector('#run-3 [data-plot=mesh] canvas')")
    assert page.locator("[data-plot=mesh].js-plotly-plot:has(canvas)").count() == 8
    page.get_by_role("button", name="Close all details").click()
    page.wait_for_timeout(200)
    assert canvases.count() == 0
    page.get_by_role("link", name="run-4").click()
    assert page.locator("#run-7").evaluate("(d) => d.open")


def test_hostile_words_are_words(window, heard, several):
    page = window(several)
    page.locator("#run-2").evaluate("(run) => { run.open = true; }")
    plot = page.locator("#run-2 [data-plot=activation]")
    plot.scroll_into_view_if_needed()
    plot.locator(".main-svg").first.wait_for(state="attached")
    assert HOSTILE.partition("\u2028")[0] in plot.locator(".xtitle").text_content()
    page.locator("#run-2").get_by_text("The whole scene file").click()
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("#run-2 details.code pre").first.inner_text() == f"# {HOSTILE}\nseed: 0\n"
    row = page.locator(".sortable tbody tr", has=page.get_by_role("link", name="hostile"))
    assert row.locator("td").nth(3).inner_text().replace("\u2028", " ") == HOSTILE.replace("\u2028", " ")


def test_the_scene_file_can_be_copied(reader, heard):
    page = reader
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("The whole scene file").click()
    button = page.locator("details.code").first.get_by_role("button")
    button.click()
    page.wait_for_timeout(200)
    assert button.inner_text() == "Copied"
    assert (
        page.evaluate("navigator.clipboard.readText()") == "model: {card: card.yaml, neuron: 7}\nrender: {type: path}\n"
    )


def test_without_webgl_there_is_a_sentence(window, heard, single):
    page = window(single, 800, webgl=False)
    plot = page.locator("[data-plot=mesh]")
    plot.scroll_into_view_if_needed()
    page.get_by_text("This browser has no WebGL").wait_for()
    assert page.get_by_role("button", name="Nearer").is_disabled()
    page.locator("[data-plot=activation] .main-svg").first.wait_for(state="attached")  # the others are drawn


def test_it_can_be_printed(reader, heard, artefacts):
    page = reader
    look_at_everything(page)
    page.pdf(path=artefacts / "single.pdf", format="A4")
    assert (artefacts / "single.pdf").stat().st_size > 20_000


# ------------------------------------------------------------------------------------------------- other objectives


def test_one_drawing_shows_each_object_of_a_set_from_the_same_side(window, heard, unlike):
    page = window(unlike["diverse"])
    drawn(page)
    page.get_by_role("button", name="Turn right").click()
    page.wait_for_timeout(200)
    eye, heights, rows = page.evaluate(EYE), [], []
    for name in ("scene 1", "scene 2", "scene 3"):
        page.get_by_role("combobox").select_option(name)
        page.wait_for_timeout(300)
        y = page.evaluate("() => { const y = document.querySelector('[data-plot=mesh]').data[0].y; return [...y]; }")
        heights.append(max(y) - min(y))
        assert page.evaluate(EYE) == pytest.approx(eye, abs=1e-3)
        rows.append((np.abs(pixels(page) - 255).max(axis=2) > 60).any(axis=1).sum())
    assert np.array(heights) / heights[0] == pytest.approx([1, 2, 3], rel=1e-3)
    assert rows[1] > 1.2 * rows[0] and rows[2] > 1.2 * rows[1]
    contexts = page.locator("[data-plot=mesh] canvas").evaluate_all(
        "(all) => all.filter((c) => c.getContext('webgl') || c.getContext('webgl2')).length"
    )
    assert contexts == 1


def test_an_object_that_was_chosen_stays_chosen_when_its_section_is_opened_again(window, heard, unlike):
    page = window(unlike["all"])
    run = page.locator("#run-3")
    for _ in range(2):
        run.evaluate("(run) => { run.open = true; }")
        run.locator("[data-plot=mesh]").scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('#run-3 [data-plot=mesh] canvas')")
        run.get_by_role("combobox").select_option("scene 3")
        page.wait_for_timeout(300)
        y = run.locator("[data-plot=mesh]").evaluate("(box) => [...box.data[0].y]")
        assert max(y) - min(y) == pytest.approx(3 * np.ptp(bumpy(1).vertices[:, 1]), rel=1e-3)
        run.evaluate("(run) => { run.open = false; }")
        page.wait_for_timeout(200)


def test_errors_sort_by_themselves_and_activations_too(window, heard, unlike):
    page = window(unlike["all"])
    page.get_by_role("columnheader", name="error").get_by_role("button").click()
    cells = column(page, "error")
    assert cells == ["0.0099 ± 0.0002 (l2)", "0.015 ± 0.0002 (responses)", "–", "–"]
    page.get_by_role("columnheader", name="activation").get_by_role("button").click()
    assert column(page, "activation") == ["20 ± 0.12", "23 ± 0.0002 (mean)", "–", "–"]
