"""No report of any kind cuts a label, breaks a word, hides a column that has room, or prints a blank."""

from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mitsuba_mei.report.html.write import write_report
from tests.report.html.result_folders import write_comparison, write_evaluation, write_factors, write_sweep
from tests.report.html.run_folders import (
    result_with,
    write_diverse,
    write_metamer,
    write_pixel_run,
    write_recovered,
    write_run,
    write_tuning,
)

pytestmark = [pytest.mark.slow, pytest.mark.browser]

KINDS = ("run", "pixel", "recovered", "metamer", "diverse", "all", "results")
ON_PHONES = ("run", "recovered", "metamer", "diverse", "results")

DRAWN = """() => [...document.querySelectorAll(".plot")]
  .every((box) => !box.checkVisibility() || box.matches(".has-still"))"""

CLIPPED = """() => {
  const found = [];
  for (const box of document.querySelectorAll(".plot")) {
    if (!box.checkVisibility()) continue;
    const frame = box.getBoundingClientRect();
    for (const text of box.querySelectorAll(".main-svg text")) {
      const { left, right, top, bottom, width } = text.getBoundingClientRect();
      const across = left >= frame.left - 1 && right <= frame.right + 1;
      const inside = across && top >= frame.top - 1 && bottom <= frame.bottom + 1;
      if (width && !inside) found.push(`${box.dataset.plot}: ${text.textContent}`);
    }
  }
  return found;
}"""
"""Labels of plots that reach beyond their drawing, where they are cut."""

OVERLAPPING = """() => {
  const found = [];
  const turned = (text) => /rotate\\((?!0[,)])/.test(text.getAttribute("transform") ?? "");
  for (const box of document.querySelectorAll(".plot")) {
    if (!box.checkVisibility()) continue;
    const labels = [...box.querySelectorAll(".main-svg text")].filter((text) => !turned(text));
    const places = labels.map((text) => [text.textContent, text.getBoundingClientRect()]);
    places.forEach(([a, p], i) => places.slice(i + 1).forEach(([b, q]) => {
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (across > 2 && down > 4) found.push(`${box.dataset.plot}: ${a} / ${b}`);
    }));
  }
  return found;
}"""
"""Labels of plots that lie on each other."""

TOUCHING = """() => {
  const found = [];
  for (const box of document.querySelectorAll(".plot")) {
    if (!box.checkVisibility()) continue;
    const title = box.querySelector(".ytitle")?.getBoundingClientRect();
    for (const tick of title ? box.querySelectorAll(".yaxislayer-above .ytick text") : []) {
      if (tick.getBoundingClientRect().left < title.right + 4) found.push(`${box.dataset.plot}: ${tick.textContent}`);
    }
  }
  return found;
}"""
"""Tick labels that their axis' title comes too near to."""

