"""The command line; the only package that prints. A module a family of commands; importing it registers them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import __version__
from ..arguments import expand_arguments
from ..errors import Terminated, UserError
from ..home import without_home
from . import exporting, factors, finished, look, optimise, resuming, sweeping, tuning  # noqa: F401 (they register their commands)
from .common import app
from .progress import LiveProgress

__all__ = ["LiveProgress", "main"]

_INTERRUPTED, _TERMINATED = 130, 143
_UsageError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


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
        The exit code: 0; 1 where a run failed, or some of a sweep's are not done; 2 for what the user can mend (one
        sentence on the standard error); 130 when interrupted, 143 when terminated.
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
    except Terminated:
        print("terminated: the state is kept; 'resume' with the run's folder goes on from there", file=sys.stderr)
        return _TERMINATED
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    print(f"error: {_plain(message)}", file=sys.stderr)
    return 2


def _plain(message: str) -> str:
    """One line, without the way to the user's home, and without what a file could make a terminal do."""
    line = without_home(" ".join(message.split()))
    return "".join(letter if letter.isprintable() else "?" for letter in line)
