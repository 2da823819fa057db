"""The page as text: what is in it, what must not be, and where it is written."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mitsuba_mei.cli.main import main
from mitsuba_mei.errors import UserError
from mitsuba_mei.report.html import page
from mitsuba_mei.report.html.mesh import PackedMesh, unpack_mesh
from mitsuba_mei.report.html.write import write_report
from tests.report.html.run_folders import bumpy, result_with, write_pixel_run, write_run, write_tuning

HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\u2028'\"&"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


@pytest.fixture
def text(tmp_path, monkeypatch) -> str:
    """A page about three runs, one of them hostile."""
    monkeypatch.chdir(tmp_path)
    write_tuning(write_run(Path("runs/a")))
    result = result_with(model=HOSTILE, objective=HOSTILE, ended=HOSTILE, reason=HOSTILE, further={HOSTILE: HOSTILE})
    write_run(Path("runs/b"), result, scene=f"# {HOSTILE}\nseed: 0\n")
    write_pixel_run(Path("runs/c"))
    return write_report([Path("runs/a"), Path("runs/b"), Path("runs/c")]).read_text(encoding="utf-8")


def test_nothing_of_a_file_becomes_a_tag(text):
    found = Tags(text)
    sources = [attributes["src"] for tag, attributes in found.tags if "src" in attributes]
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    executed = [body for attributes, body in found.scripts if "type" not in attributes]
    assert len(executed) == 1 and "hacked" not in executed[0]
    assert text.count("&lt;/script&gt;") >= 3


def test_nothing_is_asked_of_a_network(text):
    found = Tags(text)
    (policy,) = [a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "http" not in policy
    links = [a.get("href") or "" for _, a in found.tags if "href" in a]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"@import|url\(", text[: text.index("</style>")])


def test_no_way_to_the_users_folders_is_told(text, tmp_path):
    assert str(tmp_path) not in text
    assert "python run.py runs/a/config.yaml" in text


def test_the_mesh_in_the_page_is_the_runs_mesh(text):
    bodies = {a.get("id"): body for a, body in Tags(text).scripts}
    mesh = json.loads(bodies["data-1"])["figures"]["mesh"]["meshes"][0]
    faces = json.loads(bodies["faces"])
    assert len(faces) == 1  # both objects are of one template
    packed = PackedMesh(mesh["vertices"], faces[mesh["faces"]], mesh["wide"], tuple(mesh["origin"]), mesh["step"], "")
    vertices, triangles = unpack_mesh(packed)
    np.testing.assert_allclose(vertices, bumpy().vertices, atol=2.6 / 65535)
    assert (triangles == bumpy().faces).all()


def test_pictures_have_words_and_headings_an_order(text):
    tags = Tags(text).tags
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) > 10 and all(attributes.get("alt") for attributes in images)
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:]))


def test_every_file_of_the_page_lies_in_the_package():
    names = {entry.name for entry in files("mitsuba_mei.report.html").joinpath("assets").iterdir()}
    assert {"aims.html.j2", "report.html.j2", "run.html.j2", "report.css", *page.SCRIPTS} == names


# -------------------------------------------------------------------------------------------------- where it is written


def test_a_single_runs_report_lies_in_its_folder_and_further_ones_beside_it(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    assert [write_report([folder]).name for _ in range(3)] == ["report.html", "report-002.html", "report-003.html"]


def test_a_report_of_several_lies_beside_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write_run(Path("elsewhere") / name, frames=0)
    runs = [Path("elsewhere/a"), Path("elsewhere/b")]
    assert [write_report(runs) for _ in range(2)] == [Path(f"runs/report-a-00{i}.html") for i in (1, 2)]


def test_a_file_is_never_overwritten(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    with pytest.raises(UserError, match="exists already, and is not overwritten"):
        write_report([folder], taken)
    assert taken.read_text() == "mine"


def test_the_command_writes_a_report_or_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_run(Path("runs/a"), frames=0)
    assert main(["report", "runs/a", "--out", "a.html"]) == 0
    assert capsys.readouterr().out.startswith("written to a.html, ")
    assert Path("a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    for words in (
        ["report"],
        ["report", "runs/a", "--out", "a.html"],
        ["report", "runs"],
        ["report", "runs/a", "runs/a"],
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and len(error) > 20
