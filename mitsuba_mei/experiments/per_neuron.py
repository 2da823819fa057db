"""An experiment with every neuron of every scene, one after the other, and a folder of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from ..config.load import Config
from ..errors import UserError, about
from ..geometry.input_flaws import input_sentences
from ..interrupts import at_once, interruptible
from ..io.files import without_home
from ..neurons.observer import build_observer
from ..pipeline import build_template
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.results import PopulationResult, read_result
from ..runs.results.populations import LeftOut, Neuron
from .base import LOADING, InterruptNotice, LabelledProgress, Progress, RunResult

__all__ = ["NeuronResults", "Task", "Work", "one_by_one"]

Ready = TypeVar("Ready")

MAX_NAMED = 6
"""Neurons of one objective that are named in a folder's name."""


@dataclass(frozen=True)
class Task:
    """One neuron, or one objective, of many.

    Attributes
    ----------
    scene : Path
    config : Config
        For one objective.
    folder, label : str
        Where in the folder of it all, and what people are told.
    """

    scene: Path
    config: Config
    folder: str
    label: str


class Work(Protocol):
    """What is done with one neuron: optimize, and write its folder; gives its result."""

    def __call__(
        self, task: Task, ready: Any, folder: RunFolder, progress: Progress, interrupted: Callable[[], bool]
    ) -> Neuron: ...


class NeuronResults:
    """The results of the neurons that are done so far, and the files about all of them; subclasses say which."""

    kind: ClassVar[type[PopulationResult]]

    def __init__(self, folder: RunFolder, asked: int) -> None:
        self.folder, self.asked = folder, asked
        self.neurons: list[Neuron] = []
        self.left_out: list[LeftOut] = []
        self._before: dict[str, Neuron] = {}

    @property
    def ended(self) -> str:
        """``done`` once every neuron is done or left out, and ``interrupted`` before."""
        done = sum(neuron.ended == "done" for neuron in self.neurons) + len(self.left_out)
        return "done" if done == self.asked else "interrupted"

    def load_previous(self) -> None:
        """Remember which neurons were done before.

        Raises
        ------
        UserError
            If the file about them is damaged.
        """
        path = self.folder.path / self.kind.file
        if path.is_file():
            try:
                before = read_result(path, self.kind)
            except UserError as error:
                raise UserError(f"{error}; without it, the neurons are evaluated once more") from None
            self._before = {each.folder: each for each in before.neurons if each.ended == "done"}

    def is_done(self, task: Task) -> bool:
        """Whether a neuron was done before; it is added then."""
        if task.folder not in self._before:
            return False
        self.neurons.append(self._before[task.folder])
        return True

    def discard_checkpoints(self, folder: RunFolder) -> None:
        """The checkpoints of a neuron's runs are not needed any more, since it is done."""
        Checkpoints.remove_below(folder)

    def add(self, task: Task, neuron: Neuron) -> None:
        """One neuron more."""
        place = {"scene": without_home(str(task.scene)), "folder": task.folder, "label": task.label}
        self.neurons.append(neuron.model_copy(update=place))
        self.write()

    def add_failure(self, task: Task, reason: UserError) -> None:
        """One that cannot be optimized."""
        scene = without_home(str(task.scene))
        self.left_out.append(LeftOut(scene=scene, label=task.label, reason=str(reason)))
        self.write()

    def result(self) -> PopulationResult:
        """The result of all of them."""
        raise NotImplementedError

    def write(self) -> None:
        """Write the files about all of them anew."""
        raise NotImplementedError


def one_by_one(
    scenes: Sequence[tuple[Path, Config]],
    out: Path,
    progress: Progress,
    prepare: Callable[[Config, Callable[[str], None]], Ready],
    work: Work,
    gather: Callable[[RunFolder, int], NeuronResults],
    write_request: Callable[[RunFolder], None],
    resumed: bool = False,
) -> RunResult:
    """Do the same with every neuron of every scene.

    Ctrl-C ends it after the optimization under way, or at once where there is none; a second Ctrl-C, or SIGTERM, ends
    it at once. It can go on after any end: neurons that are done are not done again, and optimizations go on from the
    last state that they kept.

    Parameters
    ----------
    scenes : sequence of (Path, Config)
        Scene files; the neurons are those that ``compare`` lists, or the objective's own.
    out : Path
        The folder, a new one.
    progress : Progress
        Told of every step.
    prepare : callable
        Makes a configuration ready for ``work``; told of downloads.
    work : Work
    gather : callable
        Of the folder, and of how many neurons were asked for.
    write_request : callable
        Writes into a new folder what is asked for.
    resumed : bool
        Whether the experiment in that folder goes on.

    Raises
    ------
    UserError
        For anything that the user can mend, before the first step. A later neuron that cannot be optimized is left
        out, and the reason is recorded.
    """
    _check_stems([scene.stem for scene, _ in scenes])
    tasks = []
    for scene, config in scenes:
        for each in config.for_each_neuron():
            what = _named(each.objective.type, each.neurons)
            label = what.replace("-", " ") if len(scenes) == 1 else f"{scene.stem} {what.replace('-', ' ')}"
            tasks.append(Task(scene, each, f"{scene.stem}-{what}", label))
    progress.doing(LOADING)
    for scene, config in scenes:
        with about(scene):
            build_observer(config.observer, progress.message)
    with about(tasks[0].scene):
        ready = prepare(tasks[0].config, progress.message)
    for scene, config in scenes:
        with about(scene):
            for sentence in input_sentences(build_template(config.shape)):
                progress.message(f"mesh{f' of {scene}' if scenes[1:] else ''}: {sentence}")
    overall = gather(RunFolder(out, resumed, locked=True), len(tasks))
    if resumed:
        overall.load_previous()
    else:
        write_request(overall.folder)
    with interruptible() as interrupted, at_once():
        attentive = InterruptNotice(progress, interrupted)
        try:
            for number, task in enumerate(tasks):
                labelled = LabelledProgress(attentive, f"{task.label} ({number + 1} of {len(tasks)})")
                if overall.is_done(task):
                    labelled.message("done before")
                    continue
                if number:
                    labelled.doing(LOADING)
                    try:
                        ready = prepare(task.config, labelled.message)
                    except UserError as error:
                        overall.add_failure(task, error)
                        labelled.message(f"left out: {error}")
                        continue
                if interrupted():
                    break
                folder = overall.folder.inside(task.folder)
                overall.add(task, work(task, ready, folder, labelled, interrupted))
                if overall.neurons[-1].ended == "done":
                    overall.discard_checkpoints(folder)
                if interrupted():
                    break
        finally:
            progress.stop()
    if overall.ended == "done":
        Checkpoints.remove_below(overall.folder)
    overall.folder.tell_missing(progress.message)
    overall.folder.release()
    return RunResult(overall.folder.path, overall.result())


def _check_stems(stems: Sequence[str]) -> None:
    """Raise UserError where two scene files are called alike."""
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        raise UserError(
            f"{stems.count(twice[0])} scene files are called '{twice[0]}', and their results would lie in the same "
            "folders; rename one, or compare them apart"
        )


def _named(objective: str, neurons: Sequence[int]) -> str:
    """``neuron-25``, ``neurons-3-25``, ``discriminate-3``."""
    numbers = "-".join(map(str, neurons))
    if len(neurons) > MAX_NAMED:
        numbers = f"{len(neurons)}-from-{neurons[0]}"
    return f"{objective if objective != 'activation' else 'neuron' if len(neurons) == 1 else 'neurons'}-{numbers}"
