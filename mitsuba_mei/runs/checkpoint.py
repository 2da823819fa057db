"""The state of a run on disk, from which it goes on."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..optimize.state import Snapshot
from .folder import RunFolder

__all__ = ["Checkpoints"]

FOLDER = "checkpoint"
NUMBERS = "numbers"

MAX_BYTES = 2**30
"""Bytes of a file that is read."""


class Checkpoints:
    """What a run has kept of its starts.

    Each is a NumPy ``.npz`` that holds arrays, and numbers as JSON; nothing in it is executed.

    Parameters
    ----------
    folder : RunFolder
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def write(self, name: str, snapshot: Snapshot, durable: bool = True) -> None:
        """Keep a state under a name, in place of the one before; whole or not at all, ``durable``: on the disk."""
        text = json.dumps(snapshot.numbers).encode()
        arrays = {NUMBERS: np.frombuffer(text, np.uint8), **snapshot.arrays}
        self._folder.write(f"{FOLDER}/{name}.npz", lambda path: np.savez(path, **arrays), durable)

    def read(self, name: str) -> Snapshot | None:
        """What was kept under a name, if anything was.

        Raises
        ------
        UserError
            If it is damaged.
        """
        path = self._folder.path / FOLDER / f"{name}.npz"
        if not path.is_file():
            return None
        try:
            return _read(path)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
        except UserError:
            raise
        except (ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error):
            raise UserError(
                f"{path} is damaged, so that the run cannot go on from there; remove the folder {FOLDER}, and it "
                "starts anew"
            ) from None

    def remove(self) -> None:
        """Remove them: there is nothing left to go on with."""
        self._folder.remove(FOLDER)

    @staticmethod
    def remove_below(folder: RunFolder) -> None:
        """Remove those of all runs in a folder."""
        for left in sorted(folder.path.rglob(FOLDER)):
            folder.remove(str(left.relative_to(folder.path)))


def _read(path: Path) -> Snapshot:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError("too large")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    numbers: Any = json.loads(arrays.pop(NUMBERS).tobytes())
    if not isinstance(numbers, dict):
        raise ValueError("numbers are missing")
    return Snapshot(numbers, arrays)
