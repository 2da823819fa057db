"""A sweep on disk: what is planned, what is done, and why the rest failed.

``runs/<name>`` is there when that run is done, and not before: a run is written into a folder of its own in
``partial``, which is renamed as a whole. A process that dies leaves a partial folder, in which the next attempt goes on
from the last state that was kept; of two that do the same run, as may happen where a network is cut, the first to end
is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..io.files import check_no_link, json_text, make_writable, open_own, read_json, without_home, write_whole
from ..runs.folder import Lock
from .plan import Plan

__all__ = ["Attempt", "SweepFolder"]


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run, as ``attempts.jsonl`` says it.

    Attributes
    ----------
    name : str
        The run's.
    ended : str
        ``done``; ``refused``, for something that a user can mend and no other attempt would; or ``failed``.
    reason : str or None
        Why it is not done.
    seconds : float or None
        With everything that was written.
    memory_mb : float or None
        Of the process, at the run's end.
    process : str or None
        ``host:pid``.
    """

    name: str
    ended: str
    reason: str | None = None
    seconds: float | None = None
    memory_mb: float | None = None
    process: str | None = None


class SweepFolder:
    """The folder of one sweep; opened again, the same sweep goes on.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).resolve()
        self.shown = path
        """As the user wrote it."""

    @contextmanager
    def opened(self, plan: Plan) -> Iterator[SweepFolder]:
        """The folder, made or gone on with, and locked while this process works on it.

        Raises
        ------
        UserError
            If it holds something else, another process is at work on it, or it cannot be written to.
        """
        self._check_free()
        make_writable(self.path)
        lock = Lock(self.path)
        try:
            self._claim(plan)
            yield self
        finally:
            lock.release()

    def _check_free(self) -> None:
        if self.path.exists() and not (self.path / "plan.json").is_file():
            # A sweep that was killed before it had begun leaves hidden files alone.
            if not self.path.is_dir() or any(not each.name.startswith(".") for each in self.path.iterdir()):
                raise UserError(f"{self.shown} exists already and holds no sweep; choose another --out")

    def _claim(self, plan: Plan) -> None:
        """Write what is planned, or make sure that it is what is written there."""
        identity, file = json_text(plan.identity(self.path)), self.path / "plan.json"
        if file.is_file():
            self._check_same(json.loads(identity), file)
        else:
            write_whole(file, lambda path: path.write_text(identity, encoding="utf-8"))
        write_whole(self.path / "sweep.yaml", lambda path: path.write_text(without_home(plan.text), encoding="utf-8"))
        for name in ("partial", "runs", "logs"):  # the last by Slurm's jobs
            check_no_link(self.path / name)
        for name in ("partial", "runs"):
            (self.path / name).mkdir(exist_ok=True)

    def _check_same(self, identity: dict[str, Any], file: Path) -> None:
        there = read_json(file)
        other = [name for name in identity if there.get(name) != identity[name]]
        if other:
            what = " and ".join(name.replace("_", " ") for name in other[:2])
            raise UserError(f"{self.shown} holds another sweep, which differs in its {what}; choose another --out")

    def run(self, name: str) -> Path:
        """Where a run lies once it is done."""
        return self.path / "runs" / name

    def is_done(self, name: str) -> bool:
        """Whether it does."""
        return (self.run(name) / "result.json").is_file()

    def done(self) -> set[str]:
        """The names of all that do.

        Raises
        ------
        UserError
            If a run's folder is there that holds no result: no run of a sweep leaves one.
        """
        names = {folder.name for folder in (self.path / "runs").iterdir() if not folder.name.startswith(".")}
        for name in names:
            if not self.is_done(name):
                raise UserError(f"{self.run(name)} holds no result.json, so that its run is not whole; remove it")
        return names

    def record(self, attempt: Attempt) -> None:
        """Append a line to ``attempts.jsonl``, at once."""
        fields = vars(attempt) | {"reason": None if attempt.reason is None else without_home(attempt.reason)}
        line = json.dumps({name: value for name, value in fields.items() if value is not None})
        descriptor = open_own(self.path / "attempts.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with open(descriptor, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def attempts(self) -> Iterator[Attempt]:
        """All that are recorded, in order; a line that a dying process left unfinished is passed over."""
        file = self.path / "attempts.jsonl"
        if not file.is_file():
            return
        with open(file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield Attempt(**json.loads(line))
                except (ValueError, TypeError):
                    continue