BROKEN = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.checkVisibility() || node.parentElement.closest("pre, svg, .plot, select")) continue;
    for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
      const range = new Range();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((place) => Math.round(place.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
"""Words that go on in another line."""

HIDDEN = """() => [...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => `${box.getAttribute("aria-label")}: ${box.scrollWidth} of ${box.clientWidth}`)"""
"""Tables of which columns are out of sight."""

UNUSED = """() => {
  const { right } = document.querySelector("h1").getBoundingClientRect();
  return [...document.querySelectorAll("section")].filter((section) => {
    const figures = [...section.querySelectorAll("figure img, .plot")].filter((each) => each.checkVisibility());
    return figures.length && Math.max(...figures.map((each) => each.getBoundingClientRect().right)) < right - 40;
  }).map((section) => section.querySelector("h2").textContent);
}"""
"""Sections whose figures leave the right of the page empty."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A report of every kind of folder."""
    folder = tmp_path_factory.mktemp("layout") / "with-a-long-name_and_parts"
    activation = {"initial": {"mean": 0.2691, "sem": 0.0012}, "final": {"mean": 0.8528, "sem": 6.8e-5}}
    result = result_with(activation=activation, optimum=None, pixel=None, ratio_to_pixel=None, fraction_of_optimum=None)
    runs = {
        "run": write_run(folder / "run", result, frames=2),
        "pixel": write_pixel_run(folder / "pixel"),
        "recovered": write_recovered(folder / "recovered"),
        "metamer": write_metamer(folder / "metamer"),
        "diverse": write_diverse(folder / "diverse"),
    }
    write_tuning(runs["run"])
    maps = write_tuning(runs["run"], axes=2).parent
    writers = (write_comparison, write_factors, write_sweep, write_evaluation)
    results = [write(folder / write.__name__) for write in writers]
    found = {name: [run] for name, run in runs.items()} | {"all": [*runs.values()], "results": [*results, maps]}
    return {name: write_report(each, folder / f"{name}.html") for name, each in found.items()}


def _drawn(page) -> None:
    """Wait until all is drawn, without scrolling to it."""
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_timeout(100)


@pytest.mark.parametrize(("kind", "width"), [*((kind, 1280) for kind in KINDS), *((kind, 390) for kind in ON_PHONES)])
def test_nothing_is_cut_broken_or_hidden(window, heard, pages, artefacts, kind, width):
    page = window(pages[kind], width)
    _drawn(page)
    page.screenshot(path=artefacts / f"layout-{kind}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every((i) => i.complete && (i.naturalWidth > 0 || !i.src))")
    if kind == "run":
        assert page.locator(".plot .main-svg").count() >= 6
        assert page.evaluate("[...document.images].every((i) => i.naturalWidth > 0)")
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(OVERLAPPING) == []
    assert page.evaluate(TOUCHING) == []
    assert page.evaluate(BROKEN) == []
    if width == 1280:
        assert page.evaluate(HIDDEN) == []


@pytest.mark.parametrize("kind", ["run", "metamer"])
def test_the_figures_of_a_single_run_use_the_width_of_the_page(window, heard, pages, kind):
    page = window(pages[kind], 1280)
    _drawn(page)
    assert page.evaluate(UNUSED) == []


def test_what_is_cut_broken_or_hidden_is_found(window, heard, pages):
    """The checks above can fail."""
    page = window(pages["run"], 900)
    _drawn(page)
    page.evaluate("document.querySelector('[data-plot=activation] .textpoint text').setAttribute('x', 5000)")
    page.evaluate("Object.assign(document.querySelector('h1').style, { width: '3rem', overflowWrap: 'anywhere' })")
    page.evaluate("document.querySelector('.scroll').style.width = '2rem'")
    page.evaluate("document.querySelectorAll('.xtick text').forEach((text) => text.setAttribute('transform', ''))")
    for check in (CLIPPED, BROKEN, HIDDEN, OVERLAPPING):
        assert page.evaluate(check), check


@pytest.mark.parametrize("kind", KINDS)
def test_paper_has_every_object_and_plot_without_scrolling_to_it(window, heard, pages, artefacts, kind):
    page = window(pages[kind], 1280)
    _drawn(page)
    page.set_viewport_size({"width": 703, "height": 900})  # of A4 within its margins
    page.emulate_media(media="print")
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 703
        assert page.evaluate(BROKEN) == []
        plots = page.evaluate(
            "[...document.querySelectorAll('.plot')].filter((box) => !box.closest('details:not([open])')).length"
        )
        stills = page.locator(".still:visible").all()
        assert len(stills) == plots and (plots > 0 or kind == "all")
        assert page.locator(".plot:visible").count() == 0
        for still in stills:
            assert np.ptp(iio.imread(io.BytesIO(still.screenshot()))[..., :3].astype(float)) > 60
        for title in page.locator("thead th:visible").all():
            assert title.inner_text().strip() or kind == "diverse"
    finally:
        page.emulate_media(media="null")  # what there was before: else the PDF shows the screen
        page.set_viewport_size({"width": 1280, "height": 900})
    page.pdf(path=artefacts / f"layout-{kind}.pdf", format="A4")


def test_an_object_is_printed_as_it_was_turned(window, heard, pages):
    page = window(pages["run"], 1280)
    _drawn(page)
    before = page.locator("[data-plot=mesh] + .still").get_attribute("src")
    page.get_by_role("button", name="Turn right").click()
    page.wait_for_timeout(200)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[data-plot=mesh] + .still").get_attribute("src") != before


def test_an_opened_run_of_several_is_printed_too(window, heard, pages):
    page = window(pages["all"], 1280)
    page.get_by_role("button", name="Open all details").click()
    _drawn(page)
    assert page.locator(".has-still").count() == page.locator(".plot").count() > 10
    page.get_by_role("button", name="Close all details").click()
    assert page.locator(".has-still").count() == 0


def test_what_is_not_drawn_yet_is_said_on_paper(chromium, pages):
    context = chromium.new_context(offline=True)
    try:
        page = context.new_page()
        page.add_init_script("delete window.DecompressionStream")  # so that no plot is ever drawn
        page.goto(pages["run"].resolve().as_uri())
        page.emulate_media(media="print")
        said = page.evaluate(
            "[...document.querySelectorAll('.plot')].map((box) => getComputedStyle(box, '::after').content)"
        )
        assert len(said) == 7 and all("Not drawn yet when this was printed" in each for each in said)
    finally:
        context.close()
