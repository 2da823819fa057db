from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from mitsuba_mei.errors import Place, UserError
from mitsuba_mei.io import download as weights
from mitsuba_mei.io import web
from mitsuba_mei.io.download import Source, obtain

pytestmark = pytest.mark.slow


DATA = bytes(range(256)) * 2000  # half a megabyte
HASH = hashlib.sha256(DATA).hexdigest()
COMMIT = "c0ffee" + "0" * 34
WHERE = Place("card.yaml", Path("/nowhere"), 5)

# ----------------------------------------------------------------------------------------------------------- servers


class Shop(ThreadingHTTPServer):
    """A web server whose next answers can be spoilt.

    ``faults`` holds what happens to the next GETs: a status, ``half`` (of the body, then the connection is closed),
    ``stall`` (half of it, then silence).
    """

    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.faults: list[int | str] = []
        self.head_faults: list[int | str] = []
        self.asked: list[tuple[str, str, str | None]] = []
        self.errors: dict[str, tuple[int, str]] = {}
        self.redirects: dict[str, str] = {}
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        """A client that went away is none."""


class Answer(BaseHTTPRequestHandler):
    server: Shop

    def log_message(self, *args) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer(self, body: bool) -> None:
        shop, wanted = self.server, self.headers.get("Range")
        shop.asked.append((self.command, self.path, wanted))
        if self.path in shop.redirects:
            return self.say(302, Location=shop.redirects[self.path], Content_Length="0")
        if self.path in shop.errors:
            status, code = shop.errors[self.path]
            return self.say(status, X_Error_Code=code, Content_Length="0")
        if self.path not in shop.files:
            return self.say(404, Content_Length="0")
        faults = shop.faults if body else shop.head_faults
        fault = faults.pop(0) if faults else None
        if isinstance(fault, int):
            return self.say(fault, Content_Length="0")
        data = shop.files[self.path]
        tag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X_Repo_Commit": COMMIT}
        start = 0
        if wanted:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(data):
                return self.say(416, Content_Length="0")
        rest = data[start:]
        tag |= {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self.say(206 if start else 200, Content_Length=str(len(rest)), **tag)
        if body:
            self.wfile.write(rest[: len(rest) // 2] if fault in ("half", "stall") else rest)
            if fault == "stall":
                shop.closing.wait()


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """Where downloads go; retries wait for next to nothing."""
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(web, "BACKOFF", 0.001)
    monkeypatch.setattr(web, "TIMEOUT", 5.0)
    return tmp_path / "weights"


def fetch(shop: Shop, name: str = "a.pth", sha256: str | None = HASH, messages: list[str] | None = None) -> Path:
    source = Source(f"{shop.url}/{name}", sha256)
    return obtain(source, Path(), WHERE, [].append if messages is None else messages.append)


def target(shop: Shop, kept: Path, name: str = "a.pth") -> Path:
    return kept / shop.url.removeprefix("http://").replace(":", "_") / name


def visible(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def refused(call, *said: str) -> str:
    """The one sentence that a call ends in."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith("card.yaml:5: ") and "\n" not in message
    for part in said:
        assert part in message, message
    return message


# ------------------------------------------------------------------------------------------------------------- paths


def test_a_path_is_relative_to_the_cards_folder(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(DATA)
    assert obtain(Source("a.pth"), tmp_path, WHERE).read_bytes() == DATA
    assert obtain(Source(str(tmp_path / "a.pth"), HASH.upper()), Path("/nowhere"), WHERE).read_bytes() == DATA
    monkeypatch.setenv("HOME", str(tmp_path))
    assert obtain(Source("~/a.pth"), Path("/nowhere"), WHERE).read_bytes() == DATA


def test_a_path_that_is_no_such_file_is_said(tmp_path):
    (tmp_path / "model.pth").write_bytes(DATA)
    (tmp_path / "folder").mkdir()
    refused(lambda: obtain(Source("modle.pth"), tmp_path, WHERE), "there is no file", "did you mean 'model.pth'?")
    refused(lambda: obtain(Source("gone/a.pth"), tmp_path, WHERE), "there is no file")
    refused(lambda: obtain(Source("folder"), tmp_path, WHERE), "is a folder")
    refused(lambda: obtain(Source("model.pth/a"), tmp_path, WHERE), "model.pth/a")
    refused(lambda: obtain(Source("a\0b"), tmp_path, WHERE))
    refused(lambda: obtain(Source("x" * 300), tmp_path, WHERE))
    refused(lambda: obtain(Source("model.pth", "0" * 64), tmp_path, WHERE), "0" * 64, HASH, "model.pth")


@pytest.mark.parametrize("sha256", ["", "12ab", "g" * 64, HASH + "0", HASH + "\n"])
def test_a_hash_is_64_hex_digits(tmp_path, sha256):
    message = r"card.yaml:5: sha256 is '.*'; it must be 64 hex digits"
    with pytest.raises(UserError, match=f"(?s){message}"):
        obtain(Source("a.pth", sha256), tmp_path, WHERE)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (
            "ftp://host/a.pth",
            "allowed are a file's path, hf://owner/repo/path/in/repo[@revision] and https://host/path",
        ),
        ("file:///etc/passwd", "allowed are"),
        ("http://example.org/a.pth", "plain http, which anybody on the way can change; use https"),
        ("http://127.0.0.1.example.org/a.pth", "plain http"),
        ("http://10.0.0.1/a.pth", "plain http"),
        ("https://", "is not https://host/path"),
        ("https://host", "is not https://host/path"),
        ("https://host/folder/", "is not https://host/path"),
        ("https://name:word@host/a.pth", "is not https://host/path"),
        ("https://[::1/a.pth", "is no URL"),
        ("https://host:99999/a.pth", "is no URL"),
        ("hf://owner/repo", "is not hf://owner/repo/path/in/repo[@revision]"),
        ("hf://owner/repo@main/a.pth", "is not hf://"),
        ("hf://owner/repo/a.pth@", "is not hf://"),
        ("hf://owner/repo/../a.pth", "is not hf://"),
        ("hf://owner/repo//a.pth", "is not hf://"),
        ("hf://owner/re--po/a.pth", "HFValidationError"),
        ("hf:///a.pth", "is not hf://"),
    ],
)
def test_a_location_that_cannot_be_is_said(kept, location, said):
    refused(lambda: obtain(Source(location, HASH), Path(), WHERE), said)
    assert not kept.exists()


def test_the_web_needs_a_hash(shop, kept):
    refused(lambda: fetch(shop, sha256=None), "need sha256")
    assert shop.asked == []


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", "~/mine")
    assert weights.weights_folder() == tmp_path / "mine"
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", "")
    assert weights.weights_folder() == tmp_path / "cache/mitsuba_mei/weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights.weights_folder() == tmp_path / ".cache/mitsuba_mei/weights"


# --------------------------------------------------------------------------------------------------------------- web


def test_a_file_is_fetched_once(shop, kept):
    shop.files["/a.pth"] = DATA
    messages: list[str] = []
    path = fetch(shop, messages=messages)
    assert path == target(shop, kept)
    assert path.read_bytes() == DATA
    assert messages == [f"downloading {shop.url}/a.pth to {path}"]
    assert shop.asked == [("GET", "/a.pth", None)]
    assert fetch(shop) == path
    assert len(shop.asked) == 1


def test_a_file_put_there_by_hand_is_taken(shop, kept):
    path = target(shop, kept)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert fetch(shop) == path
    assert shop.asked == []


def test_another_file_in_its_place_is_replaced_by_the_right_one_alone(shop, kept):
    path = target(shop, kept)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    shop.files["/a.pth"] = b"neither"
    messages: list[str] = []
    refused(lambda: fetch(shop, messages=messages), hashlib.sha256(b"neither").hexdigest(), HASH)
    assert path.read_bytes() == b"old"
    assert "another sha256" in messages[0]
    shop.files["/a.pth"] = DATA
    assert fetch(shop).read_bytes() == DATA


def test_a_download_that_breaks_off_is_tried_again(shop, kept):
    shop.files["/a.pth"] = DATA
    shop.faults = ["half", "half"]
    messages: list[str] = []
    assert fetch(shop, messages=messages).read_bytes() == DATA
    assert len(shop.asked) == 3
    assert sum("broke off" in message for message in messages) == 2
    assert visible(kept) == ["a.pth"]


def test_the_next_call_tries_anew(shop, kept, monkeypatch):
    shop.files["/a.pth"] = DATA
    shop.faults = ["half", 503]
    monkeypatch.setattr(web, "RETRIES", 1)
    refused(lambda: fetch(shop), "the server answers 503", "try again later", str(target(shop, kept)))
    assert visible(kept) == []
    assert fetch(shop).read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(shop, kept):
    shop.files["/a.pth"] = b"something else"
    found = hashlib.sha256(b"something else").hexdigest()
    refused(lambda: fetch(shop), f"has the sha256 {found}, and the card says {HASH}")
    assert len(shop.asked) == 1
    assert visible(kept) == []


def test_a_wrong_hash_is_not_fetched_for_ever(shop, kept):
    shop.files["/a.pth"] = DATA * 6
    shop.faults = ["half", "none"] * 10
    refused(lambda: fetch(shop), "has the sha256")
    assert len(shop.asked) == 2


def test_a_file_that_is_not_there_is_not_tried_again(shop, kept):
    refused(lambda: fetch(shop, "gone.pth"), "404", "correct the location", str(target(shop, kept, "gone.pth")))
    assert len(shop.asked) == 1


def test_a_passing_fault_of_the_server_is_overcome(shop, kept):
    shop.files["/a.pth"] = DATA
    shop.faults = [500, 503, 429]
    assert fetch(shop).read_bytes() == DATA
    assert len(shop.asked) == 4


def test_a_lasting_fault_of_the_server_ends_it(shop, kept):
    shop.files["/a.pth"] = DATA
    shop.faults = [500] * 20
    refused(lambda: fetch(shop), "the server answers 500")
    assert len(shop.asked) == 1 + web.RETRIES


def test_a_silent_server_is_given_up(shop, kept, monkeypatch):
    shop.files["/a.pth"] = DATA
    shop.faults = ["stall"] * 2
    monkeypatch.setattr(web, "TIMEOUT", 0.1)
    monkeypatch.setattr(web, "RETRIES", 1)
    refused(lambda: fetch(shop), "TimeoutError")
    assert fetch(shop).read_bytes() == DATA


def test_without_a_server_the_sentence_says_what_to_put_where(kept, monkeypatch):
    gone = Shop()
    gone.server_close()
    monkeypatch.setattr(web, "BACKOFF", 100)  # there is nothing to wait for
    message = refused(lambda: fetch(gone), "ConnectionRefusedError", f"put it at {target(gone, kept)}")
    assert f"cannot download {gone.url}/a.pth: no connection to the server" in message


def test_a_proxy_is_not_asked_for_this_very_machine(shop, kept, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    shop.files["/a.pth"] = DATA
    assert fetch(shop).read_bytes() == DATA


def test_redirections_are_followed_but_not_out_of_safety(shop, kept):
    shop.files["/b.pth"] = DATA
    shop.redirects = {"/a.pth": "/b.pth", "/c.pth": "http://example.org/c.pth", "/d.pth": "/d.pth"}
    assert fetch(shop) == target(shop, kept)
    refused(lambda: fetch(shop, "c.pth"), "redirects to http://example.org/c.pth, which is not https")
    refused(lambda: fetch(shop, "d.pth"), "TooManyRedirects")
    assert visible(kept) == ["a.pth"]


def test_an_endless_file_is_not_taken(shop, kept, monkeypatch):
    shop.files["/a.pth"] = DATA
    monkeypatch.setattr(web, "MAX_SIZE", 1000)
    refused(lambda: fetch(shop), "at most")
    monkeypatch.setattr(web, "_check_room", lambda *_: None)  # as if it had not told its length
    refused(lambda: fetch(shop), "the file is larger than")
    assert visible(kept) == []


def test_a_full_disk_is_said(shop, kept, monkeypatch):
    shop.files["/a.pth"] = DATA
    with monkeypatch.context() as patch:
        patch.setattr(web.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        refused(lambda: fetch(shop), "0 MB free, and 1 MB are needed; free some")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(web, "_fetch", full)
    refused(lambda: fetch(shop), "No space left on device", "set MITSUBA_MEI_WEIGHTS to a folder elsewhere")
    assert visible(kept) == []


def test_a_folder_that_cannot_be_is_said(shop, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(tmp_path / "file"))
    refused(lambda: fetch(shop), "set MITSUBA_MEI_WEIGHTS to a folder elsewhere")


def test_names_of_the_web_are_names_of_files(shop, kept):
    name = "a%20b/..%2F..%2Fc.pth?x=1&y=/../2"
    shop.files[f"/{name}"] = DATA
    assert fetch(shop, name) == target(shop, kept).parent / "a_b/c.pth_x_1_y_/2"
    shop.files["/%C3%BC.pth"] = DATA
    assert fetch(shop, "ü.pth").read_bytes() == DATA


def test_a_bar_is_shown_on_a_terminal_alone(shop, kept, monkeypatch, capsys):
    shop.files["/a.pth"] = shop.files["/b.pth"] = DATA
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    fetch(shop)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes everything for a terminal then
    fetch(shop, "b.pth")
    out, err = capsys.readouterr()
    assert out == "" and "b.pth" in err and "512.0/512.0 kB" in re.sub(r"\x1b\[[0-9;?]*\w", "", err)


# ------------------------------------------------------------------------------------- processes with an environment

JOBS = """
import json, os, sys, time
from pathlib import Path
from mitsuba_mei.errors import UserError
from mitsuba_mei.io.download import Source, obtain
from mitsuba_mei.errors import Place

assert "huggingface_hub" not in sys.modules

def work(job):
    os.environ.update(job["environment"])
    try:
        path = obtain(Source(job["location"], job["sha256"]), Path(), Place("card.yaml", Path(), 5))
        return {"path": str(path), "data": path.read_bytes().hex()}
    except UserError as error:
        return {"error": str(error), "waited": waited}

waited, sleep = [], time.sleep
time.sleep = lambda seconds: (waited.append(seconds), sleep(min(seconds, 0.1)))

for line in sys.stdin:
    pipes = []
    for job in json.loads(line):
        reading, writing = os.pipe()
        if os.fork() == 0:
            with open(writing, "w") as pipe:
                json.dump(work(job), pipe)
            os._exit(0)
        os.close(writing)
        pipes.append(open(reading))
    print(json.dumps([json.load(pipe) for pipe in pipes]), flush=True)
    for pipe in pipes:
        pipe.close()
        os.wait()
"""


@pytest.fixture(scope="module")
def workers(root) -> Iterator[subprocess.Popen]:
    """Forks a process a job, as importing torch anew for each would take seconds."""
    command = [sys.executable, "-c", JOBS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    clean = {name: text for name, text in os.environ.items() if not re.match("HF_|HUGGING|.*_proxy", name, re.I)}
    with subprocess.Popen(command, cwd=root, text=True, env={**clean, "OMP_NUM_THREADS": "1"}, **pipes) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def hub(workers, shop, tmp_path):
    """A Hugging Face hub; calling it obtains something from there in a process of its own."""
    folders = {"HF_HOME": str(tmp_path / "hf"), "MITSUBA_MEI_WEIGHTS": str(tmp_path / "weights")}

    def run(*locations: str, sha256: str | None = None, **environment: str) -> dict | list[dict]:
        environment = {**folders, "HF_ENDPOINT": shop.url, **environment}
        jobs = [{"location": place, "sha256": sha256, "environment": environment} for place in locations]
        print(json.dumps(jobs), file=workers.stdin, flush=True)
        results = json.loads(workers.stdout.readline())
        return results if len(results) > 1 else results[0]

    shop.files["/me/v4/resolve/main/a/b.pth"] = DATA
    return run


B = "hf://me/v4/a/b.pth"


def test_the_hubs_file_is_fetched_once(hub, shop, tmp_path):
    first = hub(B, sha256=HASH)
    assert bytes.fromhex(first["data"]) == DATA
    assert Path(first["path"]).is_relative_to(tmp_path / "hf")
    assert ("GET", "/me/v4/resolve/main/a/b.pth", None) in shop.asked
    shop.asked.clear()
    assert hub(B, sha256=HASH) == first
    assert hub(B) == first
    assert hub(B, HF_HUB_OFFLINE="1") == first
    assert shop.asked == []  # not even for whether there is a newer one


def test_a_revision_is_fetched_as_such(hub, shop):
    shop.files["/me/v4/resolve/v1.0/a/b.pth"] = b"first version"
    assert hub(B + "@v1.0")["data"] == b"first version".hex()
    assert shop.asked[-1] == ("GET", "/me/v4/resolve/v1.0/a/b.pth", None)


def test_a_hub_download_that_breaks_off_is_tried_again(hub, shop):
    shop.faults = ["half"]
    shop.head_faults = [503]
    assert bytes.fromhex(hub(B, sha256=HASH)["data"]) == DATA
    assert shop.asked.count(("GET", "/me/v4/resolve/main/a/b.pth", None)) == 2  # it goes on in steps of 10 MB


def test_the_hubs_newer_file_is_fetched_if_the_card_asks_for_it(hub, shop):
    shop.files["/me/v4/resolve/main/a/b.pth"] = b"old"
    old = hub(B)
    wrong = hub(B, sha256=HASH)["error"]
    assert wrong.startswith(f"card.yaml:5: '{old['path']}' has the sha256 ") and f"the card says {HASH}" in wrong


def test_a_hub_file_put_there_by_hand_is_taken(hub, shop, tmp_path):
    path = tmp_path / "weights/me/v4/a/b.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert hub(B, sha256=HASH)["path"] == str(path)
    assert hub(B, HF_HUB_OFFLINE="1")["path"] == str(path)
    assert shop.asked == []
    path.write_bytes(b"wrong")
    assert hub(B)["path"] == str(path)
    assert Path(hub(B, sha256=HASH)["path"]).is_relative_to(tmp_path / "hf")


@pytest.mark.parametrize("why", ["offline", "down"])
def test_without_the_hub_the_sentence_says_what_to_put_where(hub, shop, tmp_path, why):
    gone = Shop()
    gone.server_close()
    endpoint = gone.url if why == "down" else shop.url
    extra = {"HF_HUB_OFFLINE": "1"} if why == "offline" else {"HF_ENDPOINT": gone.url}
    said = hub(B + "@main", **extra)
    message = said["error"]
    assert sum(said["waited"]) < 10  # before it tries again; huggingface_hub by itself waits 23 s
    assert message.startswith(f"card.yaml:5: cannot download {B}@main: ")
    assert ("HF_HUB_OFFLINE is set" if why == "offline" else f"no connection to {gone.url}") in message
    assert message.endswith(
        f", or download {endpoint}/me/v4/resolve/main/a/b.pth elsewhere and put it at {tmp_path}/weights/me/v4/a/b.pth"
        " (MITSUBA_MEI_WEIGHTS names a folder that was not there)"
    )
    (tmp_path / "weights").mkdir()
    assert hub(B + "@main", **extra)["error"].endswith("/weights/me/v4/a/b.pth")
    assert "\n" not in message and shop.asked == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, "RepoNotFound", "there is no repository me/v4, or it is private; correct the location, or log in with"),
        (403, "GatedRepo", "me/v4 is gated; ask for access at {url}/me/v4 and log in with 'hf auth login'"),
        (404, "RevisionNotFound", "me/v4 has no revision 'main'; correct the location"),
        (404, "EntryNotFound", "me/v4 has no file a/b.pth in revision 'main'; correct the location"),
        (404, "", "me/v4 has no file a/b.pth in revision 'main'; correct the location"),
        (403, "", "the server does not permit it (403)"),
        (400, "", "the server answers 400"),
    ],
)
def test_what_the_hub_refuses_is_said(hub, shop, status, code, said):
    shop.errors["/me/v4/resolve/main/a/b.pth"] = (status, code)
    message = hub(B)["error"]
    assert said.format(url=shop.url) in message
    assert "\n" not in message


def test_a_cache_that_cannot_be_written_is_said(hub, tmp_path):
    (tmp_path / "file").touch()
    assert "set HF_HOME to a folder elsewhere" in hub(B, HF_HOME=str(tmp_path / "file"))["error"]


@pytest.mark.slow
def test_several_processes_at_once_fetch_one_file_once(hub, shop, tmp_path):
    shop.files["/a.pth"] = DATA
    results = hub(*[f"{shop.url}/a.pth"] * 4, sha256=HASH)
    assert [bytes.fromhex(result["data"]) == DATA for result in results] == [True] * 4
    assert shop.asked == [("GET", "/a.pth", None)]
    assert visible(tmp_path / "weights") == ["a.pth"]
