"""Tutorials that are run when the pages are built: where, with what, and which must be left out."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mitsuba_mei.config.yaml.text import read
from mitsuba_mei.errors import UserError
from mitsuba_mei.io.download import Source, obtain

__all__ = ["left_out", "prepare_kernels", "said_of_tutorial", "state_of_code"]

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLISHED = re.compile(r"models/(macaque_\w+(?:-\w+)*)\.yaml")
NOTE = """
:::{{note}}
This page was built without the weights of the published model ({reason}). Its cells were not run, so their output is
missing. Build it where the weights are at hand, or run the cells yourself.
:::
"""


def left_out(folder: Path) -> dict[str, str]:
    """Tutorials whose weights can neither be found nor fetched, and why, by the page's name."""
    found: dict[str, str] = {}
    problems: dict[str, str | None] = {}
    for path in sorted(folder.glob("*.md")):
        for card in dict.fromkeys(PUBLISHED.findall(_code(path.read_text(encoding="utf-8")))):
            if card not in problems:
                problems[card] = _problem(ROOT / "models" / f"{card}.yaml")
            if problems[card]:
                found.setdefault(path.stem, problems[card])
    return found


def said_of_tutorial(page: str, source: list[str], missing: dict[str, str]) -> None:
    """Put a note below the title of a tutorial that was left out."""
    folder, _, name = page.rpartition("/")
    if folder == "tutorials" and name in missing:
        title = re.search(r"^# .+$", source[0], re.MULTILINE)
        end = title.end() if title else 0
        source[0] = source[0][:end] + "\n" + NOTE.format(reason=missing[name]) + source[0][end:]


def prepare_kernels(build: Path, root: Path) -> None:
    """Have notebooks run in the repository's root, whatever folder they lie in."""
    profile = build / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    lines = f"import os, sys; os.chdir({str(root)!r}); sys.path.insert(0, {str(root)!r})"
    settings = f"c = get_config()\nc.IPKernelApp.log_level = 40\nc.IPKernelApp.exec_lines = [{lines!r}]\n"
    (profile / "ipython_kernel_config.py").write_text(settings, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(build / "ipython")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def state_of_code(root: Path) -> str:
    """A hash of the package, the scenes and the model cards."""
    files = sorted(path for name in ("mitsuba_mei", "scenes", "models") for path in (root / name).rglob("*"))
    return _hash(path for path in files if path.suffix in (".py", ".yaml", ".ply", ".obj", ".exr", ".png"))


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _code(text: str) -> str:
    """The cells of a notebook."""
    return "\n".join(re.findall(r"^```\{code-cell\}.*?^```", text, re.MULTILINE | re.DOTALL))


def _problem(card: Path) -> str | None:
    """Why the weights of a card are not at hand; None where they are."""
    weights = read(card).child("weights")
    for each in weights.plain() if isinstance(weights.plain(), list) else [weights.plain()]:
        source = Source(each) if isinstance(each, str) else Source(each["source"], each.get("sha256"))
        try:
            obtain(source, card.parent, weights.place)
        except UserError:
            return f"`{card.relative_to(ROOT)}`: not in the weights folder, and not to be downloaded"
    return None
