"""What the commands share: the program, the options, scene files, and where results go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..config import Config, load_config
from ..errors import UserError, nearest
from ..schema import RENDERERS
from .progress import LiveProgress

__all__ = [
    "Free",
    "Frozen",
    "Out",
    "Quiet",
    "Render",
    "SceneFile",
    "Seed",
    "Set",
    "app",
    "checked_renderer",
    "free_name",
    "load",
    "telling",
]

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
Out = Annotated[Path | None, typer.Option(help="Folder for the results, a new one; default runs/<name>-<number>.")]
Render = Annotated[
    str | None, typer.Option(metavar="|".join(RENDERERS), help="Which renderer; default the run's own, or the file's.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")]


def load(
    scene: Path, overrides: list[str], free: list[str], frozen: list[str], seed: int | None, rendered: bool = True
) -> Config:
    if seed is not None:
        overrides = [*overrides, f"seed={seed}"]
    return load_config(scene, overrides, free, frozen, rendered)


def free_name(stem: str, parent: Path = Path("runs")) -> Path:
    """The first of <stem>-001, -002, ... that does not exist in a folder."""
    number = 1
    while (folder := parent / f"{stem}-{number:03d}").exists():
        number += 1
    return folder


def checked_renderer(name: str | None) -> str | None:
    """What ``--render`` says, if there is such a renderer."""
    if name is not None and name not in RENDERERS:
        raise UserError(f"--render {name}: there is no such renderer; {nearest(name, RENDERERS)}")
    return name


@contextmanager
def telling(quiet: bool) -> Iterator[LiveProgress]:
    """A line that lives within it."""
    progress = LiveProgress(Console(stderr=True), quiet)
    try:
        yield progress
    finally:
        progress.stop()
