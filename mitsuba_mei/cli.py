"""The command line; the only module that prints."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from . import __version__
from .config import Config, json_schema, load_config
from .errors import UserError, nearest
from .sentences import describe_config, describe_pixel, describe_result

__all__ = ["LiveProgress", "expand_arguments", "main"]

PLACE = re.compile(r"\S+:\d+: ")
COMMANDS = ("run", "pixel", "check", "schema", "doctor")
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

    def start(self, steps: int) -> None:
        """Begin a run of so many steps."""
        self._steps, self._done = steps, 0
        if self._quiet or not self._console.is_terminal:
            return
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[terms]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console)
        self._task = self._bar.add_task("", total=steps, terms="")
        self._bar.start()

    def step(self, info: Mapping[str, Any]) -> None:
        """One step is done; numbers in ``info`` are shown by their names, ``step`` itself aside."""
        self._done += 1
        terms = "  ".join(
            f"{name} {value:.4g}"
            for name, value in info.items()
            if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, terms=terms)
        elif not self._quiet and (self._done in (1, self._steps) or self._done % max(1, self._steps // 10) == 0):
            self._print(f"step {self._done}/{self._steps}  {terms}")

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
    import torch

    from .experiments.mei import run_mei

    # Dr.Jit keeps every core busy already; torch's idle threads would only spin beside it.
    torch.set_num_threads(1)
    try:
        with _about(scene):
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
        with _about(scene):
            outcome = run_pixel(config, out, progress)
    finally:
        progress.stop()
    print("\n".join(describe_pixel(outcome.folder, outcome.result)))


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

    with _about(scene):
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


@contextmanager
def _about(scene: Path) -> Iterator[None]:
    """What goes wrong within is said of the scene file, where the sentence names no place of its own."""
    try:
        yield
    except UserError as error:
        raise error if PLACE.match(str(error)) else UserError(f"{scene}: {error}") from None


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


def expand_arguments(arguments: Sequence[str]) -> list[str]:
    """What the user wrote, as the option parser wants it.

    ``run`` is put in where no command is named, and ``--free a b c`` and ``--free a,b,c`` become ``--free a --free b
    --free c``; the words end at the next option or at something that is a YAML file. So does ``--set a=1 b=2``, at the
    next word without an equals sign.
    """
    arguments = list(arguments) or ["--help"]
    first = arguments[0]
    if first not in (*COMMANDS, "--help", "--version"):
        if not first.startswith("-") and not Path(first).suffix and not Path(first).exists():
            raise UserError(f"'{first}' is neither a scene file nor a command; {nearest(first, COMMANDS)}")
        arguments.insert(0, "run")
    expanded: list[str] = []
    option: str | None = None
    for word in [*_each_set(arguments), "--"]:
        ends = word.startswith("-") or word.lower().endswith((".yaml", ".yml"))
        if option is not None and ends:
            if expanded[-2:-1] != [option]:
                raise UserError(f"{option} needs at least one name, as in {option} pose lighting.0.direction")
            option = None
        name, equals, value = word.partition("=")
        if name in ("--free", "--frozen"):
            option, word = name, value
            if not equals:
                continue
        if option is None:
            expanded.append(word)
        else:
            expanded += [part for item in word.split(",") if item for part in (option, item)]
    expanded.pop()
    return expanded


def _each_set(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments with a ``--set`` of its own before every ``key=value``."""
    values = 0
    for word in arguments:
        if word == "--set":
            values = 1
        elif values == 1:
            values = 2
        elif values == 2 and "=" in word and not word.startswith("-"):
            yield "--set"
        else:
            values = 0
        yield word


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
