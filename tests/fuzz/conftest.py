"""A folder as a user has it: the example scenes, models and meshes, and things in it that are no files."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory) -> Path:
    """With ``scenes/``, its ``own_model/``, and ``models/``."""
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("scenes", "models"):
        shutil.copytree(root / name, folder / name)
    noise = np.random.default_rng(0).bytes(2000)
    for inside in (folder / "scenes", folder / "scenes" / "own_model", folder / "models"):
        if hasattr(os, "mkfifo"):
            os.mkfifo(inside / "pipe")  # nobody writes into it: who reads it waits forever
        (inside / "loop").symlink_to("loop")
        for suffix in ("png", "exr", "pth"):
            (inside / f"noise.{suffix}").write_bytes(noise)
    return folder


@pytest.fixture(autouse=True)
def _from_there(folder, monkeypatch) -> None:
    """Started in that folder, with no weights and no network."""

    def unknown(*host):
        raise socket.gaierror("no network in this test")

    monkeypatch.chdir(folder)
    monkeypatch.setenv("MITSUBA_MEI_WEIGHTS", str(folder / "weights"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
