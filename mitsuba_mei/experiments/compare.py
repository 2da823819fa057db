"""Does it matter that light is simulated rather than shaded? The same scene files both ways, neuron by neuron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import about
from ..experiment import Experiment
from ..report_comparison import write_overview
from ..run_folder import RunFolder
from ..schema import RENDERERS
from ..variants import check_drives
from .asked import COMMANDS, write_asked
from .comparison_table import comparison_row, comparison_statistics, write_rows
from .contest import compare_neuron, prepare
from .one_by_one import Gathered, Task, one_by_one
from .session import Progress, RunResult, versions

__all__ = ["run_comparison"]


def run_comparison(
    scenes: Sequence[tuple[Path, Config]], out: Path, progress: Progress, resumed: bool = False
) -> RunResult:
    """Optimise every neuron of every scene under each renderer, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the comparison after the optimisation under
    way; a second Ctrl-C ends it at once. It can go on after any end.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    resumed : bool
        Whether the comparison in that folder goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step. A later neuron that cannot be optimised is left
        out, and the reason is recorded.
    """

    def work(
        task: Task,
        experiments: dict[str, Experiment],
        folder: RunFolder,
        told: Progress,
        interrupted: Callable[[], bool],
    ) -> dict[str, Any]:
        return compare_neuron(task.config, experiments, folder, told, interrupted, task.label)

    for scene, config in scenes:
        with about(scene):
            check_drives(config.objective.type, "compare")

    def asked(folder: RunFolder) -> None:
        write_asked(folder, "compare", scenes)

    return one_by_one(scenes, out, progress, prepare, work, _Overall, asked, resumed)


class _Overall(Gathered):
    """What there is of a comparison so far, and its files."""

    file = COMMANDS["compare"]

    def result(self) -> dict[str, Any]:
        """What ``comparison.json`` says."""
        return {
            "renderers": list(RENDERERS),
            "ended": self.ended,
            "asked": self.asked,
            "statistics": comparison_statistics(self.neurons),
            "neurons": self.neurons,
            "left_out": self.left_out,
            "versions": versions(),
        }

    def write(self) -> None:
        """The table, the picture and ``comparison.json``."""
        result = self.result()
        self.folder.write("comparison.csv", lambda path: write_rows(path, [comparison_row(n) for n in self.neurons]))
        self.folder.write_json(self.file, result)
        shown = [neuron for neuron in self.neurons if neuron["ended"] == "done"]
        if shown:
            title = ", ".join(dict.fromkeys(neuron["model"] for neuron in shown)) + ": MEIs path traced and rasterized"
            labels = [neuron["label"].replace("neuron ", "") for neuron in shown]
            statistics = result["statistics"]
            self.folder.adorn("comparison.png", lambda path: write_overview(path, title, labels, shown, statistics))
