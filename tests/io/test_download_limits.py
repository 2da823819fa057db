"""What a stranger's card can fetch, and where to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub
import pytest
import torch

from mitsuba_mei.errors import Place, UserError
from mitsuba_mei.io import download as weights
from mitsuba_mei.io.download import Source, obtain
from mitsuba_mei.neurons.cards import load_card
from tests.strangers import Marking

SHA = "a" * 64


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder for downloads, three deep in the test's own."""
    folder = tmp_path / "a" / "b" / "weights"
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(folder))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *arguments, **named: None)
    return folder


def fetch(location: str, folder: Path, sha256: str | None = None, on_message=lambda text: None) -> Path:
    return obtain(Source(location, sha256), folder, Place("card.yaml", folder, 3), on_message)


WEB = [
    "https://host/../../../x.pth",
    "https://host/%2e%2e/%2e%2e/%2e%2e/x.pth",
    "https://host/..%2f..%2f..%2fx.pth",
    "https://../../x.pth",
    "https://host/a\\..\\..\\x.pth",
    "https://host//etc/x.pth",
    "https://host/x.pth?../../../../y",
]


@pytest.mark.parametrize("location", WEB)
def test_a_download_lies_in_the_folder_for_downloads(cache, tmp_path, location, monkeypatch):
    targets = []
    monkeypatch.setattr(weights, "download", lambda url, target, *rest: targets.append(target))
    try:
        fetch(location, tmp_path, SHA)
    except UserError as error:
        assert "is not https://" in str(error) or "is no URL" in str(error)
    assert all(target.resolve().is_relative_to(cache) for target in targets)
    assert all(path.is_relative_to(cache) for path in tmp_path.rglob("*") if path.is_file())


HUB = [
    "hf://owner/repo/../../../x.pth",
    "hf://../../x.pth",
    "hf://owner/../x.pth",
    "hf://owner/repo/a\\..\\x.pth",
    "hf://owner/repo/x.pth@../../../../y",
    "hf://owner/repo/x.pth@a/../../../../y",
    "hf://owner/repo/x.pth@/etc/y",
    "hf://owner/repo/x.pth@a\\..\\y",
]


@pytest.mark.parametrize("location", HUB)
def test_a_place_at_the_hub_leads_nowhere_else(cache, tmp_path, location, monkeypatch):
    """The hub's own cache has a file named after the revision."""
    for name in ("hf_hub_download", "try_to_load_from_cache"):
        monkeypatch.setattr(huggingface_hub, name, lambda *arguments, **named: pytest.fail("it was asked for"))
    with pytest.raises(UserError, match="is not hf://owner/repo/path/in/repo"):
        fetch(location, tmp_path, SHA)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/a.pth", "data://a", "http://host/a.pth"])
def test_other_schemes_are_refused(cache, tmp_path, location):
    with pytest.raises(UserError, match="weights cannot come from|plain http"):
        fetch(location, tmp_path, SHA)


def test_the_web_needs_a_hash(cache, tmp_path):
    with pytest.raises(UserError, match="card.yaml:3: weights from https:// need sha256"):
        fetch("https://host/a.pth", tmp_path)


def test_whatever_has_another_hash_is_refused(cache, tmp_path, monkeypatch):
    """A file of the user's own, one that was put by hand, one that was fetched before, and what the hub sends."""
    (tmp_path / "own.pth").write_bytes(b"own")
    right = hashlib.sha256(b"own").hexdigest()
    assert fetch("own.pth", tmp_path, right) == tmp_path / "own.pth"
    with pytest.raises(UserError, match="own.pth' has the sha256"):
        fetch("own.pth", tmp_path, SHA)
    for place in (cache / "owner" / "repo" / "x.pth", cache / "host" / "x.pth"):
        place.parent.mkdir(parents=True)
        place.write_bytes(b"own")
    assert fetch("hf://owner/repo/x.pth", tmp_path, right) == cache / "owner" / "repo" / "x.pth"
    assert fetch("https://host/x.pth", tmp_path, right) == cache / "host" / "x.pth"
    asked, said = [], []
    monkeypatch.setattr(weights, "_probe", lambda url: None)
    monkeypatch.setattr(weights, "download", lambda url, *rest: asked.append(url))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *rest, **named: str(tmp_path / "own.pth"))
    with pytest.raises(UserError, match="own.pth' has the sha256"):
        fetch("hf://owner/repo/x.pth", tmp_path, SHA, said.append)
    fetch("https://host/x.pth", tmp_path, SHA, said.append)
    assert asked == ["https://host/x.pth"]
    assert sum("has another sha256 than the card says, and is left aside" in text for text in said) == 3


def test_that_nothing_was_checked_is_said(cache, tmp_path, monkeypatch):
    (tmp_path / "x.pth").write_bytes(b"own")
    monkeypatch.setattr(weights, "_probe", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *rest, **named: str(tmp_path / "x.pth"))
    said = []
    fetch("hf://owner/repo/x.pth", tmp_path, None, said.append)
    assert "hf://owner/repo/x.pth was not checked: the card gives no sha256" in said[-1]
    assert hashlib.sha256(b"own").hexdigest() in said[-1]
    fetch("hf://owner/repo/x.pth", tmp_path, hashlib.sha256(b"own").hexdigest(), said.append)
    assert len(said) == 3 and "not checked" not in said[-1]


@pytest.mark.parametrize("up", ["../", "../../", ""])
def test_weights_from_elsewhere_are_read_as_weights_alone(tmp_path, up):
    """A card may name any file; what it is not is on_message, and nothing in it is run or shown."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    names = ["own.py", "made.pth", "id_rsa"]
    where = (tmp_path / "a" / "b" / up).resolve()
    (where / "own.py").write_text("import os\nos.mkdir('made')\n")
    (where / "id_rsa").write_text("-----BEGIN PRIVATE KEY-----\nabcdef\n")
    torch.save({"core": Marking(where / "made")}, where / "made.pth")
    for name in names:
        card = {"type": "nnvision", "weights": up + name, "input": {"size": 32, "mean": 124.0, "std": 70.0}}
        with pytest.raises(UserError, match="is no PyTorch checkpoint|is refused") as refused:
            load_card(card, tmp_path / "a" / "b", trust_code=True)
        assert "abcdef" not in str(refused.value)
    assert not list(tmp_path.rglob("made"))
