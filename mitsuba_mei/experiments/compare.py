"""Does it matter that light is simulated rather than shaded? The same scene files both ways, neuron by neuron."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import UserError, about
from ..report_comparison import write_overview
from ..run_folder import RunFolder
from ..schema import RENDERERS
from ..variants import for_each_neuron
from ..viewer import build_viewer
from .comparison_table import comparison_row, comparison_statistics, write_rows
from .contest import compare_neuron, prepare
from .session import Labelled, Progress, RunResult, interruptible, versions

__all__ = ["run_comparison"]

MOST_NAMED = 6
"""Neurons of one objective that are named in a folder's name."""


@dataclass(frozen=True)
class Task:
    """One comparison of many.

    Attributes
    ----------
    scene : Path
    config : Config
        For one objective.
    folder, label : str
        Where in the comparison's folder, and what people are told.
    """

    scene: Path
    config: Config
    folder: str
    label: str


def run_comparison(scenes: Sequence[tuple[Path, Config]], out: Path, progress: Progress) -> RunResult:
    """Optimise every neuron of every scene under each renderer, and write a folder of it all.

    The files about all neurons are written anew after each. Ctrl-C ends the comparison after the optimisation under
    way; a second Ctrl-C ends it at once.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step. A later neuron that cannot be optimised is left
        out, and the reason is recorded.
    """
    tasks = _tasks(scenes)
    for scene, config in scenes:
        with about(scene):
            build_viewer(config, progress.message)
    with about(tasks[0].scene):
        experiments = prepare(tasks[0].config, progress.message)
    overall = _Overall(RunFolder(out), len(tasks))
    with interruptible() as interrupted:
        attentive = _Attentive(progress, interrupted)
        try:
            for number, task in enumerate(tasks):
                told = Labelled(attentive, f"{task.label} ({number + 1} of {len(tasks)})")
                if number:
                    try:
                        experiments = prepare(task.config, told.message)
                    except UserError as error:
                        overall.leave_out(task, error)
                        told.message(f"left out: {error}")
                        continue
                if interrupted():
                    break
                folder = RunFolder(overall.folder.path / task.folder)
                overall.add(task, compare_neuron(task.config, experiments, folder, told, interrupted, task.label))
                if interrupted():
                    break
        finally:
            progress.stop()
    return RunResult(overall.folder.path, overall.result())


def _tasks(scenes: Sequence[tuple[Path, Config]]) -> list[Task]:
    """What is to be compared, under names that differ."""
    stems = Counter(scene.stem for scene, _ in scenes)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise UserError(
            f"{stems[twice[0]]} scene files are called '{twice[0]}', and their results would lie in the same folders; "
            "rename one, or compare them apart"
        )
    tasks = []
    for scene, config in scenes:
        for each in for_each_neuron(config):
            what = _named(each)
            label = what.replace("-", " ") if len(scenes) == 1 else f"{scene.stem} {what.replace('-', ' ')}"
            tasks.append(Task(scene, each, f"{scene.stem}-{what}", label))
    return tasks


def _named(config: Config) -> str:
    """``neuron-25``, ``neurons-3-25``, ``discriminate-3``."""
    numbers = "-".join(map(str, config.neurons))
    if len(config.neurons) > MOST_NAMED:
        numbers = f"{len(config.neurons)}-from-{config.neurons[0]}"
    kind = config.objective.type
    return f"{kind if kind != 'activation' else 'neuron' if len(config.neurons) == 1 else 'neurons'}-{numbers}"


class _Overall:
    """What there is of a comparison so far, and its files."""

    def __init__(self, folder: RunFolder, asked: int) -> None:
        self.folder = folder
        self._asked = asked
        self._neurons: list[dict[str, Any]] = []
        self._left_out: list[dict[str, str]] = []

    def add(self, task: Task, figures: dict[str, Any]) -> None:
        """One neuron more."""
        self._neurons.append({"scene": str(task.scene), "folder": task.folder, "label": task.label, **figures})
        result = self.result()
        self.folder.write("comparison.csv", lambda path: write_rows(path, [comparison_row(n) for n in self._neurons]))
        self.folder.write_json("comparison.json", result)
        shown = [neuron for neuron in self._neurons if neuron["ended"] == "done"]
        if shown:
            title = ", ".join(dict.fromkeys(neuron["model"] for neuron in shown)) + ": MEIs path traced and rasterized"
            labels = [neuron["label"].replace("neuron ", "") for neuron in shown]
            statistics = result["statistics"]
            self.folder.write("comparison.png", lambda path: write_overview(path, title, labels, shown, statistics))

    def leave_out(self, task: Task, reason: UserError) -> None:
        """One that cannot be optimised."""
        self._left_out.append({"scene": str(task.scene), "label": task.label, "reason": str(reason)})
        self.folder.write_json("comparison.json", self.result())

    def result(self) -> dict[str, Any]:
        """What ``comparison.json`` says."""
        done = sum(neuron["ended"] == "done" for neuron in self._neurons) + len(self._left_out)
        return {
            "renderers": list(RENDERERS),
            "ended": "done" if done == self._asked else "interrupted",
            "asked": self._asked,
            "statistics": comparison_statistics(self._neurons),
            "neurons": self._neurons,
            "left_out": self._left_out,
            "versions": versions(),
        }


class _Attentive:
    """Tells another one, and answers a Ctrl-C, which would go unnoticed until an optimisation ends."""

    def __init__(self, progress: Progress, interrupted: Callable[[], bool]) -> None:
        self._progress, self._interrupted = progress, interrupted
        self._answered = False

    def start(self, steps: int, label: str = "") -> None:
        self._progress.start(steps, label)

    def step(self, info: dict[str, Any]) -> None:
        if self._interrupted() and not self._answered:
            self._answered = True
            self.message("interrupted: this optimisation is finished first; Ctrl-C again ends at once")
        self._progress.step(info)

    def message(self, text: str) -> None:
        self._progress.message(text)

    def stop(self) -> None:
        self._progress.stop()
