"""The one error that a user can cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UserError", "nearest"]


class UserError(Exception):
    """Something a user can mend: one sentence that says what is wrong, where, and what is allowed.

    The command line prints it without a traceback and exits with code 2.
    """


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A hint naming the closest of the allowed names, or all of them where none is close.

    Parameters
    ----------
    name : str
        What the user wrote.
    allowed : iterable of str
        What could have been written.

    Returns
    -------
    str
        ``"did you mean 'sun'?"``, or ``"allowed are constant, sun"``.
    """
    allowed = sorted(set(allowed))
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return "allowed: " + (", ".join(allowed) if allowed else "none")
