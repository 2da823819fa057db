"""The README is short, its links and those of the pages lead somewhere, and generated tables leave nothing out."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mitsuba_mei
from mitsuba_mei.config.load import json_schema

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MOST_BYTES = 10_000
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
TARGET = re.compile(r"^\(([\w.-]+)\)=$", re.MULTILINE)
KEY = re.compile(r"^\* - `([^`]+)`$", re.MULTILINE)


@pytest.fixture
def generate(monkeypatch):
    """A module of ``docs/generate`` by its name."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield lambda name: importlib.import_module(f"generate.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "generate"]:
        del sys.modules[name]


def pages() -> list[Path]:
    """README and all pages that are written by hand."""
    made = ("_build", "_generated")
    return [ROOT / "README.md", *(path for path in DOCS.rglob("*.md") if not set(made) & set(path.parts))]


def tables(text: str) -> dict[str, set[str]]:
    """Keys of each table by the target above it."""
    found, parts = {}, TARGET.split(text)
    for target, body in zip(parts[1::2], parts[2::2]):
        found[target] = set(KEY.findall(body))
    return found


def broken_links(path: Path) -> Iterator[str]:
    """Links to files within the repository that are not there."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(text):
        name = link.partition("#")[0]
        if name and "://" not in name and not name.startswith("mailto:") and not (path.parent / name).exists():
            yield f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}: {link}"


def missing_from_schema(text: str) -> list[str]:
    """Keys of the scene file's JSON schema that no table has."""
    shown, schema = tables(text), json_schema()
    # Sections have a table of their own.
    wanted = {"Config": [name for name, value in schema["properties"].items() if not _is_section(value)]}
    wanted |= {name: list(part["properties"]) for name, part in schema["$defs"].items()}
    return [
        f"{part}.{key}"
        for part, keys in wanted.items()
        for key in keys
        if key not in shown.get(f"schema-{part}", ()) and key != "extends"
    ]


def _is_section(value: dict) -> bool:
    return "$ref" in json.dumps(value)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= MOST_BYTES


