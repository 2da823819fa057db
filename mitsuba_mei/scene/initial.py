"""Kinds of initial scenes, and their descriptions."""

from __future__ import annotations

__all__ = ["CONTINUED", "DRAWN", "FILE", "RANDOM", "SEARCH", "describe_initial", "initial_in_words"]

FILE, SEARCH, RANDOM, DRAWN, CONTINUED = "scene file", "search", "random start", "drawn start", "earlier run"
"""``initial_scene`` of ``result.json``."""

WORDS = {
    FILE: "the scene as its file says it",
    SEARCH: "the start that optimizer.search found",
    RANDOM: "the random start that was kept",
    CONTINUED: "the final scene of an earlier run",
    DRAWN: "the scene of the file with the small displacement that every subset of the factors begins with",
}


def initial_in_words(initial: str | None) -> str:
    """Describe the initial scene; unknown in older folders."""
    return WORDS.get(initial or "", "the scene before the first step")


def describe_initial(initial: str | None) -> list[str]:
    """A line where the initial scene is another one than the scene file's."""
    return [] if initial in (None, FILE) else [f"The start is {initial_in_words(initial)}."]
