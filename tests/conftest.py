"""What every test shares: which tests can run here, a fitting LLVM, and the repository's root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# Before torch is loaded: two files are tested at a time, and threads that wait for a core must not spin on it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import imageio_ffmpeg
import numpy as np
import pytest
import torch

from mitsuba_mei.errors import Place, UserError
from mitsuba_mei.io.download import Source
from mitsuba_mei.io.llvm import choose_llvm
from mitsuba_mei.neurons import nnvision
from mitsuba_mei.render.backend import bound_threads, cuda_problem, use_threads
from mitsuba_mei.runs.folder import RunFolder
from tests.neurons import checkpoints
from tests.whole_runs import leave_out_run_pictures

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--network", action="store_true", help="also run the tests that download something")


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has its background jobs ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)  # the tensors are small, and Dr.Jit has threads of its own
    try:
        # Before any test imports Dr.Jit, which would otherwise take the first LLVM that it meets.
        os.environ["DRJIT_LIBLLVM_PATH"] = str(choose_llvm().path)
    except UserError as error:
        pytest.exit(str(error), returncode=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks = {mark.name for item in items for mark in item.iter_markers()}
    reasons = {
        "gpu": cuda_problem() if "gpu" in marks else None,
        "shared": None if SHARED_DATA.is_dir() else f"there is no {SHARED_DATA}",
        "network": None if config.getoption("--network") else "downloads something; run with --network",
    }
    for item in items:
        for name, reason in reasons.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))
    # Files of whole runs first: one that is begun last keeps a single worker busy at the end.
    whole_runs = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in whole_runs)


@pytest.fixture(autouse=True)
def usual_threads():
    """Deterministic runs and jobs leave Dr.Jit a single thread, with which Mitsuba waits for ever for an EXR file."""
    yield
    if "drjit" in sys.modules:
        use_threads(False)
        if sys.modules["drjit"].thread_count() < 2:
            bound_threads(2)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Where the published checkpoints lie; for tests marked ``shared``."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def read_video() -> Callable[[Path, int, int], np.ndarray]:
    """Reads the frames (N, height, width, 3) of a video."""

    def read(path: Path, height: int, width: int) -> np.ndarray:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)

    return read


@pytest.fixture
def without_pictures(request, monkeypatch) -> None:
    """A run's pictures take half of a short run's time; for tests that look at none.

    Where a whole module uses it, a test marked ``pictured`` has them all the same.
    """
    if request.node.get_closest_marker("pictured"):
        return
    monkeypatch.setattr(RunFolder, "adorn", lambda *arguments: None)


@pytest.fixture
def without_run_pictures(monkeypatch) -> None:
    """As ``without_pictures``, but an experiment of several runs has the figure of them all."""
    leave_out_run_pictures(monkeypatch)


@pytest.fixture
def short_search(monkeypatch) -> None:
    """Fewer starts are improved than usual, and by less: where what a search finds is not looked at."""
    for name, value in {"FIRST": 2, "SECOND": 1, "STEPS": 3}.items():
        monkeypatch.setattr(f"mitsuba_mei.optimize.start_search.{name}", value)


@pytest.fixture
def published_weights(monkeypatch, tmp_path) -> list[str]:
    """Random weights of the right format stand in for every published checkpoint; the sources that were asked for.

    The V4 models have a sixth of their channels: ten of full width take half a minute for a run of two steps.
    """
    asked: list[str] = []

    def stand_in(source: Source, folder: Path, where: Place, on_message: Callable[[str], None]) -> Path:
        asked.append(source.location)
        v1 = "v1_data_driven" in source.location
        path = tmp_path / f"{len(asked)}.pth"
        seed = len(asked)
        torch.save(checkpoints.macaque_v1_state(seed) if v1 else checkpoints.macaque_v4_state(seed, channels=16), path)
        return path

    monkeypatch.setattr(nnvision, "obtain", stand_in)
    return asked
