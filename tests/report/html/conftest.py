"""A headless Chromium that may reach nothing, and where its screenshots go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE_WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

ADVICE = "willReadFrequently"
"""Chromium's advice on speed to the authors of plotly.js, which draws letters on canvases; no fault."""

WITHOUT_WEBGL = """{
  const usual = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : usual.call(this, kind, ...rest);
  };
}"""


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """The browser; where there is none, tests that want it are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=program, args=[*SOFTWARE_WEBGL, *as_root])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def complaints() -> list[str]:
    """What pages complained of, and asked a network for."""
    return []


@pytest.fixture
def heard(complaints) -> Iterator[None]:
    """Until its end, no page has complained of anything, or asked for anything."""
    yield
    said = complaints[:]
    complaints.clear()
    assert said == []


@pytest.fixture(scope="module")
def window(chromium, complaints) -> Iterator[Callable]:
    """Opens a file in a window of its own; a second time, finds it there."""
    contexts, windows = [], {}

    def heard(message) -> None:
        if message.type in ("error", "warning") and ADVICE not in message.text:
            complaints.append(f"{message.type}: {message.text}")

    def asked(request) -> None:
        if request.url.split(":")[0] not in ("file", "data", "blob"):
            complaints.append(f"asked for {request.url}")

    def open_file(path: Path, width: int = 1280, webgl: bool = True):
        if (path, width) in windows:
            return windows[path, width]
        screen = {"width": width, "height": 900}
        context = chromium.new_context(viewport=screen, offline=True, reduced_motion="reduce")
        contexts.append(context)
        context.on("request", asked)
        page = context.new_page()
        if not webgl:
            page.add_init_script(WITHOUT_WEBGL)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"raised {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"said {dialog.message}"))
        page.goto(path.resolve().as_uri())
        windows[path, width] = page
        return page

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def artefacts(root) -> Path:
    """Where screenshots are kept, to be looked at."""
    folder = Path(os.environ.get("MITSUBA_MEI_ARTEFACTS") or root / "runs" / "test-artefacts") / "report"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
