"""What are shape, pose and light each worth to a neuron? The same starts with every subset of them free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import about
from ..factors import FACTORS, SUBSETS, named
from ..report_factors import Played, write_factors
from ..run_folder import RunFolder
from ..variants import check_drives, for_each_neuron
from .asked import COMMANDS, write_asked
from .comparison_table import write_rows
from .factor_game import play
from .factor_starts import Prepared, prepare
from .factor_table import factor_rows
from .one_by_one import Gathered, Task, one_by_one
from .session import Progress, RunResult, versions

__all__ = ["run_factors"]

MOST_DRAWN = 8
"""Neurons in the picture of all; each has one of its own."""


def run_factors(
    scenes: Sequence[tuple[Path, Config]],
    out: Path,
    progress: Progress,
    starts: int | None = None,
    resumed: bool = False,
) -> RunResult:
    """Optimise every neuron of every scene with each subset of the factors free, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the experiment after the optimisation under
    way; a second Ctrl-C ends it at once. It can go on after any end.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    starts : int, optional
        For each neuron; by default what the scene file asks for, and at least three.
    resumed : bool
        Whether the experiment in that folder goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step, such as a factor of a scene that nothing can be
        moved of. A later neuron that cannot be optimised is left out, and the reason is recorded.
    """
    shown: list[Played] = []

    def ready(config: Config, told: Callable[[str], None]) -> Prepared:
        return prepare(config, starts, told)

    def work(
        task: Task, prepared: Prepared, folder: RunFolder, told: Progress, interrupted: Callable[[], bool]
    ) -> dict[str, Any]:
        shown.append(play(prepared, folder, told, interrupted, task.label))
        return shown[-1].figures

    def asked(folder: RunFolder) -> None:
        write_asked(folder, "factors", scenes, starts)

    for scene, config in scenes:
        with about(scene):
            check_drives(config.objective.type, "factors")
    for scene, config in scenes[1:]:  # the first is made ready before the first step anyway
        with about(scene):
            prepare(for_each_neuron(config)[0], starts)

    def gather(folder: RunFolder, asked: int) -> _Overall:
        return _Overall(folder, asked, shown)

    return one_by_one(scenes, out, progress, ready, work, gather, asked, resumed)


class _Overall(Gathered):
    """What there is so far, and its files."""

    file = COMMANDS["factors"]

    def __init__(self, folder: RunFolder, asked: int, shown: list[Played]) -> None:
        super().__init__(folder, asked)
        self._shown = shown

    def knows(self, task: Task) -> bool:
        """Those in the picture of all are evaluated once more: their renders are not kept."""
        return len(self._shown) >= MOST_DRAWN and super().knows(task)

    def forget(self, folder: RunFolder) -> None:
        """But for those."""
        if len(self._shown) > MOST_DRAWN:
            super().forget(folder)

    def result(self) -> dict[str, Any]:
        """What ``factors.json`` says."""
        return {
            "factors": list(FACTORS),
            "subsets": [named(subset) for subset in SUBSETS],
            "ended": self.ended,
            "asked": self.asked,
            "neurons": self.neurons,
            "left_out": self.left_out,
            "versions": versions(),
        }

    def write(self) -> None:
        """The table, the picture and ``factors.json``."""
        rows = [row for figures in self.neurons for row in factor_rows(figures)]
        self.folder.write("factors.csv", lambda path: write_rows(path, rows))
        self.folder.write_json(self.file, self.result())
        if self._shown:
            self.folder.adorn("factors.png", lambda path: write_factors(path, self._shown[:MOST_DRAWN]))