def test_links_lead_somewhere():
    assert [each for path in pages() for each in broken_links(path)] == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[here](page.md), [there](nowhere.md#part), [far](https://example.org)", encoding="utf-8")
    assert list(broken_links(page)) == ["page.md: nowhere.md#part"]


def test_every_key_of_a_scene_file_is_described(generate):
    made = generate("scene_file")
    assert missing_from_schema(made.scene_file() + made.model_cards()) == []


def test_a_key_that_is_left_out_is_found(generate):
    made = generate("scene_file")
    text = made.scene_file() + made.model_cards()
    left_out = text.replace("* - `max_depth`\n", "")
    assert left_out != text
    assert missing_from_schema(left_out) == ["Render.max_depth"]


def test_sections_of_a_scene_file_stand_in_its_order(generate):
    text = generate("scene_file").scene_file()
    sections = [name for name, value in json_schema()["properties"].items() if _is_section(value)]
    found = [text.index(f"### `{name}`") for name in sections]
    assert found == sorted(found)


def test_every_key_of_a_sweep_file_is_described(generate):
    from mitsuba_mei.config import sweep

    shown = tables(generate("scene_file").sweep_file())
    for part in (sweep.Sweep, sweep.Workers, sweep.Address, sweep.Slurm):
        assert set(part.model_fields) <= shown[f"schema-{part.__name__}"]


def test_bounds_units_and_defaults_are_said(generate):
    text = generate("scene_file").scene_file()
    row = text[text.index("* - `fov`") :].split("\n")[:4]
    assert row == [
        "* - `fov`",
        "  - number; above 0, below 170; deg; can be freed",
        "  - `35`",
        "  - Full field of view, degrees.",
    ]


def results_left_out(made, text: str) -> list[str]:
    """Keys of results that no table has, or that nothing is said about."""
    shown, found = tables(text), []
    for kind in made.records():
        for name in made.own_fields(kind):
            key = kind.model_fields[name].alias or name
            if key not in shown.get(f"result-{kind.__name__}", ()) or not kind.model_fields[name].description:
                found.append(f"{kind.__name__}.{key}")
    return found


def test_every_key_of_a_result_is_described(generate):
    made = generate("results")
    assert results_left_out(made, made.result_files()) == []


def test_a_result_that_is_left_out_is_found(generate):
    made = generate("results")
    text = made.result_files().replace("* - `ratio_to_pixel`\n", "", 1)
    (left_out,) = results_left_out(made, text)
    assert left_out == "MEIResult.ratio_to_pixel"


def test_a_key_of_which_nothing_is_said_is_found(generate, monkeypatch):
    made = generate("results")
    field = next(kind for kind in made.records() if kind.__name__ == "OptimizationResult").model_fields[
        "peak_memory_mb"
    ]
    monkeypatch.setattr(field, "description", None)
    assert results_left_out(made, made.result_files()) == ["OptimizationResult.peak_memory_mb"]


def test_every_command_and_option_is_described(generate):
    made = generate("commands")
    text = made.commands()
    for name, command in made.parameters().items():
        body = text.split(f"(command-{name})=")[1].split("(command-")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(f"`{option}`" in body for option in parameter.opts)


def test_every_public_name_is_on_one_page():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    for name in set(mitsuba_mei.__all__) - {"__version__"}:
        assert len(re.findall(rf"^\.\. auto\w+:: {name}$", text, re.MULTILINE)) == 1, name
    assert "mitsuba_mei.__version__" in text


def test_measured_figures_say_where_and_when(generate):
    made = generate("benchmarks")
    for path in made.DATA.glob("*.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        text = made.measured(path.stem)
        assert set(found["measured"]) == {"date", "commit", "machine"}
        assert all(value in text for value in found["measured"].values())
        assert "platform" not in found["machine"]  # its name says which machine it was


def test_figures_of_an_earlier_version_say_so(generate):
    made = generate("benchmarks")
    for path in made.EARLIER.glob("*.md"):
        assert path.read_text(encoding="utf-8").startswith("*Measured on an earlier version"), path.name


def test_a_benchmark_s_page_shows_its_file_where_there_is_one(generate, monkeypatch, tmp_path):
    made = generate("benchmarks")
    monkeypatch.setattr(made, "DATA", tmp_path)
    assert made.measured("flat").startswith("*Measured on an earlier version")
    found = {
        "benchmark": "flat",
        "measured": {"date": "2026-01-31", "commit": "abc1234", "machine": "2 cores"},
        "machine": {"cores": 2, "versions": {"mitsuba_mei": "0.1.0", "numpy": "2.0"}},
        "blocks": [{"steps": 100, "ms": 91.234567}],
        "targets": [{"name": "growth", "value": 1.0, "least": None, "most": 1.1, "bound": False, "met": True}],
    }
    (tmp_path / "flat.json").write_text(json.dumps(found), encoding="utf-8")
    text = made.measured("flat")
    assert "2026-01-31" in text and "abc1234" in text
    assert "| 100 | 91.23 |" in text
    assert "| growth | 1 | at most 1.1 | met |" in text


def test_every_included_benchmark_is_one():
    from benchmarks.__main__ import BENCHMARKS

    text = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "validation").glob("*.md"))
    names = re.findall(r"_generated/benchmark_(\w+)\.md", text)
    assert names and set(names) <= set(BENCHMARKS)
    kept = {path.stem for folder in ("data", "earlier") for path in (DOCS / "validation" / folder).iterdir()}
    assert kept == set(names)


def test_a_tutorial_without_its_weights_says_so(generate):
    made = generate("tutorials")
    source = ["# A neuron\n\nText.\n"]
    made.said_of_tutorial("tutorials/neuron", source, {"neuron": "`models/a.yaml`: not here"})
    assert source[0].startswith("# A neuron\n\n:::{note}\nThis page was built without the weights")
    assert source[0].endswith("Text.\n")
    other = ["# Another\n"]
    made.said_of_tutorial("tutorials/another", other, {"neuron": "not here"})
    assert other == ["# Another\n"]


def test_only_code_that_names_published_weights_needs_them(generate, tmp_path, monkeypatch):
    made = generate("tutorials")
    monkeypatch.setattr(made, "_problem", lambda card: "not here")
    cell = '```{code-cell} ipython3\nmm.load_model("models/macaque_v1_pointpool.yaml")\n```\n'
    (tmp_path / "needs.md").write_text(f"# A\n\n{cell}", encoding="utf-8")
    (tmp_path / "speaks.md").write_text("# B\n\n`models/macaque_v1_pointpool.yaml`\n", encoding="utf-8")
    assert list(made.left_out(tmp_path)) == ["needs"]


def test_the_page_of_a_part_is_found_by_its_name(generate):
    """Docstrings of settings are the text below each heading."""
    from mitsuba_mei.config.scene import Sun

    text = generate("scene_file").scene_file()
    assert inspect.cleandoc(Sun.__doc__).split("\n")[0] in text
