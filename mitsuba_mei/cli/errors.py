"""Errors as one sentence and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from ..config.experiment import Config
from ..config.trust import trust_option
from ..config.validation import fields_inside
from ..config.yaml.located import path_text
from ..errors import ModelFailure, Terminated, UserError, first_line
from ..interrupts import INTERRUPTED, parting
from ..io.files import without_home
from ..io.memory import is_out_of_memory
from ..runs.results.files import has_ended
from .arguments import COMMANDS

__all__ = ["Mishap", "interrupted", "report_kept", "say_mishap", "usage"]

FIRST = ("optimizer", "render", "model", "evaluate", "stimulus", "objective", "camera", "pose", "shape")
"""Sections of the scene file, those first that are meant most often."""

MEANT = {"render": "render.type", "renderer": "render.type", "iterations": "optimizer.steps"}
"""Settings that are asked for by another name."""

MAX_HINTS = 2
"""Settings that are named."""


def usage(error: Any, arguments: Sequence[str] = ()) -> str:
    """What the option parser says; of an option that there is not, which setting or command was meant.

    Parameters
    ----------
    error : click.UsageError
    arguments : sequence of str
        What the user wrote.
    """
    message, option = error.format_message(), getattr(error, "option_name", None)
    if option is None or error.ctx is None:
        return message
    command, hints = error.ctx.command, []
    if _takes(command, "--set"):
        value = _value(option, arguments)
        hints += [f"--set {path}={value}" for path in _settings(option.lstrip("-").replace("-", "_"), command.name)]
        hints += [f"{option}s {value}"] * _takes(command, f"{option}s")
    if hints:
        return f"{error.message}; write {' or '.join(hints)}"
    root = error.ctx.find_root().command
    commands = getattr(root, "commands", {})
    having = [name for name in COMMANDS if name in commands and _takes(commands[name], option)]
    return f"{error.message}; it goes with {', '.join(having)}" if having else message


def _takes(command: Any, option: str) -> bool:
    return any(option in parameter.opts for parameter in command.params)


def _value(option: str, arguments: Sequence[str]) -> str:
    """What the user wrote behind it."""
    for word, after in zip(arguments, [*arguments[1:], "-"]):
        if word.startswith(f"{option}="):
            return word.partition("=")[2] or "..."
        if word == option and not after.startswith("-"):
            return after
    return "..."


def _settings(name: str, command: str) -> list[str]:
    """The keys of a scene file that are called so; those first that are meant most often."""
    if name in MEANT:
        return [MEANT[name]]
    first = ("pixel", *FIRST) if command == "pixel" else FIRST
    matches = dict.fromkeys(path for path in fields_inside(Config) if path[-1] == name and path[0] in first)
    return [path_text(path) for path in sorted(matches, key=lambda path: first.index(path[0]))][:MAX_HINTS]


TERMINATED, MENDABLE, UNEXPECTED = 143, 2, 1

_UsageError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE)
"""What the system says where nothing is wrong with the program."""

MAX_LISTED = 10
"""Mistakes of a file that are said, each on a line of its own."""

SMALLER = (
    "lower render.resolution, render.gradient.interior or the mesh's subdivisions, run less beside it, or allow it more"
)


class Mishap(Exception):
    """Something ended the work in a folder; what it was is the cause."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder


@contextmanager
def report_kept(folder: Path) -> Iterator[None]:
    """Within it, results are written into a folder: of what goes wrong, it is said what is kept there."""
    with parting(lambda: without_home(_kept(folder))):
        try:
            yield
        except ModelFailure as error:
            raise Mishap(folder) from error
        except (UserError, Mishap, _UsageError, typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise Mishap(folder) from error


def interrupted(folder: Path) -> Mishap:
    """What is to be raised where Ctrl-C has ended what was done in a folder, and everything is written."""
    mishap = Mishap(folder)
    mishap.__cause__ = KeyboardInterrupt()
    return mishap


def say_mishap(error: BaseException, arguments: Sequence[str] = ()) -> int:
    """Say on the standard error what ended a command; gives the exit code.

    2 is for what the user can mend, memory that ran out and a full disk among it; 1 for what nobody expected, whose
    traceback comes first, as for a run that failed; 130 and 143 for an interruption and a termination. ``arguments``
    are what the user wrote.
    """
    folder = None
    if isinstance(error, Mishap):
        folder, error = error.folder, error.__cause__
    if isinstance(error, Terminated):
        _say(f"terminated{_kept(folder)}")
        return TERMINATED
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        _say(f"interrupted{_kept(folder)}")
        return INTERRUPTED
    if isinstance(error, UserError):
        first, *others = error.sentences
        more = len(others) + 1 - MAX_LISTED
        for sentence in (first + _kept(folder), *others[: MAX_LISTED - 1]):
            _say(f"error: {sentence}")
        if more > 0:
            _say(f"error: and {more} more mistake{'s' * (more > 1)}")
        return MENDABLE
    if isinstance(error, _UsageError):
        _say(f"error: {usage(error, arguments)}")
        return MENDABLE
    if is_out_of_memory(error):
        _say(f"error: memory ran out ({first_line(error)}); {SMALLER}{_kept(folder)}")
        return MENDABLE
    if isinstance(error, OSError) and error.errno in REFUSED:
        _say(f"error: the system refused something: {error}{_kept(folder)}")
        return MENDABLE
    traceback.print_exception(type(error), error, error.__traceback__)
    _say(
        f"error: something that should not happen ended this ({first_line(error)}); please report it with the lines "
        f"above{_kept(folder)}"
    )
    return UNEXPECTED


def _kept(folder: Path | None) -> str:
    """What there is in a folder, and how to go on."""
    if folder is None or not folder.is_dir():
        return ""
    if (folder / "plan.json").is_file():
        return f"; what is done is kept in {folder}, and the same command goes on"
    if has_ended(folder):
        return f"; {folder} is complete"
    if (folder / "checkpoint").is_dir() or (folder / "asked").is_dir():
        return f"; the state is kept, and 'resume {folder}{trust_option(folder)}' goes on from there"
    return f"; what was written into {folder} is kept"


def _say(sentence: str) -> None:
    """One line, without the way to the user's home, and without what a file could make a terminal do."""
    line = without_home(" ".join(sentence.split()))
    print("".join(letter if letter.isprintable() else "?" for letter in line), file=sys.stderr)
