"""The one error that a user can cause, and where in a file it lies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ModelFailure", "Place", "Terminated", "UserError", "about", "first_line", "nearest"]

PLACE = re.compile(r"\S+:\d+: ")

LONGEST = 600
"""Letters of a sentence; of a longer one the middle is left out."""


@dataclass(frozen=True)
class Place:
    """Location at which a value was written.

    Attributes
    ----------
    source : str
        The file's name as the user wrote it, or the command-line option.
    folder : Path
        What relative paths in the value are relative to.
    line : int or None
        Counted from 1; None outside files.
    """

    source: str
    folder: Path
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class UserError(ValueError):
    """Something a user can mend: one sentence that says what is wrong, where, and what is allowed.

    The command line prints it without a traceback and exits with code 2. Whatever a file's contents put into the
    sentence, it is one line of a bounded length, and without letters that steer a terminal.

    Parameters
    ----------
    sentence : str
        What is wrong, where, and what is allowed.
    *others : str
        What else is wrong, a sentence each; as text, the error is the first one, and how many more there are.

    Attributes
    ----------
    sentences : tuple of str
        All of them.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.Camera(distance=-1)
    Traceback (most recent call last):
    mitsuba_mei.errors.UserError: Camera: distance: must be above 0, not -1
    """

    def __init__(self, sentence: str, *others: str) -> None:
        self.sentences = tuple(_clean(each) for each in (sentence, *others))
        more = f" (and {len(others)} more mistake{'s' * (len(others) > 1)})" if others else ""
        super().__init__(_bounded(self.sentences[0] + more))


def _clean(sentence: str) -> str:
    letters = (
        letter if letter.isprintable() else " " if letter.isspace() else ascii(letter)[1:-1]
        for letter in _bounded(sentence)
    )
    return _bounded("".join(letters))


def _bounded(text: str) -> str:
    """A text, or its beginning and its end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 3 :]}"


class ModelFailure(UserError):
    """A user's own model raised something, on an image that is not the first it has seen."""


class Terminated(Exception):
    """The system asked for an end (SIGTERM); what was under way has been kept."""


@contextmanager
def about(file: Path) -> Iterator[None]:
    """Prefix errors raised within by a file, where they name no place of their own."""
    try:
        yield
    except UserError as error:
        if PLACE.match(str(error)):
            raise
        raise type(error)(*(f"{file}: {each}" for each in error.sentences)) from None


def nearest(name: str, allowed: Iterable[str], by: Callable[[str], str] = str) -> str:
    """A hint naming the closest of the allowed names, or all of them where none is close.

    Parameters
    ----------
    name : str
        What the user wrote.
    allowed : iterable of str
        What could have been written.
    by : callable
        What of a name is compared; of a file's name, its stem.

    Returns
    -------
    str
        ``"did you mean 'sun'?"``, or ``"allowed are constant, sun"``.
    """
    allowed = sorted(set(allowed))
    compared = {by(other): other for other in allowed}
    close = difflib.get_close_matches(by(name), compared, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{compared[close[0]]}'?"
    return "allowed: " + (", ".join(allowed) if allowed else "none")


def first_line(error: BaseException) -> str:
    """An error's kind and the first line of what it says."""
    line = str(error).strip().partition("\n")[0][:200]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
