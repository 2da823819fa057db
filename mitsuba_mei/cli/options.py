"""What the commands share: the program, the options, scene files, and where results go."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..config.fields import listed_neurons
from ..config.load import Config, load_config
from ..config.sections import RENDERERS
from ..errors import UserError, nearest
from ..interrupts import parting
from ..runs.folder import numbered_folder, remove_empty
from ..runs.results import PopulationResult
from .arguments import COMMANDS
from .errors import interrupted, report_kept
from .progress import LiveProgress

__all__ = [
    "Free",
    "Frozen",
    "Neurons",
    "Out",
    "Quiet",
    "Render",
    "SceneFile",
    "SceneFiles",
    "Seed",
    "Set",
    "Trust",
    "app",
    "checked_renderer",
    "ended_of_all",
    "finished",
    "load",
    "load_each",
    "print_table",
    "results_in",
    "live_progress",
]

WIDE = 160
"""Columns of a table that is written into a file."""


class _InOrder(typer.core.TyperGroup):
    """Lists the commands as :data:`~mitsuba_mei.cli.arguments.COMMANDS` does."""

    def list_commands(self, context) -> list[str]:
        return sorted(super().list_commands(context), key=COMMANDS.index)


app = typer.Typer(
    cls=_InOrder,
    help="3D maximally exciting inputs by physically based differentiable rendering.",
    epilog="A scene file without a command is run: mitsuba-mei scenes/quickstart.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SceneFile = Annotated[Path, typer.Argument(metavar="SCENE", help="The scene file (YAML).")]
Set = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as render.spp=64; may be repeated.")
]
Free = Annotated[
    list[str],
    typer.Option("--free", metavar="NAME...", help="Free parameters or groups, as pose lighting.0.direction."),
]
Frozen = Annotated[list[str], typer.Option("--frozen", metavar="NAME...", help="Freeze them; after --free.")]
Seed = Annotated[int | None, typer.Option(min=0, help="The seed, in place of the scene file's.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results, a new one; default runs/<name>-<number>.")]
SceneFiles = Annotated[list[Path], typer.Argument(metavar="SCENE...", help="Scene files (YAML).")]
Neurons = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Which neurons, one after the other, as 3,25-28; default the scene file's."),
]
Render = Annotated[
    str | None, typer.Option(metavar="|".join(RENDERERS), help="Which renderer; default the run's own, or the file's.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")]
Trust = Annotated[
    bool, typer.Option("--trust-code", help="Let model cards run code that they name (module: file.py:callable).")
]


def load(
    scene: Path,
    overrides: list[str],
    free: list[str],
    frozen: list[str],
    seed: int | None,
    trust: bool,
    rendered: bool = True,
) -> Config:
    if seed is not None:
        overrides = [*overrides, f"seed={seed}"]
    return load_config(scene, overrides, free, frozen, rendered, trust)


@contextmanager
def results_in(out: Path | None, stem: str, parent: Path = Path("runs")) -> Iterator[Path]:
    """The folder of the results: what ``--out`` says, or the first of <stem>-001, -002, ... that nobody has.

    It is made at once, so that no other process takes the same one, and removed where nothing was written into it.
    """
    if out is not None or not (parent == Path("runs") or parent.is_dir()):
        yield out or parent / stem  # of a run that is not there: the command says so
        return
    is_new = not parent.is_dir()
    out = numbered_folder(stem, parent)

    def give_back() -> str:
        remove_empty(out)
        if is_new:
            remove_empty(parent)
        return ""

    with parting(give_back):
        try:
            yield out
        finally:
            give_back()


def load_each(
    scenes: list[Path],
    neurons: str | None,
    overrides: list[str],
    free: list[str],
    frozen: list[str],
    seed: int | None,
    trust: bool,
    rendered: bool = True,
) -> list[tuple[Path, Config]]:
    """Several scene files, each to be done neuron by neuron."""
    if neurons is not None:
        try:
            overrides = [*overrides, f"compare.neurons={listed_neurons(neurons)}"]
        except ValueError as error:
            raise UserError(f"--neurons {neurons}: {error}") from None
    return [(scene, load(scene, overrides, free, frozen, seed, trust, rendered)) for scene in scenes]


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """A table on the standard output, whose first columns so many are words."""
    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number < left else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(table)


def checked_renderer(name: str | None) -> str | None:
    """What ``--render`` says, if there is such a renderer."""
    if name is not None and name not in RENDERERS:
        raise UserError(f"--render {name}: there is no such renderer; {nearest(name, RENDERERS)}")
    return name


@contextmanager
def live_progress(quiet: bool, folder: Path) -> Iterator[LiveProgress]:
    """A line that lives within it, while results are written into a folder."""
    progress = LiveProgress(Console(stderr=True), quiet)
    progress.doing("loading the libraries")
    try:
        with report_kept(folder):
            yield progress
    finally:
        progress.stop()


def ended_of_all(result: PopulationResult, failed: Sequence[bool]) -> str:
    """How an experiment on several neurons ended: it failed where all that it optimized did."""
    return "failed" if result.ended == "done" and failed and all(failed) else result.ended


def finished(progress: LiveProgress, folder: Path, ended: str | None) -> None:
    """Say what can be done next with a finished run's folder.

    Raises
    ------
    Mishap
        If Ctrl-C ended it.
    typer.Exit
        With code 1, if it failed.
    """
    if ended == "interrupted":
        raise interrupted(folder)
    if ended == "failed":
        raise typer.Exit(1)
    older = " (report.html there is of an earlier state)" if (folder / "report.html").exists() else ""
    progress.message(f"'report {folder}' writes a page about it, to look at and to send{older}")
