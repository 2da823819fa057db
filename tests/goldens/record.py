"""What a folder of output files comes to: every number, and a digest of every array."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drjit
import mitsuba
import numpy as np
import torch

__all__ = ["compare", "fingerprint", "record"]

VOLATILE = ("seconds", "peak_memory", "versions", "date", "host", "device", "process")
"""Beginnings of keys and columns that differ from one run of the same to the next."""

TOLERANCE = 2e-3
"""Relative, on another machine: its kernels sum in other orders."""


def fingerprint() -> dict[str, str]:
    """The processor and the libraries that the last bits depend on."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    about = [line for line in lines if line.startswith(("model name", "flags"))][:2] or [platform.machine()]
    modules = {module.__name__: module.__version__ for module in (torch, mitsuba, drjit, np)}
    return {"cpu": _hash("".join(sorted(about)).encode()), "llvm": str(drjit.detail.llvm_version()), **modules}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def record(folder: Path) -> dict[str, Any]:
    """Numbers and texts of JSON and CSV files, and digests of the arrays of NPY, NPZ and PLY files, by file and key.

    Of folders within the folder, which hold ordinary runs or what becomes of them, only the arrays.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        written = path.parent == folder
        if path.suffix == ".json" and written and path.name != "timing.json":
            found |= {f"{name}: {key}": value for key, value in _leaves(json.loads(path.read_text()), folder)}
        elif path.suffix == ".csv" and written:
            found |= dict(_columns(name, path))
        elif path.suffix in (".npy", ".npz"):
            loaded = np.load(path)
            arrays = {"": loaded} if path.suffix == ".npy" else loaded
            found |= {f"{name}: {key}": _digest(arrays[key]) for key in arrays}
        elif path.suffix == ".ply":
            found[f"{name}: bytes"] = _hash(path.read_bytes())
    return found


def _leaves(value: Any, folder: Path, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if not key.startswith(VOLATILE):
                yield from _leaves(each, folder, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, folder, f"{at}[{index}]")
    elif isinstance(value, str):
        yield at, value.replace(str(folder.parent), "FOLDER")
    else:
        yield at, value


def _columns(name: str, path: Path) -> Iterator[tuple[str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for column in rows[0] if rows else ():
        if not column.startswith(VOLATILE):
            values = ",".join(str(row[column]) for row in rows).replace(str(path.parent.parent), "FOLDER")
            yield f"{name}: {column}", values


def _digest(array: np.ndarray) -> dict[str, Any]:
    digest = _hash(np.ascontiguousarray(array).tobytes())
    numeric = array.size and array.dtype.kind in "fiu"
    return {"digest": digest, "shape": list(array.shape), "std": float(np.std(array)) if numeric else None}


def compare(before: dict[str, Any], after: dict[str, Any], exact: bool) -> list[str]:
    """Differences of two records, a line each.

    Parameters
    ----------
    before, after : dict
        Of :func:`record`.
    exact : bool
        To the last bit; else numbers within 0.2 % of each other, digests apart.
    """
    lines = [f"gone: {key} = {before[key]}" for key in before if key not in after]
    lines += [f"new: {key} = {after[key]}" for key in after if key not in before]
    for key in before:
        if key in after and not (before[key] == after[key] if exact else _near(key, before[key], after[key])):
            lines.append(f"changed: {key}: {before[key]} -> {after[key]}")
    return lines


def _near(key: str, a: Any, b: Any) -> bool:
    if key.endswith(": bytes"):
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a["shape"] == b["shape"] and _near("std", a["std"], b["std"])
    if isinstance(a, float) and isinstance(b, (int, float)):
        return abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-4
    if isinstance(a, str) and isinstance(b, str) and "," in a:
        return len(a.split(",")) == len(b.split(","))
    return isinstance(b, (int, float)) if isinstance(a, (int, float)) else type(a) is type(b)
