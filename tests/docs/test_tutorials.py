"""The tutorials, each executed in a kernel of its own as the built pages have them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted(path for path in TUTORIALS.glob("*.md") if path.stem != "index")

FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
CELL = re.compile(r"^```\{code-cell\} ipython3\n((?::[^\n]*\n)*)(.*?)^```$", re.DOTALL | re.MULTILINE)
SPEAKS = re.compile(r"\bprint\(|^!", re.MULTILINE)
"""What a cell may write to the standard output by: its own print, or a command."""


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The code cells of a MyST-Markdown notebook."""
    text = path.read_text(encoding="utf-8")
    cells = [nbformat.v4.new_code_cell(source.strip()) for _, source in CELL.findall(text)]
    kernel = yaml.safe_load(FRONT.match(text)[1])["kernelspec"]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture
def weights(request, monkeypatch, tmp_path) -> None:
    """The published V1 weights, where a download would have put them."""
    if request.node.get_closest_marker("shared") is None:
        return
    source = request.getfixturevalue("shared_data") / "neuron_models" / "macaque_v1_pointpool.pth.tar"
    if not source.is_file():
        pytest.skip(f"there is no {source}")
    card = yaml.safe_load((ROOT / "models" / "macaque_v1_pointpool.yaml").read_text(encoding="utf-8"))
    target = tmp_path / card["weights"][0]["source"].removeprefix("https://")
    target.parent.mkdir(parents=True)
    shutil.copy(source, target)
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(tmp_path))


ALWAYS = ("own_network", "pose_and_light_tuning")
"""Executed by ``make test``; the others, which take minutes, by ``make docs`` and where MITSUBA_MEI_TUTORIALS is all."""


def pages() -> list:
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.shared] if path.stem == "macaque_v1" else [])
        for path in PAGES
    ]


@pytest.mark.parametrize("page", pages())
def test_a_tutorial_runs(page, weights, monkeypatch, tmp_path):
    if page.stem not in ALWAYS and os.environ.get("MITSUBA_MEI_TUTORIALS") != "all":
        pytest.skip("make docs executes it; here with MITSUBA_MEI_TUTORIALS=all")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    book = read_notebook(page)
    assert book.cells
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(ROOT)}}).execute()
    pictures = 0
    for cell in book.cells:
        for output in cell.outputs:
            if output.output_type == "stream":
                assert output.name == "stdout", f"{cell.source}\nwrote to the standard error:\n{output.text}"
                assert SPEAKS.search(cell.source), f"{cell.source}\nwrote:\n{output.text}"
                assert not cell.source.startswith("!") or "written to" in output.text, output.text
            data = output.get("data", {})
            pictures += "image/png" in data or "data:image/png" in data.get("text/html", "")
    assert pictures


def test_every_page_is_in_the_index():
    index = (TUTORIALS / "index.md").read_text(encoding="utf-8")
    listed = re.search(r"```\{toctree\}\n(?::.*\n)*\n(.*?)```", index, re.DOTALL)[1].split()
    assert sorted(listed) == [path.stem for path in PAGES]
    for name in listed:
        title = re.search(r"^# (.*)$", (TUTORIALS / f"{name}.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
        assert f"[{title}]({name}.md)" in index


@pytest.mark.parametrize("page", pages())
def test_a_page_says_how_to_read_its_figures(page):
    text = FRONT.sub("", page.read_text(encoding="utf-8"))
    assert "converged" in text and "render s.e." in text and "must not conclude" in text.replace("\n", " ")
    assert len(CELL.findall(text)) == text.count("```{code-cell}")
    for target in re.findall(r"\]\((\w+\.md)\)", text):
        assert (TUTORIALS / target).is_file(), target
