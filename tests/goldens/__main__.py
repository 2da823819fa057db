"""Keep the goldens of a version, or compare another version with them.

python -m tests.goldens write goldens.json      before a change
python -m tests.goldens compare goldens.json    after it, on the same machine
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.goldens.record import compare, fingerprint, record
from tests.goldens.runs import do_runs

ROOT = Path(__file__).resolve().parents[2]


def measured() -> dict:
    """The runs of this version."""
    with tempfile.TemporaryDirectory() as folder:
        folders = do_runs(Path(folder), ROOT)
        return {"fingerprint": fingerprint(), "runs": {name: record(path) for name, path in folders.items()}}


def main(verb: str, path: str) -> int:
    """Write or compare; 1 where something differs."""
    now = measured()
    if verb == "write":
        Path(path).write_text(json.dumps(now, indent=0, sort_keys=True) + "\n")
        return 0
    before = json.loads(Path(path).read_text())
    exact = before["fingerprint"] == now["fingerprint"]
    print("to the last bit" if exact else f"another machine, roughly: {before['fingerprint']} -> {now['fingerprint']}")
    found = {name: compare(before["runs"][name], now["runs"][name], exact) for name in before["runs"]}
    for name, lines in found.items():
        print(f"{name}: {len(before['runs'][name])} values, {len(lines)} differ", *lines, sep="\n  ")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
