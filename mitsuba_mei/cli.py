"""The command line; the only module that prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from . import __version__
from .arguments import expand_arguments
from .config import Config, json_schema, load_config
from .errors import UserError, about, nearest
from .schema import RENDERERS, listed_neurons
from .sentences import (
    comparison_rows,
    describe_comparison,
    describe_config,
    describe_evaluation,
    describe_pixel,
    describe_result,
)

__all__ = ["LiveProgress", "main"]

WIDE = 160
"""Columns of a table that is written into a file."""

_INTERRUPTED = 130
_UsageError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
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


# --------------------------------------------------------------------------------------------------------- display


class LiveProgress:
    """A line that lives while a run goes on: activation, loss terms, time left.

    Where the output is no terminal, a plain line every tenth of the steps.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps = self._done = 0
        self._label = ""

    def start(self, steps: int, label: str = "") -> None:
        """Begin a run of so many steps; with a label there is room for it and the activation alone."""
        self._steps, self._done, self._label = steps, 0, label
        if self._quiet or not self._console.is_terminal:
            return
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[terms]}"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}", markup=False), *columns) if label else columns
        self._bar = Progress(*columns, console=self._console)
        self._task = self._bar.add_task(label, total=steps, terms="")
        self._bar.start()

    def step(self, info: Mapping[str, Any]) -> None:
        """One step is done; numbers in ``info`` are shown by their names, ``step`` itself aside."""
        self._done += 1
        terms = [
            f"{name} {value:.4g}"
            for name, value in info.items()
            if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        terms = "  ".join(terms[:1] if self._label else terms)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, terms=terms)
        elif not self._quiet and (self._done in (1, self._steps) or self._done % max(1, self._steps // 10) == 0):
            self._print(f"{self._label + ', ' if self._label else ''}step {self._done}/{self._steps}  {terms}")

    def message(self, text: str) -> None:
        """Something worth knowing, above the line."""
        if not self._quiet:
            self._print(text)

    def stop(self) -> None:
        """End the line; may be called twice."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


# -------------------------------------------------------------------------------------------------------- commands


@app.callback(invoke_without_command=True)
def _program(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def run(
    scene: SceneFile,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, a new one; default runs/<scene>-<number>.")
    ] = None,
    overrides: Set = [],  # noqa: B006 (typer reads the default, nobody changes it)
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
) -> None:
    """Optimise a scene, and write a run folder."""
    config = _load(scene, overrides, free, frozen, seed)
    out = _free_name(scene.stem) if out is None else out
    progress = LiveProgress(Console(stderr=True), quiet)
    from .experiments.mei import run_mei

    try:
        with about(scene):
            outcome = run_mei(config, out, progress)
    finally:
        progress.stop()
    print("\n".join(describe_result(outcome.folder, outcome.result)))


@app.command()
def pixel(
    scene: SceneFile,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, a new one; default runs/<scene>-pixel-<number>.")
    ] = None,
    overrides: Set = [],  # noqa: B006
    seed: Seed = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
) -> None:
    """Find the pixel MEI: the best image of all under the scene file's constraint. Nothing is rendered."""
    config = _load(scene, overrides, [], [], seed, rendered=False)
    out = _free_name(f"{scene.stem}-pixel") if out is None else out
    progress = LiveProgress(Console(stderr=True), quiet)
    from .experiments.pixel_mei import run_pixel

    try:
        with about(scene):
            outcome = run_pixel(config, out, progress)
    finally:
        progress.stop()
    print("\n".join(describe_pixel(outcome.folder, outcome.result)))


@app.command()
def compare(
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE...", help="Scene files (YAML).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, a new one; default runs/compare-<scene>-<number>.")
    ] = None,
    neurons: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Which neurons, one after the other, as 3,25-28; default the scene file's."),
    ] = None,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
) -> None:
    """Optimise path traced and rasterized, from the same starts, and evaluate both objects both ways."""
    if neurons is not None:
        try:
            overrides = [*overrides, f"compare.neurons={listed_neurons(neurons)}"]
        except ValueError as error:
            raise UserError(f"--neurons {neurons}: {error}") from None
    configs = [(scene, _load(scene, overrides, free, frozen, seed)) for scene in scenes]
    out = _free_name(f"compare-{scenes[0].stem}") if out is None else out
    progress = LiveProgress(Console(stderr=True), quiet)
    from .experiments.compare import run_comparison

    try:
        outcome = run_comparison(configs, out, progress)
    finally:
        progress.stop()
    titles, rows = comparison_rows(outcome.result)
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title == titles[0] else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(table)
    print("\n".join(describe_comparison(outcome.folder, outcome.result)))


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    render: Annotated[
        str | None, typer.Option(metavar="|".join(RENDERERS), help="Which renderer; default the run's own.")
    ] = None,
    overrides: Set = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="A folder, or a .json file's name, for the results; default the run's folder.")
    ] = None,
) -> None:
    """Evaluate what a run ended with once more, under either renderer."""
    if render is not None and render not in RENDERERS:
        raise UserError(f"--render {render}: there is no such renderer; {nearest(render, RENDERERS)}")
    from .experiments.evaluate_run import evaluate_run

    outcome = evaluate_run(run, render, overrides, out, Console(stderr=True, soft_wrap=True).print)
    print("\n".join(describe_evaluation(outcome.path, outcome.result)))


@app.command()
def check(
    scene: SceneFile,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
) -> None:
    """Check a scene file and the files that it names, model and meshes included, without rendering."""
    config = _load(scene, overrides, free, frozen, seed)
    from .experiment import check_files

    with about(scene):
        check_files(config, Console(stderr=True, soft_wrap=True).print)
    print("\n".join(describe_config(scene, config)))


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="Write to a file instead of the terminal.")] = None,
) -> None:
    """Print the scene file's JSON schema, from which editors complete."""
    text = json.dumps(json_schema(), indent=2)
    if out is None:
        print(text)
        return
    try:
        with open(out, "x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise UserError(f"--out {out}: exists already, and is not overwritten; choose another name") from None
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}") from None


@app.command()
def doctor() -> None:
    """Show what was found here: versions, variant, LLVM, threads, GPU."""
    from .render.backend import describe

    report = describe()
    problem = report.pop("problem")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in {"mitsuba_mei": __version__, **report}.items():
        table.add_row(name.replace("_", " "), "none" if value is None else str(value))
    Console(soft_wrap=True).print(table)
    if problem:
        raise UserError(problem)


def _load(
    scene: Path, overrides: list[str], free: list[str], frozen: list[str], seed: int | None, rendered: bool = True
) -> Config:
    if seed is not None:
        overrides = [*overrides, f"seed={seed}"]
    return load_config(scene, overrides, free, frozen, rendered)


def _free_name(stem: str) -> Path:
    """The first of runs/<stem>-001, -002, ... that does not exist."""
    number = 1
    while (folder := Path("runs") / f"{stem}-{number:03d}").exists():
        number += 1
    return folder


# ------------------------------------------------------------------------------------------------------------ main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit code: 0, 2 for what the user can mend (one sentence on the standard error), 130 when interrupted.
    """
    # Read when torch is loaded: threads that wait for work sleep, and do not take the cores from others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(expand_arguments(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
        if code == _INTERRUPTED:  # some versions of Typer catch the interruption themselves
            raise KeyboardInterrupt
        return code or 0
    except UserError as error:
        message = str(error)
    except _UsageError as error:
        message = error.format_message()
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
