"""What is said when a command ends before its end: one sentence, what is kept, and the exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from ..errors import ModelFailure, Terminated, UserError, first_line
from ..home import without_home
from ..interrupts import INTERRUPTED, parting
from ..json_files import read_json
from ..memory import is_out_of_memory
from ..trusted import trust_option
from .wrong_options import usage

__all__ = ["Mishap", "interrupted", "keeping", "say_mishap"]

TERMINATED, MENDABLE, UNEXPECTED = 143, 2, 1

_UsageError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE)
"""What the system says where nothing is wrong with the program."""

MOST_LISTED = 10
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
def keeping(folder: Path) -> Iterator[None]:
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
        more = len(others) + 1 - MOST_LISTED
        for sentence in (first + _kept(folder), *others[: MOST_LISTED - 1]):
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
    if _has_ended(folder):
        return f"; {folder} is complete"
    if (folder / "checkpoint").is_dir() or (folder / "asked").is_dir():
        return f"; the state is kept, and 'resume {folder}{trust_option(folder)}' goes on from there"
    return f"; what was written into {folder} is kept"


def _has_ended(folder: Path) -> bool:
    """Whether there is nothing left to do in it."""
    for name in ("result.json", "comparison.json", "factors.json", "tuning.json"):
        if (folder / name).is_file():
            try:
                return read_json(folder / name).get("ended") != "interrupted"
            except UserError:
                return False
    return False


def _say(sentence: str) -> None:
    """One line, without the way to the user's home, and without what a file could make a terminal do."""
    line = without_home(" ".join(sentence.split()))
    print("".join(letter if letter.isprintable() else "?" for letter in line), file=sys.stderr)
