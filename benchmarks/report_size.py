"""A report of fifty runs: how large its file is, and how long a browser takes to open it."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.report.html.write import write_report

from .macaque_v1 import Silent
from .report import Report, Target
from .setting import SIMPLE_CELL

__all__ = ["run"]

RUNS = 50
MAX_SIZE, LONGEST = 30.0, 3.0
"""Megabytes; seconds."""

TRIED = 3
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE_WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SHORT = ["optimizer.steps=24", "optimizer.warmup=3", "evaluate.spp=64", "evaluate.repeats=2"]
RENDERERS = ("raster", "path")


def run(report: Report, runs: int = RUNS) -> None:
    """Copies of two short runs of the simple cell, one under each renderer; each copy is a run to the report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [_optimized(folder / renderer, renderer, seed) for seed, renderer in enumerate(RENDERERS)]
        copies = [shutil.copytree(sources[i % len(sources)], folder / f"run-{i:02d}") for i in range(runs)]
        started = time.perf_counter()
        written = write_report(copies, folder / "report.html")
        seconds = time.perf_counter() - started
        alone = write_report(copies[:1], folder / "one.html")
        size, size_of_one = (path.stat().st_size / 1e6 for path in (written, alone))
        opened = _opened(written)
    rows = [
        {"runs": runs, "MB": size, "MB a further run": (size - size_of_one) / (runs - 1), "s to write": seconds}
        | {name: statistics.median(each[name] for each in opened) for name in opened[0]}
    ]
    report.table(f"A report, opened {TRIED} times (medians)", rows, key="report")
    report.targets(
        Target(f"size of a report of {runs} runs, MB", size, most=MAX_SIZE),
        Target("s until its table is drawn", rows[0]["s to the table"], most=LONGEST),
    )


def _optimized(out: Path, renderer: str, seed: int) -> Path:
    config = load_config(SIMPLE_CELL, [*SHORT, f"render.type={renderer}", f"seed={seed}"])
    return run_mei(config, out, Silent()).folder


def _opened(path: Path) -> list[dict[str, float]]:
    """Seconds from asking for the file, each time in a new window, until things are there."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("playwright is not installed; pip install -e '.[test]' brings it") from None
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise UserError(f"there is no browser to open the report in; install one of {', '.join(PROGRAMS)}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", *SOFTWARE_WEBGL])
        found = [_times(browser, path) for _ in range(TRIED)]
        browser.close()
    return found


def _times(browser, path: Path) -> dict[str, float]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
    started = time.perf_counter()
    page.goto(path.as_uri(), wait_until="load")
    loaded = time.perf_counter() - started
    page.locator(".sortable tbody tr").last.wait_for(state="visible")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shown = time.perf_counter() - started
    page.locator(".sortable tbody a").first.click()
    page.locator("#run-1 [data-plot=mesh] canvas").first.wait_for(state="attached")
    drawn = time.perf_counter() - started - shown
    page.context.close()
    return {"s to load": loaded, "s to the table": shown, "s from a click to the object": drawn}
