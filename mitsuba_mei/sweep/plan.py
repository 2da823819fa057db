"""A sweep file, read: every run by name, and what it may ask of a cluster without trust."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ..config.file_kinds import check_given_scene, check_sweep
from ..config.groups import ObserverSettings
from ..config.load import Config, SceneText, dump
from ..config.sweep import MAX_RUNS, Address, Slurm, Sweep
from ..config.validation import validate
from ..config.yaml.located import Located, path_text
from ..config.yaml.text import parse, read
from ..errors import Place, UserError
from .axes import NEURON, SEED, Axis, key_of, read_axes, read_leave_out

__all__ = ["CHECKED", "Plan", "Row", "check_cluster", "check_plan", "read_plan"]

CHECKED = 2000
"""Configurations that are all read before the first run; of a larger sweep so many."""

_LONGEST = 200
"""Letters of a run's name; where one would be longer, all are numbered."""


@dataclass(frozen=True)
class Row:
    """One run of a sweep.

    Attributes
    ----------
    name : str
        Of its folder; no other run has it.
    chosen : tuple of int
        Which value of each axis.
    """

    name: str
    chosen: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What a sweep does.

    Attributes
    ----------
    file : Path
        The sweep file.
    text : str
        What it says.
    sweep : Sweep
    scene : SceneText
        With the values for all runs.
    base : Config
        That, without the axes.
    axes : tuple of Axis
    rows : list of Row
        The last axis changes fastest.
    """

    file: Path
    text: str
    sweep: Sweep
    scene: SceneText
    base: Config
    axes: tuple[Axis, ...]
    rows: list[Row]

    def values(self, row: Row) -> dict[str, Any]:
        """A run's values, by the axes' paths."""
        return {axis.path: axis.values[i].plain() for axis, i in zip(self.axes, row.chosen)}

    def config(self, row: Row) -> Config:
        """A run's configuration.

        Raises
        ------
        UserError
            If it does not fit the schema.
        """
        return self.scene.config([(axis.key, axis.values[i]) for axis, i in zip(self.axes, row.chosen)])

    def identity(self, out: Path) -> dict[str, Any]:
        """What makes it this sweep and no other, as ``plan.json`` says it; workers may change."""
        return {
            "scene": dump(self.base, out),
            "axes": {axis.path: axis.plain() for axis in self.axes},
            "leave_out": [dict(each) for each in self.sweep.leave_out],
            "runs": len(self.rows),
        }


def read_plan(
    file: Path,
    overrides: Sequence[str] = (),
    every_neuron: Callable[[ObserverSettings], Sequence[int]] = lambda settings: (),
    trust_code: bool = False,
) -> Plan:
    """Read a sweep file and the scene that it names.

    Parameters
    ----------
    file : Path
    overrides : sequence of str
        As for :func:`~mitsuba_mei.config.load.load_config`, upon the file's own.
    every_neuron : callable
        Gives all neurons of a configuration's model, where an axis says ``all``.
    trust_code : bool
        As for :func:`~mitsuba_mei.config.load.load_config`, of every run.

    Raises
    ------
    UserError
        If it cannot be read or does not fit the schema, an axis is empty or twice there, or there are too many runs.
    """
    check_given_scene(file)
    tree = read(file)
    check_sweep(file, tree)
    if not isinstance(tree.value, dict):
        raise UserError(f"{tree.place}: a sweep file is a mapping with scene and axes; this is none")
    sweep = validate(Sweep, tree)
    scene = _scene(tree, sweep, file, overrides, trust_code)
    base = scene.config(rendered=False)
    keys = [key_of(name) for name in tree.value["axes"].value]

    def neurons() -> Sequence[int]:
        if any(key[:2] in (("model",), ("model", "card")) for key in keys):
            place = tree.value["axes"].at(("neurons",))
            raise UserError(f"{place}: axes: neurons: all needs one model, but the card is an axis; list the neurons")
        return every_neuron(base.observer)

    axes = read_axes(tree.value["axes"], neurons)
    _check_overrides(overrides, tree.child("overrides"), axes)
    asked = math.prod(len(axis.values) for axis in axes)
    if asked > MAX_RUNS:
        sizes = " x ".join(f"{len(axis.values)} {axis.path}" for axis in axes)
        raise UserError(f"{file}: {sizes} are {asked:,} runs; at most {MAX_RUNS:,} are allowed in one sweep")
    rows = _rows(axes, read_leave_out(tree.child("leave_out"), axes))
    if not rows:
        raise UserError(f"{file}: leave_out leaves nothing to do")
    return Plan(file, file.read_text(encoding="utf-8-sig"), sweep, scene, base, axes, rows)


def _scene(tree: Located, sweep: Sweep, file: Path, overrides: Sequence[str], trust_code: bool) -> SceneText:
    named = Path(os.path.expanduser(sweep.scene))
    beside = file.parent / named
    path = beside if os.path.isfile(beside) or not os.path.isfile(named) else named  # names may be too long
    read(path, tree.at(("scene",)))  # says where it was named
    overrides_given = tree.child("overrides")
    settings = (
        [] if overrides_given is None else [(key_of(name), value) for name, value in overrides_given.value.items()]
    )
    return SceneText(path, overrides, settings, trust_code)


def _check_overrides(overrides: Sequence[str], overrides_given: Located | None, axes: Sequence[Axis]) -> None:
    """An axis would undo an override of the same key, or of one within it."""
    places = [(Place(f"--set {text}", Path()), text.partition("=")[0]) for text in overrides]
    places += [] if overrides_given is None else [(value.place, name) for name, value in overrides_given.value.items()]
    for place, name in places:
        key = key_of(name)
        for axis in axes:
            if key[: len(axis.key)] == axis.key:
                raise UserError(f"{place}: {path_text(key)}: is an axis of this sweep; leave it out here or there")


def _rows(axes: Sequence[Axis], left_out: Sequence[dict[int, frozenset[int]]]) -> list[Row]:
    groups: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for combination in left_out:
        numbers = tuple(sorted(combination))
        groups.setdefault(numbers, set()).update(product(*(combination[number] for number in numbers)))
    longest = sum(len(axis.label) + max(map(len, axis.names)) + 2 for axis in axes)
    rows = []
    for index, chosen in enumerate(product(*(range(len(axis.values)) for axis in axes))):
        if any(tuple(chosen[number] for number in numbers) in out for numbers, out in groups.items()):
            continue
        words = [f"{axis.label}-{axis.names[i]}" for axis, i in zip(axes, chosen)]
        rows.append(Row("_".join(words) if longest <= _LONGEST else f"run-{index:06d}", chosen))
    return rows


def check_plan(plan: Plan) -> int:
    """Read the runs' configurations, all of them up to a number; of more, one with each value of every axis too.

    Returns
    -------
    int
        How many were read.

    Raises
    ------
    UserError
        For the first that does not fit.
    """
    some = plan.rows[:CHECKED]
    if len(some) < len(plan.rows):
        some = list(dict.fromkeys([*some, *_one_of_each(plan)]))
    for row in some:
        plan.config(row)
    return len(some)


def _one_of_each(plan: Plan) -> Iterator[Row]:
    """A run with each value of every axis, where that can be wrong at all: not of neurons and seeds."""
    varied = [number for number, axis in enumerate(plan.axes) if axis.key not in (NEURON, SEED)]
    known = {(number, row.chosen[number]) for row in plan.rows[:CHECKED] for number in varied}
    unlike = 0
    for row in plan.rows[CHECKED:]:
        values = {(number, row.chosen[number]) for number in varied} - known
        if values and unlike < CHECKED:
            unlike += 1
            known |= values
            yield row


HARMLESS = frozenset(
    f"--{name}"
    for name in """account begin comment constraint cores-per-socket cpus-per-gpu cpus-per-task deadline dependency
    distribution exclude exclusive gpus gpus-per-node gpus-per-socket gpus-per-task gres hint hold licenses mem
    mem-per-cpu mem-per-gpu mincpus nice no-requeue nodelist nodes ntasks ntasks-per-node partition priority qos requeue
    reservation signal sockets-per-node threads-per-core time time-min tmp use-min-nodes wckey""".split()
) | {"-A", "-C", "-G", "-L", "-N", "-c", "-m", "-n", "-p", "-q", "-t", "-w", "-x"}
"""Options of sbatch (Slurm 24.05) that say what a job needs, and nothing of what it does."""


def check_cluster(plan: Plan) -> None:
    """Raise UserError where a sweep file's cluster could run code, and the user did not say that it is trusted."""
    cluster = plan.sweep.cluster
    if plan.scene.trust_code or not isinstance(cluster, (Address, Slurm)):
        return
    overrides_given = parse(plan.text, Place(str(plan.file), plan.file.parent))
    if isinstance(cluster, Address):
        raise UserError(
            f"{overrides_given.at(('cluster', 'address'))}: cluster: address: a scheduler can have any code run here; if you "
            f"trust the one at {cluster.address}, say --trust-code, or name it yourself with --scheduler"
        )
    for index, directive in enumerate(cluster.directives):
        for word in directive.split():
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            if word.startswith("-") and name not in HARMLESS:
                raise UserError(
                    f"{overrides_given.at(('cluster', 'directives', index))}: cluster: directives: {name} is none of sbatch's "
                    "options that only say what a job needs, as --gres=gpu:1; if you trust it, say --trust-code"
                )
