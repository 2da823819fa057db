"""Tables of what benchmarks measured: from the JSON files in ``docs/validation/data``, with where and when.

``python docs/generate/benchmarks.py FILE...`` keeps such files, as ``python -m benchmarks NAME --out DIR`` writes them,
with the date, the commit, and the class of the machine.
"""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["measured", "measured_file", "keep"]

VALIDATION = Path(__file__).resolve().parent.parent / "validation"
DATA, EARLIER = VALIDATION / "data", VALIDATION / "earlier"
ABOUT = ("benchmark", "machine", "measured", "targets")
LONG = 15
"""Rows of a table that is not shown before it is opened."""

SIGNS = {"least": "at least", "most": "at most"}


def measured(name: str) -> str:
    """What a benchmark found, as tables; where its file is not there, what an earlier version found."""
    file = DATA / f"{name}.json"
    if file.is_file():
        return measured_file(json.loads(file.read_text(encoding="utf-8")))
    return (EARLIER / f"{name}.md").read_text(encoding="utf-8")


def measured_file(found: Mapping[str, Any]) -> str:
    """The tables of a benchmark's file, and where and when it was measured."""
    where, machine = found["measured"], found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if name != "mitsuba_mei")
    lines = [
        f"*`python -m benchmarks {found['benchmark']}`, measured {where['date']} with version "
        f"{machine['versions']['mitsuba_mei']} (commit {where['commit']}) on {where['machine']}; {packages}.*",
        "",
    ]
    if targets := found.get("targets"):
        lines += [_table([_target(each) for each in targets]), ""]
    tables = {key: value for key, value in found.items() if key not in ABOUT and _is_table(value)}
    for key, rows in tables.items():
        title = f"{key[:1].upper()}{key[1:]}"
        if len(rows) > LONG:
            lines += [f":::{{dropdown}} {title}: {len(rows)} rows", _table(rows), ":::", ""]
        else:
            lines += [*([f"**{title}**", ""] if len(tables) > 1 else []), _table(rows), ""]
    return "\n".join(lines)


def keep(path: Path) -> Path:
    """Keep a benchmark's file in the documentation, with the date, the commit and the class of this machine."""
    found = json.loads(path.read_text(encoding="utf-8"))
    machine = found.pop("machine")
    system = {"Linux": "Linux", "Darwin": "macOS"}.get(platform.system(), platform.system())
    gpu = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "no GPU"
    about = {
        "benchmark": found.pop("benchmark"),
        "measured": {
            "date": datetime.date.fromtimestamp(path.stat().st_mtime).isoformat(),
            "commit": _output("git", "-C", str(VALIDATION), "rev-parse", "--short", "HEAD") or "unknown",
            "machine": f"{machine['cores']} cores ({system}, {platform.machine()}), {gpu.splitlines()[0]}",
        },
        "machine": {"cores": machine["cores"], "versions": machine["versions"]},
    }
    kept = DATA / path.name
    DATA.mkdir(exist_ok=True)
    kept.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    return kept


def _output(*command: str) -> str:
    """What a program prints; nothing where there is none."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _target(target: Mapping[str, Any]) -> dict[str, Any]:
    wanted = [f"{words} {target[end]:g}" for end, words in SIGNS.items() if target[end] is not None]
    least = "≥ " if target.get("bound") else ""
    return {
        "target": target["name"],
        "measured": f"{least}{_cell(target['value'])}",
        "wanted": ", ".join(wanted),
        "": "met" if target["met"] else "missed",
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if _says_something(rows, key)]
    numbers = [all(isinstance(row.get(key), (int, float, type(None))) for row in rows) for key in columns]
    lines = [
        "| " + " | ".join(_escaped(column) for column in columns) + " |",
        "| " + " | ".join("--:" if each else "---" for each in numbers) + " |",
    ]
    lines += ["| " + " | ".join(_escaped(_cell(row.get(key))) for key in columns) + " |" for row in rows]
    return "\n".join(lines)


def _says_something(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Whether a column is more than errors that are 0 throughout, as of a renderer without noise."""
    return not (key.startswith("+-") and all(row.get(key) == 0 for row in rows))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(keep(Path(argument)))
