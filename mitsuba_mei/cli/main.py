"""The command line; the only package that prints. A module a family of commands; importing it registers them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import __version__
from ..interrupts import INTERRUPTED
from ..io.memory import check_address_space
from . import analyze, inspect, run, sweep  # noqa: F401 (they register their commands)
from .arguments import expand_arguments
from .errors import say_mishap
from .options import app
from .progress import LiveProgress

__all__ = ["LiveProgress", "main"]


@app.callback(invoke_without_command=True)
def _program(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit code: 0, or what :func:`~mitsuba_mei.cli.errors.say_mishap` gives.
    """
    # Read when torch is loaded: threads that wait for work sleep, and do not take the cores from others.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        check_address_space()
        code = app(expand_arguments(arguments), standalone_mode=False)
        if code == INTERRUPTED:  # some versions of Typer catch the interruption themselves
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:  # whoever read the output has enough
        sys.stdout = open(os.devnull, "w")
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return say_mishap(error, arguments)
